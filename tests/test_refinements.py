"""Refined gradients against `reference_refined.py`, number by number; and what theory says of them."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import problems
import pytest
import reference_refined

from pgfast import Agent, Engine
from pgfast.errors import PgfastError
from pgfast.kernels.linear_systems import room_for, solve

_ENAC = {"algorithm": "enac", "returns": "whole"}
REFINED = {  # problem and settings; no two of them are compiled here
    "natural linear": ("linear", {"algorithm": "natural", "baseline": "mean", "entropy": 0.1, "discount_factor": True}),
    "natural linear, cg": ("linear", {"algorithm": "natural", "baseline": "batch", "solver": "cg"}),
    "natural, tempered linear": ("tempered linear", {"algorithm": "natural", "baseline": "value", "max_kl": 1e-3}),
    "natural features": ("features", {"algorithm": "natural", "returns": "whole", "lr": 0.01, "optimizer": "adam"}),
    "natural raft": ("raft", {"algorithm": "natural", "baseline": "mean", "damping": 0.1}),
    "natural tabular": ("tabular", {"algorithm": "natural", "baseline": "value", "entropy": 0.1, "max_kl": 1e-3}),
    "natural, tempered": ("tempered", {"algorithm": "natural", "baseline": "batch", "discount_factor": True}),
    "natural stones": ("stones", {"algorithm": "natural", "baseline": "mean", "optimizer": "adam"}),
    "enac linear": ("linear", {**_ENAC, "discount_factor": True, "lr": 0.01}),
    "enac features": ("features", {**_ENAC, "max_kl": 1e-3}),
    "enac glider": ("glider", {**_ENAC, "solver": "cg", "damping": 0.1}),
    "enac tabular": ("tabular", {**_ENAC, "discount_factor": True}),
    "enac, tempered": ("tempered", {**_ENAC, "max_kl": 1e-3}),
    "gpomdp linear": ("linear", {"algorithm": "gpomdp", "entropy": 0.1}),
    "gpomdp raft": ("raft", {"algorithm": "gpomdp", "discount_factor": True, "lr": 0.003}),
    "gpomdp tabular": ("tabular", {"algorithm": "gpomdp"}),
    "gpomdp stones": ("stones", {"algorithm": "gpomdp", "discount_factor": True, "entropy": 0.1}),
    "optimal linear": ("linear", {"baseline": "optimal", "entropy": 0.1, "discount_factor": True}),
    "optimal-scalar, tempered linear": ("tempered linear", {"baseline": "optimal-scalar", "returns": "whole"}),
    "optimal features": ("features", {"baseline": "optimal"}),
    "optimal glider": ("glider", {"baseline": "optimal", "returns": "whole", "optimizer": "adam"}),
    "optimal tabular": ("tabular", {"baseline": "optimal", "discount_factor": True}),
    "optimal-scalar, tempered": ("tempered", {"baseline": "optimal-scalar", "returns": "whole"}),
    "natural, optimal": ("stones", {"baseline": "optimal-scalar", "optimizer": "momentum"}),
}


def fresh(name, **changes):
    """An engine that has learned nothing, with three batches ahead of it; the last one is smaller."""
    problem, settings = REFINED[name]
    return problems.engine(problem, "batches", **{"runs": 1, "episodes": 47, **settings, **changes})


@pytest.mark.parametrize("name", REFINED)
def test_uncompiled_kernels_agree_with_the_reference(name, monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    engine = fresh(name)
    with np.errstate(all="ignore"):  # compiled code doesn't warn of x / 0 in a lane that is idle
        curve = engine.learn(threads=1).curve
    trained = reference_refined.Refined(fresh(name), 0).train(engine.settings.episodes)
    np.testing.assert_allclose(engine.theta.ravel(), trained.theta, rtol=1e-7, atol=1e-9)
    norms = [np.sqrt(square) for _, square in trained.moves]
    np.testing.assert_allclose(curve.gradient_norm[0], norms, rtol=1e-7)


def test_compiled_kernels_have_the_same_bits_with_any_number_of_threads(monkeypatch):
    problem, settings = "linear", {"algorithm": "natural", "baseline": "mean"}
    choices = {"batch": 300, "episodes": 700, "runs": 1, **settings}
    digests = set()
    for threads in (1, 2, 3):
        engine = problems.engine(problem, "batches", **choices)
        engine.learn(threads=threads)
        digests.add(engine.digest())
    few = problems.engine(problem, "batches", **settings)
    few.learn()
    assert len(digests) == 1
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):
        plain = problems.engine(problem, "batches", **settings)
        plain.learn(threads=1)
    assert few.digest() == plain.digest()


# ---- what theory says


def after_one_update(env, theta, **settings):
    """θ of all runs after one update, less θ before, with actions of a row summing to 0; (runs, S, A)."""
    engine = Engine(env, theta0=theta.ravel().tolist(), optimizer="sgd", lr=1.0, **settings)
    result = engine.learn(engine.settings.batch)
    assert result.singular == ()
    moved = engine.theta - theta
    return moved - moved.mean(axis=2, keepdims=True)


@pytest.mark.parametrize("choices", [{"algorithm": "natural"}, {"algorithm": "enac", "returns": "whole"}], ids=str)
def test_of_a_table_they_tend_to_the_exact_natural_gradient(choices):
    """…since compatible features of full rank leave nothing of the advantage out (Kakade 2001; Peters & Schaal 2008).

    In 64 runs no component's mean is off by more than six standard errors, and 16 times the episodes make the squared
    error 16 times smaller, give or take a factor of 4: chance alone breaks the one three times in 10⁶, and the other,
    even if the error were of a single component, less than once."""
    mdp = problems.random_mdp()
    mdp = type(mdp)(mdp.P, mdp.R, mdp.rho0, terminal=[4], max_steps=400)
    theta, gamma = problems.preferences(mdp), 0.8
    shared = {"gamma": gamma, "policy": "tabular", "discount_factor": True, "baseline": "none"}
    exactly = (1 - gamma) * after_one_update(mdp, theta, algorithm="exact-npg", batch=1, **shared)
    squares = []
    for batch in (2_000, 32_000):
        found = after_one_update(mdp, theta, batch=batch, runs=64, damping=0.0, max_kl=0.0, **choices, **shared)
        found, truth = found[:, :4].reshape(64, 12), exactly[0, :4].ravel()  # no step is made in the last state
        assert np.all(np.abs(found.mean(axis=0) - truth) < 6 * found.std(axis=0) / 8)
        squares.append(np.mean(np.sum((found - truth) ** 2, axis=1)))
    assert 4 < squares[0] / squares[1] < 64


@pytest.mark.parametrize("seed", range(3))
def test_cholesky_factors_and_conjugate_gradients_solve_the_same_systems(seed):
    rng = np.random.default_rng(seed)
    n = 12
    half, b = rng.normal(size=(n, 40)) * np.exp(rng.normal(size=(n, 1))), rng.normal(size=n)
    matrix = half @ half.T
    expected = np.linalg.solve(matrix + 0.01 * np.diag(np.diag(matrix)), b)
    for conjugate in (0, 1):
        numbers = np.concatenate([b, matrix[np.tril_indices(n)], np.zeros(room_for(n))])
        assert solve(conjugate, numbers, n, n, 0, 0.01) == 0.01
        np.testing.assert_allclose(numbers[:n], expected, rtol=1e-8)


def test_a_singular_matrix_is_damped_and_said_once(monkeypatch):
    """…as one of fewer episodes than unknowns is."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    choices = {"damping": 0.0, "runs": 2, "batch": 4, "episodes": 8}
    engine = problems.engine("linear", "batches", **_ENAC, **choices)
    with np.errstate(all="ignore"):
        done = engine.learn(threads=1)
    assert done.singular == (0, 1)
    assert np.all(np.isfinite(engine.theta))


