"""Bad input at scale: how much of it was tried, by Hypothesis and atheris, and how much of it was survived.

    python -m pgfast._bench.robustness --seconds 60

tries each kind of input for so long, changes a checkpoint at every byte, kills a training many times, lets all
algorithms learn in kernels that check every index and in others between fences, and writes tests/ROBUSTNESS.md. An
input is survived when it gives a result, or one sentence that is a `PgfastError`, within a minute; whatever else comes
of it is a fault, and ends the command with 1.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyFailure

from pgfast import Engine, PgfastError
from pgfast._bench import fuzzing
from pgfast._bench.bad_input import Damaged, Kind, compile_kernels, everywhere, kinds
from pgfast._bench.command import parser_of
from pgfast.algorithms.catalogue import ALGORITHMS
from pgfast.algorithms.exact import EXACT
from pgfast.training import default_threads

REPORT = Path(__file__).resolve().parent.parent / "tests" / "ROBUSTNESS.md"
EVERYWHERE = "bytes of a checkpoint"  # kinds that begin so are changed at every byte, too
PATIENCE = 60.0  # seconds after which an input has hung


class Row(NamedTuple):
    """Of the report."""

    what: str
    tried: int
    faults: int


def survives(take: Callable[[Any], object], given_input: Any) -> None:
    """Take an input; what is raised beside `PgfastError` is a fault, and so is what takes too long."""
    start = time.monotonic()
    try:
        with np.errstate(all="ignore"):
            take(given_input)
    except PgfastError as error:
        said = str(error).strip()
        if not said or "\n" in said:
            raise AssertionError(f"no sentence: {said!r}") from error
    if time.monotonic() - start > PATIENCE:
        raise AssertionError(f"it took {time.monotonic() - start:.0f} s")


class _Enough(Exception):
    """The time is over."""


def attempt(kind: Kind, examples: int = 10**6, seconds: float = float("inf")) -> int:
    """Try so many inputs of a kind, or for so long; how many were tried. Raises what was not survived."""
    tried, end = itertools.count(), time.monotonic() + seconds

    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    @seed(0)
    @given(kind.inputs)
    def run(one: Any) -> None:
        if time.monotonic() >= end:
            raise _Enough
        next(tried)
        survives(kind.take, one)

    try:
        run()
    except _Enough:
        pass
    except FlakyFailure as error:  # in the end an input was met that had been survived before
        if error.split(_Enough)[1] is not None:
            raise
    return next(tried)


def attempt_everywhere(file: Damaged, apart: int = 1) -> int:
    """Change a file at each of its bytes, or at such as lie so far apart; how often that was. Raises what was not
    survived."""
    changes = everywhere(file.file.read_bytes(), apart)
    for change in changes:
        survives(file, change)
    return len(changes)


def kill(times: int, folder: Path) -> int:
    """Kill a training with SIGKILL so many times at random moments, resuming it each time; how often what was learned
    in the end was not that of an undisturbed one. The moments are within the time that one takes."""
    words = ["FrozenLake-v1", "--episodes", "400000", "--batch", "256", "--evaluation-episodes", "10"]
    pgfast = [sys.executable, "-m", "pgfast"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for name in ("first", "whole"):  # the first one may have to compile
        start = time.monotonic()
        subprocess.run([*pgfast, "train", *words, "--out", str(folder / name)], check=True, **quiet)
    taken = time.monotonic() - start
    expected = json.loads((folder / "whole" / "summary.json").read_text("utf-8"))["digest"]
    moments, killed, wrong, trial = random.Random(0), 0, 0, 0
    while killed < times:
        trial += 1
        run = folder / f"killed-{trial}"
        command = [*pgfast, "train", *words, "--out", str(run), "--checkpoint-every", "0.01s"]
        while True:
            process = subprocess.Popen(command, **quiet)
            try:
                process.wait(moments.uniform(0.0, taken) if killed < times else None)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            if process.wait() != -signal.SIGKILL:
                break
            killed += 1
            if (run / "config.toml").exists():
                command = [*pgfast, "resume", str(run), "--checkpoint-every", "0.01s"]
        wrong += json.loads((run / "summary.json").read_text("utf-8"))["digest"] != expected
    return wrong


_SHORT = """
import sys
from contextlib import nullcontext
from pgfast import Engine
from pgfast._bench.fences import Fences

