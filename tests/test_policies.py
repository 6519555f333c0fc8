"""Policies: probabilities, samples, scores and gradients of the entropy; in plain Python and in compiled kernels."""

from typing import NamedTuple

import numpy as np
import problems
import pytest
import reference
from gymnasium.spaces import Box, Discrete
from scipy import stats

from pgfast import Engine, TabularMDP
from pgfast.compiler import store_column
from pgfast.kernels.learner import make_room
from pgfast.protocol import act, load, tape_score

FALSE_ALARM = 1e-6  # of a statistical test; seeds are fixed, so it comes true always or never
HUGE = 1e308

OBSERVATIONS = {  # a state of each problem and what the policy sees in it
    "linear": [((0.7, -0.4, 3), (0.7, -0.4, -0.28, 0.3)), ((-1.2, 0.1, 0), (-1.2, 0.1, -0.12, 0.0))],
    "features": [((0.7, -0.4, 3), (0.7, -0.4, -0.28, 0.3)), ((-1.2, 0.1, 0), (-1.2, 0.1, -0.12, 0.0))],
    "cartpole": [((0.3, -0.8, 0.1, 1.1), (0.3, -0.8, 0.1, 1.1))],
    "corridor": [(0, 0), (2, 0)],
    "tabular": [(0, 0), (3, 3)],
    "one-hot": [(0, 0), (3, 3)],
}
CASES = [(problem, *seen) for problem, pairs in OBSERVATIONS.items() for seen in pairs]


class OneAction(NamedTuple):
    """There is nothing to choose."""

    max_steps = 3

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (2,), np.float64)

    @property
    def action_space(self):
        return Discrete(1)

    def reset(self, key):
        return 0.0, 1.0

    def step(self, state, action, key):
        return (state[0] + 1.0, state[1]), 1.0, False


def fresh(problem, **changes):
    return problems.engine(problem, "runs", **{"runs": 1, **changes})


def actions_at(engine, state, uniforms, deterministic=0):
    """The actions of up to LANES lanes that are all in one state, each with a random number of its own."""
    model, like = engine.model, engine.traits.like
    w = model.workspace(like, 0, False)
    memory = model.memory(1.0, 0, False, 8)
    for i in range(len(uniforms)):
        load(memory, engine._learner, w, i, 0)
        store_column(w.lanes.state, w.lanes.state_int, i, state, like)
    w.lanes.uniforms[0, : len(uniforms)] = uniforms
    act(model.policy, engine.source.env, like, len(uniforms), w, engine._learner, deterministic)
    return w.lanes.action[: len(uniforms)].copy(), w


def gradient_on_tape(engine, observation, action, scale, entropy_scale):
    """What an update within the episode would add to θ for one step."""
    model, seen = engine.model, reference.Features(engine)
    memory = model.memory(1.0, 0, True, 4)
    if model.tabular:
        memory.index[0, 0] = observation * model.n_actions + action
    else:
        memory.action[0, 0] = action
        x = seen.v(observation) if model.name == "linear" else seen.x(observation).reshape(-1)
        memory.x[0, 0] = x
    room = make_room(model.n_parameters, 0, model.n_actions)
    first, last = tape_score(model.policy, engine._learner, 0, memory, 0, 0, scale, entropy_scale, room)
    gradient = np.zeros(model.n_parameters)
    gradient[first:last] = room.numbers[first:last]
    return gradient


def slope(f, theta, step=1e-5):
    """The gradient of f by central differences."""
    directions = np.eye(len(theta)) * step
    return np.array([(f(theta + d) - f(theta - d)) / (2 * step) for d in directions])


def log_probability(x, theta, action):
    return np.log(reference.softmax(x @ theta)[action])


# ---- probabilities and samples


@pytest.mark.parametrize(("problem", "state", "observation"), CASES)
def test_probabilities(problem, state, observation):
    engine = fresh(problem)
    p = engine.probabilities(observation)
    x = reference.Features(engine).x(observation)
    assert p.sum() == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_allclose(p, reference.softmax(x @ engine.theta.reshape(-1)), rtol=1e-13)


