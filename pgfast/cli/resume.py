"""``pgfast resume``: on with a training that was stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pgfast.cli.output import Debug, Json, Quiet
from pgfast.cli.progress import Interruption
from pgfast.cli.supervision import Every, Supervision, Threads, check_threads
from pgfast.errors import PgfastError
from pgfast.painter import Painter

if TYPE_CHECKING:
    from pgfast.engine import Engine

RUN = typer.Argument(help="The folder of a run.")
OwnEnv = Annotated[
    str | None,
    typer.Option("--env", metavar="ENV", help="The environment, where it is a file or elsewhere now."),
]
Trust = Annotated[bool, typer.Option("--trust", help="Run the files of code that the run refers to.")]


def resume(
    run: Annotated[Path, RUN],
    env: OwnEnv = None,
    trust: Trust = False,
    checkpoint_every: Every = None,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Go on with a training that was stopped, as if it had never been."""
    check_threads(threads)
    with Painter() as painter, Interruption() as interruption:
        from pgfast.checkpoints import EVERY, Checkpoints
        from pgfast.engine import Engine
        from pgfast.run_folder import RunFolder
        from pgfast.storage import configured

        checkpoints = Checkpoints(run, checkpoint_every or EVERY, trust=trust)
        with RunFolder(run, holds_run=True) as folder:
            if folder.is_complete:
                raise PgfastError(f"The run in {run} is complete: `pgfast evaluate {run}` judges its policy.")
            checkpoints.tidy()
            engine = configured(Engine, run, env, trust=trust)
            warn_of_changes(engine, run, quiet)
            return Supervision(painter, interruption, threads, as_json, quiet).run(engine, folder, checkpoints)


def warn_of_changes(engine: Engine, run: Path, quiet: bool) -> None:
    """Say on stderr what is no longer as it was when a run was made."""
    from pgfast.storage import changes

    found = changes(engine, run)
    if found and not quiet:
        print(f"pgfast: since {run} was made, {'; '.join(found)}.", file=sys.stderr)
