"""Radial basis functions: Gaussian bumps on a grid of centres (Sutton & Barto 2018, section 9.5.5)."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import fma, lane_kernel
from pgfast.features.inputs import Inputs, positive
from pgfast.features.observation import write_bias
from pgfast.features.unit import write_unit
from pgfast.vmath import exp


@lane_kernel
def write_bumps(n, centres, factor, seen, x):
    """x[r] = exp(−Σ_k (factor[k] (seen[k] − centres[r, k]))²) for the rows that have a centre."""
    for r in range(centres.shape[0]):
        for i in range(n):
            x[r, i] = 0.0
        for k in range(seen.shape[0]):
            c, f = centres[r, k], factor[k]
            for i in range(n):
                distance = f * (seen[k, i] - c)
                x[r, i] = fma(-distance, distance, x[r, i])
        for i in range(n):
            x[r, i] = exp(x[r, i])


class Radial(NamedTuple):
    """x_c = exp(−½ Σ_k ((u_k − c_k) / σ_k)²), and 1 after them where `bias` is 1."""

    shape: Any
    n_features: int
    n_inputs: int
    low: Any  # float (k,)
    inverse: Any  # float (k,)
    centres: Any  # float (D, k)
    factor: Any  # float (k,): 1 / (√2 σ)
    bias: int

    def write(self, env, n, like, w, x):
        write_unit(n, env, like, self.shape, self.low, self.inverse, w)
        write_bumps(n, self.centres, self.factor, w.memory.seen, x)
        if self.bias == 1:
            write_bias(n, x)


def rbf(inputs: Inputs, *, centres: Any = 5, width: float = 1.0, low: Any = None, high: Any = None) -> Any:
    """Gaussian bumps around a grid of `centres` in each number of an observation, `width` grid distances wide.

    Reference: Broomhead & Lowe (1988); Sutton & Barto (2018), section 9.5.5.
    """
    counts = inputs.counts("centres", centres, least=2)
    inputs.check_room(prod(counts), "take fewer centres")
    grid = np.array(list(product(*(np.linspace(0.0, 1.0, m) for m in counts))))
    sigma = positive("width", width) / (np.array(counts) - 1.0)
    count = len(grid) + int(inputs.bias)
    return Radial(
        inputs.shape, count, inputs.size, *inputs.scale(low, high), grid, np.sqrt(0.5) / sigma, int(inputs.bias)
    )
