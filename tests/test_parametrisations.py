"""Policies beside the softmax of a table: links, clocks, and what engines make of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import problems
import pytest
from commands import answer_here, here
from problems import random_mdp
from scipy import integrate, stats

from pgfast import Engine, PgfastError, TabularMDP, exact
from pgfast.gradcheck import check_gradient
from pgfast.inference import softmax
from pgfast.kernels.learner import make_room
from pgfast.parametrisations import POLICIES
from pgfast.policies.clocks import Shared, Stationary, Timed
from pgfast.policies.escort import Escort
from pgfast.policies.family import Family, ordered_statistics
from pgfast.policies.links import Direct, Tempered
from pgfast.policies.mixed import Mixed
from pgfast.policies.squashed import Squashed, log_density, tanh
from pgfast.protocol import load, tape_score

LINKS = {
    "direct": Direct(),
    "tempered": Tempered(0.3),
    "escort": Escort(2.0),
    "escort of power 1": Escort(1.0),
    "escort of power 3.5": Escort(3.5),
    "mixed": Mixed(0.2),
    "not mixed": Mixed(0.0),
    "family": Family(np.array([[1.0, -1.0, 0.5], [0.0, 2.0, 0.3], [1.0, 0.0, -2.0], [0.5, 0.5, 0.5]])),
}
KINDS: dict[str, dict[str, Any]] = {  # policies of a table, and what they are given
    "tabular": {"temperature": 0.6},
    "escort": {},
    "mixed": {},
    "exponential-family": {},
    "timed": {"temperature": 1.5},
    "linear": {"temperature": 0.6},
    "state-action": {"temperature": 0.6},
}
EXTREME = [1e-300, 1e-8, 1.0, 30.0, 700.0, 1e150, 1e308]


def written(link: Any, row: np.ndarray, n: int) -> np.ndarray:
    """Preferences as kernels have them."""
    numbers = np.zeros(n)
    link.write_preferences(row, 0, n, numbers, 0)
    return numbers


def pulled(link: Any, row: np.ndarray, by_preference: np.ndarray) -> np.ndarray:
    """A gradient by parameters as kernels have it."""
    n = len(by_preference)
    numbers = np.concatenate([np.zeros(len(row)), by_preference])
    link.pull_back(row, 0, n, numbers, len(row))
    return numbers[: len(row)]


# ---- links


@pytest.mark.parametrize("name", LINKS)
def test_preferences_and_their_derivatives(name: str) -> None:
    link, rng = LINKS[name], np.random.default_rng(4)
    n, width = (4, 3) if name == "family" else (4, 4)
    for _ in range(20):
        row = rng.normal(0.0, 2.0, width)
        h = link.preferences(row)
        np.testing.assert_allclose(written(link, row, n), h, rtol=1e-12, atol=1e-12)
        derivatives = np.array(
            [exact.slope(lambda x: link.preferences(x), row, unit, 1e-4 * np.abs(row).min()) for unit in np.eye(width)]
        ).T
        np.testing.assert_allclose(link.derivatives(row), derivatives, rtol=1e-7, atol=1e-7)
        g = rng.normal(size=n)
        g -= softmax(h) * g.sum()  # gradients by preferences sum to 0
        np.testing.assert_allclose(pulled(link, row, g), link.derivatives(row).T @ g, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", LINKS)
def test_scores_at_extreme_parameters(name: str) -> None:
    """Against differences of log π where those are computed with the parameters' own size as the step."""
    link, n = LINKS[name], 4
    for size in EXTREME:
        row = size * np.array([1.0, -0.5, 0.25, 0.9][: 3 if name == "family" else n])
        with np.errstate(over="ignore", under="ignore"):
            pi = softmax(written(link, row, n))
            np.testing.assert_allclose(pi, softmax(np.asarray(link.preferences(row))), rtol=1e-9, atol=1e-12)
            for action in np.flatnonzero(pi):
                found = pulled(link, row, np.eye(n)[action] - pi)
                assert np.all(np.isfinite(found)), (size, action)
                for k in range(len(row)):
                    h = 1e-5 * (size if name.startswith("escort") else min(1.0, size))
                    log = [
                        np.log(softmax(written(link, row + d * h * np.eye(len(row))[k], n))[action]) for d in (1, -1)
                    ]
                    if h > 1e-6 * size and np.all(np.isfinite(log)):  # else θ + h is θ
                        scale = np.abs(found).max()
                        assert found[k] * h == pytest.approx(
                            (log[0] - log[1]) / 2, rel=1e-4, abs=1e-9 + 1e-7 * h * scale
                        )


