"""Training by exact algorithms: no episode is played, and yet an engine is left as after any training.

An update counts as one batch of episodes, so that the curve of an exact algorithm can be laid over that of a sampled
one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from scipy.special import entr

from pgfast import exact
from pgfast.beginning import derive_lanes
from pgfast.curves import points_apart
from pgfast.environments import Source
from pgfast.errors import PgfastError
from pgfast.exact.enumeration import INSTEAD
from pgfast.exact.evaluation import chain_under
from pgfast.kernels.learner import EPISODES, FAILED, UPDATES, Learner
from pgfast.logs import failures
from pgfast.models import Model
from pgfast.probe import Traits
from pgfast.problem import Problem
from pgfast.results import Curve, Interval, Progress, Training
from pgfast.settings import Settings

Callback = Callable[[Progress], bool | None]
MANY = 20_000  # parameters from which on it takes compiled code to derive what lanes use
_FAR = 1000  # steps of an undiscounted episode beyond which no limit is looked for, if it ends by itself
_NOTHING = 1e-12  # weight of a reward that plays no part
_APART = 0.1  # seconds between calls of a callback
_STEADY = 1e-15  # change of the expected reward of a step, relative to the largest, that is none


def ascent_of(settings: Settings, source: Source, traits: Traits, model: Model) -> exact.Ascent:
    """The exact algorithm that the settings ask for: J is the return within the time limit, where there is one.

    Raises PgfastError for an environment without a table."""
    try:
        table = exact.table_behind(source, traits)
    except PgfastError as error:
        reason = str(error).removesuffix(f"; {INSTEAD}.")
        raise PgfastError(
            f"algorithm is {settings.algorithm!r}, which computes with an environment's probabilities ({reason}): "
            f"choose reinforce, which estimates the same gradient from episodes."
        ) from None
    mdp, gamma = exact.model_of(table.mdp), settings.gamma
    policy = exact.observed_policy(model, source.env, traits, table.observations)
    limit = time_limit(settings, traits, model)
    knows_time = len(policy.shape) == 3
    if limit and not knows_time and _is_far(limit, mdp, gamma):
        limit = None
    return exact.Ascent(
        mdp,
        settings.algorithm,
        lr=settings.lr,
        entropy=settings.entropy,
        policy=policy,
        gamma=gamma,
        setting="finite-horizon" if limit else None,
        horizon=limit,
    )


def time_limit(settings: Settings, traits: Traits, model: Model) -> int | None:
    """The steps after which an episode of training is cut; None where the environment has no limit.

    Raises PgfastError for one that the policy, which knows the time, doesn't have."""
    if settings.horizon and model.horizon and settings.horizon != model.horizon:
        raise PgfastError(
            f"horizon is {settings.horizon}, but the policy has preferences for each of {model.horizon} steps, and the "
            f"exact gradient is that over all of them: give max_steps instead."
        )
    return settings.horizon or (traits.max_steps if traits.limited or model.horizon else None)


def _is_far(limit: int, mdp: exact.Model, gamma: float) -> bool:
    """Is a time limit so far away that it may be left out, rather than gone back from in every update?"""
    if gamma < 1.0:
        return gamma**limit < _NOTHING
    if limit <= _FAR:
        return False
    try:
        exact.evaluate(mdp, np.full(mdp.shape, 1.0 / mdp.shape[1]), gamma=gamma)
    except PgfastError:  # an episode may never end
        return False
    return True


def learn_exactly(
    ascent: exact.Ascent,
    problem: Problem,
    learner: Learner,
    settings: Settings,
    episodes: int,
    callback: Callback | None,
) -> Training:
    """Updates for so many more episodes of a learner's only run, each for a batch of them, and a point of the curve
    every so many. `callback` as in `Engine.learn`.

    Raises PgfastError when θ has gone so far that the policy's worth is no longer found; the learner then has the last
    θ that it was found of."""
    return _Climb(ascent, problem, learner, settings.batch).run(episodes, points_apart(settings, episodes), callback)


