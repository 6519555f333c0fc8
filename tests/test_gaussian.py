"""The Gaussian policy: distribution, samples, scores, gradients; what goes into its engine, and what comes out."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import problems
import pytest
import reference
from gymnasium.spaces import Box, Discrete
from scipy import stats

from pgfast import Engine, uniform
from pgfast.compiler import store_column
from pgfast.kernels.learner import make_room
from pgfast.policies.gaussian import clip
from pgfast.protocol import act, load, tape_score

FALSE_ALARM = 1e-6  # of a statistical test; seeds are fixed, so it comes true always or never
OBSERVATIONS = {  # a state of each problem and what the policy sees in it
    "glider": [((0.7, -0.4), (0.7, -0.4)), ((-1.2, 0.1), (-1.2, 0.1))],
    "raft": [((0.7, -0.4, 3), (0.7, -0.4, 0.3)), ((-1.2, 0.1, 0), (-1.2, 0.1, 0.0))],
}
CASES = [(problem, *seen) for problem, pairs in OBSERVATIONS.items() for seen in pairs]


class Bowl(NamedTuple):
    """One step; what it pays is a quadratic function of two numbers, and of chance."""

    bound: float = math.inf
    noise: float = 0.5

    max_steps = 1

    @property
    def observation_space(self):
        return Discrete(1)

    @property
    def action_space(self):
        return Box(-self.bound, self.bound, (2,), np.float64)

    def reset(self, key):
        return 0

    def step(self, state, action, key):
        a, b = action
        return state, a * b - (a - 1.0) ** 2 - 2.0 * (b + 0.5) ** 2 + self.noise * (uniform(key, 0) - 0.5), True


def fresh(problem: str, **changes: Any) -> Engine:
    return problems.engine(problem, "runs", **{"runs": 1, **changes})


def exact(engine: Engine) -> reference.Gaussian:
    return reference.Gaussian(engine.source.env.action_space, engine.settings.std0)


def features(engine: Engine, observation: Any) -> np.ndarray:
    return reference.Features(engine).x(observation)


# ---- what is drawn, and its score


@pytest.mark.parametrize(("problem", "state", "observation"), CASES)
def test_distribution(problem: str, state: Any, observation: Any) -> None:
    engine = fresh(problem)
    mean, std = exact(engine).distribution(features(engine, observation), engine.theta[0])
    found = engine.distribution(observation)
    np.testing.assert_allclose(np.ravel(found.mean), mean, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(np.ravel(found.std), std, rtol=1e-13)
    assert isinstance(found.mean, float) == (problem == "glider")
    many = engine.distribution([observation] * 3)
    np.testing.assert_array_equal(many.std, [found.std] * 3)
    np.testing.assert_allclose(many.mean, [found.mean] * 3, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("deterministic", [0, 1])
@pytest.mark.parametrize(("problem", "state", "observation"), CASES)
def test_lanes_draw_clip_and_score(problem: str, state: Any, observation: Any, deterministic: int) -> None:
    engine = fresh(problem)
    model, like = engine.model, engine.traits.like
    w = model.workspace(like, 0, False)
    z = np.array([-9.0, -1.5, 0.0, 0.25, 2.0, 9.0])
    for i in range(len(z)):
        load(model.memory(1.0, 0, False, 8), engine._learner, w, i, 0)
        store_column(w.lanes.state, w.lanes.state_int, i, state, like)
    w.lanes.normals[:, : len(z)] = z
    act(model.policy, engine.source.env, like, len(z), w, engine._learner, deterministic)
    policy, size = exact(engine), model.n_reals
    mean, std = policy.distribution(features(engine, observation), engine.theta[0])
    drawn = mean[:, None] + std[:, None] * (z if deterministic == 0 else 0.0 * z)
    np.testing.assert_allclose(w.memory.h[:, : len(z)], drawn, rtol=1e-13)
    taken = np.clip(drawn, policy.low[:, None], policy.high[:, None])
    np.testing.assert_allclose(w.lanes.reals[:, : len(z)], taken, rtol=1e-13)
    assert np.all(np.isfinite(w.lanes.reals))
    if deterministic == 0:
        np.testing.assert_allclose(w.memory.c[:size, : len(z)], z / std[:, None], rtol=1e-13)
        np.testing.assert_allclose(w.memory.c[size:, : len(z)], np.tile(z**2 - 1, (size, 1)), rtol=1e-13)
        entropy = policy.entropy(features(engine, observation), engine.theta[0])
        np.testing.assert_allclose(w.lanes.entropy[: len(z)], entropy, rtol=1e-13)


def slope(f: Any, theta: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient of f by central differences."""
    return np.array([(f(theta + d) - f(theta - d)) / (2 * step) for d in np.eye(len(theta)) * step])