def test_an_escort_of_zeros_is_uniform_and_stays_so() -> None:
    link, zeros = Escort(2.0), np.zeros(3)
    np.testing.assert_array_equal(softmax(written(link, zeros, 3)), 1 / 3)
    np.testing.assert_array_equal(pulled(link, zeros, np.array([0.5, -0.25, -0.25])), 0.0)
    some = np.array([0.0, 2.0, -1.0])
    np.testing.assert_allclose(softmax(written(link, some, 3)), [0.0, 0.8, 0.2], rtol=1e-15)


def test_a_mixed_policy_takes_every_action() -> None:
    link = Mixed(0.1)
    for row in ([1e308, -1e308, 0.0, 5.0], [0.0, 0.0, 0.0, 0.0]):
        with np.errstate(over="ignore"):
            pi = softmax(written(link, np.array(row), 4))
        assert pi.min() >= 0.025 * (1 - 1e-14)
        np.testing.assert_allclose(pi, 0.9 * softmax(np.array(row)) + 0.025, rtol=1e-14)


def test_a_log_linear_family() -> None:
    """π(a; α, β) ∝ exp(α + βa): its score is the statistic minus its mean, and α plays no part."""
    link = Family(ordered_statistics([[1.0, float(a)] for a in range(5)], 5))
    row = np.array([0.7, -0.3])
    pi = np.exp(row[0] + row[1] * np.arange(5))
    pi /= pi.sum()
    np.testing.assert_allclose(softmax(link.preferences(row)), pi, rtol=1e-14)
    for a in range(5):
        score = pulled(link, row, np.eye(5)[a] - pi)
        np.testing.assert_allclose(score, [0.0, a - pi @ np.arange(5)], atol=1e-15)


def test_clocks() -> None:
    seen = np.array([0, 3, 1])
    np.testing.assert_array_equal(Stationary().rows_of(seen, 7), seen)
    np.testing.assert_array_equal(Timed(3, 4).rows_of(seen, 2), seen + 8)
    np.testing.assert_array_equal(Timed(3, 4).rows_of(seen, 99), seen + 8)
    np.testing.assert_array_equal(Shared(4).rows_of(seen, 2), 0)


