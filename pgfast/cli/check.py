"""``pgfast check``: does an environment keep the protocol, and what does its compiled form do?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pgfast.cli.options import Env, Parameters, parameters
from pgfast.cli.output import Debug, Json, Quiet, answer, facts


def check(
    env: Env,
    env_parameters: Parameters = None,
    precision: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Check that an environment keeps the protocol. Its compiled form must play as its Python does; exit code 1 when
    something is wrong."""
    from pgfast.checker import check as examine
    from pgfast.environments import find

    report = examine(find(env, parameters(env_parameters)), precision=precision)
    data = {"env": env, "ok": report.ok, "checks": [c._asdict() for c in report.checks], "facts": report.facts}
    answer(data, lambda: _report(data), as_json, quiet)
    return 0 if report.ok else 1


def _report(data: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.markup import escape
    from rich.text import Text

    marks = {True: "[green]ok[/]", False: "[red]failed[/]"}
    rows = [(marks[c["ok"]], escape(f"{c['name']}: {c['message']}")) for c in data["checks"]]
    failed = sum(not c["ok"] for c in data["checks"])
    verdict = f"{failed} of {len(rows)} checks failed" if failed else f"{len(rows)} checks, nothing found"
    return Group(facts(rows, title=data["env"]), Text(verdict))
