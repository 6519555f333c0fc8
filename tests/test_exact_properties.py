"""The exact oracle on any MDP: absorbing and unreachable states, actions that are never taken, every discount; and
against the policy iteration of another library."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import preferences
from reference_policies import softmax

from pgfast import PgfastError, TabularMDP, exact

SEEDS = st.integers(0, 2**32)


@st.composite
def mdps(draw, ends=False):
    """MDPs with absorbing and unreachable states and rewards of 0; with `ends` each action may end the episode."""
    s, a = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(SEEDS))
    p = np.zeros((s + ends, a, s + ends))
    for row in p[:s].reshape(-1, s + ends):
        row[rng.choice(s, draw(st.integers(1, min(s, 3))), replace=False)] = 1.0
        row /= row.sum()
    if ends:
        p[:s] *= 0.8
        p[:s, :, s] += 0.2
        p[s, :, s] = 1.0
    r = rng.normal(size=(s + ends, a)) * (rng.random((s + ends, a)) < 0.5)
    r[s:] = 0.0
    return TabularMDP(p, r, np.eye(s + ends)[0], terminal=[s] if ends else [], max_steps=7)


def partial(mdp, seed):
    """A policy that never takes the last action."""
    pi = softmax(preferences(mdp, seed))
    if mdp.n_actions > 1:
        pi[:, 0] += pi[:, -1]
        pi[:, -1] = 0.0
    return pi


def bellman(mdp, found, gamma, gain=0.0, model=None):
    """The largest error of V = r + γ P V − gain."""
    model = model or exact.model_of(mdp)
    q = model.reward + gamma * (model.steps @ np.nan_to_num(found.V)).reshape(model.shape) - gain
    return np.max(np.abs(np.nan_to_num((found.policy * q).sum(axis=1) - found.V)))


def derivative(mdp, theta, direction, h=1e-5, **case):
    """Of J along a direction, by a central difference."""
    up, down = (exact.evaluate(mdp, softmax(theta + k * h * direction), **case).J for k in (1, -1))
    return (up - down) / (2 * h)


@given(mdps(), SEEDS, st.sampled_from([0.0, 0.5, 0.99]))
def test_discounted(mdp, seed, gamma):
    found = exact.evaluate(mdp, partial(mdp, seed), gamma=gamma)
    assert np.all(np.isfinite(found.gradient))
    assert bellman(mdp, found, gamma) < 1e-10
    assert found.occupancy.sum() == pytest.approx(1 / (1 - gamma))
    assert found.J <= exact.optimum(mdp, gamma=gamma).J + 1e-9
    np.testing.assert_allclose(found.gradient[found.policy == 0.0], 0.0)


@settings(max_examples=40)
@given(mdps(ends=True), SEEDS)
def test_until_the_end(mdp, seed):
    theta = preferences(mdp, seed)
    found = exact.evaluate(mdp, softmax(theta))
    assert bellman(mdp, found, 1.0) < 1e-10
    model = exact.model_of(mdp)
    assert found.occupancy @ (found.policy * model.ends).sum(axis=1) == pytest.approx(1.0)  # every episode ends once
    assert found.J <= exact.optimum(mdp).J + 1e-9
    direction = preferences(mdp, seed + 1)
    slope = derivative(mdp, theta, direction)
    assert np.sum(found.gradient * direction) == pytest.approx(slope, rel=1e-6, abs=1e-8)


@given(mdps(), SEEDS)
def test_what_may_never_end(mdp, seed):
    """The return until the end is finite, or what it never leaves is named, and pays something."""
    pi = partial(mdp, seed)
    try:
        found = exact.evaluate(mdp, pi)
    except PgfastError as error:
        named = str(error).partition("in state ")[2].partition(":")[0].rstrip(", …").split(", ")
        model = exact.model_of(mdp)
        assert not model.worthless[list(map(int, named))].any()
        return
    assert np.isfinite(found.J)
    assert bellman(mdp, found, 1.0) < 1e-10


@given(mdps(), SEEDS)
def test_average(mdp, seed):
    pi = partial(mdp, seed)
    try:
        found = exact.evaluate(mdp, pi, setting="average")
    except PgfastError:
        with pytest.raises(PgfastError, match="sets of states that it never leaves"):
            exact.evaluate(mdp, pi, setting="average")
        return
    assert found.occupancy.sum() == pytest.approx(1.0)
    p = np.einsum("sa,sat->st", pi, mdp.P)
    np.testing.assert_allclose(found.occupancy @ p, found.occupancy, atol=1e-10)
    assert found.occupancy @ (pi * mdp.R).sum(axis=1) == pytest.approx(found.J, abs=1e-10)
    recurrent = found.occupancy > 1e-12
    q = (pi * (mdp.R + np.einsum("sat,t->sa", mdp.P, found.V))).sum(axis=1) - found.J
    np.testing.assert_allclose(q[recurrent], found.V[recurrent], atol=1e-8)


@settings(max_examples=40)
@given(mdps(), SEEDS, st.sampled_from([0.0, 0.7, 1.0]))
def test_over_a_horizon(mdp, seed, gamma):
    case = {"gamma": gamma, "setting": "finite-horizon"}
    theta, direction = preferences(mdp, seed), preferences(mdp, seed + 1)
    found, best = exact.evaluate(mdp, softmax(theta), **case), exact.optimum(mdp, **case)
    assert found.occupancy.sum() == pytest.approx(sum(gamma**t for t in range(7)))
    assert found.J <= best.J + 1e-9
    stationary = exact.best_return(mdp, 7)
    assert stationary is None or gamma < 1.0 or stationary <= best.J + 1e-9  # to know the time can only help
    slope = derivative(mdp, theta, direction, **case)
    assert np.sum(found.gradient * direction) == pytest.approx(slope, rel=1e-6, abs=1e-8)


@given(mdps(), SEEDS)
def test_fisher_matrices(mdp, seed):
    """They have no negative direction, and no length where the policy stays as it is: shifts of a state's logits, and
    all of states that are never seen."""
    policy = exact.table_policy(mdp.n_states, mdp.n_actions)
    found = exact.evaluate(mdp, policy.probabilities(preferences(mdp, seed)), gamma=0.9)
    fisher = policy.fisher(found)
    np.testing.assert_allclose(fisher, fisher.T, atol=1e-14)
    lengths = np.linalg.eigvalsh(fisher)
    assert lengths.min() > -1e-12
    shifts = np.kron(np.eye(mdp.n_states), np.ones(mdp.n_actions))
    np.testing.assert_allclose(fisher @ shifts.T, 0.0, atol=1e-12)
    np.testing.assert_allclose(shifts @ policy.gradient(found), 0.0, atol=1e-10)
    assert np.sum(lengths > 1e-9) <= np.sum(found.occupancy > 0.0) * (mdp.n_actions - 1)
    np.testing.assert_allclose(fisher @ policy.natural_gradient(found), policy.gradient(found), atol=1e-8)


def test_policy_iteration_of_quantecon():
    """V of 50 random MDPs, and of the policies that QuantEcon finds best."""
    quantecon = pytest.importorskip("quantecon", reason="in the test extra")
    rng = np.random.default_rng(5)
    for _ in range(50):
        s, a, gamma = rng.integers(2, 13), rng.integers(2, 5), rng.uniform(0.0, 0.99)
        p = rng.dirichlet(np.full(s, 0.3), (s, a))
        r = rng.normal(size=(s, a))
        theirs = quantecon.markov.DiscreteDP(r, p, gamma).solve(method="policy_iteration")
        mdp = TabularMDP(p, r, np.full(s, 1 / s), terminal=[])
        best = exact.optimum(mdp, gamma=gamma)
        np.testing.assert_allclose(best.V, theirs.v, rtol=1e-10, atol=1e-10)
        found = exact.evaluate(mdp, np.eye(a)[theirs.sigma], gamma=gamma)
        np.testing.assert_allclose(found.V, theirs.v, rtol=1e-10, atol=1e-10)