env, algorithm, fenced = sys.argv[1:]
with Fences(between=True) if fenced == "1" else nullcontext():
    engine = Engine(env, algorithm=algorithm)
    engine.learn(engine.settings.batch * 3, threads=1)
print(engine.digest())
"""


def check_bounds() -> tuple[int, int]:
    """Let every algorithm that samples learn a little: in kernels that check every index, and in those that don't, with
    all their arrays between fences. How many did, and how many were stopped, or learned something else."""
    envs = ["CartPole-v1", "FrozenLake-v1", "Pendulum-v1"]  # whose policies are linear, tables, and of tiles
    pairs = [pair for pair in itertools.product((a for a in ALGORITHMS if a not in EXACT), envs) if _serves(*pair)]
    with ThreadPoolExecutor(default_threads()) as pool:  # compiling takes nearly all of the time
        agree = list(pool.map(lambda pair: _agrees(*pair), pairs))
    return len(pairs), agree.count(False)


def _serves(algorithm: str, env: str) -> bool:
    try:
        Engine(env, algorithm=algorithm)
    except PgfastError:
        return False
    return True


def _agrees(algorithm: str, env: str) -> bool:
    """Does an algorithm learn the same in kernels of both ways?"""
    done = [
        subprocess.run(
            [sys.executable, "-c", _SHORT, env, algorithm, fenced], capture_output=True, text=True, check=False,
            env={**os.environ, "NUMBA_BOUNDSCHECK": checked},
        )
        for fenced, checked in ("10", "01")
    ]  # fmt: skip
    if any(d.returncode for d in done) or done[0].stdout != done[1].stdout:
        said = "\n".join(d.stderr.strip() for d in done).strip()
        print(f"bounds, {env}, {algorithm}: {said or 'another result'}", file=sys.stderr)
        return False
    return True


def rows(folder: Path, seconds: float, kills: int) -> Iterator[Row]:
    """All that is tried, one after the other; files are made in a folder."""
    for kind, what in kinds(folder).items():
        yield _row(kind, partial(attempt, what, seconds=seconds))
        if kind.startswith(EVERYWHERE):
            yield _row(kind.replace("bytes", "each byte"), partial(attempt_everywhere, what.take))
    for kind in fuzzing.KINDS if fuzzing.is_possible() else []:
        yield Row(f"bytes of {kind}, by atheris", *fuzzing.explore(kind, folder, seconds))
    yield Row("kill -9 at a random moment", kills, kill(kills, folder))
    yield Row("algorithms in kernels that check every index, and between fences", *check_bounds())


def _row(what: str, attempted: Callable[[], int]) -> Row:
    try:
        return Row(what, attempted(), 0)
    except Exception as error:  # whatever was not survived
        print(f"{what}: {type(error).__name__}: {error}", file=sys.stderr)
        return Row(what, 0, 1)


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each kind of input")
    parser.add_argument("--kills", type=int, default=20)
    chosen = parser.parse_args()
    compile_kernels()  # so that none of the seconds go to it
    lines, faults = ["| input | tried | faults |", "| --- | --- | --- |"], 0
    with tempfile.TemporaryDirectory() as name:
        for row in rows(Path(name), chosen.seconds, chosen.kills):
            faults += row.faults
            lines.append(f"| {row.what} | {row.tried:,} | {row.faults} |")
            print(lines[-1], flush=True)
    command = f"python -m pgfast._bench.robustness --seconds {chosen.seconds:g} --kills {chosen.kills}"
    title = "# Robustness\n\nWritten by\n\n"
    REPORT.write_text(f"{title}    {command}\n\n" + "\n".join(lines) + "\n", "utf-8")
    os._exit(1 if faults else 0)


if __name__ == "__main__":
    main()