DRIFT = problems.Drift()


class Mixed(NamedTuple):
    """`problems.Drift`, seen in other units, or mixed."""

    rows: tuple[float, ...]  # of a matrix (4, 4)

    max_steps = 9
    observation_space = DRIFT.observation_space
    action_space = DRIFT.action_space

    def reset(self, key):
        return DRIFT.reset(key)

    def step(self, state, action, key):
        return DRIFT.step(state, action, key)

    def observe(self, state):
        return tuple((np.reshape(self.rows, (4, 4)) @ DRIFT.observe(state)).tolist())


@pytest.mark.parametrize(("mixes", "damping"), [(False, 0.1), (True, 0.0)])
@pytest.mark.parametrize("algorithm", ["enac", "natural"])
def test_a_linear_change_of_parameters_changes_nothing(algorithm, mixes, damping, monkeypatch):
    """Of their units alone, whatever the damping."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    rng = np.random.default_rng(0)
    change = rng.normal(size=(4, 4)) if mixes else np.diag([0.1, 3.0, 20.0, 5.0])
    theta = rng.normal(size=(3, 4))
    settings = {"bias": False, "algorithm": algorithm, "damping": damping, "max_kl": 1e-3, "runs": 1, "lr": 0.1}
    settings |= {"returns": "whole", "batch": 40, "episodes": 40}
    learned = []
    with np.errstate(all="ignore"):
        for rows, start in ((np.eye(4), theta), (change, theta @ np.linalg.inv(change))):
            env = Mixed(tuple(rows.ravel().tolist()))
            engine = problems.engine("linear", "batches", env=env, theta0=start.ravel().tolist(), **settings)
            engine.learn(threads=1)
            learned.append(engine.theta[0] @ rows)  # preferences of what the first one sees
    assert np.abs(learned[0] - theta).max() > 1e-3
    np.testing.assert_allclose(learned[1], learned[0], rtol=1e-6, atol=1e-9)


REFUSED = [
    ("tiles", {"algorithm": "natural"}, "algorithm is 'natural', which needs sums over a batch that features 'tiles'"),
    ("tiles", {"baseline": "optimal"}, "baseline is 'optimal', which needs sums"),
    ("escort", {"algorithm": "gpomdp"}, "that escort doesn't have: take a tabular policy"),
    ("linear", {"baseline": "optimal", "in_loop": True}, "that in_loop doesn't have"),
    ("linear", {"algorithm": "natural", "in_loop": True}, "in_loop is True, but with natural a matrix is of a batch"),
    ("tabular", {"algorithm": "enac", "returns": "to-go"}, "returns is 'to-go', but with enac"),
    ("tabular", {"max_kl": 0.1}, "max_kl is 0.1, which reinforce has no use for"),
    ("tabular", {"algorithm": "enac", "returns": "whole", "env": "Taxi-v4", "theta0": 0.0}, r"2500 × 2500 numbers"),
]


@pytest.mark.parametrize(("problem", "settings", "words"), REFUSED)
def test_what_cannot_be_served_is_said(problem, settings, words):
    with pytest.raises(PgfastError, match=words):
        problems.engine(problem, "batches", **settings)


@pytest.mark.parametrize("settings", [{"algorithm": "natural"}, {"algorithm": "gpomdp"}, {"baseline": "optimal"}])
def test_an_agent_that_refines_goes_on_where_it_was_saved(settings, monkeypatch, tmp_path):
    """…what is kept from batch to batch is saved with it."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)

    def play(agent, episodes):
        for _ in range(episodes):
            for t in range(3):
                agent.act((0.1 * t, 0.2, 0.3, 0.1))
                agent.observe(float(t), False, t == 2, (0.1, 0.2, 0.3, 0.1))

    whole = problems.engine("linear", "batches", runs=1, batch=2, **settings).agent()
    play(whole, 3)
    whole.save(tmp_path)
    again = Agent.load(tmp_path, trust=True)
    for agent in (whole, again):
        play(agent, 4)
    assert np.abs(whole.engine.theta).max() > 0
    assert again.engine.digest() == whole.engine.digest()
