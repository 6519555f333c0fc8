"""What kernels have logged, as numbers that a person reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgfast.kernels.learner import FAILED, STEPS, Learner
from pgfast.kernels.statistics import COUNT, ENTROPY, EXPONENT, LENGTH, MANTISSA, MOVES, NORM, REFERENCE, SQUARES, SUM


@dataclass(frozen=True)
class Rows:
    """Rows of a log as numbers a person reads; each array (runs, rows), NaN where there is nothing yet."""

    episodes: np.ndarray
    steps: np.ndarray
    mean_return: np.ndarray
    std_return: np.ndarray
    entropy: np.ndarray  # nats a step
    gradient_norm: np.ndarray  # root mean square over the updates of the row


def read_log(log: np.ndarray) -> Rows:
    """Statistics of a log (runs, rows, N_STATS)."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        n = log[:, :, COUNT]
        mean = log[:, :, SUM] / n
        variance = np.maximum(log[:, :, SQUARES] - n * mean * mean, 0.0) / np.maximum(n - 1.0, 1.0)
        surprise = -(np.log(log[:, :, MANTISSA]) + np.log(2.0) * log[:, :, EXPONENT])
        entropy = (log[:, :, ENTROPY] + surprise) / log[:, :, LENGTH]
        norm = np.sqrt(log[:, :, NORM] / log[:, :, MOVES])
    return Rows(
        n, log[:, :, LENGTH], log[:, :, REFERENCE] + mean, np.where(n > 0, np.sqrt(variance), np.nan), entropy, norm
    )


def failures(learner: Learner) -> list[tuple[int, int]]:
    """(run, episode) of each run whose θ stopped being finite."""
    return [(int(k), int(e)) for k, e in enumerate(learner.clock[:, FAILED]) if e >= 0]


def total_steps(learner: Learner) -> int:
    """Steps of all runs so far."""
    return int(learner.clock[:, STEPS].sum())
