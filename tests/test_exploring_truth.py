"""What the all-action gradient, PGPE and the gradient bandit estimate and learn, against what is known exactly. A right
estimator fails one of these tests once in a hundred thousand times."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import problems
import pytest
from commands import answer_here as answer
from commands import here as pgfast
from gymnasium.spaces import Box
from scipy import stats

from pgfast import Engine, PgfastError, TabularMDP, exact

FALSE_ALARM = 1e-5
RUNS = 4000  # estimates


def assert_unbiased(estimates, truth):
    """Each component's mean is within the bound that all keep together but for false alarms."""
    error = estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))
    bound = stats.norm.isf(FALSE_ALARM / (2 * truth.size))
    assert np.all(np.abs(estimates.mean(axis=0) - truth) <= bound * error + 1e-12)


# ---- expected


class Known(NamedTuple):
    mdp: TabularMDP
    truth: exact.Evaluation
    theta: np.ndarray
    pi: np.ndarray

    def estimates(self, q):
        """Of ∇J by the all-action gradient with the weights q, (RUNS, S A), of an episode each."""
        engine = Engine(
            self.mdp, algorithm="expected", gamma=0.9, discount_factor=True, optimizer="sgd", lr=1.0, batch=1,
            runs=RUNS, theta0=self.theta,
        )  # fmt: skip
        learner, before = engine._learner, engine.theta
        learner.runs[:, learner.weights_at : learner.weights_at + q.size] = q.reshape(-1)
        engine.learn(1)
        return (engine.theta - before).reshape(RUNS, -1)


@pytest.fixture(scope="module")
def known():
    short = problems.random_mdp()
    mdp = TabularMDP.from_outcomes(short.outcomes, short.rho0, max_steps=1000)  # no episode is cut
    theta = problems.preferences(mdp)
    pi = np.exp(theta) / np.exp(theta).sum(axis=1, keepdims=True)
    return Known(mdp, exact.evaluate(mdp, pi, gamma=0.9), theta, pi)


def test_with_the_exact_q_the_estimate_is_unbiased_and_has_less_variance(known):
    estimates = known.estimates(known.truth.Q)
    assert_unbiased(estimates, known.truth.gradient.reshape(-1))
    scores = exact.table_policy(5, 3).scores(known.theta.reshape(-1))
    reinforce = exact.episode_variance(known.mdp, known.pi, scores, gamma=0.9)
    assert estimates.var(axis=0).sum() < reinforce.variance.sum() / 5


def test_with_a_wrong_q_the_bias_is_that_of_the_theorem(known):
    q = known.truth.Q + np.random.default_rng(3).normal(size=known.pi.shape)
    advantage = q - (known.pi * q).sum(axis=1, keepdims=True)
    should_be = known.truth.occupancy[:, None] * known.pi * advantage
    assert np.abs(should_be - known.truth.gradient).max() > 0.1
    assert_unbiased(known.estimates(q), should_be.reshape(-1))


def test_q_is_learned_and_with_it_the_policy(known):
    engine = Engine(known.mdp, algorithm="expected", gamma=0.9, lr=0.02, lr_value=0.2, batch=16, runs=32, episodes=8000)
    engine.learn()
    best = exact.optimum(known.mdp, gamma=0.9)
    for theta in engine.theta:
        pi = np.exp(theta) / np.exp(theta).sum(axis=1, keepdims=True)
        assert exact.evaluate(known.mdp, pi, gamma=0.9).J > 0.97 * best.J


def test_compiled_and_uncompiled_kernels_of_expected_agree_bit_for_bit(monkeypatch):
    choices = {"algorithm": "expected", "entropy": 0.1, "optimizer": "adam"}
    compiled, plain = (problems.engine("tabular", "runs", **choices) for _ in range(2))
    compiled.learn()
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):
        plain.learn(threads=1)
    assert plain.digest() == compiled.digest()
    np.testing.assert_array_equal(plain.value_weights, compiled.value_weights)


# ---- PGPE


class Target(NamedTuple):
    """A real action is to hit a number: the return is −(w · x − c)², a square whose mean around any θ is known."""

    x: tuple[float, float] = (1.0, -0.5)
    c: float = 0.7

    max_steps = 1

    @property
    def observation_space(self):
        return Box(-2.0, 2.0, (2,), np.float64)

    @property
    def action_space(self):
        return Box(-np.inf, np.inf, (1,), np.float64)

    def reset(self, key):
        return self.x

    def step(self, state, action, key):
        miss = action - self.c
        return state, -miss * miss, True


