"""Bad input at scale: what can be tried of it, by Hypothesis and atheris, and how much of it was survived.

    python -m pgfast._bench.robustness --seconds 60

tries each kind of input for so long, kills a training many times, lets all algorithms learn in kernels that check every
index, and writes tests/ROBUSTNESS.md. An input is survived when it gives a result, or one sentence that is a
`PgfastError`; whatever else is raised is a fault, and ends the command with 1.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Discrete
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from pgfast import Checkpoints, Engine, PgfastError, TabularMDP, make
from pgfast._bench import fuzzing
from pgfast.algorithms.catalogue import ALGORITHMS
from pgfast.algorithms.exact import EXACT
from pgfast.rehearsal import rehearse
from pgfast.settings import Settings

REPORT = Path(__file__).resolve().parent.parent / "tests" / "ROBUSTNESS.md"
EXIT_CODES = {0, 1, 2, 3}
ODD = [
    0, 1, -1, 2**31, 2**53 + 1, 2**64, 1e308, -1e308, 5e-324, float("nan"), float("inf"), "", "ß", None, True, [], {},
]  # fmt: skip
SMALL = {"episodes": 40, "evaluation_episodes": 8, "batch": 20}


class Kind(NamedTuple):
    """A kind of input, and what takes it."""

    inputs: Any  # a strategy
    take: Callable[[Any], None]


class Hostile(NamedTuple):
    """Pays what it is told to, and goes where it is told to: out of its space, too."""

    pay: float = 1.0
    place: int = 1

    max_steps = 4

    @property
    def observation_space(self) -> Discrete:
        return Discrete(3)

    @property
    def action_space(self) -> Discrete:
        return Discrete(2)

    def reset(self, key: Any) -> int:
        return 0

    def step(self, state: int, action: int, key: Any) -> tuple[int, float, bool]:
        return self.place, self.pay if action == 1 else 0.0, False


class Strange(NamedTuple):
    """Gives what it is told to, of whatever type, once it has been asked for the first step."""

    state: Any = 0
    pay: Any = 0.0
    end: Any = False

    max_steps = 4
    observation_space, action_space = Hostile.observation_space, Hostile.action_space

    def reset(self, key: Any) -> int:
        return 0

    def step(self, state: int, action: int, key: Any) -> tuple[Any, Any, Any]:
        return self.state, self.pay, self.end


def survives(take: Callable[[Any], None], given_input: Any) -> None:
    """Take an input; what is raised beside `PgfastError` is a fault."""
    try:
        with np.errstate(all="ignore"):
            take(given_input)
    except PgfastError as error:
        said = str(error).strip()
        if not said or "\n" in said:
            raise AssertionError(f"no sentence: {said!r}") from error


# ---- what takes input


def _configure(choices: dict[str, Any]) -> None:
    Engine("FrozenLake-v1", **{**choices, "runs": choices.get("runs", 1)})


def _command(words: list[str]) -> None:
    from pgfast.cli import app

    out, err = io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(out), redirect_stderr(err):
        try:
            app([word.replace("RUN", folder) for word in words])
        except SystemExit as end:
            code = end.code
    assert code in EXIT_CODES, (words, code, err.getvalue())
    assert "Traceback" not in err.getvalue(), err.getvalue()


def _draw_map(rows: list[str]) -> None:
    make("FrozenLake-v1", desc=rows)
    make("GridWorld", map="\n".join(rows))


def _tabulate(numbers: tuple[Any, ...]) -> None:
    states, p, r, rho0 = numbers
    table = TabularMDP(
        np.resize(p, (states, 2, states)), np.resize(r, (states, 2)), np.resize(rho0, states), max_steps=5
    )
    Engine(table, **SMALL)


def _load(folder: Path, name: str) -> Callable[[Callable[[bytes], bytes]], None]:
    """Load a folder after one of its files was changed; the file is put back."""
    file = folder / name
    whole = file.read_bytes()

    def take(change: Callable[[bytes], bytes]) -> None:
        file.write_bytes(change(whole))
        try:
            Engine.load(folder)
        finally:
            file.write_bytes(whole)

    return take


def _take_up(folder: Path) -> Callable[[Callable[[bytes], bytes]], None]:
    """Go on from a folder after its last checkpoint was changed."""
    file = Checkpoints(folder)._paths()[-1]
    whole = file.read_bytes()

    def take(change: Callable[[bytes], bytes]) -> None:
        file.write_bytes(change(whole))
        try:
            Checkpoints(folder).restore(_kept())
        finally:
            file.write_bytes(whole)

    return take


def _kept() -> Engine:
    return Engine("FrozenLake-v1", episodes=10**7, runs=2)


def _suffer(case: tuple[float, int, float, float]) -> None:
    pay, place, gamma, lr = case
    engine = Engine(Hostile(pay, place), gamma=gamma, lr=lr, policy="tabular", **SMALL)
    engine.learn(threads=1)
    assert np.all(np.isfinite(engine.theta))


def _endure(case: tuple[Any, Any, Any]) -> None:
    engine = Engine(Strange(*case), policy="tabular", **SMALL)
    rehearse(engine.source.env, engine.traits)


def _fill(case: tuple[int, int, Any]) -> None:
    states, actions, theta0 = case
    engine = Engine.for_spaces(Discrete(states), Discrete(actions), theta0=theta0)
    assert engine.theta.size == states * actions


# ---- what is given


def _bytes() -> Any:
    """Ways to change a file."""
    flips = st.tuples(st.floats(0, 1), st.integers(0, 7)).map(
        lambda at: lambda b: b[: (k := int(at[0] * (len(b) - 1)))] + bytes([b[k] ^ 1 << at[1]]) + b[k + 1 :]
    )
    cuts = st.floats(0, 1).map(lambda at: lambda b: b[: int(at * len(b))])
    others = st.binary(max_size=200).map(lambda new: lambda b: new)
    inserts = st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=9)).map(
        lambda at: lambda b: b[: int(at[0] * len(b))] + at[1] + b[int(at[0] * len(b)) :]
    )
    return st.one_of(flips, cuts, others, inserts)


def _words() -> Any:
    flags = [f"--{name.replace('_', '-')}" for name in Settings.__dataclass_fields__]
    commands = ["info", "envs", "evaluate", "resume", "verify", "features", "algorithms", "exact", "cache", "explain"]
    pieces = [
        *flags,
        "RUN",
        "--json",
        "--env",
        "--trust",
        "--episodes",
        "-E",
        "slip=x",
        "FrozenLake-v1",
        "my.py:X",
        "--",
    ]
    word = st.one_of(st.sampled_from(pieces), st.sampled_from([str(odd) for odd in ODD]), st.text(max_size=5))
    return st.tuples(st.sampled_from(commands), st.lists(word, max_size=4)).map(lambda parts: [parts[0], *parts[1]])


def kinds(folder: Path) -> dict[str, Kind]:
    """Every kind of input; files are made in a folder."""
    run, half = folder / "run", folder / "half"
    Engine("FrozenLake-v1", **SMALL).save(run)
    _kept().learn(callback=lambda _: False, checkpoints=Checkpoints(half))
    names = [name for name in Settings.__dataclass_fields__ if name not in ("env", "env_parameters")]
    odd = st.sampled_from(ODD) | st.floats(width=64) | st.integers(-3, 40) | st.text(max_size=3)
    number = st.sampled_from([0.0, 1.0, 0.5, 1 / 3, -1.0, 1e308, 5e-324, float("nan"), float("inf")])
    numbers = st.lists(number, min_size=1, max_size=5)
    pays = st.sampled_from([1e308, -1e308, float("nan"), float("inf"), -float("inf"), 5e-324, 0.0]) | st.floats()
    strange = st.sampled_from([(0,), (0, 1.0), np.nan, np.zeros(2), np.float32(1.0), 10**400, b"", print, *ODD])
    edges = st.sampled_from([0.0, 1.0, 1 - 2**-53, 5e-324])
    return {
        "configurations": Kind(st.dictionaries(st.sampled_from(names), odd, max_size=3), _configure),
        "command lines": Kind(_words(), _command),
        "maps": Kind(st.lists(st.text("SFHG #.0", max_size=5), max_size=5), _draw_map),
        "tables": Kind(st.tuples(st.integers(1, 4), numbers, numbers, numbers), _tabulate),
        "bytes of config.toml": Kind(_bytes(), _load(run, "config.toml")),
        "bytes of policy.safetensors": Kind(_bytes(), _load(run, "policy.safetensors")),
        "bytes of a checkpoint": Kind(_bytes(), _take_up(half)),
        "hostile environments": Kind(
            st.tuples(pays, st.sampled_from([0, 2, 3, -1, 2**31, -(2**62)]), edges, st.sampled_from([0.1, 1e300])),
            _suffer,
        ),
        "environments of other types": Kind(st.tuples(strange, strange, strange), _endure),
        "numbers of parameters": Kind(
            st.tuples(
                st.sampled_from([1, 2, 3, 5 * 10**6, 2**30, 2**31, 2**62]),
                st.sampled_from([1, 2, 2**31]),
                st.sampled_from([None, 0.5, [], [1.0], [0.0, 1e308]]),
            ),
            _fill,
        ),
    }


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

    with suppress(_Enough):
        run()
    return next(tried)


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
from pgfast import Engine
engine = Engine(sys.argv[1], algorithm=sys.argv[2])
engine.learn(engine.settings.batch * 3)
print(engine.digest())
"""


