"""Actor–critic with traces against the book's pseudocode, number by number; and what it learns."""

from dataclasses import replace

import gymnasium
import numba
import numpy as np
import problems
import pytest
from reference_actor_critic import StepTrainer

from pgfast import Engine, exact, training
from pgfast.algorithms.actor_critic import TOLERANCE, steps_left
from pgfast.beginning import derive_all
from pgfast.errors import PgfastError
from pgfast.kernels import step_lists

ONE_STEP = {"lam": 0.0, "lam_value": 0.0}
TRACES = {"lam": 0.7, "lam_value": 0.4, "entropy": 0.1}
DISCOUNTED = {**TRACES, "discount_factor": True}
REPLACING = {"lam": 0.9, "lam_value": 0.8, "replacing": True}
INVERSE = {"schedule": "inverse", "schedule_updates": 5.0}
POWER = {"schedule": "robbins-monro", "schedule_updates": 5.0}
BOUND = {"max_norm": 0.3}
CASES = {  # problem and settings: tables and sparse features, others
    "tabular": ("tabular", ONE_STEP),
    "tabular traces": ("tabular", {**DISCOUNTED, **POWER}),
    "two actions": ("tabular", {**TRACES, "env": problems.random_mdp(n_actions=2), "theta0": 0.1}),
    "tabular replacing": ("tabular", {**REPLACING, **BOUND}),
    "stones": ("stones", TRACES),
    "escort": ("escort", {**TRACES, "lr": 0.005}),
    "shared": ("shared", {**TRACES, "lr": 0.01}),
    "timed": ("timed", REPLACING),
    "tiles": ("tiles", {**TRACES, **BOUND}),
    "tiles replacing": ("tiles", {**REPLACING, "entropy": 0.1, "schedule": "linear"}),
    "tiled raft": ("tiled raft", {**TRACES, **INVERSE, **BOUND, "lr": 0.001}),
    "linear": ("linear", ONE_STEP),
    "linear traces": ("linear", {**DISCOUNTED, "optimizer": "adam", "lr": 0.01}),
    "features": ("features", {**TRACES, **POWER, **BOUND}),
    "one-hot": ("one-hot", {**TRACES, "optimizer": "momentum", "lr": 0.01, "lr_value": 0.01}),
    "raft": ("raft", {**TRACES, "schedule": "linear", "lr": 0.003}),
    "squashed": ("squashed", {**DISCOUNTED, **BOUND, "lr": 0.001}),
    "linear in single precision": ("linear", {**TRACES, "precision": "float32"}),
}
CONTINUING = ["two actions", "stones", "tiles", "tiled raft", "linear traces", "raft"]
COMPILED = [("linear", "actor-critic"), ("two actions", "actor-critic-continuing")]  # and AccessControl's
ALGORITHMS = {
    "actor-critic": {"gamma": 0.9},
    "actor-critic-continuing": {"gamma": 1.0, "lr_average": 0.02, "discount_factor": False},
}


def engine(name, algorithm="actor-critic", **changes):
    problem, settings = CASES[name]
    choices = {**problems.COMMON, **problems.PROBLEMS[problem], "baseline": "value", "batch": 1, **settings}
    return Engine(**{**choices, "algorithm": algorithm, "runs": 2, "episodes": 4, **ALGORITHMS[algorithm], **changes})


