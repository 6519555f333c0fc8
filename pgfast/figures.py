"""Matplotlib's figures without a window: what all pictures have in common."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, Literal

from pgfast.errors import PgfastError


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Any:
    """An empty figure, in inches; without a `layout` its axes have to be placed, which takes less time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=130, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Any, file: Path | IO[bytes]) -> None:
    """Write a figure; raises PgfastError where that can't be."""
    try:
        figure.savefig(file)
    except (OSError, ValueError) as error:
        raise PgfastError(f"The picture can't be written to {str(file)!r}: {error}.") from None


def tidy(axes: Any) -> None:
    """No box around, a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
