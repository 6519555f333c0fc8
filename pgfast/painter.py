"""The picture of a run, drawn by a process of its own: it loads Matplotlib while this one loads the engine.

Loading Matplotlib takes as long as all else that a short run does. The process takes one message on stdin, a .npz
archive, and ends without it when nobody sends one.
"""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
import warnings
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pgfast.errors import PgfastError

if TYPE_CHECKING:
    from pgfast.results import Curve


class Painter:
    """`draw` is `pgfast.plots.draw_curve`, done elsewhere."""

    def __enter__(self) -> Self:
        home = str(Path(__file__).parents[1])  # where pgfast is, installed or not
        paths = [home, *filter(None, sys.path)]  # so that it need not look for them
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is not meant for it
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"},  # it needs none
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def draw(self, path: Path, curve: Curve, title: str, optimum: float | None) -> None:
        """Draw, and wait until it is done; raises PgfastError where the picture can't be written."""
        import numpy as np

        message = io.BytesIO()
        arrays = {field.name: getattr(curve, field.name) for field in fields(curve)}
        best = np.nan if optimum is None else optimum
        np.savez(message, curve_path=str(path.absolute()), title=title, optimum=best, **arrays)
        _, complaint = self._process.communicate(message.getvalue())
        if self._process.returncode != 0:
            kind, _, said = complaint.decode(errors="replace").strip().splitlines()[-1].partition(": ")
            if kind == f"{PgfastError.__module__}.{PgfastError.__name__}":
                raise PgfastError(said)
            raise RuntimeError(f"{path} can't be drawn: {kind}: {said}")


def main() -> None:
    """Load everything, then draw what comes, and end without tidying up."""
    gc.disable()
    warnings.simplefilter("ignore")  # Matplotlib says what it misses
    vars(sys)["modules"]["mpl_toolkits.mplot3d"] = None  # not found: it takes long to load, and nothing here is solid
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401
    import numpy as np

    from pgfast.plots import draw_curve
    from pgfast.results import Curve

    message = sys.stdin.buffer.read()
    if message:
        sent = np.load(io.BytesIO(message), allow_pickle=False)
        best = float(sent["optimum"])
        curve = Curve(**{field.name: sent[field.name] for field in fields(Curve)})
        draw_curve(Path(str(sent["curve_path"])), curve, str(sent["title"]), None if np.isnan(best) else best)
    os._exit(0)


if __name__ == "__main__":
    main()