def test_pgpe_estimates_the_gradient_of_the_smoothed_return(monkeypatch):
    """E_ε[J(μ + ε)] = −(μ · x − c)² − Σ_k (σ_k x_k)². In batches of a pair, with the first of σ in every run."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    mu, sigma, runs = np.array([0.3, 0.8]), 0.6, 400
    engine = Engine(
        Target(), algorithm="pgpe", bias=False, theta0=[*mu, 0.0], sigma0=sigma, optimizer="sgd", lr=1.0, lr_sigma=1.0,
        batch=2, runs=runs, baseline="none",
    )  # fmt: skip
    before = engine.theta
    engine.learn(2, threads=1)
    x = np.array(Target().x)
    slope = -2 * (mu @ x - Target().c) * x
    assert_unbiased((engine.theta - before)[:, 0, :2], slope)
    assert_unbiased(engine.value_weights[:, :2], -2 * sigma**2 * x**2)
    np.testing.assert_array_equal((engine.theta - before)[:, 0, 2], 0.0)  # means alone are played


@pytest.fixture(scope="module")
def cartpole():
    """Trained by the preset."""
    engine = Engine("CartPole-v1", algorithm="pgpe", episodes=2000)
    engine.learn()
    return engine


def test_pgpe_balances_the_pole(cartpole):
    assert cartpole.evaluate(200).mean >= 475
    assert cartpole.predict((0.0, 0.0, 0.1, 0.5)) == 1  # the preferred action


def test_nothing_of_pgpe_depends_on_threads_or_other_runs():
    choices = {"algorithm": "pgpe", "batch": 512, "episodes": 1024}
    alone, *others = (Engine("CartPole-v1", **choices, runs=k) for k in (1, 1, 3))
    for threads, engine in enumerate((alone, *others), 1):
        engine.learn(threads=threads)
        np.testing.assert_array_equal(engine.theta[0], alone.theta[0])
        np.testing.assert_array_equal(engine.value_weights[0], alone.value_weights[0])


def test_pgpe_goes_on_where_it_was_saved(cartpole, tmp_path):
    cartpole.save(tmp_path / "one")
    again = Engine.load(tmp_path / "one")
    np.testing.assert_array_equal(again.value_weights, cartpole.value_weights)
    assert np.any(again.value_weights != 0.0)
    twin = Engine.load(tmp_path / "one")
    twin.learn(64)
    again.learn(32)
    again.learn(32)
    assert twin.digest() == again.digest() != cartpole.digest()


# ---- what can't be served

REFUSED = {
    "expected and real actions": ("Pendulum-v1", "expected", {}, "expected sums over all actions, which real ones"),
    "a family": ("FrozenLake-v1", "expected", {"policy": "exponential-family"}, "'exponential-family', which expected"),
    "a baseline": ("FrozenLake-v1", "expected", {"baseline": "value"}, "a sum over all actions has no use for"),
    "more than a share": ("FrozenLake-v1", "expected", {"lr_value": 2.0}, "lr_value is 2, but with expected it is the"),
    "a table": ("FrozenLake-v1", "pgpe", {}, "none for the policy 'tabular': choose policy 'linear' with"),
    "tiles": ("MountainCar-v0", "pgpe", {"features": "tiles"}, "none for the features 'tiles': choose policy 'linear'"),
    "half a pair": ("CartPole-v1", "pgpe", {"batch": 5}, "batch is 5, but pgpe plays episodes in pairs: .* such as 6"),
    "leave-one-out": ("CartPole-v1", "pgpe", {"baseline": "batch"}, "baseline is 'batch': with pgpe it must be"),
    "entropy": ("CartPole-v1", "pgpe", {"entropy": 0.1}, "with pgpe the preferred actions are played"),
    "no σ": ("CartPole-v1", "pgpe", {"sigma0": 0.0}, "sigma0 is 0.0: it must be more than 0"),
    "σ of others": ("CartPole-v1", "reinforce", {"sigma0": 2.0}, "sigma0 is 2.0, which reinforce has no use for"),
    "states": ("FrozenLake-v1", "gradient-bandit", {}, "gradient-bandit learns a preference for each arm"),
    "numbers": ("CartPole-v1", "gradient-bandit", {}, "gradient-bandit learns a preference for each arm"),
    "many pulls": ("KArmedBandit", "gradient-bandit", {"batch": 2}, "with gradient-bandit every pull is an update"),
    "a critic": ("KArmedBandit", "gradient-bandit", {"baseline": "value"}, "with gradient-bandit it must be 'mean'"),
}


@pytest.mark.parametrize(("env", "algorithm", "choices", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input(env, algorithm, choices, message):
    with pytest.raises(PgfastError, match=message):
        Engine(env, algorithm=algorithm, **choices)


def test_a_bandit_that_goes_on_is_refused():
    endless = TabularMDP(np.ones((1, 2, 1)), np.ones((1, 2, 1)), [1.0], max_steps=5)
    with pytest.raises(PgfastError, match="gradient-bandit needs episodes of one step"):
        Engine(endless, algorithm="gradient-bandit")


def test_on_the_command_line(tmp_path):
    said = answer("train", "CartPole-v1", "--algorithm", "pgpe", "--episodes", 320, "--out", tmp_path / "run")
    assert said["algorithm"] == "pgpe"
    judged = answer("evaluate", tmp_path / "run", "--episodes", 50)
    assert judged["deterministic"]
    assert pgfast("train", "FrozenLake-v1", "--algorithm", "pgpe", "--out", tmp_path / "no").returncode == 2
