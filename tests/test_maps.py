"""Gridworlds' maps: read from text, with errors that name the place."""

import numpy as np
import pytest

from pgfast import PgfastError
from pgfast.drawing import Circle
from pgfast.maps import Map, check_ways, read_map

TILES = {"S": "start", "F": "floor", "H": "hole", "G": "goal"}


@pytest.mark.parametrize(
    "given",
    [
        "SFH/FFG",
        "SFH\nFFG\n",
        "  SFH\n  FFG\n\n",
        "SFH\r\nFFG\r\n",
        ["SFH", "FFG"],
        ("SFH", "FFG"),
        [list("SFH"), list("FFG")],
    ],
)
def test_forms_of_a_map(given):
    assert read_map(given, TILES, "Lake.desc", "SG") == Map(("SFH", "FFG"))


BAD = {
    "letter": ("SFF/FXG", "Lake.desc has 'X' in row 1, column 1 (counted from 0): its tiles are S (start), F (floor),"),
    "ragged": ("SFF/FG", "Lake.desc has 2 tiles in row 1 and 3 in row 0: the rows of a map are equally long."),
    "empty row": ("SFF//FFG", "Lake.desc has 0 tiles in row 1 and 3 in row 0"),
    "no start": ("FFF/FFG", "Lake.desc has no start: put the letter S on one of its tiles"),
    "no goal": ("SFF/FFF", "Lake.desc has no goal: put the letter G on one of its tiles"),
    "empty": ("", "Lake.desc is '': a map is text with a letter for each tile"),
    "a number": (3, "Lake.desc is 3: a map is text"),
    "rows of numbers": ([1, 2], "Lake.desc is [1, 2]: a map is text"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_maps(name):
    given, words = BAD[name]
    with pytest.raises(PgfastError) as error:
        read_map(given, TILES, "Lake.desc", "SG")
    assert words in str(error.value)


def test_a_start_without_a_way():
    check_ways(Map(("SFH", "HFG")), "S", "G", "H", "Lake.desc")
    with pytest.raises(PgfastError, match=r"no way from the start in row 2, column 0 \(counted from 0\) to a goal"):
        check_ways(Map(("SFG", "HHF", "SHF")), "S", "G", "H", "Lake.desc")


def test_tiles_and_moves():
    grid = Map(("SFH", "FFG"))
    assert (grid.height, grid.width, grid.place(5)) == (2, 3, (1, 2))
    assert grid.of("HG").tolist() == [False, False, True, False, False, True]
    moves = [(0, -1), (1, 0), (-1, 1)]
    assert grid.neighbours(moves).tolist() == [[0, 3, 1], [0, 4, 2], [1, 5, 2], [3, 3, 1], [3, 4, 2], [4, 5, 2]]
    assert np.flatnonzero(Map(("SHF", "FHF", "FHG")).reached(0, "H")).tolist() == [0, 3, 6]


def test_pictures():
    grid = Map(("SF", "F "))
    assert grid.text(1) == " S [F]\n F"
    assert grid.text(3) == " S  F\n F [ ]"
    agent = grid.draw(2, {"S": "red"})[-1]
    assert isinstance(agent, Circle)
    assert agent.center == (0.25, 0.25)
