"""Bad input of every kind, and what takes it: what `robustness` tries, and `fuzzing` begins with."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from pgfast import Checkpoints, Engine, TabularMDP, course, make
from pgfast._bench import hostile
from pgfast.checkpoints import _content, _read
from pgfast.cli.outcome import summarise
from pgfast.cli.output import finite
from pgfast.compiler.block import Words
from pgfast.kernels.learner import EPISODES
from pgfast.rehearsal import rehearse
from pgfast.run_folder import METRICS, SUMMARY, RunFolder
from pgfast.settings import Settings
from pgfast.storage import CONFIG, ORIGIN, POLICY, TABLE, changes, learner_arrays
from pgfast.verification import repeat

EXIT_CODES = {0, 1, 2, 3}
ODD = [
    0, 1, -1, 2**31, 2**53 + 1, 2**64, 1e308, -1e308, 5e-324, float("nan"), float("inf"), "", "ß", None, True, [], {},
]  # fmt: skip
SMALL = {"episodes": 40, "evaluation_episodes": 8, "batch": 20}
SMALLER = {"episodes": 12, "evaluation_episodes": 6, "batch": 6}
COMMANDS = {  # what stands before and behind words that may be anything
    "train": (["FrozenLake-v1"], ["--episodes=40", "--evaluation-episodes=8", "--batch=20", "--out=RUN/again"]),
    "evaluate": (["RUN"], ["--episodes=8"]),
    "resume": (["RUN"], []),
    "verify": (["RUN"], []),
    **{name: ([], []) for name in ("info", "envs", "features", "algorithms", "policies", "exact", "cache", "explain")},
}
Change = Callable[[bytes], bytes]


class Kind(NamedTuple):
    """A kind of input, and what takes it."""

    inputs: Any  # a strategy
    take: Callable[[Any], object]


class Damaged(NamedTuple):
    """Reads a file of a run after it was changed; the file is put back, and nothing else in its folder may change."""

    file: Path
    read: Callable[[], object]

    def __call__(self, change: Change) -> None:
        before = _contents(self.file.parent)
        whole = before[self.file.name]
        given = change(whole)
        self.file.write_bytes(given)
        try:
            self.read()
        finally:
            after = _contents(self.file.parent)
            self.file.write_bytes(whole)
            assert after == {**before, self.file.name: given}, "reading has changed a file"


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- what takes input


def _configure(choices: dict[str, Any]) -> None:
    Engine("FrozenLake-v1", **{**choices, "runs": choices.get("runs", 1)})


def _command(run: Path) -> Callable[[list[str]], None]:
    """Give the command line words, where RUN stands for a copy of a run."""
    from pgfast.cli import app

    def take(words: list[str]) -> None:
        out, err = io.StringIO(), io.StringIO()
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(out), redirect_stderr(err):
            copy = shutil.copytree(run, Path(folder) / "run")
            try:
                app([word.replace("RUN", str(copy)) for word in words])
            except SystemExit as end:
                code = end.code
        assert code in EXIT_CODES, (words, code, err.getvalue())
        assert "Traceback" not in err.getvalue(), err.getvalue()

    return take


def draw_map(rows: list[str]) -> None:
    """A map of both kinds."""
    make("FrozenLake-v1", desc=rows)
    make("GridWorld", map="\n".join(rows))


def _tabulate(numbers: tuple[Any, ...]) -> None:
    states, p, r, rho0 = numbers
    table = TabularMDP(
        np.resize(p, (states, 2, states)), np.resize(r, (states, 2)), np.resize(rho0, states), max_steps=5
    )
    Engine(table, **SMALL)


def _suffer(case: tuple[Any, float, float]) -> None:
    env, gamma, lr = case
    engine = Engine(env, gamma=gamma, lr=lr, **SMALLER)
    training = engine.learn(threads=1)
    assert np.all(np.isfinite(engine.theta))
    assert np.all(np.isfinite(learner_arrays(engine.model, engine._learner)["learned"]))  # else it couldn't be loaded
    assert training.failed or np.all(np.isfinite(training.curve.mean_return))
    assert np.isfinite(engine.evaluate(threads=1).mean)


def _endure(env: Any) -> None:
    """As far as it takes to compile a kernel, and to give it an example of a state."""
    engine = Engine(env, **SMALL)
    rehearse(engine.source.env, engine.traits)
    Words((engine.traits.like, engine.traits.observation)).block()


def _exchange(case: tuple[Any, Any, Any]) -> None:
    engine = Engine(lambda: hostile.Alien(*case), max_steps=4, **SMALLER)
    engine.learn(threads=1)
    assert np.all(np.isfinite(engine.theta))


def _fill(case: tuple[Any, Any, Any]) -> None:
    seen, actions, theta0 = case
    engine = Engine.for_spaces(seen, actions, theta0=theta0)
    assert np.all(np.isfinite(engine.theta))


# ---- files of a run


def make_runs(folder: Path) -> None:
    """A run that is complete, one of a table, and two that were stopped and have two checkpoints."""
    engine, path = Engine("FrozenLake-v1", **SMALL), folder / "run"
    with RunFolder(path) as run:
        run.begin(engine)
        training = engine.learn(threads=1)
        run.write(engine, training.curve, finite(summarise(engine, training, engine.evaluate(threads=1), path)))
    Engine(TabularMDP(np.full((2, 2, 2), 0.5), [[0.0, 1.0], [1.0, 0.0]], [0.5, 0.5], max_steps=5), **SMALL).save(
        folder / "table"
    )
    for name, make_engine in _STOPPED.items():
        for _ in range(2):
            make_engine().learn(callback=lambda _: False, checkpoints=Checkpoints(folder / name), threads=1)


def files(folder: Path) -> dict[str, Damaged]:
    """What reads each file of what `make_runs` has made there."""
    run, table = folder / "run", folder / "table"
    return {
        CONFIG: Damaged(run / CONFIG, lambda: _load(run)),
        POLICY: Damaged(run / POLICY, lambda: _load(run)),
        TABLE: Damaged(table / TABLE, lambda: _load(table)),
        ORIGIN: Damaged(run / ORIGIN, lambda: changes(_kept(), run)),
        SUMMARY: Damaged(run / SUMMARY, lambda: repeat(run, threads=1)),
        METRICS: Damaged(run / METRICS, lambda: repeat(run, threads=1)),
        **{
            f"a checkpoint of {name}": Damaged(Checkpoints(folder / name)._paths()[-1], _taken_up(folder / name))
            for name in _STOPPED
        },
    }


def _load(folder: Path) -> None:
    """Load an engine, and play by what was loaded."""
    engine = Engine.load(folder)
    if engine.settings.evaluation_episodes * engine.traits.max_steps < 10**6:
        engine.evaluate(threads=1)


_LONG: dict[str, Any] = {"episodes": 256 * 10**5, "log_every": 256 * 10**5, "runs": 2}


def _kept() -> Engine:
    return Engine("FrozenLake-v1", **_LONG)


def _endless() -> Engine:
    return Engine("AccessControl", algorithm="actor-critic-continuing", **_LONG)


_STOPPED = {"FrozenLake": _kept, "AccessControl": _endless}


def _taken_up(folder: Path) -> Callable[[], None]:
    """Take up training in a folder: what is found there must be what one of its two checkpoints holds."""

    engine = _STOPPED[folder.name]()

    def state() -> tuple[bytes, ...]:
        engine._learner.runs[:] = 0.0  # what isn't found in the folder isn't there
        Checkpoints(folder).restore(engine)
        learner = engine._learner
        return learner.runs.tobytes(), learner.clock.tobytes(), learner.log.tobytes()

    older, newer = Checkpoints(folder)._paths()
    known, content = {state()}, newer.read_bytes()
    newer.unlink()
    known.add(state())
    newer.write_bytes(content)
    assert len(known) == 2, older

    def read() -> None:
        assert state() in known, "a checkpoint that never was"

    return read


def _forge(folder: Path) -> Callable[[tuple[Any, Any]], None]:
    """Go on from a checkpoint that says of itself that it is whole, but holds something else."""
    file = Checkpoints(folder)._paths()[-1]
    arrays, numbers = _read(file)

    def take(case: tuple[Any, Any]) -> None:
        change_arrays, change_numbers = case

        def go_on() -> None:
            engine = _STOPPED[folder.name]()
            found = Checkpoints(folder).restore(engine)
            assert found is not None
            course.learn(engine, course.Course(*found), lambda _: False, 1, None)

        Damaged(file, go_on)(lambda _: _content(change_arrays(arrays), change_numbers(numbers)))

    return take


# ---- what is given


def _bytes() -> Any:
    """Ways to change a file."""
    flips = st.tuples(st.floats(0, 1), st.integers(0, 7)).map(lambda at: flipped(at[0], at[1]))
    cuts = st.floats(0, 1).map(lambda at: lambda b: b[: int(at * len(b))])
    others = st.binary(max_size=200).map(lambda new: lambda b: new)
    inserts = st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=9)).map(
        lambda at: lambda b: b[: int(at[0] * len(b))] + at[1] + b[int(at[0] * len(b)) :]
    )
    return st.one_of(flips, cuts, others, inserts)


def flipped(part: float, bit: int) -> Change:
    """One bit of the byte that stands there."""
    return lambda b: b[: (k := int(part * (len(b) - 1)))] + bytes([b[k] ^ 1 << bit]) + b[k + 1 :]


def cut(k: int) -> Change:
    """What stands before a byte."""
    return lambda b: b[:k]


def everywhere(content: bytes, apart: int = 1) -> list[Change]:
    """One bit of each byte flipped, and the file cut before it; of each byte, or of such as lie so far apart."""
    last = max(1, len(content) - 1)
    places = range(0, len(content), apart)
    return [*(flipped(k / last, k % 8) for k in places), *(cut(k) for k in places)]


def _forgeries() -> Any:
    """Ways to change the arrays of a checkpoint, and its numbers."""
    odd = st.sampled_from([*ODD, -float("inf"), 10**400, "12", [1], {"first": 0}])
    ways = st.sampled_from(
        [
            lambda a: a.reshape(-1), lambda a: a[:0], lambda a: a.T.copy(), lambda a: a.astype("f4"),
            lambda a: a.astype("i8"), lambda a: a.astype(bool), lambda a: -a, lambda a: a * np.nan, lambda a: a + 2**40,
            lambda a: a * 0, lambda a: a * 1e300, _apart,
        ]
    )  # fmt: skip
    names = st.sampled_from(["learned", "clock", "log", "seconds", "carried", "more"])
    arrays = st.one_of(
        st.just(dict),
        names.map(lambda name: lambda arrays: {k: v for k, v in arrays.items() if k != name}),
        st.tuples(names, ways).map(lambda c: lambda a: {**a, c[0]: c[1](a.get(c[0], np.zeros(3)))}),
    )
    entries = st.sampled_from(["span", "seconds", "settings"])
    parts = st.sampled_from(["first", "count", "every", "steps_before"])
    numbers = st.one_of(
        st.just(dict),
        odd.map(lambda value: lambda n: value),
        st.tuples(entries, odd).map(lambda c: lambda n: {**n, c[0]: c[1]}),
        st.tuples(parts, odd).map(lambda c: lambda n: {**n, "span": {**n["span"], c[0]: c[1]}}),
        entries.map(lambda name: lambda n: {k: v for k, v in n.items() if k != name}),
    )
    return st.tuples(arrays, numbers)


def _apart(array: np.ndarray) -> np.ndarray:
    """Runs that have not come equally far."""
    changed = np.atleast_2d(array).copy()
    changed[..., EPISODES] += np.arange(len(changed)).reshape(-1, *[1] * (changed.ndim - 2))
    return changed


def _words() -> Any:
    flags = [f"--{name.replace('_', '-')}" for name in Settings.__dataclass_fields__]
    pieces = [
        *flags,
        "RUN",
        "--json",
        "--env",
        "--trust",
        "--threads",
        "--checkpoint-every",
        "-E",
        "slip=x",
        "FrozenLake-v1",
        "my.py:X",
        "--",
    ]
    word = st.one_of(st.sampled_from(pieces), st.sampled_from([str(odd) for odd in ODD]), st.text(max_size=5))
    return st.tuples(st.sampled_from(sorted(COMMANDS)), st.lists(word, max_size=4)).map(
        lambda parts: [parts[0], *COMMANDS[parts[0]][0], *parts[1], *COMMANDS[parts[0]][1]]
    )


def compile_kernels() -> None:
    """Those that play hostile environments."""
    for env in (hostile.Hostile(), hostile.Wild(), hostile.Wild(actions=1)):
        _suffer((env, 1.0, 0.1))
    _exchange((np.zeros(2), 1.0, False))


def kinds(folder: Path) -> dict[str, Kind]:
    """Every kind of input; files are made in a folder."""
    make_runs(folder)
    names = [name for name in Settings.__dataclass_fields__ if name not in ("env", "env_parameters")]
    odd = st.sampled_from(ODD) | st.floats(width=64) | st.integers(-3, 40) | st.text(max_size=3)
    number = st.sampled_from([0.0, 1.0, 0.5, 1 / 3, -1.0, 1e308, 5e-324, float("nan"), float("inf")])
    numbers = st.lists(number, min_size=1, max_size=5)
    suffering = st.tuples(
        hostile.environments(), st.sampled_from([0.0, 1.0, 1 - 2**-53, 5e-324]), st.sampled_from([0.1, 1e300])
    )
    return {
        "configurations": Kind(st.dictionaries(st.sampled_from(names), odd, max_size=3), _configure),
        "command lines": Kind(_words(), _command(folder / "run")),
        "maps": Kind(st.lists(st.text("SFHG #.0", max_size=5), max_size=5), draw_map),
        "tables": Kind(st.tuples(st.integers(1, 4), numbers, numbers, numbers), _tabulate),
        **{f"bytes of {name}": Kind(_bytes(), file) for name, file in files(folder).items()},
        **{
            f"checkpoints of {name} with the right digest": Kind(_forgeries(), _forge(folder / name))
            for name in _STOPPED
        },
        "hostile environments": Kind(suffering, _suffer),
        "environments of other types": Kind(hostile.strangers(ODD), _endure),
        "environments of Gymnasium's": Kind(hostile.answers(ODD), _exchange),
        "numbers of parameters": Kind(
            st.tuples(hostile.SPACES, hostile.ACTIONS, st.sampled_from([None, 0.5, [], [1.0], [0.0, 1e308]])), _fill
        ),
    }
