"""Checkpoints of a training: what it has come to, kept in its folder so that it can be taken up again, bit for bit.

All that is kept from one update to the next stands in the learner's arrays (`runs`, `clock`, `log`), with what a task
that doesn't end goes on with (`pgfast.continuation`); random numbers are functions of where they are drawn. So a
checkpoint is those arrays at a moment when each run has just made an update, and a training that is taken up plays on
from there as if it had never been stopped.

A checkpoint is a safetensors file with the SHA-256 of all that it holds. The last two are kept.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pgfast.continuation import carried_arrays, check_carried, restore_carried
from pgfast.errors import PgfastError
from pgfast.files import PART, put_elsewhere, write_whole
from pgfast.kernels.learner import EPISODES, FAILED, Learner
from pgfast.storage import (
    LARGEST,
    check_learner,
    learner_arrays,
    make_folder,
    read_tensors,
    restore_learner,
    save_settings,
)

if TYPE_CHECKING:
    from pgfast.engine import Engine

EVERY = "30s"
KEPT = 2
_NAME = re.compile(r"checkpoint-(\d{1,15})\.safetensors")
_SHARE = 20  # checkpoints that come by the clock take no more than one part in so many of the time
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Span:
    """What one call of `Engine.learn` is to do."""

    first: int  # episode that it begins with
    count: int  # episodes of each run
    every: int  # between points of the curve
    steps_before: int  # of all runs

    @property
    def points(self) -> int:
        """Of the curve."""
        return -(-self.count // self.every)


@dataclass(frozen=True)
class Interval:
    """How often to keep a checkpoint: after so many seconds, or so many episodes of each run."""

    seconds: float = math.inf
    episodes: float = math.inf

    @classmethod
    def of(cls, text: str) -> Interval:
        """`30s`, `5m`, `1h`, or a number of episodes."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([smh]?)\s*", text)
        amount = float(found[1]) if found else 0.0
        if not found or not 0.0 < amount < LARGEST or (not found[2] and amount != int(amount)):
            raise PgfastError(
                f"checkpoint-every is {text!r}: it must be a time, like 30s, 5m or 1h, or a number of episodes."
            )
        return cls(seconds=amount * _UNITS[found[2]]) if found[2] else cls(episodes=amount)


