"""Between the kernels' log and what the user reads: curves, progress, and the means of training and evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pgfast.checkpoints import Span
from pgfast.kernels.learner import EPISODES
from pgfast.logs import Rows, failures, read_log, total_steps
from pgfast.results import Curve, Evaluation, Interval, Progress, Training, interval, interval_of
from pgfast.settings import Settings
from pgfast.training import Job

MOST_POINTS = 100  # of a learning curve, where the user doesn't say


def points_apart(settings: Settings, episodes: int) -> int:
    """Episodes between two points of a curve, a multiple of the batch."""
    apart = settings.log_every or max(1, math.ceil(episodes / MOST_POINTS))
    return -(-apart // settings.batch) * settings.batch


class Recorder:
    """Looks at a job between calls: progress for the callback, and the time at which each point of the curve was
    there."""

    def __init__(self, job: Job, span: Span, seconds: np.ndarray) -> None:
        self.job, self.span, self.seconds = job, span, seconds
        self.reached = self._complete()

    def _done(self) -> np.ndarray:
        done: np.ndarray = self.job.learner.clock[:, EPISODES] - self.span.first
        return done

    def _complete(self) -> np.ndarray:
        """Points that each run has reached."""
        done = self._done()
        return np.where(done >= self.span.count, self.span.points, np.maximum(done, 0) // self.span.every)

    def up_to_now(self) -> np.ndarray:
        """The seconds of all points that are there."""
        complete = self._complete()
        for run in np.nonzero(complete > self.reached)[0]:
            self.seconds[run, self.reached[run] : complete[run]] = self.job.seconds
        self.reached = complete
        return self.seconds

    def look(self, callback: Callable[[Progress], bool | None] | None) -> bool | None:
        done = self._done()
        self.up_to_now()
        if callback is None:
            return None
        return callback(
            Progress(
                episodes=int(done.sum()),
                total=self.span.count * self.job.runs,
                steps=total_steps(self.job.learner) - self.span.steps_before,
                seconds=self.job.seconds,
                mean_return=self._mean_return(),
            )
        )

    def _mean_return(self) -> float:
        last = np.maximum(self.reached - 1, 0)
        rows = read_log(self.job.learner.log[np.arange(self.job.runs), last][:, None])
        known = rows.mean_return[np.isfinite(rows.mean_return)]
        return float(known.mean()) if len(known) else math.nan

    def curve(self, rows: Rows) -> Curve:
        span = self.span
        episode = np.minimum(span.every * np.arange(1, span.points + 1), span.count) + span.first
        return Curve(
            episode, np.cumsum(rows.steps, axis=1), rows.mean_return, rows.std_return, rows.entropy, rows.gradient_norm,
            self.seconds,
        )  # fmt: skip

    def training(self, done: bool) -> Training:
        """What has become of it; `done` unless a callback ended it."""
        job, clock, rows = self.job, self.job.learner.clock, read_log(self.job.learner.log)
        curve = self.curve(rows)
        return Training(
            episodes=int(clock[:, EPISODES].max()) - self.span.first,
            steps=total_steps(job.learner) - self.span.steps_before,
            compile_seconds=job.compile_seconds,
            load_seconds=job.load_seconds,
            train_seconds=job.seconds,
            curve=curve,
            final_return=final_return(curve, rows),
            stopped=not done,
            failed=tuple(failures(job.learner)),
            singular=job.problem.refinement.singular(job.learner),
        )


def final_return(curve: Curve, rows: Rows) -> Interval:
    """The mean return of the last points that every run has reached: about the last tenth of training."""
    tail = max(1, curve.mean_return.shape[1] // 10)
    n, mean, std = rows.episodes[:, -tail:], rows.mean_return[:, -tail:], rows.std_return[:, -tail:]
    n = np.where(np.isfinite(mean), n, 0.0)
    played = n.sum(axis=1)
    means = np.nansum(n * np.nan_to_num(mean), axis=1)[played > 0] / played[played > 0]
    if len(means) == 0:
        return Interval(math.nan, math.nan, math.nan)
    if len(means) > 1:
        return interval(means)
    total = float(played[played > 0][0])
    squares = np.nansum((n - 1) * std**2 + n * (np.nan_to_num(mean) - means[0]) ** 2, axis=1)[played > 0][0]
    return interval_of(float(means[0]), math.sqrt(squares / max(total - 1, 1)), int(total))


def evaluation(rows: Rows, lengths: np.ndarray, runs: int, count: int) -> Evaluation:
    """One evaluation from the statistics of each slot, (slots, 1)."""
    n, mean, std = (a[:, 0].reshape(runs, -1) for a in (rows.episodes, rows.mean_return, rows.std_return))
    by_run = np.nansum(n * mean, axis=1) / n.sum(axis=1)
    squares = (np.nan_to_num((n - 1) * std**2) + n * (mean - by_run[:, None]) ** 2).sum(axis=1)
    variance = squares / np.maximum(n.sum(axis=1) - 1, 1)
    overall = float(np.sqrt(variance.mean()))
    found = interval(by_run) if runs > 1 else interval_of(float(by_run[0]), overall, int(n.sum()))
    return Evaluation(
        mean=found.mean,
        ci95=(found.low, found.high),
        std=overall,
        episodes=count,
        mean_length=float(lengths.sum() / n.sum()),
        by_run=by_run,
    )