@pytest.mark.parametrize(("problem", "state", "observation"), CASES)
def test_scores_are_slopes(problem: str, state: Any, observation: Any) -> None:
    engine = fresh(problem)
    model, policy, theta, x = engine.model, exact(engine), engine.theta.reshape(-1), features(engine, observation)
    tape, room = model.memory(1.0, 0, True, 4), make_room(model.n_parameters, 0, model.n_outputs)
    tape.x[0, 0] = x
    for drawn in (np.full(model.n_reals, 0.3), np.linspace(-2.0, 1.5, model.n_reals)):
        tape.drawn[0, 0] = drawn
        for scale, entropy_scale in ((1.0, 0.0), (0.0, 1.0), (-0.7, 0.2)):

            def objective(th: np.ndarray, a: Any = drawn, s: float = scale, e: float = entropy_scale) -> float:
                return s * policy.log_density(x, th, a) + e * policy.entropy(x, th)

            assert tape_score(model.policy, engine._learner, 0, tape, 0, 0, scale, entropy_scale, room) == (
                0,
                model.n_parameters,
            )
            expected = slope(objective, theta)
            np.testing.assert_allclose(room.numbers[: model.n_parameters], expected, atol=1e-8)
            own = scale * policy.score(x, theta, drawn) + entropy_scale * policy.entropy_gradient(x, theta)
            np.testing.assert_allclose(own, expected, atol=1e-8)


@pytest.mark.parametrize("entropy", [0.0, 1.0])
@pytest.mark.parametrize("schedule", ["runs", "in_loop"])
def test_compiled_gradients_are_slopes(schedule: str, entropy: float) -> None:
    """After one step, SGD has moved θ along the slope of Σ (R log π(A|S) + β H(π(·|S))), seen from the old θ."""
    baseline = {"baseline": "value", "lr_value": 1e-300} if schedule == "in_loop" else {}  # as it is compiled elsewhere
    episodes = 1 if schedule == "in_loop" else problems.SCHEDULES[schedule]["batch"]
    changes = {**baseline, "max_steps": 1, "entropy": entropy, "optimizer": "sgd"}
    engine = problems.engine("raft", schedule, episodes=episodes, lr=0.125, **changes)
    played = reference.train(problems.engine("raft", schedule, **{**changes, "lr": 1e-9, "in_loop": False}), episodes)
    before = engine.theta.reshape(engine.settings.runs, -1)
    engine.learn()
    found = (engine.theta.reshape(before.shape) - before) / 0.125
    for run, trainer in enumerate(played):

        def objective(theta: np.ndarray, batch: Any = trainer.episodes, policy: Any = trainer.policy) -> float:
            return float(np.mean([
                e.rewards[0] * policy.log_density(e.x[0], theta, e.actions[0]) + entropy * policy.entropy(e.x[0], theta)
                for e in batch
            ]))  # fmt: skip

        np.testing.assert_allclose(found[run], slope(objective, before[run]), atol=1e-7)


@pytest.fixture(scope="module")
def bowl() -> Engine:
    theta0 = [0.2, -0.3, -0.4, 0.25]
    return Engine(
        Bowl(), policy="gaussian", batch=4000, runs=16, baseline="mean", optimizer="sgd", lr=1.0, theta0=theta0, seed=5
    )


