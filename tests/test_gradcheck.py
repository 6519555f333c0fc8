"""The engine's estimates against exact gradients; each check here calls a right estimator off once in a million."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import answer_here as answer
from commands import here as pgfast
from problems import random_mdp

from pgfast import Engine, PgfastError, estimates, exact
from pgfast.gradcheck import GradientCheck, check_gradient

UNBIASED = {
    "undiscounted": {"gamma": 1.0},
    "discounted": {"gamma": 0.8, "discount_factor": True},
    "whole returns": {"gamma": 0.8, "returns": "whole"},
    "leave-one-out": {"gamma": 1.0, "baseline": "batch"},
    "learned baseline": {"gamma": 1.0, "baseline": "value"},
}
BIASED = {
    "no factor": {"gamma": 0.8},
    "a factor too many": {"gamma": 0.8, "returns": "whole", "discount_factor": True},
}


@pytest.mark.parametrize("choices", UNBIASED.values(), ids=UNBIASED)
def test_unbiased_estimates(choices):
    found = check_gradient(random_mdp(), **{"baseline": "none", **choices}, seed=1)
    assert found.ok, found.z
    assert found.bias < 1e-12
    assert found.difference < 1e-9
    assert found.angle < 15
    np.testing.assert_allclose(found.z[12:], 0.0)  # the last state is the end


@pytest.mark.parametrize("choices", BIASED.values(), ids=BIASED)
def test_estimates_that_are_biased_by_the_right_amount(choices):
    found = check_gradient(random_mdp(), **{"baseline": "none", **choices}, seed=2)
    assert found.ok, found.z
    assert found.bias > 0.1


def test_a_wrong_gradient_is_found(monkeypatch):
    right = exact.weighted_by
    monkeypatch.setattr(exact, "weighted_by", lambda *args: 1.2 * right(*args))
    assert not check_gradient(random_mdp(), gamma=1.0, baseline="none", estimates=4000, batch=64).ok


def test_the_sampled_variance_is_the_exact_one():
    """Of single episodes; the variance of a sample of 20,000 is within 20 %."""
    mdp = random_mdp()
    found = check_gradient(mdp, gamma=0.9, discount_factor=True, baseline="none", batch=1, estimates=20_000)
    policy = exact.table_policy(5, 3)
    pi, scores = policy.probabilities(found.theta), policy.scores(found.theta)
    truth = exact.episode_variance(mdp, pi, scores, gamma=0.9, horizon=9)
    np.testing.assert_allclose(found.variance, truth.variance, rtol=0.2, atol=1e-15)


def test_the_time_limit_of_training_counts():
    choices = {"gamma": 1.0, "baseline": "none", "horizon": 3}
    found = check_gradient(random_mdp(), **choices, seed=3)
    assert found.ok, found.z
    policy = exact.table_policy(5, 3)
    short = exact.evaluate(
        random_mdp(), policy.probabilities(found.theta), setting="finite-horizon", horizon=choices["horizon"]
    )
    np.testing.assert_allclose(found.gradient, short.gradient.reshape(-1), atol=1e-13)


def test_differences_of_returns_with_the_same_random_numbers(monkeypatch):
    """Of runs that differ in a number that plays no part in a slope, and one that does; exact for a polynomial."""
    luck = np.linspace(-1.0, 1.0, estimates.PARTS)

    def returns(engine, theta, episodes, threads):
        return 100.0 * luck + theta[0] ** 4 - 2.0 * theta[0] * theta[1] ** 2 + 0.1 * luck * theta[1]

    monkeypatch.setattr(estimates, "_mean_returns", returns)
    slope, error = estimates.by_differences(None, np.array([0.7, -0.3]), 1000)
    np.testing.assert_allclose(slope, [4 * 0.7**3 - 2 * 0.3**2, 4 * 0.7 * 0.3], rtol=1e-11)
    spread = 0.1 * luck.std(ddof=1) / np.sqrt(estimates.PARTS)
    np.testing.assert_allclose(error, [0.0, spread], rtol=1e-10, atol=1e-12)


def test_differences_of_returns_are_the_gradient():
    """Each of 15 numbers is further off than seven standard errors, of 64 parts, once in a thousand million."""
    engine = Engine(random_mdp(), gamma=0.8)
    theta = estimates.random_theta(engine, 5)
    slope, error = estimates.by_differences(engine, theta, 64_000)
    truth = estimates.known(engine).valued(theta)[1]
    assert np.all(np.abs(slope - truth) <= 7 * error + 1e-12)
    assert np.all(error < 0.2 * np.abs(truth).max())


def test_an_estimator_that_is_off_ends_with_1(monkeypatch, tmp_path: Path):
    numbers, error = np.array([1.0, -1.0]), np.array([0.1, 0.1])
    wrong = GradientCheck(
        theta=np.zeros(2), mean=numbers, variance=100 * error, error=error, expected=numbers - [0.0, 1.0],
        gradient=numbers, z=np.array([0.0, 10.0]), bound=5.0, difference=1e-9, known=True,
    )  # fmt: skip
    monkeypatch.setattr("pgfast.gradcheck.check_gradient", lambda env, **choices: wrong)
    arguments = ("gradcheck", "ShortCorridor", "--out")
    said = answer(*arguments, tmp_path / "off.png", code=1)
    assert (said["ok"], said["largest_z"], said["bound"]) == (False, 10.0, 5.0)
    shown = pgfast(*arguments, tmp_path / "off.png")
    assert shown.returncode == 1
    assert "off" in shown.stdout.split("largest")[0]
    nowhere = pgfast(*arguments, tmp_path / "nowhere" / "off.png")
    assert nowhere.returncode == 2
    assert "can't be written" in nowhere.stderr


def test_without_a_model():
    found = check_gradient("CartPole-v1", gamma=1.0, max_steps=20, estimates=500)
    assert found.ok
    assert not found.known
    assert found.difference is None
    with pytest.raises(PgfastError, match=r"choose gamma 1, or with the factor γᵗ"):
        check_gradient("CartPole-v1", gamma=0.9)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"in_loop": True}, "in_loop is on"),
        ({"entropy": 0.1}, "entropy is on"),
        ({"estimates": 3}, "estimates is 3: it must be at least 30"),
        ({"theta": [1.0, 2.0]}, "theta0 has 2 numbers"),
    ],
)
def test_bad_input(choices, message):
    with pytest.raises(PgfastError, match=message):
        check_gradient(random_mdp(), **choices)


def test_on_the_command_line(tmp_path: Path):
    picture = tmp_path / "check.png"
    said = answer("gradcheck", "ShortCorridor", "--max-steps", 50, "--estimates", 500, "--out", picture)
    assert said["ok"]
    assert said["model_known"]
    assert len(said["z"]) == said["n_parameters"] == 2
    assert said["largest_z"] <= said["bound"]
    assert picture.stat().st_size > 10_000
    done = pgfast("gradcheck", "ShortCorridor", "--runs", 3, "--out", picture)
    assert done.returncode == 2
    assert "runs plays no part" in done.stderr
