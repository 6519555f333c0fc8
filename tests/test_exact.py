"""The exact oracle: against closed forms, finite differences and itself."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from problems import preferences, random_mdp
from reference_policies import finite_differences, softmax
from scipy import sparse

from pgfast import PgfastError, TabularMDP, exact, make

CASES = {  # setting, γ
    "discounted": {"setting": "discounted", "gamma": 0.9},
    "no look-ahead": {"setting": "discounted", "gamma": 0.0},
    "episodic": {"setting": "episodic"},
    "finite-horizon": {"setting": "finite-horizon"},
    "finite-horizon, discounted": {"setting": "finite-horizon", "gamma": 0.8},
    "average": {"setting": "average"},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_the_derivative_of_j(case, seed):
    mdp = random_mdp(seed=seed)
    theta = preferences(mdp, seed)
    found = exact.evaluate(mdp, softmax(theta), **case)
    differences = finite_differences(lambda t: exact.evaluate(mdp, softmax(t), **case).J, theta)
    np.testing.assert_allclose(found.gradient, differences, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(
        found.gradient.sum(axis=-1), 0.0, atol=1e-12
    )  # a shift of a state's logits changes nothing


def test_the_gradient_of_a_policy_that_knows_the_time():
    mdp = random_mdp()
    theta = np.random.default_rng(1).normal(size=(4, 5, 3))
    case = {"setting": "finite-horizon", "horizon": 4, "gamma": 0.9}
    found = exact.evaluate(mdp, softmax(theta), **case)
    differences = finite_differences(lambda t: exact.evaluate(mdp, softmax(t), **case).J, theta)
    np.testing.assert_allclose(found.gradient, differences, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_values_are_consistent(case):
    mdp = random_mdp(seed=4)
    pi = softmax(preferences(mdp))
    found = exact.evaluate(mdp, pi, **case)
    np.testing.assert_allclose((pi * found.Q).sum(axis=1), found.V, atol=1e-12)
    np.testing.assert_allclose((pi * found.advantage).sum(axis=1), 0.0, atol=1e-12)
    reward = (pi * exact.model_of(mdp).reward).sum(axis=1)
    assert found.occupancy @ reward == pytest.approx(found.J, rel=1e-12)
    assert found.residual < 1e-12
    if case["setting"] == "average":
        assert found.occupancy.sum() == pytest.approx(1.0, rel=1e-12)
    else:
        assert mdp.rho0 @ found.V == pytest.approx(found.J, rel=1e-12)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("seed", range(4))
def test_no_policy_beats_the_optimum(case, seed):
    mdp = random_mdp(seed=seed)
    best = exact.optimum(mdp, **case)
    assert exact.evaluate(mdp, best.policy, **case).J == pytest.approx(best.J, rel=1e-12)
    for k in range(20):
        tried = softmax(3 * preferences(mdp, k))
        assert exact.evaluate(mdp, tried, **case).J <= best.J + 1e-12
        greedy = np.eye(mdp.n_actions)[tried.argmax(axis=1)]
        assert exact.evaluate(mdp, greedy, **case).J <= best.J + 1e-12


def two_states(p, q):
    """Action 0 changes the state, from 0 with probability p and from 1 with q; action 1 stays; state 0 pays 1."""
    transitions = np.array([[[1 - p, p], [1, 0]], [[q, 1 - q], [0, 1]]], float)
    return TabularMDP(transitions, [[1.0, 1.0], [0.0, 0.0]], [1.0, 0.0], terminal=[])


def test_two_states_by_hand():
    p, q, gamma = 0.3, 0.2, 0.9
    change = np.array([[1.0, 0.0], [1.0, 0.0]])
    average = exact.evaluate(two_states(p, q), change, setting="average")
    assert average.J == pytest.approx(q / (p + q), rel=1e-13)
    np.testing.assert_allclose(average.occupancy, [q / (p + q), p / (p + q)], rtol=1e-13)
    discounted = exact.evaluate(two_states(p, q), change, gamma=gamma)
    expected = (1 - gamma * (1 - q)) / ((1 - gamma) * (1 - gamma * (1 - p - q)))
    assert discounted.J == pytest.approx(expected, rel=1e-13)


def test_the_corridor_that_is_told_apart_from_nowhere():
    """Example 13.1 of Sutton & Barto (2018) as a table: always right with probability p."""
    p = np.zeros((4, 2, 4))
    for s, (left, right) in enumerate([(0, 1), (2, 0), (1, 3)]):
        p[s, 0, left] = p[s, 1, right] = 1.0
    p[3, :, 3] = 1.0
    r = np.where(np.arange(4)[:, None] == 3, 0.0, -1.0) * np.ones(2)
    mdp = TabularMDP(p, r, [1.0, 0, 0, 0])
    for right in (0.05, 0.5, 2 - np.sqrt(2)):
        pi = np.tile([1 - right, right], (4, 1))
        expected = (2 * right - 4) / (right * (1 - right))
        assert exact.evaluate(mdp, pi).J == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "case", "truth"),
    [
        ("FrozenLake-v1", {}, 14 / 17),
        ("FrozenLake-v1", {"gamma": 0.99}, 0.54203),
        ("FrozenLake-v1", {"setting": "finite-horizon"}, 0.7442),
        ("FrozenLake8x8-v1", {"gamma": 0.99}, 0.41464),
        ("FrozenLake8x8-v1", {"setting": "finite-horizon"}, 0.9132),
        ("CliffWalking-v1", {}, -13.0),
        ("Taxi-v4", {}, 7.93),
    ],
)
def test_known_optima(name, case, truth):
    assert exact.optimum(make(name), **case).J == pytest.approx(truth, abs=5e-5)


def test_sparse_equations_agree_with_dense_ones(monkeypatch):
    mdp = make("Garnet", n_states=400)
    pi = softmax(preferences(mdp))
    for case in ({"gamma": 0.95}, {"setting": "average"}):
        dense = exact.evaluate(mdp, pi, **case)
        monkeypatch.setattr("pgfast.exact.chains.DENSE", 10)
        large = exact.evaluate(mdp, pi, **case)
        monkeypatch.undo()
        assert (dense.method, large.method) == ("dense", "sparse")
        assert large.residual < 1e-10
        np.testing.assert_allclose(large.gradient, dense.gradient, atol=1e-9 * np.abs(dense.gradient).max())


def ring(n=3, pays=1.0):
    """A chain that goes round for ever, and a state that leads into it from nowhere."""
    p = np.zeros((n + 1, 1, n + 1))
    for s in range(n):
        p[s, 0, (s + 1) % n] = 1.0
    p[n, 0, 0] = 1.0
    return TabularMDP(p, np.full((n + 1, 1), pays), np.eye(n + 1)[0], terminal=[])


def test_what_never_ends_is_named():
    with pytest.raises(PgfastError, match=r"never ends under this policy once it is in state 0, 1, 2: choose gamma"):
        exact.evaluate(ring(), np.ones((4, 1)))
    assert exact.evaluate(ring(pays=0.0), np.ones((4, 1))).J == 0.0
    around = exact.evaluate(ring(), np.ones((4, 1)), setting="average")
    np.testing.assert_allclose(around.occupancy, [1 / 3, 1 / 3, 1 / 3, 0], atol=1e-15)
    with pytest.raises(PgfastError, match="never ends from state 0, 1, 2, whatever is done"):
        exact.optimum(ring())


def test_returns_without_bound():
    p = np.zeros((2, 2, 2))
    p[0, 0, 0] = p[0, 1, 1] = p[1, :, 1] = 1.0
    with pytest.raises(PgfastError, match="no bound: from state 0 it goes on growing"):
        exact.optimum(TabularMDP(p, [[1.0, 0.0], [0.0, 0.0]], [1.0, 0.0]))


def test_several_classes_are_named():
    p = np.zeros((3, 1, 3))
    p[0, 0, 1:] = 0.5
    p[1, 0, 1] = p[2, 0, 2] = 1.0
    mdp = TabularMDP(p, [[0.0], [1.0], [2.0]], [1.0, 0, 0], terminal=[])
    with pytest.raises(PgfastError, match=r"one of 2 sets of states that it never leaves \((1; 2|2; 1)\)"):
        exact.evaluate(mdp, np.ones((3, 1)), setting="average")


def test_the_best_reward_per_step_is_that_of_the_best_class():
    """Greedy policies may stay in one of several sets of states that are equally good; against all policies."""
    several = 0
    for seed in (*range(8), 11, 17, 19, 44):
        mdp = sparse_mdp(seed)
        truth = max(long_run(mdp, np.eye(2)[list(actions)]) for actions in product(range(2), repeat=4))
        best = exact.optimum(mdp, setting="average")
        assert best.J == pytest.approx(truth, abs=1e-10)
        assert long_run(mdp, best.policy) == pytest.approx(truth, abs=1e-10)
        several += seed in (4, 11, 17, 19, 44)
    assert several == 5


def sparse_mdp(seed):
    """Few states can follow one, and rewards are often the same."""
    rng = np.random.default_rng(seed)
    p = np.zeros((4, 2, 4))
    for row in p.reshape(-1, 4):
        following = rng.choice(4, rng.integers(1, 3), replace=False)
        row[following] = 1 / len(following)
    return TabularMDP(p, rng.integers(0, 3, (4, 2)).astype(float), np.full(4, 0.25), terminal=[])


def long_run(mdp, pi):
    """The reward per step after a long time, of lazy steps so that nothing is periodic."""
    p = np.einsum("sa,sat->st", pi, mdp.P)
    return mdp.rho0 @ np.linalg.matrix_power((p + np.eye(len(p))) / 2, 2**20) @ (pi * mdp.R).sum(axis=1)


def test_an_optimum_of_several_classes_is_none():
    p = np.zeros((3, 2, 3))
    p[0, :, 1:] = 0.5
    p[1, :, 1] = p[2, :, 2] = 1.0
    mdp = TabularMDP(p, [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]], [1.0, 0, 0], terminal=[])
    with pytest.raises(PgfastError, match=r"is multichain: its best policy ends up in one of 2 sets .*(1; 2|2; 1)"):
        exact.optimum(mdp, setting="average")


@pytest.mark.parametrize(
    ("pi", "case", "message"),
    [
        (np.ones((5, 2)) / 2, {}, r"pi has shape \(5, 2\): with 5 states and 3 actions it must be \(5, 3\)"),
        (np.full((5, 3), 0.5), {}, r"pi\[0\] sums to 1.5"),
        (np.tile([1.5, -0.5, 0.0], (5, 1)), {}, r"pi\[0, 1\] is -0.5"),
        (np.ones((5, 3)) / 3, {"gamma": 1.5}, "gamma is 1.5: it must be from 0 to 1"),
        (np.ones((5, 3)) / 3, {"setting": "discounted"}, "gamma is 1 in the discounted setting"),
        (np.ones((5, 3)) / 3, {"setting": "episodic", "gamma": 0.5}, "gamma is 0.5 in the episodic setting"),
        (np.ones((5, 3)) / 3, {"setting": "finite"}, "did you mean"),
        (
            np.ones((5, 3)) / 3,
            {"setting": "finite-horizon", "horizon": 0},
            "horizon is 0: it must be a number of steps",
        ),
        (np.ones((5, 3)) / 3, {"setting": "finite-horizon", "horizon": 2.5}, "horizon is 2.5"),
        (
            np.ones((5, 3)) / 3,
            {"setting": "finite-horizon", "horizon": 10**9},
            "horizon is 1,000,000,000: with 5 states and 3 actions .* it can be up to 33,333,333",
        ),
        (np.ones((5, 3)) / 3, {"horizon": 5}, "horizon is 5 in the episodic setting"),
        (np.ones((5, 3)) / 3, {"gamma": "0.9"}, "gamma is 0.9: it must be from 0 to 1"),
        (np.ones((5, 3)) / 3, {"gamma": float("nan")}, "gamma is nan"),
        (np.tile([np.nan, 0.5, 0.5], (5, 1)), {}, r"pi\[0, 0\] is nan"),
        (np.tile([np.inf, 0.0, 0.0], (5, 1)), {}, r"pi\[0, 0\] is inf"),
        ("uniform", {}, "pi is 'uniform': it must be an array of probabilities"),
        ([[0.5, 0.5], [1.0]], {}, "it must be an array of probabilities"),
    ],
)
def test_bad_input(pi, case, message):
    with pytest.raises(PgfastError, match=message):
        exact.evaluate(random_mdp(), pi, **case)


def test_what_is_no_mdp():
    with pytest.raises(PgfastError, match=r"mdp is 'FrozenLake-v1': it must be a TabularMDP"):
        exact.evaluate("FrozenLake-v1", np.ones((16, 4)) / 4)


@pytest.mark.parametrize(
    ("n_states", "case"),
    [
        (5000, {"gamma": 0.99}),
        (5000, {"setting": "average"}),
        pytest.param(100_000, {"gamma": 0.99}, marks=pytest.mark.slow),
    ],
)
def test_large_chains(n_states, case):
    """Values and optima of chains that nobody would factorise, by their Bellman equations."""
    model = exact.model_of(make("Garnet", n_states=n_states))
    found = exact.evaluate(model, np.full(model.shape, 0.25), **case)
    best = exact.optimum(model, **case)
    assert (found.method, best.method) == ("sparse", "sparse")
    assert max(found.residual, best.residual) < 1e-10
    gamma, gain = case.get("gamma", 1.0), best.J if "setting" in case else 0.0
    ahead = model.reward + gamma * (model.steps @ best.V).reshape(model.shape) - gain
    np.testing.assert_allclose(ahead.max(axis=1), best.V, atol=1e-8)
    assert found.J < best.J


def test_a_long_corridor_is_solved_by_other_means():
    """Of 5,000 states in a row iteration sees the end too late: they are factorised, sparse."""
    n = 5000
    following = np.minimum(np.arange(n) + 1, n - 1)
    p = sparse.csr_matrix((np.ones(n), (np.arange(n), following)), (n, n))
    r = -np.ones((n, 1))
    r[-1] = 0.0
    found = exact.evaluate(TabularMDP(p, r, np.eye(1, n)[0]), np.ones((n, 1)))
    assert found.J == pytest.approx(1 - n, rel=1e-12)
    assert found.residual < 1e-10


def test_sparse_input():
    dense = random_mdp(seed=2)
    large = TabularMDP(
        sparse.csr_matrix(dense.P.reshape(-1, 5)), dense.R, dense.rho0, terminal=[4], max_steps=dense.max_steps
    )
    pi = softmax(preferences(dense))
    assert exact.evaluate(large, pi, gamma=0.9).J == pytest.approx(exact.evaluate(dense, pi, gamma=0.9).J, rel=1e-13)