def test_gradient_of_a_quadratic(bowl: Engine) -> None:
    """J = μν − (μ − 1)² − σ² − 2 (ν + ½)² − 2 τ² for a ~ N(μ, σ²), b ~ N(ν, τ²)."""
    before = bowl.theta[0].reshape(-1)
    (mu, nu), (sigma, tau) = bowl.distribution(0)
    slope = [nu - 2 * (mu - 1), -2 * sigma**2, mu - 4 * (nu + 0.5), -4 * tau**2]
    bowl.learn(4000)
    found = bowl.theta.reshape(16, -1) - before
    t = (found.mean(axis=0) - slope) / (found.std(axis=0, ddof=1) / math.sqrt(16))
    assert np.all(2 * stats.t.sf(np.abs(t), 15) > FALSE_ALARM)


def test_actions_are_normal_and_independent(bowl: Engine) -> None:
    actions = bowl.predict(np.zeros(100_000, int), run=3)
    mean, std = bowl.distribution(0, run=3)
    z = (actions - mean) / std
    for numbers in (z[:, 0], z[:, 1], (z[:, 0] + z[:, 1]) / math.sqrt(2), (z[1:, 0] - z[:-1, 1])[::2] / math.sqrt(2)):
        assert stats.kstest(numbers, "norm").pvalue > FALSE_ALARM
    assert stats.pearsonr(z[:, 0] ** 2, z[:, 1] ** 2).pvalue > FALSE_ALARM


def test_actions_are_clipped() -> None:
    engine = Engine(Bowl(bound=1.0), theta0=[0.2, 0.0, -0.4, 0.0], std0=[0.8, 2.0], seed=1)
    actions = engine.predict(np.zeros(50_000, int))
    assert np.abs(actions).max() == 1.0
    outside = stats.norm.sf(1.0, [0.2, -0.4], [0.8, 2.0]) * 50_000
    z = ((actions == 1.0).sum(axis=0) - outside) / np.sqrt(outside)
    assert np.all(2 * stats.norm.sf(np.abs(z)) > FALSE_ALARM)
    assert engine.predict(0, deterministic=True).tolist() == [0.2, -0.4]


def test_it_learns_where_the_maximum_is() -> None:
    """…of −(a − 1)² − 2 (b + ½)² + ab, by Adam: where 2a − b = 2 and 4b − a = −2."""
    engine = Engine(Bowl(), batch=4000, runs=16, baseline="mean", optimizer="adam", lr=0.05, seed=6)
    engine.learn(4000 * 200)
    mean, std = engine.distribution(0)
    np.testing.assert_allclose(mean, [6 / 7, -2 / 7], atol=0.05)
    assert np.all(std < 0.2)
    assert engine.evaluate(1000, deterministic=True).mean == pytest.approx(-5 / 14, abs=0.05)


def test_the_log_has_the_entropy() -> None:
    engine = problems.short_engine("raft runs")
    curve = engine.learn(3, threads=1).curve
    expected = exact(engine).entropy(np.zeros(4), fresh("raft").theta[0])
    np.testing.assert_allclose(curve.entropy, expected, rtol=1e-12)


# ---- at the edges


@pytest.mark.parametrize("rho", [-1e308, -800.0, 800.0, 1e308])
@pytest.mark.parametrize("weight", [0.0, 1e308, -1e308])
def test_any_parameters(rho: float, weight: float) -> None:
    """Actions stay in the Box, and a run that can't go on says so."""
    with np.errstate(over="ignore", invalid="ignore"):
        engine = problems.engine("raft", "runs", env=problems.Raft(), theta0=[weight, -weight, 0, 0, rho] * 2)
    for deterministic in (False, True):
        actions = engine.predict(np.random.default_rng(1).normal(size=(500, 3)), deterministic=deterministic)
        assert np.all((actions[:, 0] >= -0.5) & (actions[:, 0] <= 1.0))
        assert np.all(np.isfinite(actions))


def test_what_is_no_number_is_clipped_too() -> None:
    """So a mean that has overflowed never reaches the environment as NaN."""
    assert [clip(x, -1.0, 2.0) for x in (math.nan, -math.inf, math.inf, 0.5)] == [-1.0, -1.0, 2.0, 0.5]


def test_a_spread_that_has_vanished_ends_a_run() -> None:
    engine = problems.engine("glider", "batches", theta0=[0.1, 0.0, 0.0, -800.0], batch=17, episodes=17)
    result = engine.learn()
    assert [run for run, _ in result.failed] == [0, 1]
    assert np.all(np.isfinite(engine.theta))
