"""The engine's estimates against exact gradients; each check here calls a right estimator off once in a million."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import answer_here as answer
from commands import here as pgfast
from problems import random_mdp

from pgfast import PgfastError, exact
from pgfast.gradcheck import check_gradient

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
