"""Tile coding: several grids over the same space, each shifted against the others; one tile of each is active.

The tiles are those of Sutton's tiles3: a number f, measured in tiles, falls in tiling t of T into tile
⌊(⌊T f⌋ + t (1 + 2k)) / T⌋, k counting the numbers of an observation; so tilings are shifted by 1, 3, 5, … T-ths of a
tile. Only the numbers by which tiles are known differ: there a table gives them out as they are seen, here they are
counted, tiling after tiling, or hashed within each tiling.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import lane_kernel
from pgfast.errors import PgfastError
from pgfast.features.inputs import Inputs, whole
from pgfast.features.unit import write_numbers
from pgfast.vmath import times

_PRIME, _BITS, _MASK = 0x9E3779B1, 31, 2**31 - 1


@lane_kernel
def measure(n, low, inverse, fine, most, wraps, rows):
    """Numbers become whole T-ths of a tile, between their bounds or, where they wrap around, modulo the distance of
    these; returns how many are no numbers."""
    bad = 0
    for k in range(rows.shape[0]):
        least, factor, parts, end, around = low[k], inverse[k], fine[k], most[k], wraps[k]
        for i in range(n):
            u = (rows[k, i] - least) * factor
            turned = u - np.floor(u)
            u = turned if around != 0.0 else u
            q = np.floor((0.0 if u < 0.0 else u) * parts)
            q = end if q > end else q
            bad += 0 if q >= 0.0 else 1
            rows[k, i] = q if q >= 0.0 else 0.0
    return bad


@lane_kernel
def coordinate(q, shift, share, last):
    """The tile along one number; where it wraps around, the last is the first."""
    c = np.floor((q + shift) * share)  # shift is half a part away from where rounding could matter
    return 0.0 if c == last else c


@lane_kernel
def count_tiles(n, share, shift, stride, last, size, seen, index, active):
    """Numbers of the tiles: tiling after tiling, in each coordinate after coordinate."""
    for t in range(active.shape[0]):
        for i in range(n):
            index[i] = 0.0
        for k in range(seen.shape[0]):
            own, step, end = shift[t, k], stride[k], last[k]
            for i in range(n):
                index[i] += step * coordinate(seen[k, i], own, share, end)
        first = t * size
        for i in range(n):
            active[t, i] = first + np.int64(index[i])


@lane_kernel
def hash_tiles(n, share, shift, last, size, seen, active):
    """As `count_tiles`, but each tiling has `size` numbers, and coordinates are hashed to one of them."""
    for t in range(active.shape[0]):
        for i in range(n):
            active[t, i] = t + 1
        for k in range(seen.shape[0]):
            own, end = shift[t, k], last[k]
            for i in range(n):
                c = np.int64(coordinate(seen[k, i], own, share, end))
                mixed = times(active[t, i] ^ (c & _MASK), _PRIME)
                active[t, i] = (mixed ^ (mixed >> _BITS)) & _MASK
        first = t * size
        for i in range(n):
            mixed = times(active[t, i], _PRIME)
            active[t, i] = first + (times((mixed ^ (mixed >> _BITS)) & _MASK, size) >> _BITS)


class Tiles(NamedTuple):
    """One active feature in each tiling."""

    shape: Any
    n_features: int
    n_inputs: int
    n_active: int  # T tilings
    low: Any  # float64 (k,)
    inverse: Any  # float64 (k,)
    fine: Any  # float64 (k,): T-ths of a tile between the bounds
    most: Any  # float64 (k,): the last of them
    wraps: Any  # float64 (k,): 1 where a number wraps around
    shift: Any  # float64 (T, k): of a tiling, in T-ths of a tile, and ½
    stride: Any  # float64 (k,)
    last: Any  # float64 (k,): the tile that is the first again, −1 for none
    size: int  # numbers of a tiling
    hashed: int

    def activate(self, env, n, like, w, active):
        """The active features of n lanes, in ascending order; returns how many of what is observed are no numbers."""
        seen = w.memory.seen
        write_numbers(n, env, like, self.shape, w, seen)
        bad = measure(n, self.low, self.inverse, self.fine, self.most, self.wraps, seen)
        share = 1.0 / self.n_active
        if self.hashed == 1:
            hash_tiles(n, share, self.shift, self.last, self.size, seen, active)
        else:
            count_tiles(n, share, self.shift, self.stride, self.last, self.size, seen, w.memory.scratch, active)
        return bad


def tiles(
    inputs: Inputs,
    *,
    tilings: int = 8,
    bins: Any = 8,
    wrap: Any = False,
    memory: int = 0,
    low: Any = None,
    high: Any = None,
) -> Any:
    """Tile coding: `tilings` grids of `bins` tiles along each number, which may `wrap` around; hashed to `memory`.

    Reference: Sutton & Barto (2018), section 9.5.4; Albus (1981); Sutton's tiles3.
    """
    count = whole("tilings", tilings)
    parts = inputs.counts("bins", bins)
    around = _truths(inputs, wrap)
    along = [b if a else b + 1 for b, a in zip(parts, around, strict=True)]
    memory = whole("memory", memory, least=0)
    size = memory // count if memory else prod(along)
    inputs.check_room(
        size * count, "take fewer bins, or give a memory of fewer numbers to hash the tiles to", sparse=True
    )
    if memory and not 0 < size < 2**31:
        raise PgfastError(f"memory is {memory}: it must be at least {count}, one for each of the tilings.")
    shift = np.outer(np.arange(count), 1 + 2 * np.arange(inputs.size)) % count + 0.5
    last, fine = np.where(around, parts, -1.0), np.array(parts) * float(count)
    return Tiles(
        inputs.shape, size * count, inputs.size, count, *inputs.scale(low, high), fine, fine,
        np.array(around, float), shift, np.cumprod([1.0, *along[:-1]]), last, size, int(memory > 0),
    )  # fmt: skip


def _truths(inputs: Inputs, wrap: Any) -> list[bool]:
    values = list(wrap) if isinstance(wrap, list | tuple) else [wrap] * inputs.size
    if len(values) != inputs.size or any(x not in (0, 1) for x in values):
        raise PgfastError(
            f"wrap is {wrap}: it must be true or false, or one of them for each of {inputs.size} numbers."
        )
    return [bool(x) for x in values]
