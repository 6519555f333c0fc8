"""The settings that suit an environment: what is learned with them."""

import pytest

from pgfast import Engine
from pgfast.collection import FAMILIES
from pgfast.presets import DEFAULT, PRESETS, preset

TRAINED = [  # by the tests of presets; the other families' have tests of their own
    name
    for family in ("Sutton & Barto", "theory")
    for name in FAMILIES[family]
    if name in PRESETS and name not in ("RandomWalk", "ShortCorridor")
]


def test_settings_that_are_not_given_are_the_default():
    assert preset("my_env.py") == DEFAULT
    assert preset("Gridworld") == {**DEFAULT, "lr": 0.1}


def test_a_schedule_that_is_chosen_goes_without_the_constant_of_the_preset_one():
    found = preset("Blackjack-v1", chosen={"schedule": "constant"}, algorithm="actor-critic")
    assert "schedule_updates" not in found
    assert preset("Blackjack-v1", algorithm="actor-critic")["schedule_updates"] == 100_000.0


def test_features_that_are_chosen_take_the_place_of_the_preset_ones():
    tiles = preset("MountainCar-v0")
    assert (tiles["features"], tiles["horizon"]) == ("tiles", 5_000)
    PRESETS["Tiled"] = {"features": "tiles", "feature_parameters": {"bins": 4}}
    try:
        assert "feature_parameters" not in preset("Tiled", chosen={"features": "fourier"})
        assert preset("Tiled", chosen={"features": "tiles"})["feature_parameters"] == {"bins": 4}
        assert "features" not in preset("Tiled", chosen={"policy": "state-action"})
    finally:
        del PRESETS["Tiled"]
    assert "horizon" not in preset("MountainCar-v0", foreign=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"),
    [("MountainCar-v0", -115), ("MountainCarContinuous-v0", 90), ("Pendulum-v1", -300)],
)
def test_presets_of_classic_control_reach_what_counts_as_solved(name, least):
    """Gymnasium's thresholds, or what is commonly taken for one."""
    engine = Engine(name)
    engine.learn()
    assert engine.evaluate(1000).mean >= least


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_presets_lead_to_the_optimum(name):
    """A policy that loses less than a twentieth of it."""
    engine = Engine(name)
    engine.learn()
    assert engine.evaluate().mean >= engine.optimum - abs(engine.optimum) / 20
