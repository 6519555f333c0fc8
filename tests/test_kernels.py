"""The kernels against `reference.py`, number by number; and what their results may not depend on."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import problems
import pytest
import reference

from pgfast import training

# Problem and schedule; a learned baseline has shapes of its own, which are compiled apart, so not all have one here.
# What is never compiled for these tests, among it linear policies that learn within the episode, is played uncompiled.
WITH_VALUE = [
    ("linear", "batches"),
    ("linear", "runs"),
    ("corridor", "runs"),
    ("corridor", "in_loop"),
    ("tabular", "batches"),
    ("tabular", "runs"),
    ("tabular", "in_loop"),
]
WITHOUT = [*WITH_VALUE, ("features", "batches")]
REAL = [("raft", "batches", "value"), ("raft", "in_loop", "value"), ("glider", "batches", "mean")]
REAL += [("raft", "runs", baseline) for baseline in ("none", "mean", "batch")]
CARTPOLE = [("cartpole", "runs"), ("cartpole", "batches")]  # as Python, its step takes long
COMBINATIONS = [
    *[(*c, baseline) for c in WITHOUT for baseline in ("none", "mean", "batch")],
    *[(*c, "value") for c in WITH_VALUE],
    *[(*c, "mean") for c in CARTPOLE],
    *REAL,
]
SWITCHES = list(itertools.product(("to-go", "whole"), (False, True), (0.0, 0.1)))


def assert_as_reference(engine, curve, runs=None):
    """`engine` has just learned; its runs must have become what the reference makes of a fresh one."""
    fresh = type(engine).from_settings(engine.settings, engine.source)
    for run in range(engine.settings.runs) if runs is None else runs:
        trainer = reference.Trainer(fresh, run).train(int(curve.episode[-1]))
        np.testing.assert_allclose(engine.theta[run].reshape(-1), trainer.theta, rtol=1e-10, atol=1e-12)
        if engine.settings.baseline == "value":
            np.testing.assert_allclose(engine.value_weights[run], trainer.weights, rtol=1e-10, atol=1e-12)
        rows = reference.rows(
            trainer, int(curve.episode[0]), exact_entropy=engine.model.name in ("tabular", "gaussian")
        )
        np.testing.assert_array_equal(curve.steps[run], rows["steps"])
        for name, small in {"mean_return": 1e-12, "std_return": 1e-7, "entropy": 1e-12, "gradient_norm": 1e-12}.items():
            # the kernels' variance is a difference: where it is 0, they find the square root of a rounding error
            np.testing.assert_allclose(getattr(curve, name)[run], rows[name], rtol=1e-9, atol=small, err_msg=name)


@pytest.mark.parametrize(("returns", "discount_factor", "entropy"), SWITCHES)
@pytest.mark.parametrize(("problem", "schedule", "baseline"), COMBINATIONS)
def test_every_switch(problem, schedule, baseline, returns, discount_factor, entropy):
    choices = {"baseline": baseline, "returns": returns, "discount_factor": discount_factor, "entropy": entropy}
    if (problem, schedule) == ("raft", "in_loop"):
        choices["lr"] = 0.001  # twenty steps an episode: with larger ones it diverges
    engine = problems.engine(problem, schedule, **choices)
    assert_as_reference(engine, engine.learn().curve)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
@pytest.mark.parametrize(("problem", "schedule"), WITH_VALUE)
def test_step_rules(problem, schedule, optimizer):
    engine = problems.engine(
        problem, schedule, baseline="value", optimizer=optimizer, momentum=0.8, beta2=0.9, epsilon=1e-3, lr=0.02
    )
    assert_as_reference(engine, engine.learn().curve)


@pytest.mark.parametrize(("problem", "baseline"), [("linear", "value"), ("tabular", "batch")])
def test_lanes_are_runs_when_there_are_many(problem, baseline):
    engine = problems.engine(problem, "many runs", baseline=baseline)
    assert_as_reference(engine, engine.learn().curve, runs=(0, 31, 32))


@pytest.mark.parametrize(("problem", "schedule"), [("linear", "batches"), ("linear", "runs"), ("tabular", "in_loop")])
def test_rows_of_the_log_may_hold_several_batches(problem, schedule):
    batch = problems.SCHEDULES[schedule]["batch"]
    engine = problems.engine(problem, schedule, baseline="mean", log_every=2 * batch, episodes=5 * batch + 1)
    curve = engine.learn().curve
    np.testing.assert_array_equal(curve.episode, [2 * batch, 4 * batch, 5 * batch + 1])
    assert_as_reference(engine, curve)


@pytest.mark.parametrize(("problem", "schedule"), WITHOUT)
def test_a_last_batch_of_one_episode_has_no_others_to_compare_with(problem, schedule):
    episodes = problems.SCHEDULES[schedule]["batch"] + 1
    engine = problems.engine(problem, schedule, baseline="batch", episodes=episodes)
    assert_as_reference(engine, engine.learn().curve)


def test_more_actions_than_a_row_of_the_table_has_at_least():
    engine = problems.engine("tabular", "batches", env=problems.random_mdp(n_actions=7), theta0=0.0)
    assert_as_reference(engine, engine.learn().curve)


@pytest.mark.parametrize("baseline", ["none", "mean"])
def test_frozen_lake(baseline):
    """Only the last step pays, episodes have many lengths, and the last of a batch move to other lanes."""
    engine = problems.engine(
        "tabular", "batches", env="FrozenLake-v1", theta0=0.0, episodes=400, batch=100, baseline=baseline
    )
    curve = engine.learn().curve
    assert curve.mean_return.max() > 0  # so that something is learned
    assert_as_reference(engine, curve)


@pytest.mark.parametrize("whole", [False, True])
def test_rewards_now_and_then(whole):
    """Some rows of the ring have rewards, others none; it is gone round several times."""
    choices = {"returns": "whole", "baseline": "batch"} if whole else {"baseline": "mean"}
    engine = problems.engine(
        "tabular", "batches", env=problems.seldom(), theta0=0.0, batch=100, episodes=400, **choices
    )
    assert_as_reference(engine, engine.learn().curve)


# ---- results that may not depend on how the work is done

JOBS = [  # problem, schedule, settings: enough episodes for several blocks, or runs for several threads
    ("linear", "batches", {"batch": 400, "episodes": 1000, "baseline": "value", "optimizer": "adam"}),
    ("tabular", "batches", {"batch": 400, "episodes": 1000, "baseline": "mean", "entropy": 0.1}),
    ("linear", "runs", {"runs": 70, "episodes": 30, "baseline": "value", "optimizer": "adam"}),
    ("tabular", "runs", {"runs": 70, "episodes": 30, "baseline": "batch"}),
    ("corridor", "in_loop", {"runs": 70, "episodes": 30, "baseline": "value"}),
    ("raft", "batches", {"batch": 400, "episodes": 1000, "baseline": "value", "optimizer": "adam"}),
    ("raft", "runs", {"runs": 70, "episodes": 30, "baseline": "mean", "optimizer": "adam"}),
    ("raft", "in_loop", {"runs": 70, "episodes": 30, "baseline": "value", "lr": 1e-3}),
]


def outcome(engine, **kwargs):
    """Everything that training and evaluation say, timings apart."""
    curve = engine.learn(**kwargs).curve
    played = engine.evaluate(300, **kwargs)
    numbers = [curve.steps, curve.mean_return, curve.std_return, curve.entropy, curve.gradient_norm, played.by_run]
    return engine.digest(), played.std, *(a.tobytes() for a in numbers)


@pytest.mark.parametrize(("problem", "schedule", "settings"), JOBS)
def test_nothing_depends_on_threads(problem, schedule, settings):
    outcomes = {outcome(problems.engine(problem, schedule, **settings), threads=n) for n in (1, 2, 3)}
    assert len(outcomes) == 1


@pytest.mark.parametrize(("problem", "schedule", "settings"), JOBS)
def test_nothing_depends_on_what_a_call_does(problem, schedule, settings, monkeypatch):
    expected = outcome(problems.engine(problem, schedule, **settings))
    whole, calls = training.Job._arguments, []

    def two_turns(job, worker, budget):
        calls.append(budget)
        return whole(job, worker, min(budget, 2))

    monkeypatch.setattr(training.Job, "_arguments", two_turns)
    assert outcome(problems.engine(problem, schedule, **settings)) == expected
    assert len(calls) > 20


@pytest.mark.parametrize(("problem", "schedule", "settings"), [JOBS[1], JOBS[4], JOBS[7]])
def test_nothing_depends_on_the_first_length_of_a_tape(problem, schedule, settings, monkeypatch):
    expected = outcome(problems.engine(problem, schedule, **settings))
    monkeypatch.setattr(training, "FIRST_TAPE", 4)
    assert outcome(problems.engine(problem, schedule, **settings)) == expected


@pytest.mark.parametrize(("problem", "schedule"), WITH_VALUE)
def test_learning_goes_on_where_it_stopped(problem, schedule):
    """…and evaluation in between leaves no trace."""
    batch = problems.SCHEDULES[schedule]["batch"]
    changes = {"baseline": "mean" if schedule == "batches" else "value", "optimizer": "adam"}
    at_once, in_parts = (problems.engine(problem, schedule, **changes) for _ in range(2))
    at_once.learn(5 * batch)
    in_parts.learn(2 * batch)
    in_parts.evaluate(100)
    in_parts.learn(3 * batch)
    assert in_parts.digest() == at_once.digest()


def test_a_run_is_the_same_alone_and_among_others():
    """Its numbers are its own."""
    engines = [problems.engine("linear", "runs", baseline="mean", runs=n) for n in (1, 40)]
    for engine in engines:
        engine.learn()
    np.testing.assert_array_equal(engines[0].theta[0], engines[1].theta[0])
    assert len(np.unique(engines[1].theta.reshape(40, -1), axis=0)) == 40


@pytest.mark.parametrize(("problem", "schedule"), WITHOUT)
def test_a_run_whose_parameters_would_not_be_finite_keeps_the_last_good_ones(problem, schedule):
    engine = problems.engine(problem, schedule, lr=1.7e308, gamma=1.0, returns="whole", entropy=1e3)
    before = engine.theta
    result = engine.learn()
    batch = engine.settings.batch
    assert result.failed == tuple((run, batch) for run in range(engine.settings.runs))
    if not engine.settings.in_loop:  # where θ may already have moved within the episode
        np.testing.assert_array_equal(engine.theta, before)
    assert np.all(np.isfinite(engine.theta))


# ---- the same functions as plain Python


def in_plain_python(name, monkeypatch):
    """Parameters learned by the kernels as plain Python."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):  # compiled code doesn't warn of x / 0 in a lane that is idle
        return problems.learned(name)


@pytest.mark.parametrize("name", problems.SHORT)
def test_compiled_and_uncompiled_kernels_agree_bit_for_bit(name, monkeypatch):
    compiled = problems.learned(name)
    np.testing.assert_array_equal(in_plain_python(name, monkeypatch), compiled)


@pytest.mark.parametrize("name", problems.PLAIN)
def test_uncompiled_kernels_agree_with_the_reference(name, monkeypatch):
    trained = reference.train(problems.short_engine(name), problems.short_engine(name).settings.episodes)
    found, expected = in_plain_python(name, monkeypatch), np.array([t.theta for t in trained])
    rtol, atol = (1e-4, 1e-5) if "single" in name else (1e-10, 1e-12)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=rtol, atol=atol)


def test_numba_may_be_told_not_to_compile():
    """As its users do: before Python starts."""
    code = "import problems; print(problems.learned('tabular runs').tolist())"
    command, variables = [sys.executable, "-c", code], {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    here = Path(__file__).parent
    done = subprocess.run(command, env=variables, cwd=here, capture_output=True, text=True, check=True)
    np.testing.assert_array_equal(json.loads(done.stdout), problems.learned("tabular runs"))
