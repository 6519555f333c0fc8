"""Engines that learn by exact algorithms: as by any other, and no episode is played."""

from __future__ import annotations

import csv
import json
from itertools import islice
from typing import NamedTuple

import numpy as np
import pytest
from commands import answer_here as answer
from commands import here as pgfast
from gymnasium.spaces import Discrete
from problems import Drift, random_mdp

from pgfast import Engine, PgfastError, TabularMDP, exact
from pgfast._bench.convergence import random_mdp as ergodic_mdp
from pgfast.algorithms.exact import EXACT
from pgfast.exact_training import expected_return

MDP = ergodic_mdp(4, 3, seed=5)


class Lane(NamedTuple):
    """A walk over the even fields: no state looks like the odd ones."""

    max_steps = 6

    @property
    def observation_space(self):
        return Discrete(9)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 0

    def step(self, state, action, key):
        return min(state + 2 * action, 8), -1.0, state + 2 * action >= 8


def test_parameters_of_no_state_stay():
    learner = Engine(Lane(), algorithm="exact-npg")
    assert learner.learn(20).final_return.mean == pytest.approx(-4.0, abs=0.01)
    theta = learner.theta[0]
    assert not theta[1::2].any()
    assert np.all(theta[:8:2, 1] > theta[:8:2, 0])


def engine(algorithm="exact-npg", **settings):
    """A problem whose kernels other tests compile too."""
    return Engine(random_mdp(), **{"algorithm": algorithm, "gamma": 0.9, "lr": 0.5, "seed": 3, **settings})


@pytest.mark.parametrize("algorithm", sorted(EXACT))
def test_an_engine_takes_the_same_path(algorithm):
    learner = engine(algorithm)
    done = learner.learn(7)
    ascent = exact.Ascent(random_mdp(), algorithm, lr=0.5, entropy=0.01, gamma=0.9, setting="finite-horizon", horizon=9)
    theta, found = next(islice(ascent.path(), 7, None))
    np.testing.assert_allclose(learner.theta.reshape(-1), theta, atol=1e-13)
    np.testing.assert_allclose(learner.probabilities(np.arange(5)), found.policy, atol=1e-13)
    assert (done.episodes, done.steps, done.stopped, done.failed) == (7, 0, False, ())
    again = engine(algorithm)
    again.learn(3)
    again.learn(4)
    assert again.digest() == learner.digest() != engine(algorithm).digest()


def test_the_curve_is_the_undiscounted_return():
    learner = engine(lr=0.05)
    curve = learner.learn(30, callback=lambda progress: None).curve
    assert curve.episode.tolist() == list(range(1, 31))
    assert curve.steps.tolist() == [[0] * 30]
    pi = learner.probabilities(np.arange(5))
    truth = exact.evaluate(random_mdp(), pi, setting="finite-horizon")
    assert curve.mean_return[0, -1] == pytest.approx(truth.J, rel=1e-12)
    entropy = -(pi * np.log(pi)).sum(axis=1)
    d = exact.evaluate(random_mdp(), pi, setting="finite-horizon", gamma=0.9).occupancy
    assert curve.entropy[0, -1] == pytest.approx(d @ entropy / d.sum(), rel=1e-12)
    assert np.all(np.diff(curve.mean_return[0]) > 0)
    assert np.all(np.isnan(curve.std_return))
    assert np.all(curve.gradient_norm > 0)
    assert np.all(np.diff(curve.seconds[0]) >= 0)


def test_an_update_counts_as_a_batch():
    """The last one too, which has fewer episodes."""
    small, large = engine(), engine(batch=10)
    small.learn(4)
    done = large.learn(35)
    assert done.episodes == 35
    assert done.curve.episode.tolist() == [10, 20, 30, 35]
    assert large.digest() == small.digest()


def test_episodes_confirm_what_was_computed(tmp_path):
    """Of 20,000 fresh ones; false alarm in one of 15,000. And a saved engine is the same engine."""
    learner = engine()
    computed = learner.learn(20).final_return
    assert computed.low == computed.mean == computed.high
    played = learner.evaluate(20_000)
    assert abs(played.mean - computed.mean) < 4 * played.std / np.sqrt(played.episodes)
    learner.save(tmp_path)
    loaded = Engine.load(tmp_path)
    assert (loaded.settings.algorithm, loaded.digest()) == ("exact-npg", learner.digest())
    loaded.learn(5)
    learner.learn(5)
    assert loaded.digest() == learner.digest()


def test_predictions_are_those_of_the_last_theta():
    learner = engine(lr=50.0)
    learner.learn(40)
    best = exact.optimum(random_mdp(), gamma=0.9).actions
    assert [learner.predict(s, deterministic=True) for s in range(4)] == best[:4].tolist()


def test_a_callback_can_end_it():
    learner, seen = engine(episodes=10**6), []

    def callback(progress):
        seen.append(progress)
        return len(seen) < 2

    done = learner.learn(callback=callback)
    assert done.stopped
    assert 0 < done.episodes == seen[-1].episodes < 10**6
    assert (seen[-1].total, seen[-1].steps) == (10**6, 0)


def test_theta_that_is_no_longer_finite():
    """The last one that was stays, and the update at which it happened is told."""
    huge = TabularMDP(MDP.P, 1e300 * MDP.R, MDP.rho0)
    learner = Engine(huge, algorithm="exact-npg", gamma=0.9, lr=1e8)
    done = learner.learn(10)
    assert done.failed == ((0, 0),)
    assert not learner.theta.any()
    assert learner.learn(10).episodes == 0


