"""Pictures of environments: shapes in the unit square, x to the right and y up, and the image they make.

What `draw(self, state)` of an environment gives is a list of shapes, the later ones on top of the earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

Point = tuple[float, float]
_SMOOTH = 2  # pixels drawn for each that is kept, in both directions


class Line(NamedTuple):
    """From point to point."""

    points: Sequence[Point]
    color: str = "black"
    width: float = 0.01  # in sides of the picture


class Polygon(NamedTuple):
    """The inside of a closed line."""

    points: Sequence[Point]
    color: str = "black"


class Circle(NamedTuple):
    """A disc."""

    center: Point
    radius: float
    color: str = "black"


class Words(NamedTuple):
    """A line of text around a point."""

    center: Point
    words: str
    color: str = "black"
    height: float = 0.06  # of a letter, in sides of the picture


Shape = Line | Polygon | Circle | Words


def box(left: float, bottom: float, right: float, top: float, color: str) -> Polygon:
    """A filled rectangle."""
    return Polygon([(left, bottom), (right, bottom), (right, top), (left, top)], color)


def tiles(
    rows: Sequence[str], colors: Mapping[str, str], agent: tuple[int, int] | None = None, *, letters: bool = True
) -> list[Shape]:
    """A map as coloured tiles: `rows` of letters from the top, a color for each letter (white for others), a disc on
    the tile (row, column) where the agent stands. Tiles are square, the map in the middle."""
    height, width = len(rows), max(map(len, rows))
    side = 1.0 / max(height, width)
    x0, y1 = (1.0 - side * width) / 2, 1.0 - (1.0 - side * height) / 2
    edge = side / 40
    shapes: list[Shape] = []
    for r, row in enumerate(rows):
        for c, letter in enumerate(row):
            x, y = x0 + c * side, y1 - r * side
            shapes.append(box(x + edge, y - side + edge, x + side - edge, y - edge, colors.get(letter, "white")))
            if letters and letter.strip():
                shapes.append(Words((x + side / 2, y - side / 2), letter, "dimgray", side * 0.4))
    if agent is not None:
        x, y = x0 + (agent[1] + 0.5) * side, y1 - (agent[0] + 0.5) * side
        shapes.append(Circle((x, y), side * 0.3, "crimson"))
    return shapes


def image(shapes: Iterable[Shape], side: int = 400, background: str = "#e8e8ec") -> np.ndarray:
    """The picture of the shapes: uint8 (side, side, 3), red, green and blue."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    n = side * _SMOOTH
    picture = Image.new("RGB", (n, n), background)
    pen = ImageDraw.Draw(picture)

    def place(points: Iterable[Point]) -> list[Point]:
        return [(x * n, (1.0 - y) * n) for x, y in points]

    for shape in shapes:
        match shape:
            case Line(points, color, width):
                pen.line(place(points), color, max(1, round(width * n)), joint="curve")
            case Polygon(points, color):
                pen.polygon(place(points), color)
            case Circle((x, y), radius, color):
                pen.ellipse([*place([(x - radius, y + radius)])[0], *place([(x + radius, y - radius)])[0]], color)
            case Words(center, words, color, height):
                font = ImageFont.load_default(max(1.0, height * n))
                pen.text(place([center])[0], words, color, font, anchor="mm")
            case _:
                raise TypeError(f"{shape!r} is no shape")
    return np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS))


def written(text: str) -> list[Shape]:
    """Shapes of a text picture, for environments without a drawing: its lines, as large as they fit."""
    lines = text.splitlines() or [""]
    height = min(0.08, 0.9 / len(lines), 1.4 / max(1, *map(len, lines)))
    top = 0.5 + height * (len(lines) - 1) / 2 * 1.2
    return [Words((0.5, top - 1.2 * height * k), line, "black", height) for k, line in enumerate(lines)]
