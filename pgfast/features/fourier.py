"""The Fourier basis: cosines of the observation, up to an order in each of its numbers."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import fma, lane_kernel
from pgfast.features.inputs import Inputs, whole
from pgfast.features.unit import write_unit
from pgfast.vmath import cos


@lane_kernel
def write_cosines(n, frequency, size, seen, x):
    """x[r] = size[r] cos(Σ_k frequency[r, k] seen[k])."""
    for r in range(x.shape[0]):
        for i in range(n):
            x[r, i] = 0.0
        for k in range(seen.shape[0]):
            f = frequency[r, k]
            for i in range(n):
                x[r, i] = fma(f, seen[k, i], x[r, i])
        s = size[r]
        for i in range(n):
            x[r, i] = s * cos(x[r, i])


class Fourier(NamedTuple):
    """x_c = cos(π cᵀ u) / √‖c‖ for c in {0, …, order}ᵏ, and 1 for c = 0."""

    shape: Any
    n_features: int
    n_inputs: int
    low: Any  # float (k,)
    inverse: Any  # float (k,)
    frequency: Any  # float (D, k): π c
    size: Any  # float (D,): 1 / √‖c‖, or 1

    def write(self, env, n, like, w, x):
        write_unit(n, env, like, self.shape, self.low, self.inverse, w)
        write_cosines(n, self.frequency, self.size, w.memory.seen, x)


def fourier(inputs: Inputs, *, order: int = 3, scaling: bool = True, low: Any = None, high: Any = None) -> Any:
    """Cosines cos(π cᵀu) of an observation u scaled to [0, 1], for all whole c up to `order` in each number.

    With `scaling` feature c learns with step size α / ‖c‖: it is divided by √‖c‖, which for SGD is the same.
    Reference: Konidaris, Osentoski & Thomas (2011), Value function approximation using the Fourier basis, AAAI.
    """
    order = whole("order", order)
    count = (order + 1) ** inputs.size
    inputs.check_room(count, "take a smaller order")
    c = np.array(list(product(range(order + 1), repeat=inputs.size)), float)
    size = np.maximum(np.linalg.norm(c, axis=1), 1.0) ** (-0.5 if scaling else 0.0)
    return Fourier(inputs.shape, count, inputs.size, *inputs.scale(low, high), np.pi * c, size)
