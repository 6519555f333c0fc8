"""What meets the score: GAE(λ), n steps, values of truncated episodes' ends, and entropy that is paid."""

import gymnasium
import numba
import numpy as np
import problems
import pytest
import reference_signals
from reference_signals import expected_estimate
from scipy import stats

from pgfast import Engine, PgfastError
from pgfast.algorithms.advantages import make_advantages
from pgfast.algorithms.reinforce import make_reinforce

FALSE_ALARM = 1e-6  # of each test that is about means: with seeds as they are here it passes or fails for good


@pytest.fixture
def plain(monkeypatch):
    """Kernels as plain Python."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):  # compiled code doesn't warn of x / 0 in a lane that is idle
        yield


def learned(engine):
    """Parameters of all runs, and weights of the critic."""
    engine.learn(threads=1)
    return engine.theta.reshape(engine.settings.runs, -1), engine.value_weights


# ---- against definitions

LAM = {"lam": 0.7, "bootstrap": True}
STEPS = {"n_steps": 3, "bootstrap": True}
SOFT = {"entropy": 0.2, "soft": True}
SIZES = {"batches": {"batch": 17, "runs": 1, "episodes": 19}, "runs": {"runs": 2, "episodes": 7}}
CASES = [
    ("linear", "batches", {**LAM, **SOFT}),
    ("linear", "runs", {**STEPS, "discount_factor": True}),
    ("linear", "runs", {**SOFT, "baseline": "mean"}),
    ("features", "batches", {**STEPS, **SOFT, "discount_factor": True}),
    ("features", "runs", {**LAM, "entropy": 0.2, "discount_factor": True}),
    ("raft", "batches", {**LAM, **SOFT}),
    ("squashed", "runs", {**STEPS, **SOFT}),
    ("tabular", "batches", {**LAM, **SOFT}),
    ("tabular", "runs", {**STEPS, "discount_factor": True}),
    ("tabular", "runs", {**SOFT, "baseline": "batch"}),
    ("timed", "runs", {**SOFT, "lam": 0.7}),
    ("tiles", "batches", {**STEPS, **SOFT}),
    ("tiles", "runs", {**LAM, "discount_factor": True}),
    ("tiled raft", "runs", {**LAM, **SOFT}),
    ("linear", "batches", {**LAM, **SOFT, "precision": "float32"}),
    ("linear", "runs", {**STEPS, "precision": "float32"}),
]


@pytest.mark.parametrize(("problem", "schedule", "settings"), CASES)
def test_advantages_are_what_their_definitions_say(problem, schedule, settings, plain):
    engine = problems.engine(problem, schedule, **{"baseline": "value", **SIZES[schedule], **settings})
    episodes, fresh = engine.settings.episodes, Engine.from_settings(engine.settings, engine.source)
    near = {"rtol": 1e-10, "atol": 1e-12} if engine.settings.precision == "float64" else {"rtol": 1e-4, "atol": 1e-5}
    theta, weights = learned(engine)
    for run in range(engine.settings.runs):
        trained = reference_signals.Trainer(fresh, run).train(episodes)
        np.testing.assert_allclose(theta[run], trained.theta, **near)
        if engine.settings.baseline == "value":
            np.testing.assert_allclose(weights[run], trained.weights, **near)


# ---- identities

MEMORIES = [("linear", "runs"), ("linear", "batches"), ("tabular", "batches"), ("tiles", "runs")]


def both(problem, schedule, first, second):
    """What is learned with either settings."""
    common = {"baseline": "value", **SIZES[schedule]}
    return [learned(problems.engine(problem, schedule, **{**common, **s})) for s in (first, second)]


@pytest.mark.parametrize(("problem", "schedule"), MEMORIES)
def test_as_many_steps_as_an_episode_has_are_the_return_minus_the_value(problem, schedule, plain):
    """…which is GAE(1), and how REINFORCE's own kernels have it."""
    for found, expected in zip(*both(problem, schedule, {"n_steps": 9}, {}), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("problem", "schedule"), MEMORIES)
