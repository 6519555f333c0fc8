"""The command line: a thin layer that names things for the engine and prints what it answers.

Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pgfast.cli import (
    algorithms,
    bench,
    cache,
    check,
    compare_estimators,
    environments,
    evaluate,
    exact,
    explain,
    features,
    gradcheck,
    landscape,
    off_policy,
    policies,
    resume,
    train,
    verify,
)
from pgfast.cli.app import App

app = App(
    name="pgfast",
    help="Policy gradients with tabular and linear policies, at the speed of the processor.",
    epilog="Exit codes: 0 done, 1 a check failed, 2 the request can't be served, 3 θ stopped being finite, "
    "130 interrupted, 143 terminated.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pgfast {version('pgfast')}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(train.train)
app.command()(resume.resume)
app.command()(verify.verify)
app.command()(evaluate.evaluate)
app.command()(environments.envs)
app.command()(environments.info)
app.command()(algorithms.algorithms)
app.command()(policies.policies)
app.command()(features.features)
app.command()(check.check)
app.command()(exact.exact)
app.command()(gradcheck.gradcheck)
app.command()(compare_estimators.compare_estimators)
app.command()(landscape.landscape)
app.command(name="off-policy")(off_policy.off_policy)
app.command()(explain.explain)
app.command()(bench.bench)
app.add_typer(cache.app, name="cache")
