"""``pgfast verify``: does a run give the same bits again?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pgfast.cli.output import Debug, Json, Quiet, answer, facts
from pgfast.cli.resume import OwnEnv, Trust
from pgfast.cli.supervision import Threads, check_threads
from pgfast.errors import PgfastError


def verify(
    run: Annotated[Path | None, typer.Argument(help="The folder of a run that is complete.")] = None,
    small: Annotated[
        bool, typer.Option("--quick", help="Instead: small trainings in many ways, which must give the same bits.")
    ] = False,
    env: OwnEnv = None,
    trust: Trust = False,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Repeat a run by its config.toml and compare, bit for bit."""
    check_threads(threads)
    if (run is None) != small:
        raise PgfastError("Give the folder of a run to repeat, or --quick.")
    from pgfast import verification

    found = list(verification.proofs() if run is None else verification.repeat(run, env, trust, threads))
    good = all(finding.holds for finding in found)
    data: dict[str, Any] = {
        "verified": good,
        "run_dir": None if run is None else str(run),
        "findings": [finding._asdict() for finding in found],
        "remark": verification.REMARK,
    }
    rows = [(f"{'✓' if finding.holds else '✗'} {finding.claim}", finding.said) for finding in found]
    title = "The same bits" if good else "Not the same bits"
    answer(data, lambda: facts([*rows, ("  remark", verification.REMARK)], title=title), as_json, quiet)
    return 0 if good else 1
