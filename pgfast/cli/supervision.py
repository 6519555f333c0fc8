"""A training as `pgfast train` and `pgfast resume` carry it out: watched, kept, judged, and told."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.cli.outcome import as_table, divergence, summarise
from pgfast.cli.output import answer, fail, finite
from pgfast.cli.progress import Bar, Interruption, compile_aloud, watch
from pgfast.errors import PgfastError
from pgfast.files import put_elsewhere

if TYPE_CHECKING:
    from pgfast.checkpoints import Checkpoints
    from pgfast.engine import Engine
    from pgfast.painter import Painter
    from pgfast.results import Training
    from pgfast.run_folder import RunFolder

DIVERGED = 3  # exit code

Threads = Annotated[int | None, typer.Option(help="Threads; by default all processors. No result depends on it.")]
Every = Annotated[
    str | None,
    typer.Option(
        "--checkpoint-every",
        metavar="TIME|N",
        help="Time (30s, 5m) or episodes between checkpoints; by default 30s.",
    ),
]


def check_threads(threads: int | None) -> None:
    """Raise PgfastError for a number of threads that can't be."""
    if threads is not None and threads < 1:
        raise PgfastError(f"threads is {threads}: it must be at least 1.")


def tell(engine: Engine, quiet: bool) -> None:
    """Say on stderr what the user should know before it begins."""
    if not quiet and (notice := engine.notice):
        print(f"pgfast: {notice}", file=sys.stderr)


def tell_damped(training: Training, quiet: bool) -> None:
    """Say on stderr, once, that a matrix was singular."""
    if training.singular and not quiet:
        print(
            "pgfast: a matrix of scores was singular, and was damped until it wasn't: --damping sets by how much at "
            "least.",
            file=sys.stderr,
        )


def kept_elsewhere(engine: Engine, error: PgfastError) -> PgfastError:
    """What to say where a run's folder can't be written any more: what was learned is put into another."""
    from pgfast.storage import save

    place = put_elsewhere(partial(save, engine))
    if place is None:
        return error
    return PgfastError(f"{str(error)[:-1]}; what was learned is kept: `pgfast evaluate {place}` judges it.")


@dataclass
class Supervision:
    """One training, and how the user wants to hear of it."""

    painter: Painter
    interruption: Interruption
    threads: int | None
    as_json: bool
    quiet: bool

    def run(self, engine: Engine, folder: RunFolder, checkpoints: Checkpoints) -> int:
        """Train to the end, or as far as the user lets it; the exit code."""
        from pgfast.storage import save_policy

        path = folder.path
        with Bar(not (self.as_json or self.quiet)) as bar:
            tell(engine, self.quiet)
            compiled = compile_aloud(engine, bar, self.quiet)
            self.interruption.training = True
            if not folder.holds_run:
                folder.begin(engine)
            callback = watch(bar, self.interruption)
            with self._if_ended("ended at once", checkpoints):
                training = engine.learn(callback=callback, threads=self.threads, checkpoints=checkpoints)
            self.interruption.training = False
            tell_damped(training, self.quiet)
            try:
                save_policy(engine, path)
            except PgfastError as error:
                raise kept_elsewhere(engine, error) from None
            bar.stage("evaluating")
            with self._if_ended("interrupted before the policy was judged", checkpoints):
                evaluation = None if training.stopped else engine.evaluate(threads=self.threads)
            engine.close()  # a process of an environment's would keep the painter waiting
        summary = finite(summarise(engine, training, evaluation, path))
        summary["compile_seconds"] += compiled.compile_seconds
        summary["load_seconds"] += compiled.load_seconds
        folder.write(engine, training.curve, summary)
        if evaluation is None:
            return self._stopped(training, summary, checkpoints)
        try:
            answer(summary, lambda: as_table(engine, summary, training, evaluation), self.as_json, self.quiet)
        finally:  # also where nobody reads it to the end
            folder.picture(training.curve, summary, self.painter.draw)
        if training.failed:
            return fail(divergence(training, path), DIVERGED, as_json=False)
        return self.interruption.exit_code

    @contextmanager
    def _if_ended(self, what: str, checkpoints: Checkpoints) -> Iterator[None]:
        """Where the user ends the process at once, the last word is what it can go on from."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self._say_how_to_go_on(what, checkpoints)
            raise

    def _stopped(self, training: Training, summary: dict[str, Any], checkpoints: Checkpoints) -> int:
        """The end of a training that the user has stopped."""
        if self.as_json:
            answer(summary, lambda: "", as_json=True)
        self._say_how_to_go_on(f"stopped at episode {training.episodes:,}", checkpoints)
        return self.interruption.exit_code

    def _say_how_to_go_on(self, what: str, checkpoints: Checkpoints) -> None:
        if not self.quiet:
            resume = shlex.join(["pgfast", "resume", str(checkpoints.folder)])
            since = "the beginning" if checkpoints.episode is None else f"episode {checkpoints.episode:,}"
            print(f"pgfast: {what}; `{resume}` goes on from {since}.", file=sys.stderr)
