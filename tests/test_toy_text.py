"""Gymnasium's toy text: tables equal to Gymnasium's."""

import inspect

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.toy_text.frozen_lake import generate_random_map
from hypothesis import given, settings
from hypothesis import strategies as st

from pgfast import Engine, PgfastError, TabularMDP, check, make
from pgfast.cli.options import parameters
from pgfast.collection import FAMILIES
from pgfast.drawing import image
from pgfast.environments import find

IDS = FAMILIES["Gymnasium, toy text"]


def gymnasiums(name, **parameters):
    """Gymnasium's own environment as a finite MDP."""
    env = gymnasium.make(name, **parameters)
    mdp = TabularMDP.from_gymnasium(env)
    assert np.array_equal(mdp.rho0, env.unwrapped.initial_state_distrib)
    assert mdp.max_steps == env.spec.max_episode_steps
    return mdp


def assert_same(ours, theirs):
    """The same outcomes in the same order."""
    assert (ours.n_states, ours.n_actions, ours.max_steps) == (theirs.n_states, theirs.n_actions, theirs.max_steps)
    assert np.array_equal(ours.rho0, theirs.rho0)
    for name, numbers in ours.outcomes._asdict().items():
        assert np.array_equal(numbers, getattr(theirs.outcomes, name)), name


@pytest.mark.parametrize("name", sorted(set(IDS) - {"Blackjack-v1"}))
def test_ids_are_gymnasiums(name):
    assert_same(make(name), gymnasiums(name))


def test_all_of_gymnasiums_toy_text_is_there():
    toys = "gymnasium.envs.toy_text."
    assert set(IDS) == {name for name, spec in gymnasium.registry.items() if str(spec.entry_point).startswith(toys)}


@pytest.mark.parametrize("name", IDS)
def test_parameters_are_gymnasiums(name):
    """Of the same names and default values; pgfast may have more."""
    spec = gymnasium.spec(name)
    theirs = inspect.signature(gymnasium.envs.registration.load_env_creator(spec.entry_point)).parameters
    ours = find(name).origin
    for key in set(theirs) - {"render_mode"}:
        assert getattr(ours, key) == spec.kwargs.get(key, theirs[key].default), key


# ---- FrozenLake

PROBABILITIES = st.floats(0.0, 1.0)
PAYMENTS = st.tuples(*[st.floats(-1e6, 1e6)] * 3)
MAPS = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.text("SFHG", min_size=width, max_size=width), min_size=1, max_size=5)
)


def crossable(rows):
    """Has a map a start, a goal and a way from every start?"""
    try:
        find("FrozenLake-v1", {"desc": rows})
    except PgfastError:
        return False
    return True


@settings(max_examples=200)
@given(MAPS.filter(crossable), st.booleans(), PROBABILITIES, PAYMENTS)
def test_lakes_are_gymnasiums(rows, is_slippery, success_rate, reward_schedule):
    parameters = {
        "desc": rows, "is_slippery": is_slippery, "success_rate": success_rate, "reward_schedule": reward_schedule
    }  # fmt: skip
    assert_same(make("FrozenLake-v1", **parameters), gymnasiums("FrozenLake-v1", **parameters))


