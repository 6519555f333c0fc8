"""``pgfast train``: from an environment's name to a trained policy, its score and its picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.algorithms.exact import EXACT
from pgfast.cli.options import ENV, Parameters, given, parameters, takes_settings
from pgfast.cli.output import Debug, Json, Quiet, answer, cut_off, facts, fail, finite, short, span, threshold
from pgfast.cli.progress import Bar, Interruption, compile_aloud, watch
from pgfast.errors import PgfastError
from pgfast.painter import Painter

if TYPE_CHECKING:
    from pgfast.engine import Engine
    from pgfast.results import Evaluation, Training

DIVERGED = 3  # exit code

Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings from a TOML file; options override them.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="DIR", help="The run's folder; by default runs/<env>-<algorithm>-<seed>-<time>."
    ),
]
Threads = Annotated[int | None, typer.Option(help="Threads; by default all processors. No result depends on it.")]


@takes_settings
def train(
    env: Annotated[str | None, ENV] = None,
    env_parameters: Parameters = None,
    config: Config = None,
    out: Out = None,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
    **settings: Any,
) -> int:
    """Train a policy and judge it by fresh episodes."""
    check_threads(threads)
    with Painter() as painter, Interruption() as interruption:
        from pgfast.engine import Engine
        from pgfast.run_folder import RunFolder, default_path

        name, choices = _choices(env, env_parameters, config, given(settings))
        engine = Engine(name, **choices)
        path = out or default_path(name, engine.settings.algorithm, engine.settings.seed)
        with RunFolder(path) as folder:
            with Bar(not (as_json or quiet)) as bar:
                tell(engine, quiet)
                compiled = compile_aloud(engine, bar, quiet)
                interruption.training = True
                folder.begin(engine)
                training = engine.learn(callback=watch(bar, interruption), threads=threads)
                tell_damped(training, quiet)
                engine.save(path)
                bar.stage("evaluating")
                evaluation = engine.evaluate(threads=threads)
                engine.close()  # a process of an environment's would keep the painter waiting
            summary = finite(summarise(engine, training, evaluation, path))
            summary["compile_seconds"] += compiled.compile_seconds
            summary["load_seconds"] += compiled.load_seconds
            folder.write(engine, training.curve, summary)
            try:
                answer(summary, lambda: _table(engine, summary, training, evaluation), as_json, quiet)
            finally:  # also where nobody reads it to the end
                folder.picture(training.curve, summary, painter.draw)
    if training.failed:
        return fail(_divergence(training, path), DIVERGED, as_json=False)
    return interruption.exit_code


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


def check_threads(threads: int | None) -> None:
    """Raise PgfastError for a number of threads that can't be."""
    if threads is not None and threads < 1:
        raise PgfastError(f"threads is {threads}: it must be at least 1.")


def _choices(
    env: str | None, pairs: list[str] | None, config: Path | None, chosen: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The environment's name and the settings: the file's, overridden by the command line's."""
    from pgfast.storage import read_config

    settings = read_config(config) if config is not None else {}
    configured = settings.pop("env", None)
    own = settings.pop("env_parameters", {}) if env in (None, configured) else {}
    name = env or configured
    if not isinstance(name, str):
        raise PgfastError("There is no environment to train on: name one, as in `pgfast train FrozenLake-v1`.")
    if not isinstance(own, dict):
        raise PgfastError(f"env_parameters is {own!r}: it must be a table of names and values.")
    settings.pop("env_parameters", None)
    return name, {**settings, **chosen, "env_parameters": {**own, **parameters(pairs)}}


def summarise(engine: Engine, training: Training, evaluation: Evaluation, path: Path) -> dict[str, Any]:
    """What `--json` prints and summary.json keeps."""
    s, final = engine.settings, training.final_return
    return {
        "env": s.env,
        "algorithm": s.algorithm,
        "policy": engine.model.name,
        "seed": s.seed,
        "runs": s.runs,
        "episodes": training.episodes,
        "steps": training.steps,
        "compile_seconds": training.compile_seconds,
        "load_seconds": training.load_seconds,
        "train_seconds": training.train_seconds,
        "episodes_per_second": training.episodes_per_second,
        "steps_per_second": training.steps_per_second,
        "run_dir": str(path),
        "digest": engine.digest(),
        "final_return": {"mean": final.mean, "ci95": [final.low, final.high]},
        "evaluation": {
            "mean": evaluation.mean,
            "ci95": list(evaluation.ci95),
            "std": evaluation.std,
            "episodes": evaluation.episodes * s.runs,
            "mean_length": evaluation.mean_length,
        },
        "optimum": engine.optimum,
        "threshold": threshold(engine.reach),
        "stopped": training.stopped,
        "failed": [{"run": run, "episode": episode} for run, episode in training.failed],
    }


def _table(engine: Engine, summary: dict[str, Any], training: Training, evaluation: Evaluation) -> Any:
    s = summary
    over = f"{s['evaluation']['episodes']:,} fresh episodes" + (f" of {s['runs']:,} runs" if s["runs"] > 1 else "")
    rows = [
        ("mean return", f"{span(evaluation.mean, *evaluation.ci95)}  (95 % interval, {over})"),
        ("optimum", engine.reach.words),
        ("last of training", span(*training.final_return)),
        *_trained(engine, s, training),
        *cut_off(engine, evaluation.mean_length),
        ("compile time", _compiled(s)),
        ("folder", s["run_dir"]),
    ]
    title = f"{Path(s['env']).name}: {s['algorithm']}, {s['policy']} policy, seed {s['seed']}"
    return facts(rows, title=title)


def _trained(engine: Engine, s: dict[str, Any], training: Training) -> list[tuple[str, str]]:
    seconds = f"{s['train_seconds']:.2f} s" + (", stopped early" if training.stopped else "")
    per_second = s["episodes_per_second"]
    if s["algorithm"] in EXACT:
        batch = engine.settings.batch
        updates = f"{-(-s['episodes'] // batch):,} updates by the environment's probabilities in {seconds}"
        return [("trained", updates), ("throughput", f"{short(per_second / batch)} updates/s")]
    runs = f"{s['runs']:,} runs of " if s["runs"] > 1 else ""
    played = f"{runs}{s['episodes']:,} episodes, {short(s['steps'])} steps in {seconds}"
    return [
        ("trained", played),
        ("throughput", f"{short(per_second)} episodes/s, {short(s['steps_per_second'])} steps/s"),
    ]


def _compiled(s: dict[str, Any]) -> str:
    if s["compile_seconds"] > 0:
        return f"{s['compile_seconds']:.1f} s, kept for the next time"
    return f"none: compiled before, loaded in {s['load_seconds']:.2f} s"


def _divergence(training: Training, path: Path) -> str:
    run, episode = training.failed[0]
    others = f" (and {len(training.failed) - 1} more runs)" if len(training.failed) > 1 else ""
    return (
        f"θ would have stopped being finite in run {run} at episode {episode}{others}; the last good policy is kept in "
        f"{path}: try a smaller --lr."
    )
