"""Theory's environments: what their papers say of them."""

import itertools
import math

import numpy as np
import pytest

from pgfast import Engine, PgfastError, exact, make
from pgfast.drawing import image
from pgfast.environments import definition

BAD = {  # what is wrong, and where the sentence begins
    "deep": ("DeepSea", {"size": 1}, "DeepSea.size is 1: it must be from 2 to 1000"),
    "chain": ("Chain", {"length": 0}, "Chain.length is 0: it must be at least 1"),
    "slip": ("Chain", {"slip": -0.1}, "Chain.slip is -0.1: it must be a probability"),
    "vanishing": ("VanishingChain", {"length": 0}, "VanishingChain.length is 0: it must be at least 1"),
    "no arms": ("Bandit", {"rewards": ()}, r"Bandit.rewards is \(\): give a finite number for each arm"),
    "infinite": ("Bandit", {"rewards": (1.0, math.inf)}, r"Bandit.rewards is \(1.0, inf\): give a finite number"),
    "words": ("Bandit", {"rewards": "much"}, "Bandit.rewards is 'much': give a finite number"),
}


@pytest.mark.parametrize("name", BAD)
def test_parameters_out_of_range(name):
    env, parameters, words = BAD[name]
    with pytest.raises(PgfastError, match=f"^{words}"):
        Engine(env, env_parameters=parameters)


# ---- DeepSea


@pytest.mark.parametrize("parameters", [{}, {"size": 3}, {"size": 40, "seed": 9}], ids=str)
def test_the_treasure_is_worth_the_dive(parameters):
    best = exact.optimum(make("DeepSea", **parameters))
    assert best.J == pytest.approx(0.99, abs=1e-12)
    size = parameters.get("size", 10)
    diagonal = (size + 1) * np.arange(size)
    assert np.array_equal(best.actions[diagonal], definition("DeepSea")(**parameters).which_is_right()[diagonal])


def test_random_play_hardly_ever_finds_the_treasure():
    """Only one of 2ᴺ plays does; on the way each step right costs move_cost / N."""
    mdp = make("DeepSea", size=12)
    J = exact.evaluate(mdp, np.full((144, 2), 0.5)).J  # noqa: N806
    assert J == pytest.approx(2.0**-12 - 0.01 / 2, abs=1e-15)


def test_the_stochastic_sea_step_by_step():
    """Right fails in one of N steps; the corners of the last row add noise of mean 0 and variance 1."""
    n, p, first, second = 4, np.zeros((16, 2, 16)), np.zeros((16, 2)), np.zeros((16, 2))
    right = definition("DeepSea")(size=n, seed=5).which_is_right()
    for row, column, action in itertools.product(range(n), range(n), range(2)):
        s, down = row * n + column, min(row + 1, n - 1) * n
        goes_right = action == right[s]
        if goes_right:
            p[s, action, down + min(column + 1, n - 1)] += 1 - 1 / n
            p[s, action, down + column] += 1 / n
        else:
            p[s, action, down + max(column - 1, 0)] = 1
        paid = goes_right * ((column == n - 1) - 0.01 / n)
        first[s, action], second[s, action] = paid, paid**2 + (row == n - 1 and column in (0, n - 1))
    mdp = make("DeepSea", size=n, seed=5, stochastic=True)
    outcomes = mdp.outcomes
    np.testing.assert_allclose(mdp.P, p, atol=1e-15)
    np.testing.assert_allclose(mdp.R, first, atol=1e-15)
    squares = np.bincount(outcomes.rows(), outcomes.probability * outcomes.reward**2).reshape(16, 2)
    np.testing.assert_allclose(squares, second, atol=1e-15)
    assert np.array_equal(outcomes.terminated, outcomes.rows() >= 2 * n * (n - 1))


