"""Training by exact algorithms: no episode is played, and yet an engine is left as after any training.

An update counts as one batch of episodes, so that the curve of an exact algorithm can be laid over that of a sampled
one.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import entr

from pgfast import exact
from pgfast.beginning import derive_lanes
from pgfast.course import Callback, Course, Keeper
from pgfast.environments import Source
from pgfast.errors import PgfastError
from pgfast.exact.enumeration import INSTEAD
from pgfast.exact.evaluation import chain_under
from pgfast.kernels.learner import EPISODES, FAILED, UPDATES, Learner
from pgfast.kernels.statistics import COUNT, ENTROPY, LENGTH, MOVES, NORM, REFERENCE
from pgfast.logs import failures, read_log
from pgfast.models import Model
from pgfast.probe import Traits
from pgfast.problem import Problem
from pgfast.results import Curve, Interval, Progress, Training
from pgfast.settings import Settings

if TYPE_CHECKING:
    from pgfast.checkpoints import Checkpoints
    from pgfast.engine import Engine

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
    engine: Engine, ascent: exact.Ascent, course: Course, callback: Callback | None, checkpoints: Checkpoints | None
) -> Training:
    """Updates of an engine's only run, each for a batch of episodes, and a point of the curve every so many. `callback`
    and `checkpoints` as in `Engine.learn`.

    Raises PgfastError when θ has gone so far that the policy's worth is no longer found; the learner then has the last
    θ that it was found of."""
    climb = _Climb(ascent, engine._problem, engine._learner, engine.settings.batch, course)
    keeper = None
    if checkpoints is not None:
        keeper = Keeper(engine, course.span, checkpoints, lambda: (climb.points, climb.taken))
    try:
        return climb.run(callback, keeper)
    finally:
        engine._forget()


class _Climb:
    """The learner's θ on its way up. The log has what kernels would have noted, had they played without chance."""

    def __init__(self, ascent: exact.Ascent, problem: Problem, learner: Learner, batch: int, course: Course) -> None:
        self.ascent, self.problem, self.learner, self.batch = ascent, problem, learner, batch
        self.span, self.points, self.taken = course.span, course.points, course.seconds
        self.clock, self.log = learner.clock[0], learner.log[0]
        self.theta = learner.runs[0, : learner.n_theta].copy()
        self.found = ascent.evaluate(self.theta)
        self.mean = math.nan  # of the last point

    def run(self, callback: Callback | None, keeper: Keeper | None) -> Training:
        clock, count = self.clock, self.span.count
        last, start, looked, going = self.span.first + count, time.perf_counter() - self.taken, 0.0, True
        try:
            while going and clock[EPISODES] < last and clock[FAILED] < 0:
                self._update(min(self.batch, last - int(clock[EPISODES])))
                self.taken = time.perf_counter() - start
                done = int(clock[EPISODES]) - self.span.first
                if clock[FAILED] < 0 and (done % self.span.every == 0 or done == count):
                    self._note(done)
                if callback is not None and (self.taken > looked + _APART or done == count):
                    looked = self.taken
                    going = callback(Progress(done, count, 0, self.taken, self.mean)) is not False
                if keeper is not None and (keeper.is_due() or (not going and done < count)):
                    self._hand_over()
                    keeper.keep()
        finally:
            self._hand_over()
        done = int(clock[EPISODES]) - self.span.first
        stopped = bool(done < count and clock[FAILED] < 0)
        if keeper is not None and not stopped:
            keeper.close()
        mean = self._mean_return()
        failed = tuple(failures(self.learner))
        return Training(done, 0, 0.0, 0.0, self.taken, self._curve(), Interval(mean, mean, mean), stopped, failed)

    def _update(self, episodes: int) -> None:
        scale = self.problem.optimisation.schedule.scale(float(self.clock[UPDATES]), float(self.clock[EPISODES]))
        moved = self.ascent.step(self.theta, self.found, scale)
        if not np.all(np.isfinite(moved)):
            self.clock[FAILED] = self.clock[EPISODES]
            return
        gradient = self.ascent.gradient(self.theta, self.found)
        found = self.ascent.evaluate(moved)
        row = self.log[(int(self.clock[EPISODES]) - self.span.first) // self.span.every]
        with np.errstate(over="ignore"):
            row[NORM] += float(gradient @ gradient)
        row[MOVES] += 1.0
        self.theta, self.found = moved, found
        self.clock[EPISODES] += episodes
        self.clock[UPDATES] += 1

    def _note(self, done: int) -> None:
        """The point of the curve that so many episodes complete."""
        k = -(-done // self.span.every) - 1
        row = self.log[k]
        self.mean = self._mean_return()
        row[COUNT], row[REFERENCE], row[LENGTH], row[ENTROPY] = 1.0, self.mean, 1.0, self._entropy()
        self.points[0, k] = self.taken

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
        """Of the points that have been reached."""
        rows, span = read_log(self.learner.log), self.span
        there = rows.episodes[0] > 0.0
        episode = span.first + np.minimum(span.every * np.arange(1, span.points + 1), span.count)[there]
        mean = rows.mean_return[:, there]
        nobody = np.zeros_like(mean)
        return Curve(
            episode, nobody, mean, nobody + math.nan, rows.entropy[:, there], rows.gradient_norm[:, there],
            self.points[:, there],
        )  # fmt: skip

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
