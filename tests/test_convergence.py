"""Theorems about exact policy gradients, played through on small problems: bounds hold, and rates are those proved."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from pgfast import exact
from pgfast._bench import convergence, theory
from pgfast._bench.convergence import random_mdp

SLOPE = 0.05  # how far a fitted slope may be from −1


@pytest.mark.parametrize("head_start", [0.0, -2.0])
def test_a_bandit_is_learned_within_its_bound(head_start):
    """5/(c² t) (Mei et al. 2020a, theorem 2): it knows how bad the first policy was."""
    found = convergence.bandit([1.0, 0.8, 0.1], [head_start, 0.0, 0.0], updates=500)
    assert np.all(found.lost <= found.most)


def test_who_begins_badly_stays_behind():
    fair, bad = (convergence.bandit([1.0, 0.8, 0.1], [start, 0.0, 0.0], updates=300) for start in (0.0, -2.0))
    assert np.all(bad.lost > fair.lost)
    assert np.all(bad.most > fair.most)


@pytest.mark.parametrize("what", ["bandit", "mdp"])
def test_softmax_gradients_converge_as_one_over_t(what):
    """And no faster than proved (Mei et al. 2020a, theorems 9 and 10)."""
    if what == "bandit":
        found = convergence.bandit([1.0, 0.5, 0.0], updates=2000, lr=1.0)
    else:
        found = convergence.softmax_gradient(random_mdp(3, 2, seed=1), 0.5, 2000, lr=1.0)
    assert abs(found.slope() + 1.0) < SLOPE
    assert np.all(found.lost[1000:] >= found.least[1000:])


@pytest.mark.parametrize("seed", [0, 1])
def test_an_mdp_is_learned_within_its_bound(seed):
    found = convergence.softmax_gradient(random_mdp(3, 2, seed), 0.5, 300)
    assert np.all(found.lost <= found.most)
    assert np.all(np.diff(found.lost) < 0)


def test_a_softmax_escapes_late_and_an_escort_policy_soon():
    for chance in (0.1, 0.02):
        softmax, escort = (convergence.escape(chance, name) for name in ("exact-pg", "exact-escort-pg"))
        assert softmax >= convergence.least_escape(chance) == (1 / chance - 2) / 0.8
        assert escort <= 6 < softmax


@pytest.mark.parametrize("algorithm", ["exact-pg", "exact-escort-pg"])
def test_gradients_are_steep_enough(algorithm):
    """The inequalities of Łojasiewicz's kind that rates are proved by."""
    for theta in 3 * np.random.default_rng(0).normal(size=(20, 4)):
        norm, least = convergence.steepness(algorithm, theta, [1.0, 0.8, 0.1, 0.5])
        assert norm >= least * (1 - 1e-12)


def test_an_escort_policy_is_steeper_where_the_best_arm_is_unlikely():
    chances, rewards = np.array([1e-4, 0.5, 0.4999]), [1.0, 0.0, 0.0]
    softmax, _ = convergence.steepness("exact-pg", np.log(chances), rewards)
    escort, _ = convergence.steepness("exact-escort-pg", np.sqrt(chances), rewards)
    assert escort > 10 * softmax


def test_entropy_makes_it_linear():
    """Each update leaves at most a part of what was lost, exp(−C) by theorem 6 of Mei et al. 2020a."""
    found = convergence.entropy_gradient(random_mdp(3, 2, seed=1), 0.5, 0.2, 500)
    assert np.all(found.lost <= found.most)
    assert np.max(found.lost[1:] / found.lost[:-1]) <= found.most[1] / found.most[0] < 1.0


@pytest.mark.parametrize("n_states", [2, 10, 50])
def test_the_bound_of_the_natural_gradient_knows_no_states(n_states):
    """2/((1 − γ)² T) (Agarwal et al. 2021, theorem 16)."""
    found = convergence.natural_gradient(random_mdp(n_states, 4, seed=2), 0.9, 60)
    np.testing.assert_allclose(found.most, 2 / (0.01 * np.arange(1, 61)))
    assert np.all(found.lost <= found.most)


@pytest.mark.parametrize("part", [1.0, 0.5, 0.1])
def test_soft_policy_iteration_has_the_rate_gamma(part):
    """And smaller steps 1 − ατ (Cen et al. 2022, theorem 1)."""
    found = convergence.entropy_natural_gradient(random_mdp(5, 3, seed=2), 0.9, 0.2, 40, part)
    np.testing.assert_allclose(found.most[1:] / found.most[:-1], 1 - 0.1 * part)
    assert np.all(found.lost <= found.most)


def test_the_best_policy_with_entropy_is_where_its_gradient_vanishes():
    mdp, tau = random_mdp(4, 3, seed=3), 0.3
    _, log_pi = convergence.soft_optimum(mdp, 0.8, tau)
    np.testing.assert_allclose(np.exp(log_pi).sum(axis=1), 1.0)
    ascent = exact.Ascent(mdp, "exact-entropy-pg", lr=1.0, entropy=tau, gamma=0.8)
    theta = log_pi.reshape(-1)
    assert np.linalg.norm(ascent.gradient(theta, ascent.evaluate(theta))) < 1e-12


def test_the_figures_command(monkeypatch, tmp_path, capsys):
    """With few updates, which is not enough for every rate to be seen."""
    monkeypatch.setattr(sys, "argv", ["theory", "--scale", "0.01", "--json", "--out", str(tmp_path / "new")])
    code = theory.main()
    rows = json.loads(capsys.readouterr().out)
    assert code == (0 if all(row["holds"] for row in rows) else 1)
    assert all(row["holds"] for row in rows if "of the bound" in row["measured"])
    assert {"claim", "measured", "proved", "holds"} == set(rows[0])
    assert (tmp_path / "new" / "theory.png").read_bytes().startswith(b"\x89PNG")
