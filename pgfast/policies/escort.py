"""The escort policy: π(a|s) = |θ[s, a]|^p / Σ_b |θ[s, b]|^p (Mei, Xiao, Dai, Li, Szepesvári & Schuurmans 2020,
"Escaping the gravitational pull of softmax", definition 1).

It is the softmax of h = p log|θ|, with ∂h/∂θ = p/θ. A softmax hardly moves where its probabilities are small; here the
gradient does not vanish with them so fast. An action whose parameter is 0 is never taken, and so never learned about;
where all are 0 the policy is uniform, and has no gradient.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pgfast.policies.softmax import finite
from pgfast.vmath import log


class Escort(NamedTuple):
    """h = p log|θ|."""

    power: float  # p ≥ 1

    @property
    def linear(self):
        return False

    def preferences(self, rows):
        with np.errstate(divide="ignore"):
            return self.power * np.log(np.abs(rows))

    def derivatives(self, rows):
        slopes = np.divide(self.power, rows, out=np.zeros(rows.shape), where=rows != 0.0)
        return slopes[..., None] * np.eye(rows.shape[-1])

    def write_preferences(self, theta, first, n, numbers, h):
        for b in range(n):
            numbers[h + b] = finite(self.power * log(abs(theta[first + b])))

    def pull_back(self, theta, first, n, numbers, h):
        for b in range(n):
            x = theta[first + b]
            numbers[first + b] = self.power * numbers[h + b] / x if x != 0.0 else 0.0