# ---- exact gradients


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", [{"gamma": 0.9}, {"setting": "finite-horizon"}, {"setting": "average"}], ids=str)
def test_gradients_of_parameters(kind: str, case: dict[str, Any]) -> None:
    mdp = random_mdp(n_actions=4)
    engine = Engine(mdp, policy=kind, **KINDS[kind])
    found = exact.table_behind(engine.source, engine.traits)
    policy = exact.observed_policy(engine.model, engine.source.env, engine.traits, found.observations)
    if kind == "timed":
        case = {"setting": "finite-horizon"}
    theta = np.random.default_rng(3).normal(size=policy.n_parameters)
    here = exact.evaluate(mdp, policy.probabilities(theta), **case)
    gradient = exact.gradient_of(mdp, policy, theta, **case)
    for unit in np.eye(len(theta))[:: 1 + len(theta) // 20]:
        slope = exact.slope(lambda t: exact.evaluate(mdp, policy.probabilities(t), **case).J, theta, unit, 1e-4)
        assert gradient @ unit == pytest.approx(slope, rel=1e-6, abs=1e-8)
    pi, x = here.policy.reshape(-1, 4), policy.scores(theta).reshape(-1, 4, len(theta))
    d = np.ravel(here.occupancy if kind != "timed" else here.occupancy_t)
    np.testing.assert_allclose(np.einsum("sa,sad->sd", pi, x), 0.0, atol=1e-12)
    fisher = np.einsum("s,sa,sad,sae->de", d, pi, x, x, optimize=True)
    np.testing.assert_allclose(policy.at(theta).fisher(here), fisher, atol=1e-11)
    natural = policy.at(theta).natural_gradient(here)
    np.testing.assert_allclose(fisher @ natural, gradient, atol=1e-7)  # the gradient is in the range of F


@pytest.mark.parametrize("kind", ["escort", "mixed", "exponential-family", "timed"])
def test_sampled_gradients(kind: str) -> None:
    """A z-test of each component; a right estimator is called off once in a million."""
    settings = {
        k: v for k, v in problems.PROBLEMS["family" if kind == "exponential-family" else kind].items() if k != "lr"
    }
    theta = np.broadcast_to(settings.pop("theta0"), Engine(**settings).model.n_parameters)
    found = check_gradient(**settings, gamma=0.9, discount_factor=True, baseline="none", theta=theta, estimates=1000)
    assert found.ok, found.z
    assert found.difference is not None
    assert found.difference < 1e-8
    assert found.angle < 20


# ---- engines


@pytest.mark.parametrize("problem", ["tempered", "escort", "mixed", "family", "shared", "timed"])
def test_scores_of_a_tape(problem: str) -> None:
    """As slopes of log π and of the entropy that `probabilities` gives."""
    engine = problems.engine(problem, "runs", runs=1)
    model, theta, time = engine.model, engine.theta[0].reshape(-1), 3 if problem == "timed" else 0
    row = 0 if problem == "shared" else 2 + (15 if problem == "timed" else 0)

    def probabilities(t: np.ndarray) -> np.ndarray:
        engine._learner.runs[0, : len(t)] = t
        pi = engine.probabilities(2, time=time)
        engine._learner.runs[0, : len(theta)] = theta
        return pi

    tape, room = model.memory(1.0, 0, True, 4), make_room(len(theta), 0, model.n_actions)
    load(tape, engine._learner, model.workspace(0, 0, True), 0, 0)
    for action in range(model.n_actions):
        for scale, bonus in ((1.0, 0.0), (0.0, 1.0), (-0.4, 0.3)):
            tape.index[0, 0] = row * model.n_actions + action
            first, last = tape_score(model.policy, engine._learner, 0, tape, 0, 0, scale, bonus, room)
            found = np.zeros(len(theta))
            found[first:last] = room.numbers[first:last]

            def objective(t: np.ndarray, a: int = action, w: tuple[float, float] = (scale, bonus)) -> float:
                pi = probabilities(t)
                return float(w[0] * np.log(pi[a]) - w[1] * np.sum(pi * np.log(pi)))

            np.testing.assert_allclose(
                found, [exact.slope(objective, theta, e, 1e-4) for e in np.eye(len(theta))], atol=1e-8
            )


def test_a_timed_policy_predicts_by_the_time(tmp_path: Any) -> None:
    mdp = random_mdp()
    theta = np.zeros((9, 5, 3))
    theta[0, :, 2] = theta[1:4, :, 1] = theta[4:, :, 0] = 800.0  # certain
    engine = Engine(mdp, policy="timed", theta0=theta.reshape(-1).tolist())
    taken = [engine.predict(2, time=t) for t in (0, 1, 3, 4, 8, 100)]
    assert taken == [2, 1, 1, 0, 0, 0] == [engine.predict(2, time=t, deterministic=True) for t in (0, 1, 3, 4, 8, 100)]
    np.testing.assert_array_equal(engine.predict([0, 1, 2], time=1), 1)
    agent = engine.agent(learn=None)
    for ended, expected in ((False, 2), (False, 1), (True, 1), (False, 2)):
        assert agent.act(3) == expected
        agent.observe(0.0, truncated=ended)
    engine.save(tmp_path)
    assert Engine.load(tmp_path).predict(0, time=1) == 1
    for wrong in (-1, 1.5):
        with pytest.raises(PgfastError, match=f"time is {wrong}: it must be a whole number of steps"):
            engine.predict(0, time=wrong)


def test_the_optimum_of_a_timed_policy_is_that_of_those_that_know_the_time() -> None:
    lakes = {policy: Engine("FrozenLake-v1", policy=policy).reach for policy in ("tabular", "timed")}
    assert {policy: found.words for policy, found in lakes.items()} == {"tabular": "0.740165", "timed": "0.74419"}


def test_a_timed_policy_begins_with_a_table() -> None:
    table = np.random.default_rng(0).normal(size=(5, 3))
    engine = Engine(random_mdp(), policy="timed", theta0=table)
    np.testing.assert_array_equal(engine.theta[0], np.tile(table, (9, 1, 1)))
    assert engine.optimum == pytest.approx(exact.optimum(random_mdp(), setting="finite-horizon").J)


def test_knowing_the_time_is_worth_something_on_the_lake() -> None:
    """The best policy that doesn't know it has 0.7402, the best that does 0.7442."""
    best = {}
    for policy in ("tabular", "timed"):
        engine = Engine("FrozenLake-v1", policy=policy, algorithm="exact-npg", lr=50.0, episodes=200)
        best[policy] = engine.learn().curve.mean_return[0, -1]
        assert best[policy] == pytest.approx(engine.optimum, abs=1e-5)
    assert best["tabular"] == pytest.approx(0.7402, abs=5e-5)
    assert best["timed"] == pytest.approx(0.7442, abs=5e-5)


def test_a_family_of_features() -> None:
    """π(a|x) ∝ exp Σ_k (θ_kᵀ x) T_k(a), for numbers observed and for discrete observations that have features."""
    theta, t = np.random.default_rng(0).normal(size=(2, 5)), np.array([[1.0, 1.0], [0.0, 0.0], [1.0, -1.0]])
    engine = Engine(problems.Drift(), policy="exponential-family", statistics=t, theta0=theta)
    x = np.random.default_rng(1).normal(size=(7, 4))
    expected = softmax(np.append(x, np.ones((7, 1)), axis=1) @ theta.T @ t.T)
    np.testing.assert_allclose(engine.probabilities(x), expected, rtol=1e-13)
    table = Engine(random_mdp(), policy="exponential-family", statistics=t, theta0=theta.T)
    rows = Engine(random_mdp(), policy="exponential-family", statistics=t, theta0=theta, features="one-hot")
    np.testing.assert_allclose(rows.probabilities(range(5)), table.probabilities(range(5)), rtol=1e-14)
    with pytest.raises(PgfastError, match="shared is on, which a table has: with features, choose those"):
        Engine(problems.Drift(), policy="exponential-family", shared=True)
    with pytest.raises(
        PgfastError, match="'tiles', few of which are active, don't go with: choose 'linear', or others"
    ):
        Engine("MountainCar-v0", policy="exponential-family", features="tiles")


def test_settings_come_back(tmp_path: Any) -> None:
    rows = [[0.0, 1.0], [1.0, 0.5], [4.0, 0.0]]
    engine = Engine(random_mdp(), policy="exponential-family", statistics=np.array(rows), theta0=0.3)
    engine.save(tmp_path)
    again = Engine.load(tmp_path)
    assert again.settings.statistics == engine.settings.statistics == rows
    assert again.theta.shape == (1, 5, 2)
    np.testing.assert_array_equal(again.probabilities([0, 1]), engine.probabilities([0, 1]))
    np.testing.assert_allclose(engine.probabilities(0), softmax(0.3 * np.array(rows).sum(axis=1)), rtol=1e-14)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0: it must be more than 0"),
        ({"policy": "escort", "escort_power": 0.5}, "escort_power is 0.5: it must be at least 1"),
        ({"policy": "mixed", "mixing": 1.0}, "mixing is 1.0: it must be less than 1"),
        ({"policy": "mixed", "mixing": -0.1}, "mixing is -0.1: it must be at least 0"),
        ({"policy": "escort", "temperature": 2.0}, "temperature is 2.0, which the policy 'escort' has no use for"),
        (
            {"mixing": 0.5},
            "mixing is 0.5, which the policy 'tabular' has no use for: leave it out, or choose from m",
        ),
        ({"policy": "exponential-family", "statistics": 0}, "statistics"),
        ({"policy": "exponential-family", "statistics": 3}, "statistics is 3: it must be less than 3"),
        ({"policy": "exponential-family", "statistics": [[1.0], [2.0]]}, "statistics has 2 rows of 1 numbers"),
        ({"policy": "exponential-family", "statistics": [[1.0], [2.0], [1.0, 2.0]]}, "1 or 2 numbers"),
        ({"squash": True}, "squash is True, which the policy 'tabular' has no use for"),
        ({"policy": "gaussian-linear-std"}, "policy is 'gaussian-linear-std', but the actions are discrete"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(PgfastError, match=message):
        Engine(random_mdp(), **settings)


@pytest.mark.parametrize("policy", ["escort", "timed", "tabular"])
def test_tables_need_discrete_observations(policy: str) -> None:
    with pytest.raises(PgfastError, match=f"policy is '{policy}', but the observations are real numbers"):
        Engine("CartPole-v1", policy=policy)


def test_a_timed_policy_needs_a_time_limit() -> None:
    with pytest.raises(PgfastError, match="has no time limit: give max_steps"):
        Engine(TabularMDP([[[1.0]]], [[1.0]], [1.0], terminal=[]), policy="timed")


# ---- squashed


def test_tanh() -> None:
    x = np.concatenate([np.linspace(-30, 30, 2001), [1e-9, -1e-9, 1e308, -1e308, 0.0]])
    np.testing.assert_allclose([tanh(float(y)) for y in x], np.tanh(x), atol=4e-16)
    assert [Squashed().into_box(y, -0.5, 1.0) for y in (-1e308, 0.0, 1e308)] == [-0.5, 0.25, 1.0]


def test_the_density_of_a_squashed_action_integrates_to_one() -> None:
    """And is that of samples: a Kolmogorov–Smirnov test that calls a right density off once in a million."""
    mean, std, low, high = 0.4, 0.7, -1.0, 3.0
    half = (high - low) / 2

    def density(a: float) -> float:
        u = math.atanh((a - low) / half - 1)
        return math.exp(log_density(np.array([mean]), np.array([std]), np.array([u]), np.array([half])))

    assert integrate.quad(density, low, high)[0] == pytest.approx(1.0, rel=1e-7)
    u = np.random.default_rng(0).normal(mean, std, 20_000)
    actions = np.array([Squashed().into_box(float(x), low, high) for x in u])
    at = np.linspace(low, high, 401)[1:-1]
    cumulative = np.interp(actions, at, [integrate.quad(density, low, a)[0] for a in at])
    assert stats.kstest(cumulative, "uniform").pvalue > 1e-6
    far = log_density(np.zeros(1), np.ones(1), np.array([300.0]), np.ones(1))
    assert np.isfinite(far)


def test_squashing_needs_bounds() -> None:
    with pytest.raises(PgfastError, match="squash is on, but not all actions in Box"):
        Engine(problems.Raft(), squash=True)


def test_policies_are_listed() -> None:
    listed = answer_here("policies")["policies"]
    assert [entry["name"] for entry in listed] == list(POLICIES)
    assert all(entry["description"] and entry["reference"] and entry["settings"] for entry in listed)
    assert {entry["name"] for entry in listed if entry["actions"] == "real"} == {"gaussian", "gaussian-linear-std"}
    shown = here("policies").stdout
    assert all(name in shown for name in POLICIES)
