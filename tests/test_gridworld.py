"""Maps for pictures: where states lie and which way actions lead, found in what environments draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pgfast import exact
from pgfast.environments import find
from pgfast.gridworld import Gridworld, gridworld
from pgfast.probe import probe


def world_of(name: str, **parameters: Any) -> Gridworld | None:
    source = find(name, parameters)
    return gridworld(source, exact.table_behind(source, probe(source)))


LEFT, DOWN, RIGHT, UP = (-1, 0), (0, -1), (1, 0), (0, 1)  # in a picture, whose y goes up


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("FrozenLake-v1", [LEFT, DOWN, RIGHT, UP]),
        ("CliffWalking-v1", [UP, RIGHT, DOWN, LEFT]),
        ("WindyGridworld", [UP, DOWN, RIGHT, LEFT]),
    ],
)
def test_ways_of_actions(name: str, moves: list[tuple[int, int]]) -> None:
    world = world_of(name)
    assert world is not None
    np.testing.assert_allclose(world.moves, moves, atol=1e-12)


def test_kings_moves_and_standing_still() -> None:
    world = world_of("WindyGridworld", moves=9)
    assert world is not None
    np.testing.assert_allclose(np.round(np.linalg.norm(world.moves, axis=1)), [1.0] * 8 + [0.0])


def test_places_of_the_lake() -> None:
    world = world_of("FrozenLake-v1")
    assert world is not None
    row, column = np.divmod(np.arange(16), 4)
    np.testing.assert_allclose(world.place, np.stack([(column + 0.5) / 4, 1 - (row + 0.5) / 4], axis=1), atol=1e-12)
    assert world.side == pytest.approx(0.25)
    np.testing.assert_array_equal(np.flatnonzero(~world.goes_on), [5, 7, 11, 12, 15])


@pytest.mark.parametrize("name", ["Garnet", "ShortCorridor", "Taxi-v4"])
def test_what_is_no_gridworld(name: str) -> None:
    assert world_of(name) is None
