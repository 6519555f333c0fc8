"""Numbers of tiles in the order in which they are first seen, as Sutton's tiles3 gives them out.

Number k of an input, f_k, measured in tiles, falls into tile ⌊(⌊T f_k⌋ + t (1 + 2k)) / T⌋ of tiling t. What is
unbounded or hardly ever visited needs no grid: a tile gets a number when it is met. The features "tiles" of an engine
count them instead, which compiled code can.

Sutton & Barto 2018, section 9.5.4; R. S. Sutton's tile coding software, version 3 (incompleteideas.net/tiles).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from pgfast.errors import PgfastError


class IndexHashTable:
    """Up to `size` numbers for tiles; from then on new tiles are hashed, and share numbers with others."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise PgfastError(f"size is {size}: it must be at least 1.")
        self.size = size
        self.overflows = 0  # tiles that found it full
        self._numbers: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        """How many numbers have been given out."""
        return len(self._numbers)

    def tiles(
        self,
        tilings: int,
        floats: Sequence[float],
        ints: Sequence[int] = (),
        *,
        wrap: Sequence[int | None] | None = None,
        readonly: bool = False,
    ) -> list[int | None]:
        """The number of the active tile of each tiling, for `floats` measured in tiles, and `ints` that tell apart what
        shall share no tile. `wrap` has for each of `floats` the tiles after which it begins anew, or None. With
        `readonly` no number is given out: it is None for a tile that has none.

        Raises PgfastError for numbers that are not finite, and a `wrap` of another length.
        """
        if tilings < 1:
            raise PgfastError(f"tilings is {tilings}: it must be at least 1.")
        if wrap is not None and len(wrap) != len(floats):
            raise PgfastError(f"wrap has {len(wrap)} entries for {len(floats)} numbers: one for each, a width or None.")
        if not all(math.isfinite(f) for f in floats):
            raise PgfastError(f"The numbers are {list(floats)}: they must be finite.")
        parts = [math.floor(f * tilings) for f in floats]
        return [self._number((*_tile(t, tilings, parts, wrap), *ints), readonly) for t in range(tilings)]

    def _number(self, tile: tuple[int, ...], readonly: bool) -> int | None:
        found = self._numbers.get(tile)
        if found is not None or readonly:
            return found
        if len(self._numbers) < self.size:
            return self._numbers.setdefault(tile, len(self._numbers))
        if self.overflows == 0:
            warnings.warn(
                f"All {self.size:,} numbers are given out, and tiles begin to share them: take a larger table.",
                RuntimeWarning,
                stacklevel=3,
            )
        self.overflows += 1
        return hash(tile) % self.size


def _tile(t: int, tilings: int, parts: list[int], wrap: Sequence[int | None] | None) -> list[int]:
    """The tiling and its tile along each number."""
    if wrap is None:
        return [t, *((part + t * (1 + 2 * k)) // tilings for k, part in enumerate(parts))]
    along = [(part + t * (1 + 2 * k) % tilings) // tilings for k, part in enumerate(parts)]
    return [t, *(c % width if width else c for c, width in zip(along, wrap, strict=True))]
