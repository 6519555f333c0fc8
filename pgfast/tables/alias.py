"""Alias tables: a number from a distribution over n things by one look-up (Walker 1977).

Each of `width` columns is taken with probability 1 / width, and then kept or exchanged for another one. Tables are
built by Vose's method (1991), in time proportional to their size.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import kernel

_QUICK = 4096  # columns up to which Python is done before compiled code would be loaded


def alias_table(offsets: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tables of several distributions, row i over entries offsets[i] … offsets[i + 1] − 1.

    Returns (chance, other), both (rows, width) with width the most entries of a row: column j is kept with probability
    chance[i, j], otherwise column other[i, j] is taken.
    """
    width = int(np.diff(offsets).max())
    shape = len(offsets) - 1, width
    chance, other = np.ones(shape), np.tile(np.arange(width), (shape[0], 1))
    build = fill.function if chance.size <= _QUICK else fill
    build(offsets, probability, chance, other, np.empty(width), np.empty(width, np.int64))
    return chance, other


@kernel
def fill(offsets, probability, chance, other, scaled, waiting):
    """Fill `chance` and `other` (R, W), which keep every column; `scaled` and `waiting` (W,) are scratch.

    Columns of less than the average chance wait in a stack; each takes what it lacks from a column of more, which joins
    them once it has less itself."""
    width = chance.shape[1]
    for i in range(chance.shape[0]):
        first, n = offsets[i], offsets[i + 1] - offsets[i]
        total, likeliest = 0.0, 0
        for j in range(n):
            total += probability[first + j]
            likeliest = j if probability[first + j] > probability[first + likeliest] else likeliest
        count = 0
        for j in range(width):
            scaled[j] = probability[first + j] / total * width if j < n else 0.0
            if scaled[j] < 1.0:
                waiting[count] = j
                count += 1
        giver = 0
        while count > 0:
            while giver < width and scaled[giver] < 1.0:
                giver += 1
            if giver == width:
                break
            count -= 1
            j = waiting[count]
            chance[i, j] = scaled[j]
            other[i, j] = giver
            scaled[giver] -= 1.0 - scaled[j]
            if scaled[giver] < 1.0:
                waiting[count] = giver
                count += 1
        for k in range(count):  # left over by rounding: a real column is kept, a padding one stands for a real one
            j = waiting[k]
            if j >= n:
                chance[i, j] = 0.0
                other[i, j] = likeliest