@settings(max_examples=50)
@given(st.integers(2, 9), st.floats(0.5, 1.0), st.integers(0, 2**40))
def test_random_lakes_are_gymnasiums(size, p, seed):
    ours = make("FrozenLake-v1", map_name="random", size=size, p=p, seed=seed)
    assert_same(ours, gymnasiums("FrozenLake-v1", desc=generate_random_map(size, p, seed)))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"desc": "SFF/FXG"}, r"FrozenLake.desc has 'X' in row 1, column 1"),
        ({"desc": "SHG"}, "FrozenLake.desc has no way from the start in row 0, column 0"),
        ({"desc": "SFF"}, "FrozenLake.desc has no goal"),
        ({"map_name": "9x9"}, "no map '9x9' of FrozenLake.*: choose from 4x4, 8x8, random"),
        ({"map_name": None}, "no map 'None' of FrozenLake.*: choose from 4x4, 8x8, random"),
        ({"size": 9}, "size, p and seed are those of random maps: give map_name=random"),
        ({"map_name": "random", "size": 1}, "size=1.*: size must be at least 2"),
        ({"map_name": "random", "p": 0.0}, "p a probability above 0"),
        ({"map_name": "random", "p": 0.01}, "None of 10,000 random maps with p=0.01 has a way to its goal"),
        ({"success_rate": 1.5}, "FrozenLake.success_rate is 1.5: it must be a probability"),
        ({"reward_schedule": (1, 0)}, r"FrozenLake.reward_schedule is \(1, 0\): it must be three numbers"),
        ({"reward_schedule": "rich"}, "FrozenLake.reward_schedule is 'rich'"),
    ],
)
def test_no_such_lake(parameters, words):
    with pytest.raises(PgfastError, match=words):
        make("FrozenLake-v1", **parameters)


def test_a_map_in_a_file(tmp_path):
    (tmp_path / "lake.txt").write_text("SF\nFG\n")
    given = parameters([f"desc=@{tmp_path / 'lake.txt'}", "reward_schedule=1,-1,0"])
    assert given == {"desc": "SF\nFG", "reward_schedule": (1, -1, 0)}
    assert parameters(["a=true", "b='true words'", "c=[False, 'x']"]) == {
        "a": True, "b": "true words", "c": [False, "x"],
    }  # fmt: skip
    assert_same(make("FrozenLake-v1", **given), make("FrozenLake-v1", desc="SF/FG", reward_schedule=[1, -1, 0]))


def test_maps_and_payments_are_saved(tmp_path):
    given = {"desc": ("SF", "FG"), "reward_schedule": (2, 1, -1), "size": 8}
    Engine("FrozenLake-v1", env_parameters=given).save(tmp_path / "own")
    assert Engine.load(tmp_path / "own").source.origin.desc == ["SF", "FG"]
    Engine("FrozenLake-v1", env_parameters={"desc": None, "map_name": "8x8"}).save(tmp_path / "named")
    assert Engine.load(tmp_path / "named").source.table.n_states == 64


# ---- CliffWalking


def test_cliffs_of_ones_own():
    mdp = make("CliffWalking-v1", desc="S.G/.C.")
    assert (mdp.n_states, mdp.max_steps) == (6, None)
    assert (mdp.P[3, 1, 0], mdp.R[3, 1], mdp.R[1, 1]) == (1.0, -100.0, -1.0)  # over the cliff, and to the goal
    with pytest.raises(PgfastError, match=r"CliffWalking.desc has 2 starts: it must have one"):
        make("CliffWalking-v1", desc="SSG")
    with pytest.raises(PgfastError, match="no way from the start in row 1, column 0"):
        make("CliffWalking-v1", desc="CCG/SC.")


# ---- Taxi


@settings(max_examples=10)
@given(PROBABILITIES)
def test_rain_is_gymnasiums(probability):
    parameters = {"is_rainy": True, "rainy_probability": probability}
    assert_same(make("Taxi-v4", **parameters), gymnasiums("Taxi-v4", **parameters))


def test_a_fickle_passenger_makes_the_choice_once():
    """Of the table: before, after, and what it is without fickleness."""
    plain, fickle = make("Taxi-v4"), make("Taxi-v4", fickle_passenger=True)
    certain = make("Taxi-v4", fickle_passenger=True, fickle_probability=0.0)
    assert (fickle.n_states, fickle.observations.tolist()) == (1000, [*range(500), *range(500)])
    assert np.array_equal(fickle.P[500:, :, 500:], plain.P)
    assert np.array_equal(certain.P[:500, :, :500] + certain.P[:500, :, 500:], plain.P)
    np.testing.assert_allclose(fickle.R[:500], plain.R, rtol=1e-15)
    assert np.array_equal(fickle.rho0[:500], plain.rho0)
    with pytest.raises(PgfastError, match=r"Taxi.fickle_probability is 2.0: it must be a probability"):
        make("Taxi-v4", fickle_probability=2)


