"""``pgfast bench``: how fast training is on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from pgfast.cli.output import Debug, Json, Quiet, answer, short


def bench(
    workload: Annotated[list[str] | None, typer.Argument(help="Workloads; by default all.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure training (environment, sampling, returns and update together) on one thread and on all processors."""
    from pgfast.errors import unknown
    from pgfast.training import default_threads
    from pgfast.workloads import WORKLOADS, measure

    for name in workload or []:
        if name not in WORKLOADS:
            raise unknown("workload", name, WORKLOADS)
    measured = [
        asdict(measure(WORKLOADS[name], threads))
        for name in workload or WORKLOADS
        for threads in sorted({1, default_threads()})
    ]
    answer({"workloads": measured}, lambda: _table(measured), as_json, quiet)


def _table(measured: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(
        "workload", *(f"{h}" for h in ("threads", "ns/step", "steps/s", "episodes/s", "compile", "load")), box=None
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for m in measured:
        table.add_row(
            m["name"],
            str(m["threads"]),
            f"{m['ns_per_step']:.2f}",
            short(m["steps_per_second"]),
            short(m["episodes_per_second"]),
            f"{m['compile_seconds']:.1f} s",
            f"{m['load_seconds']:.2f} s",
        )
    return table
