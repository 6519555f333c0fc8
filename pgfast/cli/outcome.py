"""What `pgfast train` says when it is done: one dictionary, and the same as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgfast.algorithms.exact import EXACT
from pgfast.cli.output import cut_off, facts, per_step, short, span, threshold

if TYPE_CHECKING:
    from pgfast.engine import Engine
    from pgfast.results import Evaluation, Training


def summarise(engine: Engine, training: Training, evaluation: Evaluation | None, path: Path) -> dict[str, Any]:
    """What `--json` prints and summary.json keeps; no evaluation of a training that was stopped."""
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
        "evaluation": evaluation
        and {
            "mean": evaluation.mean,
            "ci95": list(evaluation.ci95),
            "std": evaluation.std,
            "episodes": evaluation.episodes * s.runs,
            "mean_length": evaluation.mean_length,
        },
        **(per_step(engine, evaluation)[0] if evaluation is not None else {}),
        "optimum": engine.optimum,
        "threshold": threshold(engine.reach),
        "stopped": training.stopped,
        "failed": [{"run": run, "episode": episode} for run, episode in training.failed],
    }


def as_table(engine: Engine, summary: dict[str, Any], training: Training, evaluation: Evaluation) -> Any:
    """What is printed for people."""
    s = summary
    over = f"{s['evaluation']['episodes']:,} fresh episodes" + (f" of {s['runs']:,} runs" if s["runs"] > 1 else "")
    rows = [
        ("mean return", f"{span(evaluation.mean, *evaluation.ci95)}  (95 % interval, {over})"),
        ("optimum", engine.reach.words),
        *per_step(engine, evaluation)[1],
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


def divergence(training: Training, path: Path) -> str:
    """What is said when θ, or what its steps are made of, stopped being finite."""
    run, episode = training.failed[0]
    others = f" (and {len(training.failed) - 1} more runs)" if len(training.failed) > 1 else ""
    return (
        f"θ or its moments would have stopped being finite in run {run} at episode {episode}{others}; the last good "
        f"policy is kept in {path}: try a smaller --lr, or smaller rewards and observations."
    )
