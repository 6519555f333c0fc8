"""Pictures: shapes end up where they should, in the color they should have."""

from __future__ import annotations

import numpy as np

from pgfast.drawing import Circle, Line, Words, box, image, tiles, written

RED, WHITE = [255, 0, 0], [255, 255, 255]


def test_y_is_up() -> None:
    picture = image([box(0.0, 0.5, 0.5, 1.0, "red")], side=40, background="white")
    assert picture.shape == (40, 40, 3)
    assert picture.dtype == np.uint8
    assert picture[5, 5].tolist() == RED
    assert [picture[r, c].tolist() for r, c in ((5, 35), (35, 5), (35, 35))] == [WHITE] * 3


def test_later_shapes_are_on_top() -> None:
    picture = image([box(0, 0, 1, 1, "blue"), Circle((0.5, 0.5), 0.3, "red")], side=40)
    assert picture[20, 20].tolist() == RED
    assert picture[2, 2].tolist() == [0, 0, 255]


def test_lines_and_words_leave_marks() -> None:
    line = image([Line([(0, 0.5), (1, 0.5)], "red", 0.2)], side=40, background="white")
    assert line[20, 20].tolist() == RED
    assert line[5, 20].tolist() == WHITE
    words = image([Words((0.5, 0.5), "pgfast", height=0.3)], side=80, background="white")
    assert words[30:50].min() < 50
    assert words[:10].min() == 255


def test_tiles_are_rows_from_the_top() -> None:
    picture = image(tiles(["HF", "FG"], {"H": "red"}, agent=(1, 0), letters=False), side=40)
    assert picture[10, 10].tolist() == RED
    assert picture[10, 30].tolist() == WHITE
    assert picture[30, 10].tolist() == [220, 20, 60]  # crimson: the agent


def test_text_fits() -> None:
    for text in ("", "one line", "\n".join(["a long line of a picture " * 4] * 30)):
        picture = image(written(text), side=100, background="white")
        assert picture[0].min() == 255
        assert picture[:, 0].min() == 255