def test_the_best_dive_in_the_stochastic_sea():
    """On the diagonal right is tried at every step, beside it nothing is left to win."""
    n, value = 10, 0.0
    for row in reversed(range(n)):
        value = -0.01 / n + (1.0 if row == n - 1 else (1 - 1 / n) * value)
    assert exact.optimum(make("DeepSea", stochastic=True)).J == pytest.approx(value, abs=1e-12)


# ---- chains


def test_always_forward_is_best_in_the_chain():
    """3677 in a thousand steps (Strens 2000)."""
    mdp = make("Chain")
    best = exact.optimum(mdp, setting="average")
    assert best.actions.tolist() == [0] * 5
    assert round(1000 * best.J) == 3677
    assert exact.optimum(mdp, gamma=0.99).actions.tolist() == [0] * 5


@pytest.mark.parametrize("steps", [1, 7, 150])
@pytest.mark.parametrize("parameters", [{}, {"slip": 0.6, "large": 3.0}], ids=["slip 0.2", "slip 0.6"])
def test_the_best_return_of_the_chain(parameters, steps):
    """As the best of all 32 policies."""
    mdp = make("Chain", **parameters, max_steps=steps)
    found = [
        exact.evaluate(mdp, np.eye(2)[list(policy)], setting="finite-horizon").J
        for policy in itertools.product(range(2), repeat=5)
    ]
    assert Engine(mdp).optimum == pytest.approx(max(found), rel=1e-12)


@pytest.mark.parametrize("length", [4, 8, 16, 32])
def test_the_gradient_vanishes_while_much_can_be_gained(length):
    """Agarwal et al. (2021): with γ = H / (H + 1) and P(right) < 1/4 in all states ‖∇V‖ ≤ (1/3)^(H/4), and
    V* − V ≥ (H + 1)/8 − (H + 1)²/3ᴴ."""
    mdp, gamma = make("VanishingChain", length=length), length / (length + 1)
    policy = np.tile([0.24, 0.26, 0.25, 0.25], (length + 2, 1))
    found, best = exact.evaluate(mdp, policy, gamma=gamma), exact.optimum(mdp, gamma=gamma)
    assert best.J == pytest.approx(gamma ** (length + 1) / (1 - gamma), rel=1e-10)
    assert np.linalg.norm(found.gradient) <= 3 ** (-length / 4)
    assert best.J - found.J >= (length + 1) / 8 - (length + 1) ** 2 / 3**length


# ---- the bandit of fixed rewards


def test_gradient_of_the_bandit():
    """dJ/dθ_a = π_a (r_a − πᵀr)."""
    rewards, theta = np.array([1.0, 0.8, 0.1]), np.array([0.2, -0.3, 0.5])
    pi = np.exp(theta) / np.exp(theta).sum()
    truth = pi * (rewards - pi @ rewards)
    np.testing.assert_allclose(exact.evaluate(make("Bandit"), pi[None]).gradient[0], truth, atol=1e-15)


def test_what_the_bandit_loses_falls_as_one_over_the_steps():
    """From equal probabilities, with step size 2/5, at most 5 K² / t (Mei et al. 2020)."""
    mdp = make("Bandit", rewards=[1.0, 0.9, 0.1])
    theta = np.zeros(3)
    for t in range(1, 301):
        pi = np.exp(theta) / np.exp(theta).sum()
        assert 1.0 - pi @ mdp.R[0] <= 45 / t
        theta += 0.4 * exact.evaluate(mdp, pi[None]).gradient[0]
    assert exact.optimum(mdp).J == Engine(mdp).optimum == 1.0


# ---- pictures


@pytest.mark.parametrize(
    ("name", "states"), [("Bandit", 1), ("Chain", 5), ("DeepSea", 100), ("VanishingChain", 7)], ids=str
)
def test_pictures(name, states):
    env = definition(name)()
    assert len({env.text(s) for s in range(states)}) == len({str(env.draw(s)) for s in range(states)}) == states
    assert len(np.unique(image(env.draw(0), side=60).reshape(-1, 3), axis=0)) > 1
