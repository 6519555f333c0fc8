"""Maps of gridworlds, read from text: a letter for each tile, rows from the top.

A tile's number is row · width + column, both counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pgfast.drawing import Shape, tiles
from pgfast.errors import PgfastError


class Map(NamedTuple):
    """A rectangle of S tiles."""

    rows: tuple[str, ...]

    @property
    def height(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        return len(self.rows[0])

    @property
    def letters(self) -> np.ndarray:
        """The letter of each tile, str (S,)."""
        return np.array(list("".join(self.rows)))

    def of(self, letters: str) -> np.ndarray:
        """Which tiles have one of these letters, bool (S,)."""
        return np.isin(self.letters, list(letters))

    def place(self, tile: Any) -> tuple[int, int]:
        """A tile's row and column."""
        return divmod(int(tile), self.width)

    def neighbours(self, moves: Sequence[tuple[int, int]]) -> np.ndarray:
        """The tile that each move (down, right) leads to from each tile, int64 (S, len(moves)); at an edge it goes as
        far as it can in each direction."""
        row, column = np.divmod(np.arange(self.height * self.width)[:, None], self.width)
        down, right = np.array(moves, np.int64).T
        to_row, to_column = np.clip(row + down, 0, self.height - 1), np.clip(column + right, 0, self.width - 1)
        return np.asarray(to_row * self.width + to_column)

    def reached(self, tiles: ArrayLike, blocked: str) -> np.ndarray:
        """The tiles that single steps lead to from these without crossing a blocked letter, bool (S,)."""
        following, free = self.neighbours([(1, 0), (0, 1), (-1, 0), (0, -1)]), ~self.of(blocked)
        edge = np.atleast_1d(tiles)
        seen = np.isin(np.arange(len(free)), edge)
        while len(edge):
            edge = np.unique(following[edge])
            edge = edge[free[edge] & ~seen[edge]]
            seen[edge] = True
        return seen

    def text(self, tile: int) -> str:
        """The map as text, with the tile where the agent stands in brackets."""
        letters = [f" {letter} " for letter in "".join(self.rows)]
        letters[tile] = f"[{letters[tile].strip() or ' '}]"
        starts = range(0, len(letters), self.width)
        return "\n".join("".join(letters[start : start + self.width]).rstrip() for start in starts)

    def draw(self, tile: int, colors: Mapping[str, str]) -> list[Shape]:
        """The map as coloured tiles, with the agent on one of them."""
        return tiles(self.rows, colors, self.place(tile))


def read_map(given: str | Sequence[str], tiles: Mapping[str, str], of: str, needs: str = "") -> Map:
    """The map in a text, its rows apart by line breaks or `/`, or in a sequence of rows.

    `tiles` says what each letter stands for, `of` which parameter the map is, `needs` which letters it must have.
    Raises PgfastError for rows of different lengths, a letter that is none of `tiles`, and one that is needed and
    missing; the message names row and column.
    """
    rows = _rows(given, of)
    legend = ", ".join(f"{letter} ({meaning})" for letter, meaning in tiles.items())
    for r, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise PgfastError(
                f"{of} has {len(row)} tiles in row {r} and {len(rows[0])} in row 0: the rows of a map are equally long."
            )
        for c, letter in enumerate(row):
            if letter not in tiles:
                raise PgfastError(
                    f"{of} has {letter!r} in row {r}, column {c} (counted from 0): its tiles are {legend}."
                )
    for letter in needs:
        if not any(letter in row for row in rows):
            raise PgfastError(f"{of} has no {tiles[letter]}: put the letter {letter} on one of its tiles.")
    return Map(rows)


def check_ways(map: Map, start: str, goal: str, blocked: str, of: str) -> None:
    """Raise PgfastError if there is a start from which single steps lead to no goal."""
    apart = np.flatnonzero(map.of(start) & ~map.reached(np.flatnonzero(map.of(goal)), blocked))
    if len(apart):
        r, c = map.place(apart[0])
        raise PgfastError(
            f"{of} has no way from the start in row {r}, column {c} (counted from 0) to a goal: open one through the "
            f"tiles {', '.join(blocked)}."
        )


def _rows(given: Any, of: str) -> tuple[str, ...]:
    """Rows without spaces around them; empty ones at the end of a file don't count."""
    lines = given.replace("/", "\n").split("\n") if isinstance(given, str) else given
    try:
        rows = tuple("".join(row).strip() for row in lines)
    except TypeError:
        rows = ()
    while rows and not rows[-1]:
        rows = rows[:-1]
    if not rows or not rows[0]:
        raise PgfastError(f"{of} is {given!r}: a map is text with a letter for each tile, such as SFFF/FHFH/FFFH/HFFG.")
    return rows
