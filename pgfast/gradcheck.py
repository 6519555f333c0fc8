"""The gradient that an engine estimates, held against the exact one.

Estimates by the kernels that train (`pgfast.estimates`) are compared with the policy gradient theorem's answer, which
is itself compared with finite differences of the exact J; where the environment has no table, with finite differences
of mean returns.

Without the factor γᵗ the usual estimate, from returns-to-go, is not that of any objective's gradient (Nota & Thomas
2020): it is held against its own exact expectation, and what separates that from ∇J is its bias.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfast import exact
from pgfast.engine import Engine
from pgfast.errors import PgfastError
from pgfast.estimates import PARTS, Known, by_differences, decay, known, random_theta, sample

FALSE_ALARM = 1e-6  # probability that a right estimator is called off
WARM_UP = 64  # episodes by which a baseline is there
_EACH = 200  # parameters up to which differences are taken by each of them
_DIRECTIONS = 20  # random ones, beyond
_STEP = 1e-4  # of differences of the exact J
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
    warm_up: int = WARM_UP,
    **settings: Any,
) -> GradientCheck:
    """Hold `estimates` estimates, of `batch` episodes each, of an engine with these settings against the exact
    gradient, at `theta` (by default random numbers). Before each of them `warm_up` episodes are played, from which the
    baseline is made.

    Raises PgfastError for settings with which an update is no estimate of ∇J (`in_loop`, `entropy`).
    """
    start = {} if theta is None else {"theta0": theta}
    engine = Engine(env, **{"entropy": 0.0, "in_loop": False, **settings, **start}, batch=batch, seed=seed)
    at = random_theta(engine, seed) if theta is None else engine.theta[0].reshape(-1)
    exactly = known(engine)
    if exactly is None and decay(engine.settings) != engine.settings.gamma:
        better = "with" if engine.settings.returns == "to-go" else "without"
        raise PgfastError(
            f"{engine.traits.label} has no table, and the estimate is not the gradient of any return that could be "
            f"measured: choose gamma 1, or {better} the factor γᵗ (discount_factor)."
        )
    found = sample(engine, at, estimates, warm_up, threads)
    error, difference, samples = found.error, None, estimates
    if exactly is not None:
        expected, gradient, difference = _exactly(exactly, decay(engine.settings), at)
    else:
        expected, spread = by_differences(engine, at, estimates * batch, threads)
        gradient, error, samples = expected, np.hypot(error, spread), min(estimates, PARTS)
    scale = _SAME * max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    off = found.mean - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > scale, off / error, np.where(np.abs(off) <= 10 * scale, 0.0, np.inf))
    bound = _bound(len(at), samples)
    return GradientCheck(
        at, found.mean, found.variance, error, expected, gradient, z, bound, difference, exactly is not None
    )


def _bound(size: int, samples: int) -> float:
    """Of the largest of `size` z-scores, whose standard errors are known from so many samples."""
    from scipy.stats import t

    return float(t.isf(FALSE_ALARM / (2 * size), samples - 1))


def _exactly(known: Known, decay: float, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """What the estimates should be on average, ∇J, and how far ∇J is from finite differences of J."""
    here, tangent = known.judged(theta), known.policy.at(theta)
    gradient = tangent.gradient(here)
    units = np.eye(len(theta))
    if len(theta) > _EACH:
        units = np.random.default_rng(0).normal(size=(_DIRECTIONS, len(theta)))
        units /= np.linalg.norm(units, axis=1, keepdims=True)
    slopes = [exact.slope(lambda at: known.judged(at).J, theta, unit, _STEP) for unit in units]
    size = max(float(np.max(np.abs(gradient), initial=0.0)), 1e-300)
    difference = float(np.max(np.abs(units @ gradient - slopes))) / size
    return tangent.chained(exact.weighted_by(known.model, here, decay)), gradient, difference