def test_expected_returns_of_long_episodes():
    """Against going through every step: of chains that end, that go on, and that go round."""
    turning = TabularMDP(np.array([[[0.0, 1.0]], [[1.0, 0.0]]]), np.array([[1.0], [0.0]]), np.array([1.0, 0.0]))
    for mdp in (random_mdp(), MDP, turning):
        model, pi = exact.model_of(mdp), np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions)
        for steps in (1, 10, 2001):
            truth = exact.evaluate(mdp, pi, setting="finite-horizon", horizon=steps).J
            assert expected_return(model, pi, steps) == pytest.approx(truth, rel=1e-10)


def test_far_time_limits_are_left_out_of_the_objective():
    assert Engine("ShortCorridor", algorithm="exact-pg")._ascent.case["setting"] is None
    assert engine()._ascent.case["horizon"] == 9
    endless = {"algorithm": "exact-pg", "max_steps": 5000}
    assert Engine(MDP, **endless, gamma=1.0)._ascent.case["horizon"] == 5000
    assert Engine(MDP, **endless, gamma=0.9)._ascent.case["horizon"] is None


# ---- what can't be


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"runs": 3}, "runs is 3, but with exact-pg nothing is drawn"),
        ({"baseline": "value"}, "baseline is 'value', but with exact-pg a baseline lowers"),
        ({"optimizer": "adam"}, "optimizer is 'adam', but with exact-pg its update is a plain step"),
        ({"returns": "whole"}, "returns is 'whole', but with exact-pg no episode is played"),
        ({"in_loop": True}, "in_loop is True, but with exact-pg no episode is played"),
        ({"discount_factor": False}, "discount_factor is False, but with exact-pg the exact gradient"),
        ({"precision": "float32"}, "precision is 'float32', but with exact-pg it computes in double"),
        ({"entropy": 0.1}, "entropy is 0.1: with exact-pg it must be 0, or choose exact-entropy-pg"),
        ({"algorithm": "exact-entropy-npg", "entropy": 0.0}, "it must be more than 0, or choose exact-npg"),
        ({"algorithm": "exact-escort-pg", "entropy": 0.1}, r"with exact-escort-pg it must be 0\.$"),
        ({"policy": "timed", "horizon": 4}, "horizon is 4, but the policy has preferences for each of 9 steps"),
        ({"algorithm": "exact-ngp"}, r"There is no algorithm 'exact-ngp' \(did you mean 'exact-npg'\?\)"),
    ],
)
def test_settings_that_make_no_sense(settings, words):
    with pytest.raises(PgfastError, match=words):
        engine(**{"algorithm": "exact-pg", **settings})


@pytest.mark.parametrize("env", [Drift(), "CartPole-v1", "Pendulum-v1"], ids=["class", "CartPole", "Pendulum"])
def test_an_environment_without_a_model(env):
    with pytest.raises(
        PgfastError, match=r"^algorithm is 'exact-npg', which [^;]* has no table: [^;]*\): choose reinforce, "
    ):
        Engine(env, algorithm="exact-npg")


def test_an_escort_gradient_is_of_an_escort_policy():
    with pytest.raises(PgfastError, match="policy is 'tabular': with exact-escort-pg it is 'escort'; leave it out"):
        engine("exact-escort-pg", policy="tabular")


@pytest.mark.parametrize("policy", ["timed", "mixed", "escort", "exponential-family"])
def test_other_tables_are_climbed_too(policy):
    """Those that know the time as well."""
    curve = engine("exact-pg", policy=policy, gamma=1.0, lr=0.05).learn(10).curve
    assert np.all(np.diff(curve.mean_return[0]) > 0)


def test_who_learns_from_what_it_sees_needs_another_algorithm():
    with pytest.raises(PgfastError, match="learns nothing from what an agent sees"):
        engine().agent()


# ---- on the command line


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exact") / "run"
    return folder, answer("train", "Bandit", "--algorithm", "exact-npg", "--lr", 1, "--episodes", 50, "--out", folder)


def test_train_says_the_same_of_an_exact_algorithm(trained):
    folder, said = trained
    assert (said["algorithm"], said["episodes"], said["steps"]) == ("exact-npg", 50, 0)
    assert said["final_return"]["mean"] == said["final_return"]["ci95"][0] == pytest.approx(1.0, abs=1e-3)
    assert said["evaluation"]["mean"] == pytest.approx(1.0, abs=0.01)
    assert (said["optimum"], said["failed"], said["stopped"]) == (1.0, [], False)
    assert {p.name for p in folder.iterdir()} >= {"config.toml", "policy.safetensors", "metrics.csv", "curve.png"}
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["episode"]) for row in rows] == list(range(1, 51))
    assert float(rows[-1]["mean_return"]) == said["final_return"]["mean"]
    assert json.loads((folder / "summary.json").read_text("utf-8")) == said
    judged = answer("exact", "Bandit", "--policy", folder)
    assert judged["J"] == pytest.approx(said["final_return"]["mean"], rel=1e-12)


def test_the_best_of_the_kind_on_the_command_line():
    assert answer("exact", "ShortCorridor", "--policy", "best")["J"] == pytest.approx(-6 - 4 * np.sqrt(2), rel=1e-8)


def test_estimates_are_not_checked_of_what_estimates_nothing():
    done = pgfast("gradcheck", "Bandit", "--algorithm", "exact-pg")
    assert done.returncode == 2
    assert "exact-pg', whose steps are no estimates" in done.stderr
