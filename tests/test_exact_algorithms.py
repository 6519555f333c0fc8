"""Exact algorithms: their updates against dense algebra; and the best policy of a class."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest
from problems import random_mdp
from reference_policies import finite_differences, softmax
from scipy import sparse

from pgfast import Engine, PgfastError, TabularMDP, exact
from pgfast._bench.convergence import random_mdp as ergodic_mdp
from pgfast.algorithms.exact import EXACT

GAMMA, TAU, LR = 0.9, 0.3, 0.7
MDP = ergodic_mdp(4, 3, seed=5)
THETA = np.random.default_rng(0).normal(size=12)
CORRIDOR = -6 - 4 * np.sqrt(2)  # the best J of the short corridor


def tabular(theta):
    return softmax(theta.reshape(4, 3))


def escort(weights):
    w = weights.reshape(4, 3) ** 2
    return w / w.sum(axis=1, keepdims=True)


def values(pi, tau):
    """V, by a dense solve, where a step also pays −τ log π(a|s)."""
    r = (pi * (MDP.R - tau * np.log(pi))).sum(axis=1)
    return np.linalg.solve(np.eye(4) - GAMMA * np.einsum("sa,sap->sp", pi, MDP.P), r)


def slopes(policy, at, tau=0.0):
    """∂J/∂θ."""
    return finite_differences(lambda theta: MDP.rho0 @ values(policy(theta), tau), at)


def updated(algorithm, **settings):
    """θ after one update, and the policy that it is."""
    path = exact.Ascent(MDP, algorithm, **{"lr": LR, "gamma": GAMMA, **settings}).path(THETA)
    theta, found = next(islice(path, 1, None))
    return theta, found.policy


# ---- updates


def test_the_plain_gradient():
    np.testing.assert_allclose(updated("exact-pg")[0], THETA + LR * slopes(tabular, THETA), atol=1e-8)


def test_the_gradient_with_entropy():
    theta, _ = updated("exact-entropy-pg", entropy=TAU)
    np.testing.assert_allclose(theta, THETA + LR * slopes(tabular, THETA, TAU), atol=1e-8)


def test_the_natural_gradient_multiplies_probabilities():
    """π′ ∝ π exp(α A / (1 − γ)) (Agarwal et al. 2021, section 5.3)."""
    pi = tabular(THETA)
    q = MDP.R + GAMMA * MDP.P @ values(pi, 0.0)
    expected = pi * np.exp(LR * q / (1 - GAMMA))
    np.testing.assert_allclose(updated("exact-npg")[1], expected / expected.sum(axis=1, keepdims=True), rtol=1e-10)


def test_the_natural_gradient_with_entropy():
    """π′ ∝ π^(1 − ατ/(1 − γ)) exp(α Q / (1 − γ)), with Q of the values that have the bonus (Cen et al. 2022)."""
    pi, lr = tabular(THETA), 0.5 * (1 - GAMMA) / TAU
    q = MDP.R + GAMMA * MDP.P @ values(pi, TAU)
    expected = pi ** (1 - lr * TAU / (1 - GAMMA)) * np.exp(lr * q / (1 - GAMMA))
    found = updated("exact-entropy-npg", entropy=TAU, lr=lr)[1]
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), rtol=1e-10)


def test_the_gradient_of_an_escort_policy():
    np.testing.assert_allclose(updated("exact-escort-pg")[0], THETA + LR * slopes(escort, THETA), atol=1e-8)


@pytest.mark.parametrize(
    "case", [{"gamma": 0.9}, {}, {"setting": "finite-horizon", "gamma": 0.8}, {"setting": "average"}]
)
def test_the_natural_gradient_of_a_table_is_that_of_its_fisher_matrix(case):
    """In every setting, and where states look the same: up to what changes no probability."""
    mdp, rows = random_mdp(), np.array([0, 1, 1, 2, 2])
    for columns in (np.arange(15).reshape(5, 3), rows[:, None] + 3 * np.arange(3)):
        x = np.zeros((15, columns.max() + 1))
        x[np.arange(15), columns.reshape(-1)] = 1.0
        policy = exact.SoftmaxPolicy(sparse.csr_matrix(x), (5, 3))
        theta = np.random.default_rng(1).normal(size=x.shape[1])
        ascent = exact.Ascent(mdp, "exact-npg", lr=1.0, policy=policy, **case)
        found = ascent.evaluate(theta)
        scale = 1 - found.gamma if found.gamma < 1 else 1.0
        moved = policy.probabilities(theta + policy.natural_gradient(found) / scale)
        seen = found.occupancy > 0
        np.testing.assert_allclose(policy.probabilities(ascent.step(theta, found))[seen], moved[seen], atol=1e-9)


def test_states_that_are_never_seen_improve_too():
    """As in policy iteration: one day the policy may come there."""
    p = np.zeros((3, 2, 3))
    p[0, :, 1] = p[1, :, 1] = p[2, :, 2] = 1.0
    mdp = TabularMDP(p, np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), np.array([1.0, 0.0, 0.0]))
    theta, _ = next(islice(exact.Ascent(mdp, "exact-npg", lr=1.0, gamma=0.5).path(), 1, None))
    assert theta.reshape(3, 2)[2, 1] > theta.reshape(3, 2)[2, 0]


@pytest.mark.parametrize("case", [{"gamma": 0.9}, {}, {"setting": "finite-horizon"}, {"setting": "average"}], ids=str)
@pytest.mark.parametrize("algorithm", sorted(EXACT))
def test_every_setting_is_climbed(algorithm, case):
    """Small steps never lead down."""
    ascent = exact.Ascent(random_mdp(), algorithm, lr=0.01, entropy=0.1, **case)
    worth = [found.J for _, found in islice(ascent.path(), 12)]
    assert all(later > sooner for sooner, later in pairwise(worth))


def test_shared_parameters_have_a_natural_gradient_too():
    """The corridor's single probability, from where the plain gradient is slow."""
    engine = Engine("ShortCorridor", algorithm="exact-npg", lr=0.1, theta0=[2.0, -1.0])
    assert engine.learn(100).final_return.mean == pytest.approx(CORRIDOR, rel=1e-6)
    assert engine.optimum == pytest.approx(CORRIDOR)