def test_one_step_is_lambda_0(problem, schedule, plain):
    for found, expected in zip(
        *both(problem, schedule, {"n_steps": 1, **LAM, "lam": 1.0}, {**LAM, "lam": 0.0}), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("problem", "schedule"), MEMORIES)
def test_lambda_1_without_values_is_reinforce(problem, schedule, plain):
    """In a critic's first batch; forward, it is the same bit for bit."""
    batch = {"episodes": SIZES[schedule].get("batch", problems.SCHEDULES[schedule]["batch"])}
    (found, _), (expected, _) = both(problem, schedule, {**batch, "n_steps": 9}, {**batch, "baseline": "none"})
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("schedule", ["batches", "runs"])
def test_lambda_1_forward_is_reinforce_bit_for_bit(schedule, plain):
    engines = [problems.engine("linear", schedule, baseline="value", entropy=0.1, **SIZES[schedule]) for _ in range(2)]
    other = engines[1]
    as_advantages = make_advantages(other.settings, make_reinforce(other.settings))
    other._problem = type(other._problem)(**{**vars(other._problem), "algorithm": as_advantages})
    for found, expected in zip(*map(learned, engines), strict=True):
        np.testing.assert_array_equal(found, expected)


# ---- the end of what Gymnasium steps


class Onward(gymnasium.Env):
    """From 0 to 1, where time is up."""

    observation_space, action_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        return 1, 0.5, False, True, {}


@pytest.mark.parametrize("policy", ["tabular", "linear"])
@pytest.mark.parametrize("batch", [2, 20])
def test_values_of_last_observations_where_gymnasium_steps(policy, batch, plain):
    """A = 0.5 + γ v̂(1) − v̂(0)."""
    engine = Engine(
        Onward,
        algorithm="a2c",
        bootstrap=True,
        policy=policy,
        gamma=0.9,
        optimizer="sgd",
        lr_value=0.5,
        batch=batch,
        episodes=batch,
    )
    at = engine._learner.weights_at
    engine._learner.runs[:, at : at + 2] = 2.0, 3.0
    engine.learn()
    np.testing.assert_allclose(engine.value_weights[0][:2], [2 + 0.5 * (0.5 + 0.9 * 3 - 2), 3.0], rtol=1e-12)


# ---- means

MDP = problems.random_mdp()
THETA = problems.preferences(MDP)
CRITIC = np.append(np.random.default_rng(5).normal(size=4), 0.0)  # wrong; what is terminal is worth nothing
PAID = {"gamma": 0.9, "discount_factor": True}
ESTIMATES = {
    "all steps": {**PAID, "n_steps": 9},
    "no weights": {"gamma": 0.9, "n_steps": 9},
    "lambda": {**PAID, "lam": 0.6},
    "bootstrapped": {**PAID, "lam": 0.6, "bootstrap": True},
    "two steps": {**PAID, "n_steps": 2},
    "soft": {**PAID, "n_steps": 9, "entropy": 0.3, "soft": True},
}
UNBIASED = ("all steps", "soft")


def estimates(settings, count=3000, batch=40):
    """So many estimates at θ, (count, S A), of a critic that stays as it is."""
    engine = Engine(
        MDP, **settings, theta0=THETA.reshape(-1).tolist(), runs=count, batch=batch, episodes=batch,
        baseline="value", optimizer="sgd", lr=1.0, lr_value=1e-300,
    )  # fmt: skip
    at = engine._learner.weights_at
    engine._learner.runs[:, at : at + len(CRITIC)] = CRITIC
    engine.learn()
    return engine.theta.reshape(count, -1) - THETA.reshape(-1)


def p_values(found, expected):
    """Of each component's mean, by a t-test."""
    return stats.ttest_1samp(found, np.ravel(expected)).pvalue


