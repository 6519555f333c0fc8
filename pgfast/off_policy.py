"""What a policy is worth, and its gradient, from episodes of another one: importance sampling.

With ρ_t = Π_{k≤t} π(A_k|S_k) / b(A_k|S_k) of an episode of T steps, G = Σ_t γᵗ R_{t+1}, and n episodes of the behaviour
policy b, the return J of π is estimated by

    ordinary               mean of ρ_{T−1} G                            (Sutton & Barto 2018, section 5.5)
    weighted               Σ ρ_{T−1} G / Σ ρ_{T−1}                      (5.5)
    per-decision           mean of Σ_t ρ_t γᵗ R_{t+1}                   (Precup, Sutton & Singh 2000; 5.9)
    weighted-per-decision  Σ_t γᵗ (Σ ρ_t R_{t+1} / Σ ρ_t), where an episode that has ended keeps its last ρ and is paid
                           nothing                                      (Thomas 2015, section 3.7)

The first and third are unbiased; the others are consistent and vary less. The gradient is that of the estimate: with
u_t = ∂Ĵ/∂ log ρ_t it is Σ_k (Σ_{t≥k} u_t) ∇ log π(A_k|S_k), summed over the episodes; of an unbiased estimate it is an
unbiased estimate of ∇J (Peshkin & Shelton 2002). Standard errors are those of Σ_t u_t as a sum over episodes: exact for
a mean, by linearisation for a ratio (Owen 2013, section 9.2).

Owen 2013: Monte Carlo theory, methods and examples. Peshkin & Shelton 2002: Learning from scarce experience. ICML.
Precup, Sutton & Singh 2000: Eligibility traces for off-policy policy evaluation. ICML.
Thomas 2015: Safe reinforcement learning. PhD thesis, University of Massachusetts.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pgfast import exact
from pgfast.errors import PgfastError, unknown
from pgfast.recording import Recording
from pgfast.results import Interval, interval_of

if TYPE_CHECKING:
    from pgfast.engine import Engine

ESTIMATORS = ("ordinary", "weighted", "per-decision", "weighted-per-decision")
_MOST = 700.0  # log ρ beyond which it is no double
_WIDE = 3000  # parameters of a policy that is no table, up to which gradients are taken


class Estimate(NamedTuple):
    """Of J."""

    value: float
    standard_error: float
    interval: Interval  # 95 %


class OffPolicy:
    """Estimates for the policy that `engine` has, from a recording of another policy's episodes.

    `gamma` discounts the return; `run` says which of the engine's runs is judged. Raises PgfastError for real actions,
    for observations or actions that the engine doesn't know, and for a behaviour policy without the support that
    importance sampling needs: every action that π takes must have a probability under b.
    """

    def __init__(self, engine: Engine, recording: Recording, *, gamma: float = 1.0, run: int = 0) -> None:
        if not 0.0 <= gamma <= 1.0:
            raise PgfastError(f"gamma is {gamma}: it must be from 0 to 1.")
        if not 0 <= run < engine.settings.runs:
            raise PgfastError(f"run is {run}: it must be from 0 to {engine.settings.runs - 1}.")
        if engine.model.n_reals:
            raise PgfastError(f"Actions in {engine.source.env.action_space} have densities, not probabilities.")
        self.engine, self.recording, self.run = engine, recording, run
        lengths = recording.lengths
        self._time = np.arange(len(recording.actions)) - np.repeat(recording.starts, lengths)
        self._by_length = np.argsort(-lengths, kind="stable")
        self._going = np.searchsorted(-lengths[self._by_length], -np.arange(lengths.max()), side="left")
        self._paid = gamma**self._time * recording.rewards
        self._choice = self._checked_actions()
        log_rho = self._accumulated(self._log_ratios())
        if log_rho.max() > _MOST:
            raise PgfastError(
                f"An episode is e^{log_rho.max():.0f} times as probable under the policy that is judged as under the "
                f"one that was recorded: they are too far apart."
            )
        self._rho = np.exp(log_rho)
        self._last = recording.starts + lengths - 1

    @property
    def n_episodes(self) -> int:
        """Episodes recorded."""
        return len(self.recording.starts)

    @cached_property
    def weights(self) -> np.ndarray:
        """ρ_{T−1} of each episode, (E,)."""
        return np.asarray(self._rho[self._last])

    @property
    def effective_episodes(self) -> float:
        """(Σ ρ)² / Σ ρ²: episodes of π itself that would say as much (Kong 1992)."""
        squares = float(self.weights @ self.weights)
        return float(self.weights.sum()) ** 2 / squares if squares > 0.0 else 0.0

    def estimate(self, estimator: str = "weighted-per-decision") -> Estimate:
        """Of J, by one of ESTIMATORS; the interval is NaN for a single episode."""
        value, by_step = self._estimated(estimator)
        n = self.n_episodes
        parts = n * np.add.reduceat(by_step, self.recording.starts)  # whose mean it is, to first order
        deviation = float(np.std(parts, ddof=1)) if n > 1 else math.nan
        return Estimate(value, deviation / math.sqrt(n), interval_of(value, deviation, n))

    def gradient(self, estimator: str = "weighted-per-decision") -> np.ndarray:
        """The gradient of that estimate by the engine's parameters, in their shape. Raises PgfastError for policies, of
        other features than tables, with many parameters."""
        model = self.engine.model
        if not model.tabular and model.n_parameters > _WIDE:
            raise PgfastError(
                f"The gradient of a {model.name} policy is found for up to {_WIDE:,} parameters: this one has "
                f"{model.n_parameters:,}."
            )
        _, by_step = self._estimated(estimator)
        credit = self._accumulated(by_step, backward=True)
        seen, which = np.unique(self.recording.observations, axis=0, return_inverse=True)
        policy = exact.observed_policy(model, self.engine.source.env, self.engine.traits, tuple(seen))
        theta = self.engine.theta[self.run].reshape(-1)
        pi = policy.probabilities(theta)
        place: tuple[np.ndarray, ...] = (which.reshape(-1),)
        if pi.ndim == 3:
            place = (np.minimum(self._time, len(pi) - 1), *place)
        by_preference = np.zeros_like(pi)
        np.add.at(by_preference, (*place, self._choice), credit)
        total = np.zeros(pi.shape[:-1])
        np.add.at(total, place, credit)
        by_preference -= total[..., None] * pi
        return np.asarray(policy.at(theta).chained(by_preference)).reshape(model.shape)

    def _checked_actions(self) -> np.ndarray:
        """Counted from 0."""
        traits, given = self.engine.traits, self.recording.probabilities
        choice = np.asarray(self.recording.actions - traits.first_action)
        if choice.min() < 0 or choice.max() >= traits.n_actions:
            bad = self.recording.actions[(choice < 0) | (choice >= traits.n_actions)][0]
            last = traits.first_action + traits.n_actions - 1
            raise PgfastError(f"An action recorded is {bad}: it must be from {traits.first_action} to {last}.")
        if given.ndim > 1 and given.shape != (len(choice), traits.n_actions):
            raise PgfastError(
                f"The behaviour policy's probabilities have shape {given.shape}: they must be those of the actions "
                f"taken, ({len(choice)},), or of all, ({len(choice)}, {traits.n_actions})."
            )
        return choice

    def _log_ratios(self) -> np.ndarray:
        """log π − log b of each step."""
        steps, behaviour = np.arange(len(self._choice)), self.recording.probabilities
        pi = self._probabilities()
        if behaviour.ndim > 1:
            missing = (behaviour == 0.0) & (pi > 0.0)
            if missing.any():
                k, a = np.argwhere(missing)[0]
                raise PgfastError(
                    f"The behaviour policy never takes action {a + self.engine.traits.first_action} at observation "
                    f"{self.recording.observations[k]}, and the policy that is judged does, with probability "
                    f"{pi[k, a]:.3g}: what that leads to was never recorded."
                )
            behaviour = behaviour[steps, self._choice]
        if not (behaviour > 0.0).all():
            raise PgfastError("An action recorded has probability 0 under the behaviour policy that took it.")
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(pi[steps, self._choice]) - np.log(behaviour))

    def _probabilities(self) -> np.ndarray:
        """π of all actions at each step, (N, A)."""
        engine, seen = self.engine, self.recording.observations
        if not engine.model.horizon:
            return engine.probabilities(seen, run=self.run)
        pi = np.empty((len(seen), engine.traits.n_actions))
        for t in range(self._time.max() + 1):
            now = self._time == t
            pi[now] = engine.probabilities(seen[now], run=self.run, time=t)
        return pi

    def _accumulated(self, steps: np.ndarray, *, backward: bool = False) -> np.ndarray:
        """Sums over the steps of each episode up to each of them, or from each on; all episodes at once."""
        sums = np.array(steps, float)
        first = self.recording.starts[self._by_length]
        times = range(1, len(self._going))
        for t in reversed(times) if backward else times:
            later = first[: self._going[t]] + t
            to, of = (later - 1, later) if backward else (later, later - 1)
            sums[to] += sums[of]
        return sums

    def _estimated(self, estimator: str) -> tuple[float, np.ndarray]:
        """Ĵ, and ∂Ĵ/∂ log ρ of each step, (N,)."""
        if estimator not in ESTIMATORS:
            raise unknown("estimator", estimator, ESTIMATORS)
        if estimator == "weighted-per-decision":
            return self._by_step_and_weight()
        by_step, n = np.zeros(len(self._paid)), self.n_episodes
        if estimator == "per-decision":
            by_step = self._rho * self._paid / n
            return float(by_step.sum()), by_step
        returns = np.add.reduceat(self._paid, self.recording.starts)
        if estimator == "ordinary":
            by_step[self._last] = self.weights * returns / n
            return float(by_step.sum()), by_step
        share = self.weights / self._positive(self.weights.sum())
        value = float(share @ returns)
        by_step[self._last] = share * (returns - value)
        return value, by_step

    def _by_step_and_weight(self) -> tuple[float, np.ndarray]:
        time, lengths = self._time, self.recording.lengths
        ended = np.cumsum(np.bincount(lengths, self.weights, len(self._going) + 1))[:-1]  # Σ ρ of those before t
        total = self._positive(np.bincount(time, self._rho) + ended)
        mean = np.bincount(time, self._rho * self._paid) / total  # what step t pays
        by_step = self._rho * (self._paid - mean[time]) / total[time]
        left = np.append(np.cumsum((mean / total)[::-1])[::-1], 0.0)  # Σ over later steps
        by_step[self._last] -= self.weights * left[lengths]
        return float(mean.sum()), by_step

    def _positive(self, total: np.ndarray) -> np.ndarray:
        if not np.all(total > 0.0):
            raise PgfastError(
                "None of the episodes recorded can be one of the policy that is judged: weighted estimates say nothing."
            )
        return total


def exact_value(engine: Engine, gamma: float = 1.0, run: int = 0) -> float | None:
    """What the estimates approach: the engine's J within its time limit; None where its model isn't known."""
    try:
        table = exact.table_behind(engine.source, engine.traits)
        policy = exact.observed_policy(engine.model, engine.source.env, engine.traits, table.observations)
        pi = policy.probabilities(engine.theta[run].reshape(-1))
        return exact.evaluate(table.mdp, pi, gamma=gamma, setting="finite-horizon", horizon=engine.traits.max_steps).J
    except PgfastError:  # too large for it, or without a table
        return None
