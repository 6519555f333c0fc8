"""A call of `Engine.learn`, from its first episode to its last, or on from where an earlier one was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pgfast.checkpoints import Checkpoints, Span
from pgfast.curves import Recorder, points_apart
from pgfast.kernels.learner import EPISODES, FAILED, GOES_ON, make_log
from pgfast.logs import total_steps
from pgfast.results import Progress, Training

if TYPE_CHECKING:
    from pgfast.engine import Engine

Callback = Callable[[Progress], bool | None]


class Course(NamedTuple):
    """What there is to do, and how long it has taken so far."""

    span: Span
    points: np.ndarray  # seconds at which each point of the curve was there, (runs, points); NaN before
    seconds: float


def begin(engine: Engine, count: int, checkpoints: Checkpoints | None) -> Course:
    """Episodes that are to be learned from: so many more, or what a checkpoint says, which the engine then has."""
    found = checkpoints.restore(engine) if checkpoints is not None else None
    if found is not None:
        return Course(*found)
    span, runs = _span(engine, count), engine.settings.runs
    engine._learner.clock[:, GOES_ON] = 0
    engine._learner = engine._learner._replace(log=make_log(runs, span.points))
    return Course(span, np.full((runs, span.points), np.nan), 0.0)


def _span(engine: Engine, count: int) -> Span:
    learner = engine._learner
    return Span(reached(engine), count, points_apart(engine.settings, count), total_steps(learner))


def reached(engine: Engine) -> int:
    """The episode that batches begin with: the same for all runs that haven't failed."""
    clock = engine._learner.clock
    alive = clock[:, FAILED] < 0
    return int(clock[alive, EPISODES].max()) if alive.any() else int(clock[:, EPISODES].max())


def learn(
    engine: Engine, course: Course, callback: Callback | None, threads: int | None, checkpoints: Checkpoints | None
) -> Training:
    """`Engine.learn` by episodes."""
    span = course.span
    last = span.first + span.count
    job = engine._job(
        engine._learner, reached(engine), last, log_every=span.every, log_origin=span.first, threads=threads
    )
    job.seconds = course.seconds
    seen = Recorder(job, span, course.points)
    keeper = None
    if checkpoints is not None:
        keeper = Keeper(engine, span, checkpoints, lambda: (seen.up_to_now(), job.seconds))

    def between() -> bool | None:
        engine._forget()
        return seen.look(callback)

    try:
        done = job.run(between, keeper)
        if done and keeper is not None:
            keeper.close()
    finally:
        engine._forget()
    return seen.training(done)


class Keeper:
    """Keeps the state of a training now and then; `times` gives what has become of `points` and `seconds`."""

    def __init__(
        self, engine: Engine, span: Span, checkpoints: Checkpoints, times: Callable[[], tuple[np.ndarray, float]]
    ) -> None:
        self.engine, self.span, self.checkpoints, self.times = engine, span, checkpoints, times
        self._since, self._from = time.monotonic(), reached(engine)

    def is_due(self) -> bool:
        every = self.checkpoints.every
        if time.monotonic() - self._since >= self.checkpoints.seconds_apart():
            return True
        return every.episodes < np.inf and reached(self.engine) - self._from >= every.episodes

    def keep(self) -> None:
        self.checkpoints.keep(self.engine, self.engine._learner, self.span, *self.times())
        self._since, self._from = time.monotonic(), reached(self.engine)

    def close(self) -> None:
        """Training is over: the last checkpoint, where there are any, is of its end."""
        if self.checkpoints.episode is not None:
            self.keep()
