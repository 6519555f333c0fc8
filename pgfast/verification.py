"""Does a run give the same bits when it is repeated; and do the bits depend on nothing but the settings?

`repeat` trains again by a run's config.toml and compares. `proofs` trains small problems in many ways on this machine,
each of which has to give the same parameters and the same metrics, times aside.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from pgfast import training
from pgfast.checkpoints import Checkpoints
from pgfast.engine import Engine
from pgfast.errors import PgfastError
from pgfast.results import Curve
from pgfast.run_folder import METRICS, check_run, metrics, read_summary
from pgfast.storage import changes, configured, policy_in

SAME = "the same"
FORKED, ANEW = "forked process", "compiled anew"
PROBLEMS: dict[str, dict[str, Any]] = {  # lanes are episodes of a batch; lanes are runs
    "FrozenLake-v1": {"episodes": 20_000, "baseline": "mean", "seed": 7},
    "ShortCorridor": {"episodes": 600, "baseline": "mean", "runs": 40, "seed": 7},
}
EVALUATION = 200  # episodes, in the command line's trainings
REMARK = (
    "Another family of processors may round differently where NumPy or the C library do (features, exact "
    "algorithms, functions of math in your own environments); kernels fuse a product and a sum only where they say so."
)


class Finding(NamedTuple):
    """One thing that was compared."""

    claim: str
    holds: bool
    said: str


class Outcome(NamedTuple):
    """What must be the same bits."""

    digest: str
    metrics: str


def repeat(folder: Path, env: Any = None, trust: bool = False, threads: int | None = None) -> list[Finding]:
    """Train again by a run's settings, and compare parameters, metrics and evaluation with what the folder holds.

    Raises PgfastError for a run that isn't complete, or isn't there."""
    check_run(folder)
    summary = read_summary(folder)
    if summary is None or summary.get("stopped") is not False:
        raise PgfastError(f"The run in {folder} is not complete: `pgfast resume {folder}` goes on with it.")
    engine = configured(Engine, folder, env, trust=trust)
    again = engine.learn(threads=threads)
    kept = policy_in(folder)
    same = kept.shape == engine.theta.shape and kept.tobytes() == engine.theta.tobytes()
    found = [
        _finding("parameters", same, f"digest {engine.digest()[:12]}…"),
        _compared("digest in summary.json", engine.digest(), summary.get("digest")),
        _finding(METRICS, _without_times(_text(folder / METRICS)) == _without_times(metrics(again.curve)), ""),
    ]
    if isinstance(evaluation := summary.get("evaluation"), dict):
        found.append(_compared("evaluation", engine.evaluate(threads=threads).mean, evaluation.get("mean")))
    engine.close()
    found += [Finding("unchanged since", True, f"no: {change}") for change in changes(engine, folder)]
    return found


def proofs() -> Iterator[Finding]:
    """Each claim, tried on this machine: parameters and metrics as in a training without circumstances."""
    plain = {name: learn(name) for name in PROBLEMS}
    for claim, way in _WAYS.items():
        if claim == FORKED and not hasattr(os, "fork"):
            continue
        names = list(PROBLEMS)[: 1 if claim == ANEW else None]  # compiling takes most of the time
        others = [name for name in names if way(name) != plain[name]]
        yield _finding(claim, not others, ", ".join(others or names))


def learn(name: str, **choices: Any) -> Outcome:
    """Train a problem in the ordinary way, or with choices for `Engine.learn`."""
    engine = Engine(name, **PROBLEMS[name])
    return _outcome(engine, engine.learn(**choices).curve)


def _outcome(engine: Engine, curve: Curve) -> Outcome:
    return Outcome(engine.digest(), _without_times(metrics(curve)))


def _without_times(table: str) -> str:
    """metrics.csv without its last column."""
    return "\n".join(line.rpartition(",")[0] for line in table.split("\n"))


def _short_calls(name: str) -> Outcome:
    usual = training.CALL_SECONDS
    training.CALL_SECONDS = 1e-9
    try:
        return learn(name)
    finally:
        training.CALL_SECONDS = usual


def _resumed(name: str) -> Outcome:
    """Stopped four times, with a checkpoint each time."""
    usual, stops, going = training.CALL_SECONDS, 0, True
    training.CALL_SECONDS = 1e-4
    try:
        with tempfile.TemporaryDirectory() as folder:
            while going:
                engine, looks = Engine(name, **PROBLEMS[name]), iter(range(3 + 2 * stops))
                outcome = engine.learn(
                    callback=lambda _, looks=looks, last=stops == 4: last or next(looks, None) is not None,  # type: ignore[misc]
                    checkpoints=Checkpoints(folder),
                )
                going, stops = outcome.stopped, stops + 1
    finally:
        training.CALL_SECONDS = usual
    return _outcome(engine, outcome.curve)


def _beside_others(name: str) -> Outcome:
    with ThreadPoolExecutor(4) as pool:
        found = {call.result() for call in [pool.submit(learn, name) for _ in range(4)]}
    return found.pop() if len(found) == 1 else Outcome("four engines, several outcomes", "")


def _in_process(method: str) -> Callable[[str], Outcome]:
    def run(name: str) -> Outcome:
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, context) as pool:
            return pool.submit(learn, name).result()

    return run


def _by_command(name: str) -> Outcome:
    """`pgfast train` as a process."""
    with tempfile.TemporaryDirectory() as folder:
        run, options = Path(folder) / "run", [f"--{option}={value}" for option, value in PROBLEMS[name].items()]
        words = ["train", name, *options, f"--evaluation-episodes={EVALUATION}", "--out", str(run), "--json"]
        said = _process(["-m", "pgfast", *words])
        return Outcome(json.loads(said)["digest"], _without_times(_text(run / METRICS)))


def _compiled_anew(name: str) -> Outcome:
    """With an empty cache of kernels."""
    with tempfile.TemporaryDirectory() as folder:
        code = f"from pgfast.verification import learn; import json; print(json.dumps(learn({name!r})))"
        return Outcome(*json.loads(_process(["-c", code], {"PGFAST_CACHE_DIR": folder})))


def _process(words: list[str], variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env={**os.environ, **(variables or {})}
    )
    if done.returncode != 0:
        raise PgfastError(f"A process that should have trained ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


_WAYS: dict[str, Callable[[str], Outcome]] = {
    "one thread": lambda name: learn(name, threads=1),
    "five threads": lambda name: learn(name, threads=5),
    "the shortest calls": _short_calls,
    "watched by a callback": lambda name: learn(name, callback=lambda _: None),
    "stopped four times and resumed": _resumed,
    "four engines at once, in threads": _beside_others,
    "spawned process": _in_process("spawn"),
    FORKED: _in_process("fork"),
    "the command line": _by_command,
    ANEW: _compiled_anew,
}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PgfastError(f"{path} can't be read: {error}") from None


def _compared(claim: str, now: Any, before: Any) -> Finding:
    return _finding(claim, now == before, "" if now == before else f"it was {before}, it is {now}")


def _finding(claim: str, holds: bool, said: str) -> Finding:
    return Finding(claim, holds, ", ".join(filter(None, (SAME if holds else "another", said))))
