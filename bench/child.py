"""A process that calls functions for this one: its memory is its own, it can be kept on one processor, and what
libraries print in it is not seen."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pgfast.errors import PgfastError

T = TypeVar("T")


class Trouble(PgfastError):
    """What was asked of the other process didn't work; the message says why."""


class Child:
    """Called with a function and its arguments, it gives what the function returns there."""

    def __init__(self, core: int | None = None, cache: Path | None = None) -> None:
        self._core = core
        self._environment = dict(os.environ) if cache is None else {**os.environ, "PGFAST_CACHE_DIR": str(cache)}

    def __enter__(self) -> Self:
        self._complaints = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, "" if self._core is None else str(self._core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            start_new_session=True,  # Ctrl-C is for the parent, which ends its children
            env=self._environment,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()
        self._complaints.close()

    def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        try:
            pickle.dump((function, arguments), self._process.stdin)
            self._process.stdin.flush()
            worked, value = pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError):
            raise Trouble(f"its process ended with code {self._process.wait()}: {self._last_words()}") from None
        if not worked:
            raise Trouble(value)
        return value

    def _last_words(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing was said"


def core() -> int | None:
    """The processor that whatever uses only one is kept on, where the system lets one choose."""
    return min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def peak_memory() -> int | None:
    """Bytes that this process has held at most, where the system counts them.

    In ru_maxrss Linux includes what the parent held when it started this process; VmHWM begins with the process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = (line.split() for line in status.read_text().splitlines())
        return next((1024 * int(words[1]) for words in lines if words[0] == "VmHWM:"), None)
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Serve until nobody asks any more. The processor is chosen before any library counts them."""
    if sys.argv[1]:
        os.sched_setaffinity(0, {int(sys.argv[1])})
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            function, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = True, function(*arguments)
        except Exception as error:
            text = str(error).strip().splitlines() or ["no reason was given"]
            answer = False, text[0] if isinstance(error, PgfastError) else f"{type(error).__name__}: {text[0]}"
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
