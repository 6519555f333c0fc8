"""A finite MDP as arrays to compute with, and the settings in which a policy can be judged.

setting           V(s) is the expected
discounted        Σ_t γᵗ R_{t+1} until the episode ends, γ < 1
episodic          Σ_t R_{t+1} until the episode ends, γ = 1: every episode must end
finite-horizon    Σ_{t<H} γᵗ R_{t+1}, or until the episode ends
average           Σ_t (R_{t+1} − J), with J the reward per step in the long run; an episode that ends begins anew
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from pgfast.errors import PgfastError, unknown
from pgfast.exact.chains import reachable
from pgfast.tables import TabularMDP

DISCOUNTED, EPISODIC, HORIZON, AVERAGE = SETTINGS = ("discounted", "episodic", "finite-horizon", "average")


MOST_VALUES = 5 * 10**8  # numbers Q_t(s, a) of a finite horizon: 4 GB


@dataclass(frozen=True, eq=False)
class Model:
    """Going on from one state to the next; what ends an episode is what a row of `steps` lacks to one.

    steps: sparse (S A, S), row s A + a: probabilities of going on to each state; reward: float64 (S, A), expected;
    rho0: float64 (S,).
    """

    name: str
    steps: Any
    reward: np.ndarray
    rho0: np.ndarray
    max_steps: int | None

    @property
    def shape(self) -> tuple[int, int]:
        """(S, A)."""
        n_states, n_actions = self.reward.shape
        return n_states, n_actions

    @cached_property
    def ends(self) -> np.ndarray:
        """The probability that the episode ends with action a in state s, float64 (S, A)."""
        on = np.asarray(self.steps.sum(axis=1)).reshape(self.shape)
        return np.clip(1.0 - on, 0.0, 1.0) * (on < 1.0 - 1e-12)

    @cached_property
    def any_action(self) -> Any:
        """Where some action leads: sparse (S, S), positive there."""
        row, column = self.steps.nonzero()
        n_states, n_actions = self.shape
        return sparse.csr_matrix((np.ones(len(row)), (row // n_actions, column)), (n_states, n_states))

    @cached_property
    def worthless(self) -> np.ndarray:
        """The states from which nothing is ever paid, whatever is done, bool (S,): as good as an end."""
        return ~reachable(self.any_action.T.tocsr(), np.any(self.reward != 0.0, axis=1))

    @cached_property
    def restarting(self) -> Model:
        """The same, but what ends goes on in a first state drawn from rho0: nothing ends."""
        again = sparse.csr_matrix(self.ends.reshape(-1, 1)) @ sparse.csr_matrix(self.rho0)
        return Model(self.name, (self.steps + again).tocsr(), self.reward, self.rho0, self.max_steps)


def model_of(mdp: TabularMDP | Model) -> Model:
    """The arrays of an MDP. The states that are only entered by what ends an episode pay nothing: no step is taken from
    them."""
    if isinstance(mdp, Model):
        return mdp
    if not isinstance(mdp, TabularMDP):
        raise PgfastError(
            f"mdp is {mdp!r}: it must be a TabularMDP, from arrays, from pgfast.make, or of a class from "
            f"exact.table_behind."
        )
    o, shape = mdp.outcomes, (mdp.n_states, mdp.n_actions)
    entered = [np.bincount(o.following[kind], minlength=shape[0]) > 0 for kind in (o.terminated, ~o.terminated)]
    over = entered[0] & ~entered[1] & (mdp.rho0 == 0.0)
    alive = sparse.diags(np.repeat(np.where(over, 0.0, 1.0), shape[1]))
    steps = (alive @ mdp.sparse_transitions(continuing=True)).tocsr()
    steps.eliminate_zeros()
    return Model(mdp.name, steps, np.where(over[:, None], 0.0, mdp.R), mdp.rho0, mdp.max_steps)


def chosen_setting(model: Model, setting: str | None, gamma: float, horizon: int | None) -> tuple[str, int | None]:
    """The setting, where none is named that which γ suggests, and its horizon; raises PgfastError when they don't go
    together."""
    if not isinstance(gamma, int | float | np.number) or not 0.0 <= gamma <= 1.0:
        raise PgfastError(f"gamma is {gamma}: it must be from 0 to 1.")
    setting = setting or (DISCOUNTED if gamma < 1.0 else EPISODIC)
    if setting not in SETTINGS:
        raise unknown("setting", setting, SETTINGS)
    if setting == DISCOUNTED and gamma == 1.0:
        raise PgfastError("gamma is 1 in the discounted setting: it must be less than 1, or the setting episodic.")
    if setting == EPISODIC and gamma < 1.0:
        raise PgfastError(f"gamma is {gamma} in the episodic setting: it must be 1, or the setting discounted.")
    if horizon is not None and (not isinstance(horizon, int | np.integer) or horizon < 1):
        raise PgfastError(f"horizon is {horizon}: it must be a number of steps of at least 1.")
    if setting != HORIZON:
        if horizon is not None:
            raise PgfastError(f"horizon is {horizon} in the {setting} setting: only finite-horizon has one.")
        return setting, None
    limit = horizon if horizon is not None else model.max_steps
    if limit is None:
        raise PgfastError(f"{model.name} has no time limit of its own: give horizon, a number of steps of at least 1.")
    most = MOST_VALUES // (model.shape[0] * model.shape[1])
    if limit > most:
        raise PgfastError(
            f"horizon is {limit:,}: with {model.shape[0]:,} states and {model.shape[1]} actions the values of so many "
            f"steps would not fit into memory; it can be up to {most:,}."
        )
    return setting, limit