# ---- Blackjack


def test_the_best_policy_of_blackjack_is_that_of_the_book():
    """Sutton & Barto (2018), figure 5.2: the least sum to stick with, against an ace, 2, …, 10."""
    mdp = make("Blackjack-v1")
    v, steps = np.zeros(mdp.n_states), mdp.sparse_transitions(continuing=True)
    for _ in range(22):  # no hand has more cards
        q = mdp.R + (steps @ v).reshape(mdp.R.shape)
        v = q.max(axis=1)
    sticks = (q[:, 0] > q[:, 1])[:704].reshape(32, 11, 2)[:22, 1:]
    least = 22 - np.argmin(sticks[::-1], axis=0).T
    assert least[0].tolist() == [17, 13, 13, 12, 12, 12, 17, 17, 17, 17]
    assert least[1].tolist() == [19, 18, 18, 18, 18, 18, 18, 18, 19, 19]


# ---- all of them


def test_a_truth_value_that_is_none_is_told():
    with pytest.raises(PgfastError, match="is_slippery is 'flase': it must be true or false"):
        make("FrozenLake-v1", is_slippery="flase")
    assert make("FrozenLake-v1", is_slippery=0).P[0, 2, 1] == 1.0


def test_the_checker_accepts_a_taxi_with_everything():
    report = check("Taxi-v4", fickle_passenger=True, is_rainy=True)
    assert report.ok, report


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("Blackjack-v1", -0.055), ("CliffWalking-v1", -14.0), ("Taxi-v4", 7.5)])
def test_they_are_learned(name, least):
    engine = Engine(name)
    engine.learn()
    found = engine.evaluate(100_000)
    assert least < found.mean < engine.optimum + 5 * found.std / np.sqrt(found.episodes)


def pictures(name, state, **parameters):
    """The text and the drawing of a state, as wide and as high as it is."""
    env = find(name, parameters).origin
    drawn = image(env.draw(state), side=90)
    return env.text(state), drawn


def test_pictures_of_maps():
    text, drawn = pictures("FrozenLake-v1", 4)
    assert text == " S  F  F  F\n[F] H  F  H\n F  F  F  H\n H  F  F  G"
    red, green, blue = drawn[33, 11].astype(int)  # the middle of the second tile from above on the left
    assert red > 150 > green + blue
    text, drawn = pictures("CliffWalking-v1", 36)
    assert text.splitlines()[3] == "[S] C  C  C  C  C  C  C  C  C  C  G"
    assert np.all(drawn[5] == drawn[5, 0])  # three rows of tiles leave room above


def test_pictures_of_the_taxi():
    state = ((2 * 5 + 1) * 5 + 0) * 4 + 3
    text, drawn = pictures("Taxi-v4", state)
    assert text.splitlines()[1] == "|R: | : :G|"
    assert text.splitlines()[3] == "| :T: : : |"
    assert text.splitlines()[-1] == "passenger at R, going to B"
    assert pictures("Taxi-v4", state + 500, fickle_passenger=True)[0] == text
    assert np.array_equal(pictures("Taxi-v4", state + 500, fickle_passenger=True)[1], drawn)
    aboard, drawn_aboard = pictures("Taxi-v4", state + 16)
    assert aboard.splitlines()[-1] == "passenger in the taxi, going to B"
    assert not np.array_equal(drawn_aboard[:18, :18], drawn[:18, :18])  # nobody waits at R


def test_pictures_of_blackjack():
    text, drawn = pictures("Blackjack-v1", (18 * 11 + 1) * 2 + 1)
    assert text == "dealer A\nplayer 18, an ace counts as 11"
    assert pictures("Blackjack-v1", 704 + 10)[0] == "dealer 10\nplayer 21, an ace counts as 11"
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 3
