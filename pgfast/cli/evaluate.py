"""``pgfast evaluate``: how good the policy in a run's folder is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pgfast.cli.output import Debug, Json, Quiet, answer, cut_off, facts, per_step, span, threshold
from pgfast.cli.progress import compile_aloud
from pgfast.cli.resume import RUN, OwnEnv, Trust, warn_of_changes
from pgfast.cli.supervision import Threads, check_threads, tell


def evaluate(
    run: Annotated[Path, RUN],
    episodes: Annotated[int | None, typer.Option(help="Fresh episodes of each run; by default the run's own.")] = None,
    deterministic: Annotated[bool, typer.Option(help="Always take the preferred action.")] = False,
    env: OwnEnv = None,
    trust: Trust = False,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Judge a trained policy by fresh episodes."""
    check_threads(threads)
    from pgfast.algorithms.catalogue import algorithm_of
    from pgfast.engine import Engine

    engine = Engine.load(run, env=env, trust=trust)
    warn_of_changes(engine, run, quiet)
    tell(engine, quiet)
    compile_aloud(engine, quiet=quiet)
    deterministic = deterministic or algorithm_of(engine.settings).greedy
    result = engine.evaluate(episodes, deterministic=deterministic, threads=threads)
    settings, (steps, row) = engine.settings, per_step(engine, result)
    data: dict[str, Any] = {
        "env": settings.env,
        "algorithm": settings.algorithm,
        "policy": engine.model.name,
        "seed": settings.seed,
        "runs": settings.runs,
        "episodes": result.episodes,
        "deterministic": deterministic,
        "mean": result.mean,
        "ci95": list(result.ci95),
        "std": result.std,
        "mean_length": result.mean_length,
        **steps,
        "optimum": engine.optimum,
        "threshold": threshold(engine.reach),
        "digest": engine.digest(),
        "run_dir": str(run),
    }
    rows = [
        ("mean return", f"{span(result.mean, *result.ci95)}  (95 % interval)"),
        ("of an episode", f"standard deviation {result.std:.4g}, {result.mean_length:.4g} steps"),
        ("optimum", engine.reach.words),
        *row,
        ("episodes", f"{result.episodes:,}" + (f" of each of {settings.runs:,} runs" if settings.runs > 1 else "")),
        *cut_off(engine, result.mean_length),
    ]
    manner = "preferred actions" if deterministic else "sampled actions"
    answer(
        data,
        lambda: facts(rows, title=f"{Path(settings.env).name}: {engine.model.name} policy, {manner}"),
        as_json,
        quiet,
    )
