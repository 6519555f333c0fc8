"""J along lines and in planes: exact where it is looked at, with the very path of training in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import answer_here as answer
from commands import here as pgfast
from problems import random_mdp

from pgfast import Engine, PgfastError, exact
from pgfast.landscape import _plateaus, survey

TRAINED = {"episodes": 64, "batch": 4, "gamma": 0.9, "stops": 8}


@pytest.fixture(scope="module")
def line():
    return survey(random_mdp(), points=11, **TRAINED)


def worth(theta):
    policy = exact.table_policy(5, 3)
    return exact.evaluate(random_mdp(), policy.probabilities(theta), gamma=0.9, setting="finite-horizon")


def test_j_on_the_line_is_the_exact_one(line):
    assert (line.setting, line.gamma, line.J.shape) == ("finite-horizon", 0.9, (11,))
    for x, j, norm in zip(line.axes[0], line.J, line.gradient_norm, strict=True):
        found = worth(line.origin + x * line.directions[0])
        assert j == found.J
        assert norm == pytest.approx(np.linalg.norm(found.gradient), rel=1e-12)
    assert line.optimum == exact.optimum(random_mdp(), gamma=0.9, setting="finite-horizon").J
    assert np.all(line.J <= line.optimum)


def test_the_path_is_that_of_training_in_one_piece(line):
    whole = Engine(random_mdp(), gamma=0.9, batch=4, episodes=64)
    whole.learn()
    np.testing.assert_array_equal(line.origin, whole.theta.reshape(-1))
    np.testing.assert_array_equal(line.path_episode, np.arange(0, 65, 8))
    assert line.J_path[0] == worth(np.zeros(15)).J
    assert line.J_path[-1] == worth(line.origin).J
    assert line.path[0, 0] == pytest.approx(-np.linalg.norm(line.origin))  # from the left
    assert line.path[-1, 0] == 0.0


@pytest.mark.parametrize("along", ["path", "principal", "random"])
def test_planes(along):
    found = survey(random_mdp(), along=along, plane=True, points=5, **TRAINED)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(2), atol=1e-12)
    assert found.J.shape == found.gradient_norm.shape == (5, 5)
    x, y = found.axes
    assert found.J[1, 3] == worth(found.origin + np.array([x[1], y[3]]) @ found.directions).J
    if along == "principal":
        away = found.path - found.path[-1]
        assert np.sum(away[:, 0] ** 2) > np.sum(away[:, 1] ** 2)


def test_states_that_look_the_same_have_no_known_optimum():
    found = survey("ShortCorridor", policy="state-action", points=5, episodes=640, stops=4)
    assert found.optimum is None
    assert found.J_path[0] == pytest.approx(-12.0)
    best = -(6 + 4 * np.sqrt(2))
    assert found.J_path[0] < found.J_path[-1] <= best


def test_plateaus_are_named():
    x = np.arange(10.0)
    norm = np.array([9, 0.1, 0.1, 0.1, 9, 9, 0.1, 0.1, 0.1, 0.1])
    j = np.array([0, 1, 1, 1, 2, 3, 4, 4, 4, 4.0])
    high, low = _plateaus((x,), j, norm, 1.0)
    assert (high.low, high.high, high.width, high.J, high.top, high.share) == ((6.0,), (9.0,), (3.0,), 4.0, True, 0.4)
    assert (low.low, low.width, low.top) == ((1.0,), (2.0,), False)
    assert _plateaus((x,), j, np.where(norm < 1, 5, norm), 1.0) == ()
    (area,) = _plateaus((x, x), np.add.outer(x, x), np.where(np.add.outer(x, x) < 3, 0.5, 2.0), 1.0)
    assert (area.low, area.high, area.share) == ((0.0, 0.0), (2.0, 2.0), 0.06)


def test_a_policy_of_no_learning_has_directions_all_the_same():
    found = survey(random_mdp(), points=3, plane=True, **{**TRAINED, "lr": 1e-300})
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(2), atol=1e-12)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"along": "pth"}, "did you mean 'path'"),
        ({"points": 2}, "points is 2: it must be at least 3"),
        ({"radius": -1.0}, "radius is -1.0: it must be a positive number"),
        ({"radius": float("nan")}, "radius is nan"),
        ({"flat": 1.5}, "flat is 1.5: it must be between 0 and 1"),
        ({"stops": 0}, "stops is 0"),
    ],
)
def test_bad_input(choices, message):
    with pytest.raises(PgfastError, match=message):
        survey(random_mdp(), **choices)


def test_the_run_of_a_folder(tmp_path: Path):
    run, picture = tmp_path / "run", tmp_path / "landscape.png"
    trained = answer("train", "FrozenLake-v1", "--episodes", 640, "--out", run)
    said = answer("landscape", "FrozenLake-v1", "--run", run, "--points", 5, "--out", picture)
    saved = Engine.load(run).theta[0].reshape(-1)
    assert said["origin"] == saved.tolist()
    assert said["J"]["last"] == pytest.approx(trained["evaluation"]["mean"], abs=0.03)  # of 10,000 episodes
    assert len(said["values"]) == len(said["gradient_norm"]) == 5
    assert picture.stat().st_size > 10_000
    shown = pgfast("landscape", "FrozenLake-v1", "--run", run, "--points", 5, "--plane", "--out", picture).stdout
    for words in ("at the first θ", "optimum", "0.74419", "looked at"):
        assert words in shown
    engine = Engine.load(run)
    engine.learn(64)
    engine.save(tmp_path / "on")
    done = pgfast("landscape", "FrozenLake-v1", "--run", tmp_path / "on", "--out", picture)
    assert done.returncode == 2
    assert "don't lead to the policy there" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["CartPole-v1"], "has no table"),
        (["FrozenLake-v1", "--run", "nowhere"], "nowhere"),
        (["FrozenLake-v1", "--run", "nowhere", "--lr", "0.1"], "leave out lr"),
        (["FrozenLake-v1", "--along", "x"], "along"),
    ],
)
def test_what_cannot_be_looked_at(arguments, words):
    done = pgfast("landscape", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
