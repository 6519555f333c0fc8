"""A run's folder: settings, policy, metrics, summary and picture.

config.toml            every setting, enough to repeat the run
origin.json            what it was made with: versions, processor, the file of a user's environment
checkpoint-N.safetensors   where training can be gone on from; the last two
policy.safetensors     the parameters of all runs
metrics.csv            a row for each run and point of the curve
summary.json           what `pgfast train --json` prints
curve.png              the learning curve
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from pgfast.errors import PgfastError
from pgfast.plots import draw_curve
from pgfast.results import Curve
from pgfast.storage import CONFIG, make_folder, save_policy, save_settings, write

METRICS, SUMMARY, PICTURE = "metrics.csv", "summary.json", "curve.png"
COLUMNS = ("run", "episode", "steps", "mean_return", "std_return", "entropy", "gradient_norm", "seconds")


def default_path(env: str, algorithm: str, seed: int) -> Path:
    """``runs/<env>-<algorithm>-<seed>-<time>``; a file's environment goes by the file's name."""
    file, _, name = env.partition(":")
    known = name or Path(file).stem if file.endswith(".py") else env
    label = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{known}-{algorithm}-{seed}-{time.strftime('%Y%m%d-%H%M%S')}")
    path, tries = Path("runs") / label, 1
    while path.exists():
        tries += 1
        path = Path("runs") / f"{label}-{tries}"
    return path


def check_run(folder: Path) -> None:
    """Raise PgfastError for a folder that no run has begun in."""
    if not (folder / CONFIG).exists():
        raise PgfastError(f"There is no run in {folder}: it has no {CONFIG}.")


class RunFolder:
    """A folder held for one process: made, and seen to be writable, when entered; left as it was found when nothing has
    been written. Raises PgfastError when it holds a run already, unless that is to be gone on with, when it can't be
    written, and when another process holds it."""

    def __init__(self, path: Path, holds_run: bool = False) -> None:
        self.path, self.holds_run = path, holds_run

    def __enter__(self) -> Self:
        if self.holds_run:
            check_run(self.path)
        self._made = [p for p in (self.path, *self.path.parents) if not p.exists()]
        self._check_free()
        make_folder(self.path)
        self._held = ExitStack()
        try:
            _hold(self.path, self._held)
            self._check_free()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._held.close()
        if kind is not None:
            with suppress(OSError):  # where somebody has taken it away
                for folder in self._made:
                    if any(folder.iterdir()):
                        break
                    folder.rmdir()

    def _check_free(self) -> None:
        if not self.holds_run and (self.path / CONFIG).exists():
            raise PgfastError(
                f"The folder {self.path} holds a run already: choose another with --out, or go on with that one by "
                f"`pgfast resume {self.path}`."
            )

    @property
    def is_complete(self) -> bool:
        """Has its run been trained to the end?"""
        summary = read_summary(self.path)
        return summary is not None and summary.get("stopped") is False

    def begin(self, engine: Any) -> None:
        """Take the folder: from here on it holds a run."""
        save_settings(engine, self.path)

    def write(self, engine: Any, curve: Curve, summary: dict[str, Any]) -> None:
        """What has become of the run, but its picture."""
        save_policy(engine, self.path)
        write_metrics(self.path / METRICS, curve)
        write(self.path / SUMMARY, (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode())

    def picture(self, curve: Curve, summary: dict[str, Any], draw: Callable[..., None] = draw_curve) -> None:
        """The run's picture; raises PgfastError, and leaves none, where that can't be written."""
        path = self.path / PICTURE
        path.unlink(missing_ok=True)  # it could be a link to somewhere else
        try:
            draw(path, curve, title=_title(summary), optimum=summary["optimum"])
        except PgfastError:
            path.unlink(missing_ok=True)  # half of it
            raise


def _title(summary: dict[str, Any]) -> str:
    return f"{Path(summary['env']).name}, {summary['algorithm']}, {summary['policy']} policy"


def _hold(folder: Path, held: ExitStack) -> None:
    """Keep other processes out until `held` is closed, or this one has ended in whatever way."""
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return
    descriptor = os.open(folder, os.O_RDONLY)
    held.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PgfastError(f"The folder {folder} is in use: another process trains there; choose another.") from None
    except OSError:  # a file system without locks
        return


def read_summary(folder: Path) -> dict[str, Any] | None:
    """What `write` was given last; None where there is none, or it is damaged."""
    try:
        found = json.loads((folder / SUMMARY).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def metrics(curve: Curve) -> str:
    """A table with a row per run and point; points that a run has not reached are left out."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    writer.writerows(_rows(curve))
    return table.getvalue()


def write_metrics(path: Path, curve: Curve) -> None:
    """`metrics` as a file."""
    write(path, metrics(curve).encode())


def _rows(curve: Curve) -> Iterator[tuple[Any, ...]]:
    runs, points = curve.mean_return.shape
    names = ("mean_return", "std_return", "entropy", "gradient_norm", "seconds")
    columns = [getattr(curve, name).tolist() for name in names]
    episode, steps = curve.episode.tolist(), curve.steps.astype(np.int64).tolist()
    reached = np.isfinite(curve.mean_return)
    for run in range(runs):
        for k in range(points):
            if reached[run, k]:
                yield (run, episode[k], steps[run][k], *(c[run][k] for c in columns))
