"""What the engine answers with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A mean and its 95 % confidence interval."""

    mean: float
    low: float
    high: float


class Gaussian(NamedTuple):
    """What real actions are drawn from, each number by itself: floats, or arrays (…) or (…, K)."""

    mean: Any
    std: Any


def interval(values: np.ndarray) -> Interval:
    """Mean of independent values with a t interval; of a single value the interval is unknown (NaN)."""
    n = len(values)
    return interval_of(float(np.mean(values)), float(np.std(values, ddof=1)) if n > 1 else math.nan, n)


def interval_of(mean: float, std: float, n: int) -> Interval:
    """The t interval of n values with this mean and standard deviation."""
    if n < 2 or not math.isfinite(std):
        return Interval(mean, math.nan, math.nan)
    half = t_quantile(n - 1) * std / math.sqrt(n)
    return Interval(mean, mean - half, mean + half)


_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution
_FEW = (  # of Student's t, for 1, 2, … degrees of freedom
    12.7062047, 4.3026527, 3.1824463, 2.7764451, 2.5705818, 2.4469119,
    2.3646243, 2.3060041, 2.2621572, 2.2281389, 2.2009852, 2.1788128,
)  # fmt: skip
_MANY = (  # terms of its expansion in 1/n about the normal one (Abramowitz & Stegun 1964, 26.7.5)
    _Z,
    (_Z**3 + _Z) / 4,
    (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / 96,
    (3 * _Z**7 + 19 * _Z**5 + 17 * _Z**3 - 15 * _Z) / 384,
    (79 * _Z**9 + 776 * _Z**7 + 1482 * _Z**5 - 1920 * _Z**3 - 945 * _Z) / 92160,
)


def t_quantile(degrees: int) -> float:
    """The 97.5 % quantile of Student's t to six digits; loading scipy for it would take longer than a short
    training."""
    if degrees <= len(_FEW):
        return _FEW[degrees - 1]
    return float(sum(term / degrees**k for k, term in enumerate(_MANY)))


@dataclass(frozen=True)
class Progress:
    """Where training stands, as a callback sees it."""

    episodes: int  # of all runs, in this call of learn
    total: int  # episodes that this call will play, of all runs
    steps: int  # of all runs, in this call
    seconds: float  # spent playing and learning, without compilation
    mean_return: float  # over runs, at the last points logged; NaN before the first


@dataclass(frozen=True)
class Curve:
    """Training in numbers, a row for each point logged; arrays are (runs, points), float64."""

    episode: np.ndarray  # (points,), int64: episodes of a run so far
    steps: np.ndarray  # steps of the run so far
    mean_return: np.ndarray  # undiscounted, over the episodes since the last point
    std_return: np.ndarray  # standard deviation of these
    entropy: np.ndarray  # of the policy, nats, mean over the steps since the last point
    gradient_norm: np.ndarray  # root mean square over the updates since the last point
    seconds: np.ndarray  # since training began, when the point was seen to be complete


@dataclass(frozen=True)
class Training:
    """The outcome of `Engine.learn`."""

    episodes: int  # per run
    steps: int  # of all runs
    compile_seconds: float
    load_seconds: float  # of compiled code from the cache
    train_seconds: float
    curve: Curve
    final_return: Interval  # of the last points: over runs, or over episodes where there is one run
    stopped: bool  # a callback returned False
    failed: tuple[tuple[int, int], ...]  # (run, episode) where θ would have stopped being finite
    singular: tuple[int, ...] = ()  # runs in which a matrix was singular, and was damped more than the settings say

    @property
    def episodes_per_second(self) -> float:
        runs = self.curve.mean_return.shape[0]
        return runs * self.episodes / self.train_seconds if self.train_seconds > 0 else 0.0

    @property
    def steps_per_second(self) -> float:
        return self.steps / self.train_seconds if self.train_seconds > 0 else 0.0


@dataclass(frozen=True)
class Evaluation:
    """The outcome of `Engine.evaluate`: undiscounted returns of fresh episodes."""

    mean: float
    ci95: tuple[float, float]  # over runs, or over episodes where there is one run
    std: float  # of an episode's return
    episodes: int  # per run
    mean_length: float  # steps of an episode
    by_run: np.ndarray  # (runs,): mean return of each run's policy
