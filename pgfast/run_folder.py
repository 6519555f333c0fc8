"""A run's folder: settings, policy, metrics, summary and picture.

config.toml            every setting, enough to repeat the run
policy.safetensors     the parameters of all runs
metrics.csv            a row for each run and point of the curve
summary.json           what `pgfast train --json` prints
curve.png              the learning curve
"""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from pgfast.errors import PgfastError
from pgfast.plots import draw_curve
from pgfast.results import Curve
from pgfast.storage import CONFIG, make_folder, save_settings

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


class RunFolder:
    """A folder held for one run: made, and seen to be writable, when entered; left as it was found when nothing has
    been written. Raises PgfastError when it holds a run already or can't be written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        if (self.path / CONFIG).exists():
            raise PgfastError(f"The folder {self.path} holds a run already: choose another with --out.")
        self._made = [p for p in (self.path, *self.path.parents) if not p.exists()]
        make_folder(self.path)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            for folder in self._made:
                if any(folder.iterdir()):
                    break
                folder.rmdir()

    def begin(self, engine: Any) -> None:
        """Take the folder: from here on it holds a run."""
        save_settings(engine, self.path)

    def write(self, engine: Any, curve: Curve, summary: dict[str, Any]) -> None:
        """All of the run's files but the picture."""
        write_metrics(self.path / METRICS, curve)
        (self.path / SUMMARY).write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", "utf-8")
        engine.save(self.path)

    def picture(self, curve: Curve, summary: dict[str, Any], draw: Callable[..., None] = draw_curve) -> None:
        """The run's picture."""
        draw(self.path / PICTURE, curve, title=_title(summary), optimum=summary["optimum"])


def _title(summary: dict[str, Any]) -> str:
    return f"{Path(summary['env']).name}, {summary['algorithm']}, {summary['policy']} policy"


def write_metrics(path: Path, curve: Curve) -> None:
    """One row per run and point; points that a run has not reached are left out."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_rows(curve))


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