class Checkpoints:
    """The checkpoints in a run's folder.

    `every`: a time ("30s", "5m", "1h") or a number of episodes of each run. `trust`: a task that doesn't end may go on
    from a state that stands there, though it is the user's code that goes on from it, and nobody can check it."""

    def __init__(self, folder: str | Path, every: str | int = EVERY, *, trust: bool = False) -> None:
        self.folder, self.every, self.trust = Path(folder), Interval.of(str(every)), trust
        self.episode: int | None = None  # that the slowest run had reached in the last one
        self._taken = 0.0  # seconds that the last one took

    def latest(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Arrays and numbers of the last whole checkpoint; None where there is none. Raises PgfastError when there are
        some, and all are damaged."""
        fault = None
        for path in reversed(self._paths()):
            try:
                return _read(path)
            except PgfastError as error:
                fault = fault or error
        if fault is not None:
            raise fault
        return None

    def restore(self, engine: Engine) -> tuple[Span, np.ndarray, float] | None:
        """Give an engine what the last whole checkpoint holds: what was to be done, when the points of the curve were
        there (runs, points), and the seconds of training so far."""
        make_folder(self.folder)
        found = self.latest()
        if found is None:
            return None
        arrays, numbers = found
        if numbers.get("settings") != fingerprint(engine):
            raise PgfastError(f"The checkpoints in {self.folder} are of a training with other settings.")
        try:
            span = Span(**{name: int(numbers["span"][name]) for name in Span.__dataclass_fields__})
            seconds = float(numbers["seconds"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise PgfastError(f"A checkpoint in {self.folder} doesn't say what was to be done.") from None
        learner = engine._learner
        runs = len(learner.runs)
        fits = all(0 <= number < LARGEST for number in vars(span).values()) and span.count > 0 and span.every > 0
        if fits:
            shapes = {"seconds": (runs, span.points), "log": (runs, span.points, learner.log.shape[2])}
            fits = all(_shape(arrays, name) == shape for name, shape in shapes.items())
        if not fits:
            raise PgfastError(f"A checkpoint in {self.folder} doesn't fit its settings.")
        last = span.first + span.count
        check_learner(engine.model, learner, arrays, self.folder, last)
        check_carried(engine, arrays, self.folder, last, self.trust)
        restore_learner(engine.model, learner, arrays)
        restore_carried(learner, arrays)
        engine._learner = learner._replace(log=arrays["log"].astype(float))
        self.episode = _slowest(engine._learner)
        return span, arrays["seconds"].astype(float), seconds

    def keep(self, engine: Engine, learner: Learner, span: Span, points: np.ndarray, seconds: float) -> None:
        """Write another, and take away those before the last. Raises PgfastError where that can't be; the state is then
        kept in a folder of its own, if there is any room."""
        start = time.monotonic()
        arrays = {**learner_arrays(engine.model, learner), **carried_arrays(learner)}
        arrays |= {"log": learner.log, "seconds": points}
        content = _content(arrays, {"span": asdict(span), "seconds": seconds, "settings": fingerprint(engine)})
        paths = self._paths()
        path = self.folder / f"checkpoint-{_number(paths[-1]) + 1 if paths else 1}.safetensors"
        try:
            write_whole(path, content)
            for old in paths[: len(paths) + 1 - KEPT]:
                old.unlink()
        except OSError as error:
            raise self._rescue(engine, content, error.strerror or str(error)) from None
        self.episode, self._taken = _slowest(learner), time.monotonic() - start

    def seconds_apart(self) -> float:
        return max(self.every.seconds, _SHARE * self._taken)

    def tidy(self) -> None:
        """Take away what a process has left that was killed while it wrote."""
        for path in self.folder.glob(f".*{PART}"):
            with suppress(OSError):
                path.unlink()

    def _paths(self) -> list[Path]:
        return sorted((p for p in self.folder.glob("checkpoint-*") if _NAME.fullmatch(p.name)), key=_number)

    def _rescue(self, engine: Engine, content: bytes, reason: str) -> PgfastError:
        """Where a folder can't be written any more: keep the state elsewhere, and say so."""
        said = f"The checkpoint can't be written into {self.folder} ({reason})"

        def write(place: Path) -> None:
            save_settings(engine, place)
            write_whole(place / "checkpoint-1.safetensors", content)

        elsewhere = put_elsewhere(write)
        if elsewhere is None:
            before = f"that of episode {self.episode:,} is whole" if self.episode else "there is none before it"
            return PgfastError(f"{said}; {before}: make room, then `pgfast resume {self.folder}`.")
        return PgfastError(f"{said}; what was learned is kept: `pgfast resume {elsewhere}` goes on with it.")


def fingerprint(engine: Engine) -> str:
    """Digest of the settings."""
    given = sorted((name, repr(value)) for name, value in engine.settings.given().items() if name != "env")
    return hashlib.sha256(repr(given).encode()).hexdigest()


def _shape(arrays: dict[str, np.ndarray], name: str) -> tuple[int, ...] | None:
    return arrays[name].shape if name in arrays else None


def _slowest(learner: Learner) -> int:
    """The episode that all runs have reached, but those that have failed."""
    clock = learner.clock
    alive = clock[:, FAILED] < 0
    return int(clock[alive, EPISODES].min()) if alive.any() else int(clock[:, EPISODES].max())


def _number(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return int(found[1])


def _digest(arrays: dict[str, np.ndarray], numbers: str) -> str:
    h = hashlib.sha256(numbers.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        h.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return h.hexdigest()


def _content(arrays: dict[str, np.ndarray], numbers: dict[str, Any]) -> bytes:
    from safetensors.numpy import save

    arrays, words = {name: np.ascontiguousarray(array) for name, array in arrays.items()}, json.dumps(numbers)
    return save(arrays, {"numbers": words, "sha256": _digest(arrays, words)})


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    arrays, metadata = read_tensors(path)
    words = metadata.get("numbers", "")
    if metadata.get("sha256") != _digest(arrays, words):
        raise PgfastError(f"{path} is damaged: its contents don't have the digest that it names.")
    try:
        numbers = json.loads(words)
    except (ValueError, RecursionError):
        numbers = None
    if not isinstance(numbers, dict) or not isinstance(numbers.get("span"), dict):
        raise PgfastError(f"{path} is no checkpoint.")
    return arrays, numbers
