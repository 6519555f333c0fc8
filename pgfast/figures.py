"""Matplotlib's figures without a window: what all pictures have in common."""

from __future__ import annotations

import os
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


def check_place(file: Path) -> None:
    """Raise PgfastError where no picture can be put: better before anything is computed for it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    kinds = FigureCanvasAgg.get_supported_filetypes()
    if file.suffix.lower()[1:] not in ("", *kinds):
        raise PgfastError(f"No picture can be a {file.suffix} file: choose png, svg or pdf in --out.")
    if not os.access(file.parent, os.W_OK) or file.is_dir():
        raise PgfastError(f"The picture can't be written to {str(file)!r}: choose another place with --out.")


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