def in_plain_python(fresh, monkeypatch):
    """The engine, having learned by the kernels as plain Python."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):
        fresh.training = fresh.learn(threads=1)
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
    return fresh


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [*((n, "actor-critic") for n in CASES), *((n, "actor-critic-continuing") for n in CONTINUING)],
)
def test_kernels_do_what_the_book_says(name, algorithm, monkeypatch):
    learned = in_plain_python(engine(name, algorithm), monkeypatch)
    rtol, atol = (1e-4, 1e-5) if "single" in name else (1e-9, 1e-12)
    for run in range(2):
        expected = StepTrainer(engine(name, algorithm), run).train(4)
        np.testing.assert_allclose(learned.theta[run].ravel(), expected.theta, rtol=rtol, atol=atol)
        np.testing.assert_allclose(learned.value_weights[run], expected.weights, rtol=rtol, atol=atol)
        curve = learned.training.curve
        np.testing.assert_allclose(curve.mean_return[run].mean(), np.mean(expected.rewards), rtol=rtol, atol=atol)
        squares = np.mean([square for _, square in expected.moves])
        steps = np.diff(curve.steps[run], prepend=0)
        found = np.average(curve.gradient_norm[run] ** 2, weights=steps)
        np.testing.assert_allclose(found, squares, rtol=1e-3 if "single" in name else 1e-9)


@pytest.mark.parametrize(("name", "algorithm"), COMPILED)
def test_compiled_and_uncompiled_kernels_agree_bit_for_bit(name, algorithm, monkeypatch):
    plain = in_plain_python(engine(name, algorithm), monkeypatch)
    compiled = engine(name, algorithm)
    compiled.learn()
    np.testing.assert_array_equal(compiled.theta, plain.theta)
    np.testing.assert_array_equal(compiled.value_weights, plain.value_weights)


@pytest.mark.parametrize(("name", "algorithm"), COMPILED)
def test_nothing_depends_on_threads_runs_or_calls(name, algorithm, monkeypatch):
    expected = engine(name, algorithm, runs=70, episodes=30)
    expected.learn(threads=1)
    for runs, threads in [(70, 3), (40, 2), (1, 1)]:
        other = engine(name, algorithm, runs=runs, episodes=30)
        other.learn(threads=threads)
        np.testing.assert_array_equal(other.theta, expected.theta[:runs])
    whole = training.Job._arguments
    monkeypatch.setattr(training.Job, "_arguments", lambda job, worker, budget: whole(job, worker, min(budget, 2)))
    in_small_calls = engine(name, algorithm, runs=70, episodes=30)
    in_small_calls.learn(threads=2)
    np.testing.assert_array_equal(in_small_calls.theta, expected.theta)


def test_learning_goes_on_where_it_stopped(tmp_path):
    at_once, in_parts = (engine("linear", episodes=5) for _ in range(2))
    at_once.learn(5)
    in_parts.learn(2)
    in_parts.evaluate(100)
    in_parts.save(tmp_path)
    again = Engine.load(tmp_path, env=in_parts.source.env)
    again.learn(3)
    np.testing.assert_array_equal(again.theta, at_once.theta)
    np.testing.assert_array_equal(again.value_weights, at_once.value_weights)


@pytest.mark.parametrize(("name", "algorithm"), COMPILED)
def test_a_run_that_diverges_stops_with_numbers_that_are_finite(name, algorithm):
    wild = engine(name, algorithm, lr=1.7e308, lr_value=1e300)
    result = wild.learn()
    assert {run for run, _ in result.failed} == {0, 1}
    assert np.all(np.isfinite(wild.theta))
    assert np.all(np.isfinite(wild.value_weights))


@pytest.mark.parametrize("name", ["linear", "tabular", "tiles"])
def test_full_traces_without_values_make_the_step_of_reinforce(name, monkeypatch):
    """With λ = 1 and v̂ = 0, Σ_t δ_t z_t = Σ_t G_t ∇ log π(A_t|S_t), as long as θ hardly moves."""
    tiny = {"lr": 1e-9, "lr_value": 1e-300, "episodes": 1, "entropy": 0.0}
    problem = CASES[name][0]
    choices = {**problems.COMMON, **problems.PROBLEMS[problem], "runs": 2, "batch": 1, "baseline": "none", **tiny}
    steps = [
        in_plain_python(fresh, monkeypatch).theta - before
        for fresh in (engine(name, **tiny, lam=1.0, lam_value=0.0, max_norm=None), Engine(**choices))
        for before in [fresh.theta]
    ]
    assert np.abs(steps[1]).max() > 1e-10
    np.testing.assert_allclose(steps[0], steps[1], rtol=1e-4, atol=1e-15)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999])
def test_entries_of_a_sparse_trace_are_kept_while_they_count(decay):
    kept = steps_left(decay)
    assert decay**kept >= TOLERANCE > decay ** (kept + 1)


@pytest.mark.parametrize("lam", [0.9, 0.001])
@pytest.mark.parametrize(
    ("name", "algorithm"),
    [("two actions", "actor-critic-continuing"), ("tiles", "actor-critic"), ("tiled raft", "actor-critic")],
)
def test_rows_are_brought_up_to_date_however_seldom(name, algorithm, lam, monkeypatch):
    """Within an episode, too, and rows that are not active for long are dropped."""
    monkeypatch.setattr(step_lists, "STEPS", 3)
    changes = {"lam": lam, "lam_value": lam / 2}
    learned = in_plain_python(engine(name, algorithm, **changes), monkeypatch)
    for run in range(2):
        expected = StepTrainer(engine(name, algorithm, **changes), run).train(4)
        np.testing.assert_allclose(learned.theta[run].ravel(), expected.theta, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(learned.value_weights[run], expected.weights, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["tabular traces", "tiles"])
def test_a_run_left_within_an_episode_has_learned_of_all_its_steps(name, monkeypatch):
    """Its θ is that after so many steps, and what lanes use is prepared of it."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    left = engine(name, runs=1)
    job = left._job(left._learner, 0, 4, threads=1)
    job.prepare()
    job.budget = 2
    job.advance(None)
    job.settle()
    lanes = job.workers[0].workspace.lanes
    steps = int(lanes.counter[0, 0]) - 1
    assert steps >= 2
    assert lanes.episode[0] == 0
    expected = StepTrainer(engine(name), 0)
    expected.traits = replace(expected.traits, max_steps=steps)
    expected.train(1)
    np.testing.assert_allclose(left.theta[0].ravel(), expected.theta, rtol=1e-10, atol=1e-12)
    prepared = left._learner.runs.copy()
    derive_all(left.model, left._learner)
    np.testing.assert_allclose(left._learner.runs, prepared, rtol=1e-12)


