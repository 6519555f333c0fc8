"""The live view of a training: a bar on stderr, and a polite end when the user asks for one."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from pgfast.cli.output import short

if TYPE_CHECKING:
    from pgfast.compiler import Preparation
    from pgfast.engine import Engine
    from pgfast.results import Progress


class Interruption:
    """While training goes on, the first Ctrl-C or SIGTERM asks it to end after the current call; the second one, and
    any at another time, ends the process at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.training = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None or not self.training:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        self.signal = number

    @property
    def exit_code(self) -> int:
        """As a shell has it: 130 after Ctrl-C, 143 after SIGTERM."""
        return 0 if self.signal is None else 128 + self.signal


class Bar:
    """Episodes done, mean return, episodes/s, steps/s and time left."""

    def __init__(self, visible: bool) -> None:
        self.visible = visible and sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self.visible:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=10),
                TextColumn("{task.fields[done]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("loading", total=None, done="")
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.visible:
            self._bar.stop()

    def stage(self, name: str, note: str = "") -> None:
        """Say what is going on while no progress can be shown."""
        if self.visible:
            self._bar.reset(self._task, description=name, total=None, done=note)

    def show(self, p: Progress) -> None:
        """Show where training stands."""
        if self.visible:
            rate = 1.0 / p.seconds if p.seconds > 0 else 0.0
            mean = f"{p.mean_return:.4g}" if math.isfinite(p.mean_return) else "-"
            speed = f"({short(rate * p.episodes)}/s), {short(rate * p.steps)} steps/s"
            done = f"return {mean}  {short(p.episodes)} episodes {speed}"
            self._bar.update(self._task, description="training", total=p.total, completed=p.episodes, done=done)


def watch(bar: Bar, interruption: Interruption) -> Callable[[Progress], bool]:
    """The callback of `Engine.learn` that keeps the bar and listens to the user."""

    def callback(progress: Progress) -> bool:
        bar.show(progress)
        return interruption.signal is None

    return callback


def compile_aloud(engine: Engine, bar: Bar | None = None, quiet: bool = False, everything: bool = False) -> Preparation:
    """`Engine.compile`; when that isn't a matter of loading, says on stderr what is compiled and how long it took."""
    what = f"compiling {Path(engine.settings.env).name}, {engine.model.name} policy"
    since: list[float] = []

    def announce() -> None:
        if bar is not None and bar.visible:
            bar.stage(what, "(kept for the next time)")
        elif not quiet and not since:
            print(f"pgfast: {what} …", end="", file=sys.stderr, flush=True)
            since.append(time.perf_counter())

    try:
        return engine.compile(everything=everything, announce=announce)
    finally:
        if since:
            print(f" {time.perf_counter() - since[0]:.1f} s, kept for the next time", file=sys.stderr)
