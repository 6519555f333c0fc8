"""Exponential families over ordered actions: π(a|s) ∝ exp(η(s)ᵀ T(a)) with statistics T(a) of K numbers.

h = T η, and the score by η is the statistic minus its mean, ∇_η log π(a) = T(a) − Σ_b π_b T(b) (Wainwright & Jordan
2008, section 3). With T(a) = (1, a) and η = (α, β) these are exp(α + βa), up to the normaliser; with T(a) = (a, a²)
they have a peak anywhere. Neighbouring actions share parameters: prices or order quantities are learned with few.

In a table η(s) = θ[s], of K numbers for A actions.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import fma
from pgfast.errors import PgfastError
from pgfast.policies.softmax import finite


def ordered_statistics(given: int | list[list[float]], n_actions: int) -> np.ndarray:
    """T, (A, K): the rows given, or x, x², … up to the power given, x from −1 for the first action to 1 for the
    last."""
    if isinstance(given, int):
        if given >= n_actions:
            raise PgfastError(
                f"statistics is {given}: it must be less than {n_actions}, the number of actions, as further powers "
                f"would add nothing."
            )
        x = np.linspace(-1.0, 1.0, n_actions)
        return np.ascontiguousarray(x[:, None] ** np.arange(1, given + 1))
    lengths = {len(row) for row in given}
    if len(given) != n_actions or len(lengths) != 1 or 0 in lengths:
        raise PgfastError(
            f"statistics has {len(given)} rows of {' or '.join(map(str, sorted(lengths))) or 'no'} numbers: it must "
            f"have {n_actions}, one for each action, of the same number of statistics."
        )
    return np.array(given, float)


class Family(NamedTuple):
    """h = T θ."""

    statistics: Any  # T, float64 (A, K)

    @property
    def linear(self):
        return True

    def preferences(self, rows):
        return rows @ self.statistics.T

    def derivatives(self, rows):
        return np.broadcast_to(self.statistics, (*rows.shape[:-1], *self.statistics.shape))

    def write_preferences(self, theta, first, n, numbers, h):
        for b in range(n):
            total = 0.0
            for k in range(self.statistics.shape[1]):
                total = fma(self.statistics[b, k], theta[first + k], total)
            numbers[h + b] = finite(total)

    def pull_back(self, theta, first, n, numbers, h):
        for k in range(self.statistics.shape[1]):
            total = 0.0
            for b in range(n):
                total = fma(self.statistics[b, k], numbers[h + b], total)
            numbers[first + k] = total