def test_the_reward_per_step_of_access_control():
    """Within 2 % of the best, for each of ten runs: what their policies get in the long run, exactly."""
    learned = Engine("AccessControl", algorithm="actor-critic-continuing", runs=10)
    learned.learn(300)
    mdp = learned.source.table.mdp if hasattr(learned.source.table, "mdp") else learned.source.table
    best = exact.optimum(mdp, setting="average").J
    for theta in learned.theta:
        policy = np.exp(theta - theta.max(axis=1, keepdims=True))
        found = exact.evaluate(mdp, policy / policy.sum(axis=1, keepdims=True), setting="average")
        assert found.J > 0.98 * best


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"env": "CartPole-v1", "replacing": True}, "replacing is on, but features of the linear policy are not just"),
        ({"env": "FrozenLake-v1", "optimizer": "adam"}, "optimizer is 'adam', but of a table"),
        ({"env": "FrozenLake-v1", "lam": 1.5}, "lam is 1.5: it must be at most 1"),
        ({"env": "FrozenLake-v1", "batch": 4}, "batch is 4, but with actor-critic"),
        ({"env": "FrozenLake-v1", "lr_average": 0.5}, "lr_average is 0.5, which actor-critic has no use for"),
    ],
)
def test_what_cannot_be_served_is_said(choices, message):
    with pytest.raises(PgfastError, match=message):
        Engine(algorithm="actor-critic", **choices)


def test_agents_learn_by_it_online_without_traces():
    one_step = Engine("FrozenLake-v1", algorithm="actor-critic")
    with pytest.raises(PgfastError, match="θ of actor-critic moves at every step"):
        one_step.agent(learn="episode")
    with pytest.raises(PgfastError, match="An agent that learns online is the one-step"):
        Engine("FrozenLake-v1", algorithm="actor-critic", lam=0.5).agent(learn="online")


class Outside(gymnasium.Env):
    """Something that Gymnasium steps."""

    observation_space, action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,)), gymnasium.spaces.Discrete(2)


def test_environments_that_gymnasium_steps_are_refused():
    with pytest.raises(PgfastError, match="θ moves at every step of this algorithm"):
        Engine(Outside, algorithm="actor-critic").learn(2)
