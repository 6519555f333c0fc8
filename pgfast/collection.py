"""The environments that come with pgfast, by id: a new one is a file in `envs/` and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

NAMESPACE = "pgfast"  # before an id, in Gymnasium's registry


class Entry(NamedTuple):
    """What an id stands for."""

    file: str  # in `envs/`
    class_name: str
    parameters: Mapping[str, Any] = {}  # that make the id differ from the class's defaults


FAMILIES: dict[str, dict[str, Entry]] = {
    "Gymnasium, toy text": {
        "Blackjack-v1": Entry("blackjack.py", "Blackjack", {"sab": True}),
        "CliffWalking-v1": Entry("cliff_walking.py", "CliffWalking"),
        "CliffWalkingSlippery-v1": Entry("cliff_walking.py", "CliffWalking", {"is_slippery": True}),
        "FrozenLake-v1": Entry("frozen_lake.py", "FrozenLake"),
        "FrozenLake8x8-v1": Entry("frozen_lake.py", "FrozenLake", {"map_name": "8x8", "max_steps": 200}),
        "Taxi-v4": Entry("taxi.py", "Taxi"),
    },
    "Gymnasium, classic control": {
        "CartPole-v1": Entry("cartpole.py", "CartPole"),
        "CartPole-v0": Entry("cartpole.py", "CartPole", {"max_steps": 200}),
        "MountainCar-v0": Entry("mountain_car.py", "MountainCar"),
        "MountainCarContinuous-v0": Entry("mountain_car.py", "MountainCarContinuous"),
        "Acrobot-v1": Entry("acrobot.py", "Acrobot"),
        "Pendulum-v1": Entry("pendulum.py", "Pendulum"),
    },
    "operations": {
        "DynamicPricing": Entry("operations.py", "DynamicPricing"),
        "LostSales": Entry("operations.py", "LostSales"),
        "QueueAdmission": Entry("operations.py", "QueueAdmission"),
    },
    "Sutton & Barto": {
        "AccessControl": Entry("access_control.py", "AccessControl"),
        "GamblersProblem": Entry("gambler.py", "GamblersProblem"),
        "Gridworld": Entry("gridworlds.py", "Gridworld"),
        "JacksCarRental": Entry("rental.py", "JacksCarRental"),
        "KArmedBandit": Entry("bandits.py", "KArmedBandit"),
        "RandomWalk": Entry("chains.py", "RandomWalk"),
        "ShortCorridor": Entry("corridor.py", "ShortCorridor"),
        "WindyGridworld": Entry("gridworlds.py", "WindyGridworld"),
    },
    "theory": {
        "Bandit": Entry("bandits.py", "Bandit"),
        "Chain": Entry("chains.py", "Chain"),
        "DeepSea": Entry("deep_sea.py", "DeepSea"),
        "Garnet": Entry("garnet.py", "Garnet"),
        "VanishingChain": Entry("chains.py", "VanishingChain"),
    },
}
BUNDLED = {name: entry for family in FAMILIES.values() for name, entry in family.items()}


def family(name: str) -> str:
    """Where the bundled environment of that id is from."""
    return next(title for title, members in FAMILIES.items() if name in members)
