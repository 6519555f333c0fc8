"""``pgfast compare-estimators``: which estimate of the gradient is worth its cost?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.cli.options import Env, Parameters, given, numbers, parameters, takes_settings
from pgfast.cli.output import Debug, Json, Quiet, answer
from pgfast.cli.progress import Bar
from pgfast.cli.resume import Trust
from pgfast.errors import PgfastError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgfast.comparison import Line

_SEEN = 3.0  # standard errors from which on a bias is called one


@takes_settings
def compare_estimators(
    env: Env,
    batches: Annotated[
        str, typer.Option(metavar="NUMBERS", help="Sizes of batches: episodes that an estimate is the mean of.")
    ] = "1,8,64",
    estimates: Annotated[int, typer.Option(help="Independent estimates of each kind.")] = 2000,
    warm_up: Annotated[int, typer.Option(help="Episodes played before, from which baselines are made.")] = 256,
    run: Annotated[
        Path | None, typer.Option(metavar="RUN", help="The trained policy: the folder of a run; else one is trained.")
    ] = None,
    trust: Trust = False,
    picture: Annotated[Path, typer.Option("--out", metavar="FILE", help="The picture.")] = Path("estimators.png"),
    env_parameters: Parameters = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
    **settings: Any,
) -> None:
    """Compare estimators of the gradient. Shows bias, variance and cost of each, at a random and at a trained policy;
    settings are those of the training."""
    from pgfast.charts import draw_comparison
    from pgfast.comparison import compare
    from pgfast.figures import check_place

    chosen = given(settings)
    if "runs" in chosen:
        raise PgfastError("runs plays no part in a comparison: --estimates says how many runs there are.")
    sizes = _sizes(batches)
    lines: list[Line] = []
    check_place(picture)
    with Bar(not (as_json or quiet)) as bar:
        bar.stage("comparing")
        found = compare(
            env, batches=sizes, estimates=estimates, warm_up=warm_up, trained=run, trust=trust,
            env_parameters=parameters(env_parameters), **chosen,
        )  # fmt: skip
        for line in found:
            lines.append(line)
            bar.stage("comparing", f"{line.policy} policy: {line.estimator.name}, {line.batch} episodes")
    gamma = lines[0].gamma
    draw_comparison(picture, lines, f"{Path(env).name}: estimates of ∇J, γ = {gamma:g}")
    data = {
        "env": env,
        "gamma": gamma,
        "estimates": estimates,
        "warm_up": warm_up,
        "estimators": [line.data() for line in lines],
        "picture": str(picture),
    }
    answer(data, lambda: _describe(data, lines), as_json, quiet)


def _sizes(text: str) -> list[int]:
    """Batch sizes, each once, in order."""
    given = numbers("batches", text)
    sizes = sorted(set(given if isinstance(given, list) else [given]))
    for size in sizes:
        if size < 1 or not size.is_integer():
            raise PgfastError(f"batches is {text!r}: each must be a whole number of at least 1.")
    return [int(size) for size in sizes]


def _describe(data: dict[str, Any], lines: Sequence[Line]) -> Any:
    from rich.console import Group
    from rich.text import Text

    words = (
        f"\nEach of {data['estimates']:,} estimates; variance of one, of as many episodes as it says; of the largest "
        f"batch bias, in lengths of the gradient (±: what chance makes of none), µs that an estimate takes in one "
        f"thread, and variance × these (lowest: bold).\nPicture: {data['picture']}"
    )
    policies = dict.fromkeys(line.policy for line in lines)
    return Group(*(_table(lines, policy) for policy in policies), Text(words))


def _table(lines: Sequence[Line], policy: str) -> Any:
    from rich.table import Table

    mine = [line for line in lines if line.policy == policy]
    batches = sorted({line.batch for line in mine})
    largest = [line for line in mine if line.batch == batches[-1]]
    best = min(line.variance_cost for line in largest)
    several = len({line.estimator.algorithm for line in mine}) > 1
    table = Table(title=f"{policy} policy, γ = {mine[0].gamma:g}", title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("estimator", no_wrap=True)
    for name in ("bias", *(f"var. {b:,}" for b in batches), "µs", "× cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for last in largest:
        variance = {line.batch: f"{line.variance:.3g}" for line in mine if line.estimator == last.estimator}
        cost = f"{last.variance_cost * 1e6:.3g}"
        table.add_row(
            last.estimator.name if several else last.estimator.name.partition(", ")[2],
            _bias(last),
            *(variance.get(b, "–") for b in batches),
            f"{last.seconds * 1e6:.3g}",
            f"[bold]{cost}[/]" if last.variance_cost == best else cost,
        )
    return table


def _bias(line: Line) -> str:
    seen = line.bias > _SEEN * line.noise
    return f"[red]{line.bias:.2g}[/] ± {line.noise:.2g}" if seen else f"none seen ± {line.noise:.2g}"