# ---- the best of a class


def test_the_best_policy_that_sees_nothing():
    """The corridor's, √2 − 1 to the left; the same as a table whose rows look alike."""
    corridor = Engine("ShortCorridor")
    table = exact.table_behind(corridor.source, corridor.traits)
    policy = exact.observed_policy(corridor.model, corridor.source.env, corridor.traits, table.observations)
    found = exact.best_in_class(table.mdp, policy, seed=4)
    assert found.J == pytest.approx(CORRIDOR, rel=1e-10)
    assert found.found.policy[0] == pytest.approx([np.sqrt(2) - 1, 2 - np.sqrt(2)], abs=1e-5)
    assert found.agreeing >= 2
    assert np.array_equal(found.tried, exact.best_in_class(table.mdp, policy, seed=4).tried)


def test_the_best_table_of_states_that_look_the_same():
    """Two states that want different actions and can't be told apart: half and half is best, 3/4 of the rest of it."""
    p = np.zeros((2, 2, 2))
    p[:, :, :] = 0.5
    reward = np.array([[1.0, 0.0], [0.0, 1.0]])
    mdp = TabularMDP(p, reward, np.array([0.75, 0.25]), observations=[0, 0])
    shared = Engine(mdp, policy="tabular")
    policy = exact.observed_policy(shared.model, shared.source.env, shared.traits, (0, 0))
    found = exact.best_in_class(mdp, policy, starts=3, gamma=0.0)
    assert found.J == pytest.approx(0.75, abs=1e-6)
    assert found.found.policy[0, 0] == pytest.approx(1.0, abs=1e-6)


def test_where_any_policy_is_in_the_class_the_best_is_the_optimum():
    """And the first start is enough."""
    found = exact.best_in_class(MDP, exact.table_policy(4, 3), gamma=GAMMA)
    assert found.J == pytest.approx(exact.optimum(MDP, gamma=GAMMA).J, rel=1e-6)
    assert len(found.tried) == 1


def test_a_class_needs_a_start():
    with pytest.raises(PgfastError, match="starts is 0: it must be at least 1"):
        exact.best_in_class(MDP, exact.table_policy(4, 3), starts=0)
