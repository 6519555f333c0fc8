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


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_presets_lead_to_the_optimum(name):
    """A policy that loses less than a twentieth of it."""
    engine = Engine(name)
    engine.learn()
    assert engine.evaluate().mean >= engine.optimum - abs(engine.optimum) / 20
