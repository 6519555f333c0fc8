"""Every algorithm goes on from where it was stopped; what a task that does not end goes on with is checked."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import problems
import pytest
from stopping import numbers, shorten_calls

from pgfast import Checkpoints, Engine, PgfastError, checkpoints, exact_training, training
from pgfast.algorithms.catalogue import ALGORITHMS
from pgfast.algorithms.exact import EXACT
from pgfast.collection import BUNDLED
from pgfast.compiler import compiled_functions
from pgfast.environments import definition
from pgfast.kernels.learner import GOES_ON

ELSEWHERE = {"gradient-bandit": "KArmedBandit", "pgpe": problems.Drift()}  # algorithms that tables are nothing for


def small(algorithm: str) -> Engine:
    """A few updates of an algorithm, each of them soon made."""
    fixed = {name: value for name, (value, _) in ALGORITHMS[algorithm].fixed.items()}
    runs, batch = fixed.get("runs", 1 if algorithm in EXACT else 2), fixed.get("batch", 4)
    env = ELSEWHERE.get(algorithm, problems.random_mdp())
    return Engine(env, algorithm=algorithm, runs=runs, batch=batch, episodes=max(4 * batch - 1, 9), log_every=batch)


CONTINUING = {  # tasks that don't end, of every kind of trace: problem, settings
    "a table": ("stones", {"max_steps": 3, "entropy": 0.1}),
    "dense": ("linear", {"optimizer": "adam", "lr": 0.01, "entropy": 0.1}),
    "dense in single precision": ("raft", {"precision": "float32", "lr": 0.003}),
    "tiles, soon dropped": ("tiles", {"lam": 0.001, "lam_value": 0.002, "max_norm": 0.3}),
    "tiles and deviations": ("tiled raft", {"schedule": "inverse", "schedule_updates": 5.0, "lr": 0.001}),
}


def continuing(name: str) -> Engine:
    """A few parts of a task, terminated or truncated."""
    problem, changes = CONTINUING[name]
    settings = {**problems.COMMON, **problems.PROBLEMS[problem], "gamma": 1.0, "baseline": "value", "batch": 1}
    return Engine(**{**settings, "algorithm": "actor-critic-continuing", "runs": 2, "episodes": 9, **changes})


MAKERS = {**dict.fromkeys(ALGORITHMS, small), **dict.fromkeys(CONTINUING, continuing)}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Uncompiled, and a piece is one episode."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    monkeypatch.setattr(training, "PIECE", 1)
    monkeypatch.setattr(exact_training, "_APART", -1.0)
    with np.errstate(all="ignore"):
        yield


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_algorithm_goes_on_where_it_was_stopped(name: str, tmp_path: Path, monkeypatch) -> None:
    """…at every place in turn."""
    undisturbed, episodes = MAKERS[name](name), []
    expected = numbers(undisturbed, undisturbed.learn(threads=1))
    shorten_calls(monkeypatch, 8)
    for last in (1, undisturbed.settings.episodes // 2, 10**6):
        engine, seen = MAKERS[name](name), []
        outcome = engine.learn(
            callback=lambda p, seen=seen, last=last: seen.append(p.episodes) or p.episodes < last,
            checkpoints=Checkpoints(tmp_path, trust=True),
            threads=1,
        )
        episodes.append(seen[0])
        assert type(outcome.stopped) is bool  # which JSON has a word for
    assert numbers(engine, outcome) == expected
    assert not outcome.stopped
    assert episodes[-1] > episodes[0]


def changed(array: np.ndarray, at: object, value: float) -> np.ndarray:
    """The same with another value there."""
    other = array.copy()
    other[at] = value
    return other


COUNT, ROW, AGE, ENTRY = 1, 4, 5, 6  # where `carried` has them, after a float of the state; and numbers of an entry


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("carried", lambda a: a[:, 1:], "carried should have shape"),
        ("carried", lambda a: a.astype("f4"), "carried should have shape"),
        ("carried", lambda a: changed(a, (1, 1), np.nan), "traces that can't have been"),
        ("carried", lambda a: changed(a, (0, COUNT), 6.0), "traces that can't have been"),
        ("carried", lambda a: changed(a, (0, COUNT), 0.5), "traces that can't have been"),
        ("carried", lambda a: changed(a, (0, ROW), 5.0), "traces that can't have been"),
        ("carried", lambda a: changed(a, (0, ROW), a[0, ROW + ENTRY]), "traces that can't have been"),
        ("carried", lambda a: changed(a, (0, AGE), 0.0), "traces that can't have been"),
        ("carried", lambda a: changed(a, (0, AGE), 2.0**50), "traces that can't have been"),
        ("carried", lambda a: changed(a, (1, AGE), a[1, AGE + ENTRY]), "traces that can't have been"),
        ("clock", lambda a: changed(a, (0, GOES_ON + 1), -1), "a state that TabularMDP doesn't have"),
        ("clock", lambda a: changed(a, (1, GOES_ON + 1), 5), "a state that TabularMDP doesn't have"),
    ],
)
def test_a_task_goes_on_only_from_where_it_can_have_been(
    name: str, change, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_calls(monkeypatch, 8)
    made = small("actor-critic-continuing")
    made.learn(callback=lambda p: p.episodes < 4, checkpoints=Checkpoints(tmp_path), threads=1)
    arrays, told = Checkpoints(tmp_path).latest()
    np.testing.assert_array_equal(arrays["clock"][:, GOES_ON], 1)
    for path in Checkpoints(tmp_path)._paths():
        path.write_bytes(checkpoints._content({**arrays, name: change(arrays[name])}, told))
    engine = small("actor-critic-continuing")
    before = engine.digest()
    with pytest.raises(PgfastError, match=said):
        engine.learn(checkpoints=Checkpoints(tmp_path))
    assert engine.digest() == before


@pytest.mark.usefixtures("plain")
def test_code_of_users_goes_on_only_from_files_that_they_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pgfast's own looks nothing up by a state; whether theirs does, nobody knows."""
    shorten_calls(monkeypatch, 8)
    continuing("dense").learn(callback=lambda _: False, checkpoints=Checkpoints(tmp_path), threads=1)
    with pytest.raises(PgfastError, match=r"nobody can check them: if that is your own, trust it \(--trust; in Python"):
        continuing("dense").learn(checkpoints=Checkpoints(tmp_path))


@pytest.mark.parametrize("name", sorted(name for name in BUNDLED if hasattr(definition(name), "step")))
def test_environments_of_ours_look_nothing_up(name: str) -> None:
    for function in compiled_functions(definition(name)):
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
            assert not isinstance(node, ast.Subscript) or isinstance(node.slice, ast.Constant), ast.unparse(node)