def true_gradient(settings):
    """∇J within the time limit, of the return with its entropy where that is paid."""
    chosen = {"gamma": settings["gamma"], "entropy": settings.get("entropy", 0.0)}
    name = "exact-entropy-pg" if chosen["entropy"] else "exact-pg"
    engine = Engine(MDP, algorithm=name, **chosen, theta0=THETA.reshape(-1).tolist(), lr=1.0)
    engine.learn(1)
    return engine.theta.reshape(THETA.shape) - THETA


@pytest.mark.parametrize("name", sorted(ESTIMATES))
def test_estimates_have_the_mean_that_they_should(name):
    """Fifteen components each: unbiased where theory says so, else biased by what is computed exactly."""
    settings = ESTIMATES[name]
    found, expected, truth = (
        estimates(settings),
        expected_estimate(MDP, THETA, CRITIC, settings),
        true_gradient(settings),
    )
    moving = found.std(axis=0) > 0  # the state at the end is never left
    compared = p_values(found[:, moving], np.ravel(expected)[moving])
    assert compared.min() * moving.sum() > FALSE_ALARM
    if name in UNBIASED:
        np.testing.assert_allclose(expected, truth, rtol=1e-9, atol=1e-12)
    else:
        assert p_values(found[:, moving], np.ravel(truth)[moving]).min() * moving.sum() < FALSE_ALARM


# ---- compiled

CARTPOLE = {"env": "CartPole-v1", "algorithm": "a2c"}


def test_compiled_and_uncompiled_advantages_agree_bit_for_bit(monkeypatch):
    settings = {**CARTPOLE, "max_steps": 8, "batch": 16, "episodes": 16, **SOFT}
    compiled = learned(Engine(**settings))
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):
        for found, expected in zip(learned(Engine(**settings)), compiled, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_a2c_solves_cartpole():
    """By what counts as solved, in nine of ten runs."""
    engine = Engine(**CARTPOLE, runs=30)
    engine.learn()
    assert np.mean(engine.evaluate(300).by_run >= 475) >= 0.9


# ---- what is refused


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lam": 1.5}, "lam is 1.5: it must be at most 1"),
        ({"lam": -0.1}, "lam is -0.1: it must be at least 0"),
        ({"n_steps": 0}, "n_steps is 0: it must be at least 1"),
        ({"lam": 0.9, "n_steps": 5}, "n_steps is 5 and lam 0.9: .* leave one of them out"),
        ({"lam": 0.9, "baseline": "mean"}, "lam is 0.9, which takes a learned v̂, .* choose 'value', or leave lam out"),
        ({"bootstrap": True, "baseline": "none"}, "bootstrap is True, which takes a learned v̂"),
        ({"bootstrap": True, "policy": "timed"}, "a timed policy knows when time is over"),
        ({"soft": True}, "soft is on and entropy 0"),
        ({"lam": 0.9, "in_loop": True}, "in_loop is True, with which lam means nothing here"),
        ({"n_steps": 5, "returns": "whole"}, "returns is 'whole', with which n_steps means nothing here"),
        ({"algorithm": "a2c", "baseline": "mean"}, "baseline is 'mean', but with a2c v̂ is the critic"),
        ({"algorithm": "exact-pg", "lam": 0.5}, "lam is 0.5, which exact-pg has no use for"),
    ],
)
def test_what_does_not_go_together_is_said(settings, words):
    with pytest.raises(PgfastError, match=words):
        Engine(
            "FrozenLake-v1",
            **{"baseline": "value", "entropy": 0.0, **settings} if "algorithm" not in settings else settings,
        )


def test_what_is_chosen_takes_the_place_of_a2cs_own():
    chosen = Engine("FrozenLake-v1", algorithm="a2c", n_steps=5).settings
    assert (chosen.n_steps, chosen.lam) == (5, 1.0)
    assert Engine("CliffWalking-v1", algorithm="a2c").settings.bootstrap
    assert not Engine("CliffWalking-v1", algorithm="a2c", policy="timed").settings.bootstrap


def test_an_agent_does_not_learn_by_advantages():
    with pytest.raises(PgfastError, match="with advantages, which no agent learns by"):
        Engine("FrozenLake-v1", algorithm="a2c").agent(learn="episode")
