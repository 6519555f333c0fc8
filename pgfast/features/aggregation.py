"""State aggregation: neighbouring states share one feature (Sutton & Barto 2018, section 9.3)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from pgfast.features.inputs import Inputs
from pgfast.features.tiles import Tiles


def aggregation(inputs: Inputs, *, bins: Any = 10, low: Any = None, high: Any = None) -> Any:
    """Groups of neighbours: `bins` parts of the range of each number of an observation, or of discrete ones.

    Reference: Sutton & Barto (2018), section 9.3.
    """
    parts = inputs.counts("bins", bins)
    inputs.check_room(prod(parts), "take fewer bins", sparse=True)
    if inputs.discrete:  # a whole number stands for itself and half of the distance to its neighbours
        low, high = inputs.low - 0.5, inputs.high + 0.5
    k, fine = inputs.size, np.array(parts, float)
    return Tiles(
        inputs.shape, prod(parts), k, 1, *inputs.scale(low, high), fine, fine - 1.0, np.zeros(k), np.full((1, k), 0.5),
        np.cumprod([1.0, *parts[:-1]]), np.full(k, -1.0), prod(parts), 0,
    )  # fmt: skip
