"""A call of `Engine.learn`, from its first episode to its last, or on from where an earlier one was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pgfast.checkpoints import Checkpoints, Span
from pgfast.curves import Recorder, points_apart
from pgfast.kernels.learner import EPISODES, FAILED, make_log
from pgfast.logs import total_steps
from pgfast.results import Progress, Training

if TYPE_CHECKING:
    from pgfast.engine import Engine

Callback = Callable[[Progress], bool | None]


def learn(
    engine: Engine, count: int, callback: Callback | None, threads: int | None, checkpoints: Checkpoints | None
) -> Training:
    """`Engine.learn`: what there is to do, and what has been done of it, may be in a checkpoint. Tasks that don't end
    have none: lanes go on from states that are not the learner's."""
    if engine._problem.continues:
        checkpoints = None
    found = checkpoints.restore(engine) if checkpoints is not None else None
    if found is not None:
        span, points, seconds = found
    else:
        span, points, seconds = _span(engine, count), None, 0.0
        engine._learner = engine._learner._replace(log=make_log(engine.settings.runs, span.points))
    return _go_on(engine, span, points, seconds, callback, threads, checkpoints)


def _span(engine: Engine, count: int) -> Span:
    learner = engine._learner
    return Span(reached(engine), count, points_apart(engine.settings, count), total_steps(learner))


def reached(engine: Engine) -> int:
    """The episode that batches begin with: the same for all runs that haven't failed."""
    clock = engine._learner.clock
    alive = clock[:, FAILED] < 0
    return int(clock[alive, EPISODES].max()) if alive.any() else int(clock[:, EPISODES].max())


def _go_on(
    engine: Engine,
    span: Span,
    points: np.ndarray | None,
    seconds: float,
    callback: Callback | None,
    threads: int | None,
    checkpoints: Checkpoints | None,
) -> Training:
    last = span.first + span.count
    job = engine._job(
        engine._learner, reached(engine), last, log_every=span.every, log_origin=span.first, threads=threads
    )
    job.seconds = seconds
    seen = Recorder(job, span, points)
    keeper = _Keeper(engine, span, seen, checkpoints) if checkpoints is not None else None

    def between() -> bool | None:
        engine._forget()
        return seen.look(callback)

    try:
        done = job.run(between, keeper)
        if done and keeper is not None and keeper.checkpoints.episode is not None:
            keeper.keep()
    finally:
        engine._forget()
    return seen.training(done)


class _Keeper:
    """Keeps the state of a training now and then."""

    def __init__(self, engine: Engine, span: Span, seen: Recorder, checkpoints: Checkpoints) -> None:
        self.engine, self.span, self.seen, self.checkpoints = engine, span, seen, checkpoints
        self._since, self._from = time.monotonic(), reached(engine)

    def is_due(self) -> bool:
        every = self.checkpoints.every
        if time.monotonic() - self._since >= self.checkpoints.seconds_apart():
            return True
        return every.episodes < np.inf and reached(self.engine) - self._from >= every.episodes

    def keep(self) -> None:
        self.seen.look(None)
        learner = self.engine._learner
        self.checkpoints.keep(self.engine, learner, self.span, self.seen.seconds, self.seen.job.seconds)
        self._since, self._from = time.monotonic(), reached(self.engine)
