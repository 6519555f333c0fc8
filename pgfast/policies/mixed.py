"""The ε-mixed softmax: π(a|s) = (1 − ε) p(a|s) + ε/A, p the softmax of preferences (Sutton & Barto 2018, section 5.4,
has such ε-soft policies).

With probability ε the action is any, so no probability is below ε/A and importance weights stay bounded. With
w_b = (1 − ε) p_b / π_b, ∂ log π_a/∂θ_b = w_a (1{a = b} − p_b); and a gradient g by log π becomes, by θ,
w_b g_b − p_b Σ_c w_c g_c.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pgfast.compiler import leaf
from pgfast.policies.softmax import finite
from pgfast.vmath import exp, log


@leaf
def normaliser(theta, first, n):
    """(max θ, Σ_b exp(θ_b − max θ)) of a row."""
    peak, total = finite(theta[first]), 0.0
    for b in range(1, n):
        x = finite(theta[first + b])
        peak = x if x > peak else peak
    for b in range(n):
        total += exp(finite(theta[first + b]) - peak)
    return peak, total


class Mixed(NamedTuple):
    """h = log((1 − ε) softmax(θ) + ε/A)."""

    epsilon: float  # ε, from 0 to less than 1

    @property
    def linear(self):
        return False

    def parts(self, rows):
        """p, and (1 − ε) p + ε/A."""
        rows = np.clip(rows, -np.finfo(float).max, np.finfo(float).max)
        with np.errstate(over="ignore"):
            p = np.exp(rows - rows.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        return p, (1.0 - self.epsilon) * p + self.epsilon / rows.shape[-1]

    def preferences(self, rows):
        with np.errstate(divide="ignore"):
            return np.log(self.parts(rows)[1])

    def derivatives(self, rows):
        p, pi = self.parts(rows)
        weight = np.divide((1.0 - self.epsilon) * p, pi, out=np.zeros(p.shape), where=pi > 0.0)
        return weight[..., None] * (np.eye(rows.shape[-1]) - p[..., None, :])

    def write_preferences(self, theta, first, n, numbers, h):
        peak, total = normaliser(theta, first, n)
        for b in range(n):
            p = exp(finite(theta[first + b]) - peak) / total
            numbers[h + b] = finite(log((1.0 - self.epsilon) * p + self.epsilon / n))

    def pull_back(self, theta, first, n, numbers, h):
        peak, total = normaliser(theta, first, n)
        mean = 0.0
        for b in range(n):
            kept = (1.0 - self.epsilon) * exp(finite(theta[first + b]) - peak) / total
            mean += numbers[h + b] * kept / (kept + self.epsilon / n) if kept > 0.0 else 0.0
        for b in range(n):
            p = exp(finite(theta[first + b]) - peak) / total
            kept = (1.0 - self.epsilon) * p
            own = numbers[h + b] * kept / (kept + self.epsilon / n) if kept > 0.0 else 0.0
            numbers[first + b] = own - p * mean
