"""Estimates of ∇J by the very kernels that train, and what they should be.

One update with step size 1 from the same θ in each of K independent runs gives K estimates. Before it the runs play
some batches in which θ stands still, so that a running mean or a learned baseline is there.

What they should be is known from the policy gradient theorem where the environment has a table, and else from finite
differences of mean returns over episodes that draw the same random numbers on both sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pgfast import exact
from pgfast.algorithms.catalogue import algorithm_of
from pgfast.engine import Engine
from pgfast.errors import PgfastError
from pgfast.exact_training import time_limit
from pgfast.kernels.statistics import COUNT, DISCOUNTED
from pgfast.settings import Settings, default

LEAST = 30  # estimates, for their variance to be known
_STILL = 1e-300  # a step size with which θ stays what it is
_OF_STEPS = ("schedule", "schedule_updates", "schedule_power", "max_norm")  # which an estimate has no part in
PARTS = 64  # into which episodes are shared out, for the standard error of a mean
_DIFFERENCE = 0.1  # between parameters, of mean returns


@dataclass(frozen=True, eq=False)
class Sample:
    """K estimates of a gradient of D parameters."""

    theta: np.ndarray  # (D,): where
    values: np.ndarray  # (K, D)
    seconds: float  # that one of them takes
    steps: float  # of the environment that it takes

    @property
    def mean(self) -> np.ndarray:
        """(D,)."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def variance(self) -> np.ndarray:
        """Of one estimate, (D,)."""
        return np.asarray(self.values.var(axis=0, ddof=1))

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean, (D,)."""
        return np.asarray(np.sqrt(self.variance / len(self.values)))


def random_theta(engine: Engine, seed: int) -> np.ndarray:
    """Random numbers around what training begins with, (D,): a policy that prefers something, but nothing much."""
    return np.random.default_rng(seed).normal(engine.model.theta0, 0.5, engine.model.n_parameters)


def check_sample(settings: Settings, count: int, warm_up: int) -> None:
    """Raise PgfastError for what `sample` can't be asked for."""
    if count < LEAST:
        raise PgfastError(f"estimates is {count}: it must be at least {LEAST}, for their variance to be known.")
    if warm_up < 0:
        raise PgfastError(f"warm_up is {warm_up}: it must be at least 0 episodes.")
    if not algorithm_of(settings).estimates:
        raise PgfastError(
            f"algorithm is {settings.algorithm!r}, whose steps are no estimates of the return's gradient: choose "
            f"reinforce."
        )
    for name in ("in_loop", "entropy"):
        if getattr(settings, name):
            raise PgfastError(f"{name} is on: an update is then no estimate of the return's gradient; leave it out.")


def sample(engine: Engine, theta: np.ndarray, count: int, warm_up: int, threads: int | None = None) -> Sample:
    """`count` estimates at θ (D,) with the settings of an engine, each after `warm_up` episodes at least.

    Raises PgfastError for settings with which an update is no estimate of ∇J (`in_loop`, `entropy`), and for fewer
    estimates than show their variance.
    """
    settings = engine.settings
    check_sample(settings, count, warm_up)
    fixed: dict[str, Any] = {"optimizer": "sgd", "theta0": theta.tolist(), "runs": count}
    fixed |= {name: default(name) for name in _OF_STEPS}
    still = Engine.from_settings(replace(settings, **fixed, lr=_STILL), engine.source)
    moving = Engine.from_settings(replace(settings, **fixed, lr=1.0), engine.source)
    batch = settings.batch
    done = [still.learn(-(-warm_up // batch) * batch, threads=threads)] if warm_up else []
    if warm_up:
        moving._learner.runs[:] = still._learner.runs
        moving._learner.clock[:] = still._learner.clock
    before = moving.theta.reshape(count, -1)
    done.append(moving.learn(batch, threads=threads))
    episodes = count * sum(t.episodes for t in done)
    return Sample(
        theta,
        moving.theta.reshape(count, -1) - before,
        sum(t.train_seconds for t in done) / episodes * batch,
        sum(t.steps for t in done) / episodes * batch,
    )


class Known(NamedTuple):
    """A policy on the table behind its environment, and the setting of its ∇J."""

    model: exact.Model
    policy: Any
    case: dict[str, Any]

    def judged(self, theta: np.ndarray) -> exact.Evaluation:
        """What the policy of θ is worth."""
        return exact.evaluate(self.model, self.policy.probabilities(theta), **self.case)

    def valued(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """J and ∇J, (D,), at θ."""
        found = self.judged(theta)
        return found.J, self.policy.at(theta).gradient(found)


def known(engine: Engine) -> Known | None:
    """The exact side of an engine; None where its environment has no table."""
    try:
        table = exact.table_behind(engine.source, engine.traits)
    except PgfastError:
        return None
    policy = exact.observed_policy(engine.model, engine.source.env, engine.traits, table.observations)
    return Known(exact.model_of(table.mdp), policy, case_of(engine))


def case_of(engine: Engine) -> dict[str, Any]:
    """What an engine maximises, as `exact.evaluate` takes it: over the time limit of training; where there is none,
    until the end."""
    limit = time_limit(engine.settings, engine.traits, engine.model)
    return {"gamma": engine.settings.gamma, **({"setting": "finite-horizon", "horizon": limit} if limit else {})}


def decay(settings: Settings) -> float:
    """The weight that an estimate gives to step t on average, to the power 1/t. A whole return, counted from the start,
    has γᵗ in it already."""
    whole = settings.gamma if settings.returns == "whole" else 1.0
    return whole * (settings.gamma if settings.discount_factor else 1.0)


def by_differences(
    engine: Engine, theta: np.ndarray, episodes: int, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """∂J/∂θ by differences, of the fourth order, of mean discounted returns with the same random numbers on all sides;
    and standard errors: both (D,)."""

    def returns(at: np.ndarray) -> np.ndarray:
        return _mean_returns(engine, at, episodes, threads)

    found = np.array([exact.slope(returns, theta, unit, _DIFFERENCE) for unit in np.eye(len(theta))])
    return found.mean(axis=1), found.std(axis=1, ddof=1) / math.sqrt(PARTS)


def _mean_returns(engine: Engine, theta: np.ndarray, episodes: int, threads: int | None) -> np.ndarray:
    """The mean discounted return of each of several independent runs that play with θ."""
    settings = engine.settings
    fixed: dict[str, Any] = {"runs": PARTS, "theta0": theta.tolist()}
    fixed |= {"max_steps": settings.horizon or settings.max_steps, "horizon": None}  # as training cuts episodes
    player = Engine.from_settings(replace(settings, **fixed), engine.source)
    slots = player.play(max(1, episodes // PARTS), threads=threads)
    sums = slots.reshape(PARTS, -1, slots.shape[-1]).sum(axis=1)  # a run may have several
    return np.asarray(sums[:, DISCOUNTED] / sums[:, COUNT])
