"""``pgfast off-policy``: what is a policy worth, judged by the episodes of another?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.cli.output import Debug, Json, Quiet, answer, facts, span
from pgfast.cli.progress import Bar
from pgfast.cli.resume import OwnEnv, Trust

if TYPE_CHECKING:
    from rich.console import RenderableType

FEW = 30  # effective episodes below which a normal approximation says little


def off_policy(
    run: Annotated[Path, typer.Argument(help="The folder of a run, whose policy is judged.")],
    behaviour: Annotated[
        Path, typer.Option(metavar="RUN", help="The folder of another run, whose policy plays.", show_default=False)
    ],
    episodes: Annotated[int, typer.Option(help="Episodes that it plays.")] = 1000,
    gamma: Annotated[float, typer.Option(help="Discount γ of the returns.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="What episodes are drawn from.")] = 0,
    env: OwnEnv = None,
    trust: Trust = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Judge a policy by episodes of another. Shows four estimates by importance sampling beside what the policy's own
    episodes say and, where the model is known, the exact value; of several runs in a folder the first counts."""
    from pgfast.engine import Engine
    from pgfast.off_policy import ESTIMATORS, OffPolicy, exact_value
    from pgfast.recording import record

    engine, other = (Engine.load(folder, env=env, trust=trust) for folder in (run, behaviour))
    with Bar(not (as_json or quiet)) as bar:
        bar.stage("playing", "the behaviour policy")
        found = OffPolicy(engine, record(other, episodes, on=engine, seed=seed), gamma=gamma)
        estimates = {name: found.estimate(name) for name in ESTIMATORS}
        bar.stage("playing", "the policy that is judged")
        own = OffPolicy(engine, record(engine, episodes, seed=seed + 2**32), gamma=gamma).estimate("ordinary")
        truth = exact_value(engine, gamma)
    data: dict[str, Any] = {
        "env": engine.settings.env,
        "run_dir": str(run),
        "behaviour": str(behaviour),
        "episodes": episodes,
        "gamma": gamma,
        "effective_episodes": found.effective_episodes,
        "estimates": {
            name: {"mean": e.value, "ci95": [e.interval.low, e.interval.high], "standard_error": e.standard_error}
            for name, e in estimates.items()
        },
        "on_policy": {"mean": own.value, "ci95": [own.interval.low, own.interval.high]},
        "exact": truth,
    }

    def render() -> RenderableType:
        rows = [(name, span(*e.interval)) for name, e in (*estimates.items(), ("on-policy", own))]
        rows.append(("exact", "not known" if truth is None else f"{truth:.4g}"))
        few = "; too few: the intervals are not to be trusted" if found.effective_episodes < FEW else ""
        rows.append(("effective episodes", f"{found.effective_episodes:,.4g} of {episodes:,}{few}"))
        return facts(rows, title=f"{Path(engine.settings.env).name}: return, with 95 % intervals")

    answer(data, render, as_json, quiet)