def check_bounds(folder: Path) -> tuple[int, int]:
    """Let every algorithm that samples learn a little, in kernels that check every index and in those that don't; how
    many did, and how many were stopped by an index, or learned something else."""
    envs = {"linear": "CartPole-v1", "tabular": "FrozenLake-v1", "tiles": "Pendulum-v1"}
    tried = faults = 0
    for algorithm, env in itertools.product((a for a in ALGORITHMS if a not in EXACT), envs.values()):
        try:
            Engine(env, algorithm=algorithm)
        except PgfastError:
            continue
        done = [
            subprocess.run(
                [sys.executable, "-c", _SHORT, env, algorithm], capture_output=True, text=True, check=False,
                env={**os.environ, "NUMBA_BOUNDSCHECK": on, "PGFAST_CACHE_DIR": str(folder / f"bounds-{on}")},
            )
            for on in "01"
        ]  # fmt: skip
        tried += 1
        if any(d.returncode for d in done) or done[0].stdout != done[1].stdout:
            print(f"bounds, {env}, {algorithm}: {done[1].stderr.strip() or 'another result'}", file=sys.stderr)
            faults += 1
    return tried, faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each kind of input")
    parser.add_argument("--kills", type=int, default=20)
    chosen = parser.parse_args()
    Engine(Hostile(), policy="tabular", **SMALL).compile()  # so that none of the seconds go to it
    lines, faults = ["| input | tried | faults |", "| --- | --- | --- |"], 0
    with tempfile.TemporaryDirectory() as name:
        for kind, what in kinds(Path(name)).items():
            try:
                tried, bad = attempt(what, seconds=chosen.seconds), 0
            except Exception as error:  # whatever was not survived
                print(f"{kind}: {type(error).__name__}: {error}", file=sys.stderr)
                tried, bad = 0, 1
            faults += bad
            lines.append(f"| {kind} | {tried:,} | {bad} |")
            print(lines[-1], flush=True)
        for kind in fuzzing.KINDS if fuzzing.is_possible() else []:
            tried, bad = fuzzing.explore(kind, Path(name), chosen.seconds)
            faults += bad
            lines.append(f"| bytes of {kind}, by atheris | {tried:,} | {bad} |")
            print(lines[-1], flush=True)
        wrong = kill(chosen.kills, Path(name))
        lines.append(f"| kill -9 at a random moment | {chosen.kills} | {wrong} |")
        print(lines[-1], flush=True)
        learned, outside = check_bounds(Path(name))
        faults += outside
        lines.append(f"| algorithms whose kernels check every index | {learned} | {outside} |")
        print(lines[-1])
    command = f"python -m pgfast._bench.robustness --seconds {chosen.seconds:g} --kills {chosen.kills}"
    title = "# Robustness\n\nWritten by\n\n"
    REPORT.write_text(f"{title}    {command}\n\n" + "\n".join(lines) + "\n", "utf-8")
    os._exit(1 if faults or wrong else 0)


if __name__ == "__main__":
    main()
