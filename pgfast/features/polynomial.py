"""Polynomials: products of powers of the numbers of an observation (Sutton & Barto 2018, section 9.5.1)."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import lane_kernel
from pgfast.features.inputs import Inputs, whole
from pgfast.features.unit import write_numbers, write_unit


@lane_kernel
def centre(n, rows):
    """u of [0, 1] becomes 2u − 1."""
    for k in range(rows.shape[0]):
        for i in range(n):
            rows[k, i] = 2.0 * rows[k, i] - 1.0


@lane_kernel
def multiply(n, parent, factor, seen, x):
    """x[0] = 1 and x[r] = x[parent[r]] · seen[factor[r]]."""
    for i in range(n):
        x[0, i] = 1.0
    for r in range(1, x.shape[0]):
        p, f = parent[r], factor[r]
        for i in range(n):
            x[r, i] = x[p, i] * seen[f, i]


class Polynomial(NamedTuple):
    """x_r = Π_k s_k^{c_rk}, each from one of a degree less by one product."""

    shape: Any
    n_features: int
    n_inputs: int
    parent: Any  # int64 (D,)
    factor: Any  # int64 (D,)
    low: Any  # float (k,)
    inverse: Any  # float (k,)
    scaled: int  # 1: s is the observation scaled to [−1, 1] by its bounds, 0: the observation itself

    def write(self, env, n, like, w, x):
        if self.scaled == 1:
            write_unit(n, env, like, self.shape, self.low, self.inverse, w)
            centre(n, w.memory.seen)
        else:
            write_numbers(n, env, like, self.shape, w, w.memory.seen)
        multiply(n, self.parent, self.factor, w.memory.seen, x)


def polynomial(inputs: Inputs, *, degree: int = 2, scaled: bool = True, low: Any = None, high: Any = None) -> Any:
    """All products of at most `degree` of an observation's numbers, scaled to [−1, 1]; 1 among them.

    Reference: Sutton & Barto (2018), section 9.5.1, of limited total degree.
    """
    degree = whole("degree", degree)
    count = comb(inputs.size + degree, degree)
    inputs.check_room(count, "take a smaller degree")
    products = [c for d in range(degree + 1) for c in combinations_with_replacement(range(inputs.size), d)]
    number = {c: r for r, c in enumerate(products)}
    parent = np.array([number[c[:-1]] for c in products])
    factor = np.array([c[-1] if c else 0 for c in products])
    least, inverse = inputs.scale(low, high) if scaled else (np.zeros(inputs.size), np.ones(inputs.size))
    return Polynomial(inputs.shape, count, inputs.size, parent, factor, least, inverse, int(bool(scaled)))