class _Climb:
    """The learner's θ on its way up."""

    def __init__(self, ascent: exact.Ascent, problem: Problem, learner: Learner, batch: int) -> None:
        self.ascent, self.problem, self.learner, self.batch = ascent, problem, learner, batch
        self.clock = learner.clock[0]
        self.theta = learner.runs[0, : learner.n_theta].copy()
        self.found = ascent.evaluate(self.theta)
        self.points: list[tuple[float, ...]] = []  # episode, mean return, entropy, gradient norm, seconds
        self.squares: list[float] = []  # of the gradients since the last point

    def run(self, episodes: int, every: int, callback: Callback | None) -> Training:
        clock, first, start = self.clock, int(self.clock[EPISODES]), time.perf_counter()
        last, looked, going = first + episodes, 0.0, True
        try:
            while going and clock[EPISODES] < last and clock[FAILED] < 0:
                self._update(min(self.batch, last - int(clock[EPISODES])))
                done, seconds = int(clock[EPISODES]) - first, time.perf_counter() - start
                if self.squares and (done % every == 0 or done == episodes):
                    self._note(seconds)
                if callback is not None and (seconds > looked + _APART or done == episodes):
                    looked, mean = seconds, self.points[-1][1] if self.points else math.nan
                    going = callback(Progress(done, episodes, 0, seconds, mean)) is not False
        finally:
            self._hand_over()
        done = int(clock[EPISODES]) - first
        taken = time.perf_counter() - start
        mean = self._mean_return()
        stopped = done < episodes and clock[FAILED] < 0
        failed = tuple(failures(self.learner))
        return Training(done, 0, 0.0, 0.0, taken, self._curve(), Interval(mean, mean, mean), stopped, failed)

    def _update(self, episodes: int) -> None:
        scale = self.problem.optimisation.schedule.scale(float(self.clock[UPDATES]), float(self.clock[EPISODES]))
        moved = self.ascent.step(self.theta, self.found, scale)
        if not np.all(np.isfinite(moved)):
            self.clock[FAILED] = self.clock[EPISODES]
            return
        gradient = self.ascent.gradient(self.theta, self.found)
        found = self.ascent.evaluate(moved)
        with np.errstate(over="ignore"):
            self.squares.append(float(gradient @ gradient))
        self.theta, self.found = moved, found
        self.clock[EPISODES] += episodes
        self.clock[UPDATES] += 1

    def _note(self, seconds: float) -> None:
        norm = math.sqrt(sum(self.squares) / len(self.squares))
        self.points.append((float(self.clock[EPISODES]), self._mean_return(), self._entropy(), norm, seconds))
        self.squares = []

    def _mean_return(self) -> float:
        pi, model = self.found.policy, self.ascent.model
        if pi.ndim == 3:
            return exact.evaluate(model, pi, setting="finite-horizon", horizon=len(pi)).J
        return expected_return(model, pi, self.problem.traits.max_steps)

    def _entropy(self) -> float:
        """Of the policy, nats, mean over the states that are seen."""
        found, each = self.found, entr(self.found.policy).sum(axis=-1)
        visits = np.asarray(found.occupancy_t if each.ndim == 2 else found.occupancy)
        return float(np.sum(visits * each) / np.sum(visits))

    def _curve(self) -> Curve:
        columns = np.array(self.points, float).reshape(-1, 5).T
        episode, mean, entropy, norm, seconds = columns[:, None]
        nobody = np.zeros_like(mean)
        return Curve(episode[0].astype(np.int64), nobody, mean, nobody + math.nan, entropy, norm, seconds)

    def _hand_over(self) -> None:
        """The learner has θ, and what lanes derive from it."""
        self.learner.runs[0, : self.learner.n_theta] = self.theta
        derive_lanes(self.problem.model, self.learner, self.problem.values, compiled=len(self.theta) > MANY)


def expected_return(model: exact.Model, policy: np.ndarray, steps: int) -> float:
    """The undiscounted return that a policy (S, A) is expected to have within so many steps. Once the rewards of one
    more step are those of the last, the rest is not gone through."""
    p, reward = chain_under(model, policy)
    total = np.zeros_like(reward)
    scale = max(float(np.max(np.abs(reward), initial=0.0)), 1e-300)
    for t in range(1, steps + 1):
        total += reward
        following = p @ reward
        if np.max(np.abs(following - reward)) <= _STEADY * scale:
            total += (steps - t) * following
            break
        reward = following
    return float(model.rho0 @ total)
