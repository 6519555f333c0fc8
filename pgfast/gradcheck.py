"""The gradient that an engine estimates, held against the exact one.

One update with step size 1 from the same θ in each of K independent runs gives K estimates of ∇J by the very kernels
that train. Where the environment has a table they are compared with the policy gradient theorem's answer, which is
itself compared with finite differences of the exact J; where it has none, with finite differences of the mean return
over episodes that draw the same random numbers on both sides.

Without the factor γᵗ the usual estimate, from returns-to-go, is not that of any objective's gradient (Nota & Thomas
2020): it is held against its own exact expectation, and what separates that from ∇J is its bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pgfast import exact
from pgfast.algorithms.exact import EXACT
from pgfast.engine import Engine
from pgfast.errors import PgfastError
from pgfast.kernels.statistics import COUNT, DISCOUNTED
from pgfast.settings import Settings

FALSE_ALARM = 1e-6  # probability that a right estimator is called off
_EACH = 200  # parameters up to which differences are taken by each of them
_DIRECTIONS = 20  # random ones, beyond
_EXACT_STEP, _SAMPLED_STEP = 1e-4, 0.05  # of differences of the exact J, and of mean returns
_SAME = 1e-12  # relative: an estimate that never varies is right if it is this close


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """Estimates of a gradient of D parameters, and what they should be."""

    theta: np.ndarray  # (D,): where
    mean: np.ndarray  # of the estimates, (D,)
    variance: np.ndarray  # of one of them, (D,)
    error: np.ndarray  # standard error of the mean, (D,)
    expected: np.ndarray  # exactly, or by finite differences, (D,)
    gradient: np.ndarray  # ∇J, (D,): differs from what is expected where the estimator is biased
    z: np.ndarray  # (mean − expected) / standard error, (D,)
    bound: float  # |z| beyond which the estimator is off
    difference: float | None  # largest between ∇J and finite differences of J, relative to the largest entry
    known: bool  # whether the model is

    @property
    def largest(self) -> float:
        """The largest |z|."""
        return float(np.max(np.abs(self.z), initial=0.0))

    @property
    def ok(self) -> bool:
        """Whether the estimator is what it should be."""
        return self.largest <= self.bound and (self.difference is None or self.difference < 1e-6)

    @property
    def bias(self) -> float:
        """‖E[estimate] − ∇J‖ / ‖∇J‖."""
        return _ratio(self.expected - self.gradient, self.gradient)

    @property
    def signal_to_noise(self) -> float:
        """‖∇J‖ / √(Σ variances), of one estimate."""
        return _ratio(self.gradient, np.sqrt(self.variance))

    @property
    def angle(self) -> float:
        """Between the mean of the estimates and ∇J, in degrees."""
        norms = np.linalg.norm(self.mean) * np.linalg.norm(self.gradient)
        cosine = float(self.mean @ self.gradient / norms) if norms > 0 else math.nan
        return math.degrees(math.acos(min(1.0, max(-1.0, cosine))))


def _ratio(a: np.ndarray, b: np.ndarray) -> float:
    below = float(np.linalg.norm(b))
    return float(np.linalg.norm(a)) / below if below > 0 else math.nan


def check_gradient(
    env: Any,
    *,
    estimates: int = 2000,
    batch: int = 16,
    theta: np.ndarray | None = None,
    seed: int = 0,
    threads: int | None = None,
    **settings: Any,
) -> GradientCheck:
    """Hold `estimates` estimates, of `batch` episodes each, of an engine with these settings against the exact
    gradient, at `theta` (by default random numbers around what training begins with).

    Raises PgfastError for settings with which an update is no estimate of ∇J (`in_loop`, `entropy`).
    """
    if estimates < 30:
        raise PgfastError(f"estimates is {estimates}: it must be at least 30, for their variance to be known.")
    for name in ("in_loop", "entropy"):
        if settings.get(name):
            raise PgfastError(f"{name} is on: an update is then no estimate of the return's gradient; leave it out.")
    if settings.get("algorithm") in EXACT:
        raise PgfastError(
            f"algorithm is {settings['algorithm']!r}, which estimates nothing: its gradient is what the estimates of "
            f"others are held against; choose reinforce."
        )
    fixed = {"entropy": 0.0, "optimizer": "sgd", "lr": 1.0, "in_loop": False, "batch": batch, "seed": seed}
    first = Engine(env, **{**settings, **fixed})
    size = first.model.n_parameters
    random = np.random.default_rng(seed).normal(first.model.theta0, 0.5, size)
    at = random if theta is None else np.ravel(np.asarray(theta, float))
    engine = Engine(env, **{**settings, **fixed}, theta0=at.tolist(), runs=estimates)
    engine.learn(batch, threads=threads)
    found = engine.theta.reshape(estimates, size) - at
    mean, variance = found.mean(axis=0), found.var(axis=0, ddof=1)
    error = np.sqrt(variance / estimates)
    table = _table(engine)
    difference: float | None = None
    if table is not None:
        expected, gradient, difference = _exactly(engine, table, at)
    else:
        expected, spread = _by_differences(engine, at, estimates * batch, threads)
        gradient, error = expected, np.hypot(error, spread)
    scale = _SAME * max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    off = mean - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > scale, off / error, np.where(np.abs(off) <= 10 * scale, 0.0, np.inf))
    bound = _bound(size, estimates)
    return GradientCheck(at, mean, variance, error, expected, gradient, z, bound, difference, table is not None)


def _table(engine: Engine) -> exact.Enumeration | None:
    """The model, where there is one."""
    try:
        return exact.table_behind(engine.source, engine.traits)
    except PgfastError:
        return None


def _bound(size: int, estimates: int) -> float:
    """Of the largest of `size` z-scores."""
    from scipy.stats import t

    return float(t.isf(FALSE_ALARM / (2 * size), estimates - 1))


def _exactly(engine: Engine, table: exact.Enumeration, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """What the estimates should be on average, ∇J, and how far ∇J is from finite differences of J."""
    settings, traits = engine.settings, engine.traits
    policy = exact.observed_policy(engine.model, engine.source.env, traits, table.observations)
    case: dict[str, Any] = {"gamma": settings.gamma, "setting": "finite-horizon", "horizon": traits.max_steps}

    model = exact.model_of(table.mdp)

    def judged(at: np.ndarray) -> exact.Evaluation:
        return exact.evaluate(model, policy.probabilities(at), **case)

    here = judged(theta)
    tangent = policy.at(theta)
    gradient = tangent.gradient(here)
    units = np.eye(len(theta))
    if len(theta) > _EACH:
        units = np.random.default_rng(0).normal(size=(_DIRECTIONS, len(theta)))
        units /= np.linalg.norm(units, axis=1, keepdims=True)
    slopes = [exact.slope(lambda at: judged(at).J, theta, unit, _EXACT_STEP) for unit in units]
    size = max(float(np.max(np.abs(gradient), initial=0.0)), 1e-300)
    difference = float(np.max(np.abs(units @ gradient - slopes))) / size
    return tangent.chained(exact.weighted_by(model, here, _decay(settings))), gradient, difference


def _decay(settings: Settings) -> float:
    """The weight that the estimate gives to step t on average, to the power 1/t. A whole return, counted from the
    start, has γᵗ in it already."""
    whole = settings.gamma if settings.returns == "whole" else 1.0
    return whole * (settings.gamma if settings.discount_factor else 1.0)


def _by_differences(
    engine: Engine, theta: np.ndarray, episodes: int, threads: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """∂J/∂θ from mean discounted returns of the same random numbers at θ ± h, with standard errors: both (D,)."""
    settings = engine.settings
    if _decay(settings) != settings.gamma:
        better = "with" if settings.returns == "to-go" else "without"
        raise PgfastError(
            f"{engine.traits.label} has no table, and the estimate is not the gradient of any return that could be "
            f"measured: choose gamma 1, or {better} the factor γᵗ (discount_factor)."
        )
    slots = 64
    slopes = []
    for step in np.eye(len(theta)) * _SAMPLED_STEP:
        up, down = (_mean_returns(engine, theta + sign * step, slots, episodes, threads) for sign in (1, -1))
        slopes.append((up - down) / (2 * _SAMPLED_STEP))
    found = np.array(slopes)
    return found.mean(axis=1), found.std(axis=1, ddof=1) / math.sqrt(slots)


def _mean_returns(engine: Engine, theta: np.ndarray, runs: int, episodes: int, threads: int | None) -> np.ndarray:
    """The mean discounted return of each of `runs` independent runs that play with θ, (runs,)."""
    count = max(1, episodes // runs)
    player = Engine.from_settings(replace(engine.settings, runs=runs, theta0=theta.tolist()), engine.source)
    sums = player.play(count, threads=threads)
    return np.asarray(sums[:, DISCOUNTED] / sums[:, COUNT])
