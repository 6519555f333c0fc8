"""Actions for observations that the user has: as `probabilities` says, numbered, and from the policy as it is now."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import problems
import pytest
from scipy import stats

from pgfast import Engine, PgfastError, Progress
from pgfast.kernels.predictions import predict

PROBLEMS = ["linear", "features", "cartpole", "corridor", "tabular", "one-hot"]
FALSE_ALARM = 1e-6  # of a statistical test; seeds are fixed, so it comes true always or never


def fresh(problem: str, **changes: Any) -> Engine:
    return problems.engine(problem, "runs", **{"runs": 1, **changes})


def observations(engine: Engine, count: int) -> np.ndarray:
    """Some that could be seen, more than a call of the kernel takes."""
    rng = np.random.default_rng(7)
    n, seen = engine.traits.n_observations, engine.traits.observation
    return rng.integers(0, n, count) if n is not None else rng.normal(size=(count, len(seen)))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_actions_are_as_likely_as_probabilities_says(problem: str) -> None:
    """Of observations that differ: the number of each action is a sum of independent ones, nearly normal."""
    engine = fresh(problem)
    seen = observations(engine, 200_000)
    p = engine.probabilities(seen)
    actions = engine.predict(seen) - engine.traits.first_action
    n_actions = p.shape[-1]
    taken = np.eye(n_actions)[actions]
    z = (taken - p).sum(axis=0) / np.sqrt((p * (1 - p)).sum(axis=0))
    assert np.all(2 * stats.norm.sf(np.abs(z)) > FALSE_ALARM)
    often = p > 0.5  # where the action is the likely one, as often as that
    z = (taken[often] - p[often]).sum() / np.sqrt((p[often] * (1 - p[often])).sum() or 1.0)
    assert 2 * stats.norm.sf(abs(z)) > FALSE_ALARM


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_likeliest_action_is_preferred(problem: str) -> None:
    engine = fresh(problem)
    seen = observations(engine, 3000)
    likeliest = engine.probabilities(seen).argmax(axis=-1) + engine.traits.first_action
    np.testing.assert_array_equal(engine.predict(seen, deterministic=True), likeliest)
    assert [engine.predict(o, deterministic=True) for o in seen[:20].tolist()] == likeliest[:20].tolist()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_one_by_one_as_together(problem: str) -> None:
    seen = observations(fresh(problem), 1500)
    whole = fresh(problem).predict(seen)
    engine = fresh(problem)
    alone = [engine.predict(o) for o in seen[:70].tolist()]
    engine.predict(seen[:5], deterministic=True)  # draws nothing
    np.testing.assert_array_equal(np.append(alone, engine.predict(seen[70:])), whole)
    assert np.any(fresh(problem, seed=1).predict(seen) != whole)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_compiled_as_in_python(problem: str) -> None:
    engine, plain = fresh(problem), fresh(problem)._ready_to_predict()
    plain._call = lambda: int(predict.function(*plain._kept))
    seen = observations(engine, 100)
    with np.errstate(all="ignore"):  # compiled code doesn't warn of what happens in lanes without work
        for deterministic in (False, True):
            actions = engine.predict(seen, deterministic=deterministic)
            np.testing.assert_array_equal(plain.predict(seen, deterministic, 0), actions)


def test_forms_of_an_observation() -> None:
    engine = fresh("cartpole")
    one = [0.25, -0.5, 0.125, 1.0]
    for form in (one, tuple(one), np.array(one), np.array(one, np.float32), np.array([one, one])[1]):
        assert type(engine.predict(form)) is int
        assert engine.predict(form, deterministic=True) == engine.probabilities(one).argmax()
    assert engine.predict([one, one]).shape == engine.predict((tuple(one), tuple(one))).shape == (2,)
    assert engine.predict(np.zeros((2, 3, 4))).shape == (2, 3)
    assert engine.predict(np.zeros((0, 4))).shape == (0,)
    assert engine.predict([0, 1, 0, 1]) in (0, 1)
    table = fresh("tabular")
    for form in (3, np.int64(3), np.int32(3), np.array(3)):
        assert type(table.predict(form)) is int
    assert table.predict([[0, 1], [2, 3]]).shape == (2, 2)


@pytest.mark.parametrize(
    ("problem", "wrong", "words"),
    [
        ("cartpole", (0.0, 0.0, 0.0), "has 3 numbers: this environment's have 4"),
        ("cartpole", np.zeros(5), "has 5 numbers: this environment's have 4"),
        ("cartpole", (0.0, np.inf, 0.0, 0.0), "has an entry that is not finite"),
        ("cartpole", np.full((2000, 4), np.nan), "has an entry that is not finite"),
        ("tabular", 5, "is not from 0 to 4"),
        ("tabular", [0, -1], "is not from 0 to 4"),
        ("tabular", 2**70, "whole number"),
        ("tabular", 0.5, "is no whole number"),
        ("tabular", True, "is no whole number"),
    ],
)
def test_wrong_observations(problem: str, wrong: Any, words: str) -> None:
    engine = fresh(problem)
    right = observations(engine, 1)[0]
    before = [engine.predict(right) for _ in range(20)]
    with pytest.raises(PgfastError, match=words):
        engine.predict(wrong)
    assert before + [engine.predict(right) for _ in range(20)] == fresh(problem).predict([right] * 40).tolist()


def test_wrong_run() -> None:
    with pytest.raises(PgfastError, match="run is 1: it must be from 0 to 0"):
        fresh("tabular").predict(0, run=1)


def test_every_run_has_its_own_policy_and_numbers() -> None:
    engine = problems.short_engine("linear runs")
    seen = observations(engine, 500)
    drawn = [engine.predict(seen, run=run) for run in (0, 1, 0)]
    assert np.any(drawn[0] != drawn[1])
    engine.learn(threads=1)
    for run in (2, 0, 1):
        likeliest = engine.probabilities(seen, run=run).argmax(axis=-1) - 1
        np.testing.assert_array_equal(engine.predict(seen, run=run, deterministic=True), likeliest)
        assert engine.predict(seen[0], run=run, deterministic=True) == likeliest[0]


def test_the_policy_of_the_moment(tmp_path: Any) -> None:
    """Before, while and after it learns, and when it is loaded."""
    engine = problems.short_engine("linear batches")
    seen = observations(engine, 2000)
    odd = []

    def look(progress: Progress) -> None:
        actions = engine.predict(seen, deterministic=True, run=1)
        odd.append(np.any(actions != engine.probabilities(seen, run=1).argmax(axis=-1) - 1))

    before = engine.predict(seen, deterministic=True)
    engine.learn(threads=1, callback=look)
    assert not any(odd)
    assert odd
    after = engine.predict(seen, deterministic=True)
    assert np.any(after != before)
    engine.save(tmp_path)
    np.testing.assert_array_equal(Engine.load(tmp_path, env=problems.Drift()).predict(seen, deterministic=True), after)


def test_threads_may_share_an_engine() -> None:
    """From the start: what predicts is made once, by whichever comes first."""
    engine = fresh("tabular")
    with ThreadPoolExecutor(4) as pool:
        actions = list(pool.map(lambda _: engine.predict(3), range(2000)))
    assert sorted(actions) == sorted(fresh("tabular").predict([3] * 2000).tolist())  # every number once


def test_cost_of_an_action() -> None:
    """The measurement that the documentation names."""
    script = Path(__file__).parent.parent / "bench" / "embedding.py"
    command = [sys.executable, str(script), "FrozenLake-v1", "--json", "--repeats", "1"]
    costs = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert {c["environment"] for c in costs} == {"FrozenLake-v1"}
    assert {c["how"] for c in costs} >= {"sampled", "preferred", "step, learn='online'"}
    assert all(0 < c["least"] <= c["ns"] <= c["largest"] for c in costs)
