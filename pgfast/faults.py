"""What an environment can do wrong that shows only while it is played, in words."""

from __future__ import annotations

import numpy as np

from pgfast.errors import EnvironmentFault
from pgfast.kernels.statistics import COUNT, EXPONENT, LENGTH, SQUARES, SUM
from pgfast.probe import Traits


def outside(traits: Traits) -> EnvironmentFault:
    """An observation that the table has no row for, or no feature can be found for."""
    if traits.n_observations is None:
        return EnvironmentFault(f"{traits.label}: an observation had an entry that is not finite.")
    last = traits.first_observation + (traits.n_observations or 0) - 1
    return EnvironmentFault(
        f"{traits.label}: an observation is outside its space: with {traits.n_observations} observations they must be "
        f"from {traits.first_observation} to {last}."
    )


def raised(traits: Traits, error: Exception) -> EnvironmentFault:
    """An exception from compiled code; nothing but the environment's methods raises any there."""
    return EnvironmentFault(f"{traits.label}: reset, step or observe raised {type(error).__name__}: {error}")


_NOT_A_NUMBER = 1000  # at least so much a NaN adds to the exponent of a likelihood, which is never above 0 otherwise


def check_observations(traits: Traits, log: np.ndarray) -> None:
    """Raise EnvironmentFault where a log (runs, rows, N_STATS) has actions whose probabilities were no numbers: θ is
    finite, so an observation was not."""
    impossible = log[:, :, EXPONENT] > _NOT_A_NUMBER + 1e-6 * log[:, :, LENGTH]
    if np.any(impossible & (log[:, :, COUNT] > 0)):
        raise EnvironmentFault(
            f"{traits.label}: an observation had an entry that is not finite, or too large to be weighed: they must be "
            f"finite numbers; `pgfast check` says where such a one comes from."
        )


def check_returns(traits: Traits, log: np.ndarray, log_every: int, last: int, learn: bool) -> None:
    """Raise EnvironmentFault where a log (runs, rows, N_STATS) has returns that are not finite, or whose squares are
    not: whatever the policy, they are sums of rewards. Episodes are counted from the log's beginning, and there are
    `last`."""
    rows = np.argwhere((log[:, :, COUNT] > 0) & ~np.isfinite(log[:, :, SUM] + log[:, :, SQUARES]))
    if len(rows):
        raise immense(traits, min((int(rows[:, 1].min()) + 1) * log_every, last), learn)


def immense(traits: Traits, episodes: int, learn: bool) -> EnvironmentFault:
    """A return that is not finite, among so many episodes, or a sum of them or of their squares."""
    boundless = not np.all(np.isfinite([traits.low, traits.high]))
    advice = ", whatever the action: set bounds in the action space, or a smaller lr" if boundless else ""
    return EnvironmentFault(
        f"{traits.label}: step gave a reward that is not finite, or too large to be squared and added up, in the first "
        f"{episodes} episodes of {'training' if learn else 'an evaluation'}: rewards must be finite numbers{advice}."
    )