@pytest.mark.parametrize(("problem", "state", "observation"), CASES)
def test_lanes_sample_by_comparing_cumulative_probabilities(problem, state, observation):
    engine = fresh(problem)
    p = engine.probabilities(observation)
    bounds = np.cumsum(p)[:-1]
    u = np.concatenate([[0.0, 1 - 2.0**-52], bounds - 1e-12, bounds + 1e-12])
    actions, w = actions_at(engine, state, u)
    n = len(p)
    np.testing.assert_array_equal(actions, [0, n - 1, *range(n - 1), *range(1, n)])
    if not engine.model.tabular:  # whose lanes know neither probability nor score
        c = np.eye(n)[actions].T - p[:, None]
        np.testing.assert_allclose(w.memory.c[:, : len(u)], c, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(w.lanes.probability[: len(u)], p[actions], rtol=1e-12)


@pytest.mark.parametrize(("problem", "schedule"), [("linear", "batches"), ("features", "batches")])
def test_how_often_each_action_is_taken(problem, schedule):
    """Each action in turn is the only one that pays, for one step of the same many episodes."""
    n, counts = 10**6, []
    for name in ("left", "stay", "right"):
        pays = {"left": 0.0, "stay": 0.0, "right": 0.0, "cost": 0.0, "spread": 0.0, name: 1.0}
        engine = problems.engine(problem, schedule, runs=1, env=problems.Drift(**pays), max_steps=1)
        counts.append(round(engine.evaluate(n).mean * n))
    assert sum(counts) == n
    expected = n * engine.probabilities((0.0, 0.0, 0.0, 0.0))
    assert stats.chisquare(counts, expected).pvalue > FALSE_ALARM


def test_how_often_each_action_of_a_table_is_taken():
    n, counts = 10**6, []
    for action in range(5):
        mdp = TabularMDP(np.ones((1, 5, 1)), np.eye(5)[None, action], [1.0], terminal=[], max_steps=1)
        engine = problems.engine("tabular", "batches", runs=1, env=mdp, theta0=[0.3, -1.0, 0.0, 2.0, 0.5])
        counts.append(round(engine.evaluate(n).mean * n))
    assert sum(counts) == n
    assert stats.chisquare(counts, n * engine.probabilities(0)).pvalue > FALSE_ALARM


def test_two_actions_of_a_corridor():
    """With no switched state an episode over two states lasts until the first step right: a geometric number."""
    n, corridor = 10**6, {"length": 2, "switched": 5}
    engine = problems.engine("corridor", "runs", runs=1, env_parameters=corridor, max_steps=20_000)
    p = engine.probabilities(0)[1]
    z = (engine.evaluate(n).mean + 1 / p) / np.sqrt((1 - p) / p**2 / n)
    assert 2 * stats.norm.sf(abs(z)) > FALSE_ALARM


def test_predict_samples():
    engine = fresh("tabular")
    actions = engine.predict(np.full(50_000, 3))
    p = stats.chisquare(np.bincount(actions, minlength=3), 50_000 * engine.probabilities(3)).pvalue
    assert p > FALSE_ALARM
    assert np.any(engine.predict(np.full(50, 3)) != engine.predict(np.full(50, 3)))


# ---- greedy


@pytest.mark.parametrize(("problem", "state", "observation"), CASES)
def test_the_first_of_equals_is_preferred(problem, state, observation):
    engine = fresh(problem, theta0=0.7 if problem == "corridor" else 0.0)
    assert actions_at(engine, state, np.zeros(3), deterministic=1)[0].tolist() == [0, 0, 0]
    assert engine.predict(observation, deterministic=True) == engine.traits.first_action


@pytest.mark.parametrize("problem", ["linear", "one-hot", "tabular"])
def test_the_first_of_those_with_the_largest_preference(problem):
    theta = np.tile([[-1.0], [2.0], [2.0]], 5)
    engine = fresh(problem, theta0=list((theta.T if problem == "tabular" else theta).reshape(-1)))
    state, observation = (3, 3) if problem != "linear" else ((0.7, 0.1, 3), (0.7, 0.1, 0.07, 0.3))
    assert actions_at(engine, state, np.zeros(1), deterministic=1)[0] == [1]
    assert engine.predict(observation, deterministic=True) == engine.traits.first_action + 1


@pytest.mark.parametrize("problem", ["linear", "features", "tabular"])
def test_compiled_greedy_actions(problem):
    """Of equals the first, which pays 1 a step."""
    env = problems.Drift(left=1.0, stay=0.0, right=0.0, cost=0.0)
    if problem == "tabular":
        env = TabularMDP(np.ones((1, 3, 1)), [[1.0, 0.0, 0.0]], [1.0], terminal=[])
    engine = problems.engine(problem, "batches", env=env, theta0=0.0, max_steps=1)
    assert engine.evaluate(1000, deterministic=True).mean == 1.0
    assert engine.evaluate(1000).mean < 0.5


# ---- scores


@pytest.mark.parametrize(("problem", "state", "observation"), CASES)
def test_scores_of_a_tape(problem, state, observation):
    engine = fresh(problem)
    theta, x = engine.theta.reshape(-1), reference.Features(engine).x(observation)
    for action in range(engine.model.n_actions):
        expected = slope(lambda th, a=action: log_probability(x, th, a), theta)
        np.testing.assert_allclose(gradient_on_tape(engine, observation, action, 1.0, 0.0), expected, atol=1e-9)
        np.testing.assert_allclose(reference.score(x, theta, action), expected, atol=1e-9)
    expected = slope(lambda th: reference.entropy(x, th), theta)
    np.testing.assert_allclose(gradient_on_tape(engine, observation, 0, 0.0, 1.0), expected, atol=1e-9)
    np.testing.assert_allclose(reference.entropy_gradient(x, theta), expected, atol=1e-9)


@pytest.mark.parametrize("entropy", [0.0, 1.0])
@pytest.mark.parametrize(
    ("problem", "schedule"),
    [
        ("linear", "batches"),
        ("linear", "runs"),
        ("features", "batches"),
        ("corridor", "runs"),
        ("corridor", "in_loop"),
        ("tabular", "batches"),
        ("tabular", "runs"),
        ("tabular", "in_loop"),
    ],
)
def test_compiled_gradients_are_slopes(problem, schedule, entropy):
    """After one step, SGD has moved θ along the slope of Σ (R log π(A|S) + β H(π(·|S))), seen from the old θ."""
    episodes = 1 if schedule == "in_loop" else problems.SCHEDULES[schedule]["batch"]
    engine = problems.engine(problem, schedule, episodes=episodes, max_steps=1, lr=0.125, entropy=entropy)
    played = reference.train(problems.engine(problem, schedule, max_steps=1, lr=1e-9, in_loop=False), episodes)
    before = engine.theta.reshape(engine.settings.runs, -1)
    engine.learn()
    found = (engine.theta.reshape(before.shape) - before) / 0.125
    for run, trainer in enumerate(played):

        def objective(theta, batch=trainer.episodes):
            return np.mean([
                e.rewards[0] * log_probability(e.x[0], theta, e.actions[0]) + entropy * reference.entropy(e.x[0], theta)
                for e in batch
            ])  # fmt: skip

        np.testing.assert_allclose(found[run], slope(objective, before[run]), atol=1e-8)


# ---- at the edges


@pytest.mark.parametrize("logits", [(HUGE, -HUGE, 0.0), (HUGE, HUGE, HUGE), (-HUGE, -HUGE, -HUGE), (-HUGE, HUGE, HUGE)])
@pytest.mark.parametrize("problem", ["tabular", "one-hot", "linear"])
def test_any_logits(problem, logits):
    theta = np.zeros((3, 5))
    theta[:, 3 if problem != "linear" else 4] = logits  # of observation 3, or of the constant feature
    engine = fresh(problem, theta0=list((theta.T if problem == "tabular" else theta).reshape(-1)))
    state, observation = (3, 3) if problem != "linear" else ((0.7, 0.1, 3), (0.7, 0.1, 0.07, 0.3))
    largest = np.array(logits) == max(logits)
    p = largest / largest.sum()
    np.testing.assert_array_equal(engine.probabilities(observation), p)
    with np.errstate(over="ignore", under="ignore"):
        actions, _ = actions_at(engine, state, np.linspace(0, 1 - 2.0**-52, 60))
        assert set(actions) == set(np.nonzero(largest)[0])
        assert actions_at(engine, state, [0.5], deterministic=1)[0] == [np.argmax(logits)]
        for action in np.nonzero(largest)[0]:
            x = reference.Features(engine).x(observation)
            found = gradient_on_tape(engine, observation, action, 1.0, 0.0)
            np.testing.assert_allclose(found, x[action] - p @ x, atol=1e-15)
        found = gradient_on_tape(engine, observation, int(np.argmax(logits)), 0.0, 1.0)
        np.testing.assert_allclose(found, 0.0, atol=1e-15)


@pytest.mark.parametrize(
    ("logits", "mean"),
    [((HUGE, -HUGE), -30.0), ((-HUGE, HUGE), -1.0), ((710.0, -710.0), -30.0), ((-800.0, 0.0), -1.0)],
)
def test_a_certain_action_in_a_corridor(logits, mean):
    corridor = {"length": 2, "switched": 5}
    engine = problems.engine("corridor", "runs", env_parameters=corridor, theta0=list(logits), max_steps=30)
    assert engine.evaluate(100).mean == mean
    assert engine.learn().failed == ()
    np.testing.assert_allclose(engine.theta, np.tile(logits, (3, 1)), rtol=1e-15, atol=1e-300)  # nothing to learn


@pytest.mark.parametrize(("problem", "schedule"), [("linear", "runs"), ("linear", "batches"), ("tabular", "batches")])
def test_certain_actions_have_no_score(problem, schedule):
    theta = np.zeros((3, 5))
    theta[:, [4] if problem == "linear" else slice(None)] = [[-HUGE], [HUGE], [0.0]]
    theta0 = list((theta.T if problem == "tabular" else theta).reshape(-1))
    engine = problems.engine(problem, schedule, theta0=theta0, entropy=0.1)
    curve = engine.learn().curve
    np.testing.assert_array_equal(engine.theta[0].reshape(-1), theta0)
    np.testing.assert_array_equal(curve.entropy, 0.0)
    np.testing.assert_array_equal(curve.gradient_norm, 0.0)


@pytest.mark.parametrize("policy", ["linear", "state-action"])
def test_one_action(policy):
    engine = Engine(OneAction(), policy=policy, theta0=3.0)
    np.testing.assert_array_equal(engine.probabilities((0.0, 1.0)), [1.0])
    for deterministic in (0, 1):
        assert actions_at(engine, (0.0, 1.0), [0.0, 1 - 2.0**-52], deterministic)[0].tolist() == [0, 0]
    np.testing.assert_array_equal(gradient_on_tape(engine, (0.0, 1.0), 0, 1.0, 1.0), 0.0)


def test_one_action_in_a_table():
    mdp = TabularMDP(np.full((2, 1, 2), 0.5), np.ones((2, 1)), [1.0, 0.0], max_steps=5)
    engine = problems.engine("tabular", "batches", env=mdp, theta0=3.0)
    assert engine.learn().curve.mean_return.tolist() == [[5.0] * 3] * 2
    np.testing.assert_array_equal(engine.theta, 3.0)
    assert engine.evaluate(10).mean == engine.evaluate(10, deterministic=True).mean == 5.0
