"""Settings that suit an environment: what a run takes where the user says nothing.

A line here is all that a bundled environment needs; anything else gets DEFAULT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgfast.algorithms.catalogue import ALGORITHMS

DEFAULT: dict[str, Any] = {
    "gamma": 1.0,
    "baseline": "mean",
    "optimizer": "adam",
    "lr": 0.02,
    "lr_value": 0.05,
    "batch": 64,
    "episodes": 50_000,
}

FOREIGN: dict[str, Any] = {  # what Gymnasium steps is slower by orders of magnitude
    "gamma": 0.99,
    "batch": 16,
    "episodes": 2_000,
    "evaluation_episodes": 200,
}

_LONG = {"baseline": "value", "lr": 0.1, "lr_value": 0.1, "batch": 256}  # many steps, rewards on most of them

_TILES = {"features": "tiles", "baseline": "value", "batch": 64}  # where an action depends on where one is

PRESETS: dict[str, dict[str, Any]] = {
    "ShortCorridor": {
        "policy": "state-action",
        "optimizer": "sgd",
        "lr": 2.0**-9,
        "baseline": "value",
        "lr_value": 2.0**-6,
        "batch": 1,
        "episodes": 2_000,
    },
    "CartPole-v1": {"gamma": 0.99, "bias": False, "lr": 0.05, "batch": 32, "episodes": 10_000},
    "Blackjack-v1": {
        "baseline": "value",
        "lr": 0.05,
        "batch": 1024,
        "episodes": 2_000_000,
        "evaluation_episodes": 1_000_000,
    },
    "FrozenLake-v1": {"lr": 0.1, "batch": 1024, "episodes": 1_000_000, "entropy": 1e-3},
    "FrozenLake8x8-v1": {"baseline": "value", "lr": 0.05, "batch": 1024, "episodes": 3_000_000, "entropy": 3e-4},
    "CliffWalking-v1": {**_LONG, "gamma": 0.99, "episodes": 2_000_000, "entropy": 0.4, "max_steps": 200},
    "CliffWalkingSlippery-v1": {**_LONG, "batch": 1024, "episodes": 2_000_000, "entropy": 0.1, "max_steps": 200},
    "MountainCar-v0": {**_TILES, "gamma": 0.995, "lr_value": 20.0, "lr": 0.01, "episodes": 100_000, "horizon": 5_000},
    "MountainCarContinuous-v0": {
        **_TILES,
        "gamma": 0.995,
        "lr_value": 5.0,
        "lr": 0.03,
        "std0": 2.0,
        "episodes": 10_000,
    },
    "Pendulum-v1": {**_TILES, "gamma": 0.95, "lr": 0.01, "lr_value": 2.0, "episodes": 20_000},
    "Acrobot-v1": {"baseline": "batch", "batch": 256, "lr": 0.05},
    "DynamicPricing": {**_LONG, "lr": 0.05, "batch": 1024, "episodes": 1_000_000},
    "LostSales": {**_LONG, "gamma": 0.9, "batch": 1024, "episodes": 1_000_000},
    "QueueAdmission": {**_LONG, "gamma": 0.98, "batch": 1024, "episodes": 500_000},
    "AccessControl": {**_LONG, "gamma": 0.98, "lr_value": 1.0, "batch": 64, "episodes": 20_000},
    "Chain": {**_LONG, "gamma": 0.9, "lr": 0.2, "lr_value": 0.5, "batch": 64, "episodes": 8_000},
    "GamblersProblem": {"baseline": "value", "lr": 0.1, "batch": 1024, "episodes": 2_000_000},
    "spaces": {"baseline": "value"},
    "Garnet": {"gamma": 0.9, "lr": 0.2, "batch": 2048, "episodes": 400_000},
    "Gridworld": {"lr": 0.1},
    "JacksCarRental": {**_LONG, "gamma": 0.9, "lr": 0.2, "lr_value": 3.0, "batch": 512, "episodes": 200_000},
    "RandomWalk": {"baseline": "value", "lr_value": 0.002, "episodes": 100_000},
    "LunarLander-v3": {"lr": 0.1, "episodes": 3_000},
    "Taxi-v4": {**_LONG, "gamma": 0.99, "episodes": 3_000_000, "entropy": 0.05},
    "WindyGridworld": {**_LONG, "episodes": 500_000, "entropy": 0.1, "max_steps": 200},
}


_PASSES = {"solver": "passes", "optimizer": "adam", "lr": 1.0}  # natural gradients of tiles

BEST: dict[str, dict[str, dict[str, Any]]] = {  # of an algorithm and an environment, where neither's own will do
    "reinforce": {  # one step a batch: more of them, from fewer episodes, get further
        "FrozenLake-v1": {"batch": 256},
        "CliffWalking-v1": {"batch": 16, "episodes": 1_000_000},
        "Taxi-v4": {"batch": 64, "episodes": 2_000_000},
        "AccessControl": {"batch": 16},
        "Acrobot-v1": {"batch": 32, "horizon": 2_000},
    },
    "a2c": {
        "CartPole-v1": {"bias": True, "lam": 0.98, "lr_value": 1.0, "bootstrap": True},
        "FrozenLake-v1": {"lam": 0.99, "lr_value": 0.02, "batch": 256},
        "MountainCar-v0": {"lr_value": 1.0, "bootstrap": True, "batch": 32},
        "AccessControl": {"lam": 0.99, "bootstrap": True, "batch": 16},
        "Acrobot-v1": {"bootstrap": True, "batch": 32},
        "CliffWalking-v1": {"bootstrap": True, "batch": 16},
        "Pendulum-v1": {"bootstrap": True},
        "Taxi-v4": {"bootstrap": True, "batch": 64},
    },
    "actor-critic": {
        "ShortCorridor": {"lam": 0.9, "lam_value": 0.9, "lr": 0.0005},
        "Acrobot-v1": {
            "features": "tiles",
            "feature_parameters": {"bins": 3},
            "gamma": 0.99,
            "lam": 0.9,
            "lam_value": 0.9,
            "lr": 0.005,
            "lr_value": 0.03,
            "episodes": 2_000,
        },
        "Blackjack-v1": {
            "lam": 1.0,
            "lam_value": 1.0,
            "lr_value": 0.02,
            "schedule": "robbins-monro",
            "schedule_updates": 100_000.0,
        },
        "CartPole-v1": {"bias": True, "lam": 0.98, "lam_value": 0.98, "lr": 0.0003, "lr_value": 0.001},
        "CliffWalking-v1": {
            "gamma": 1.0,
            "lam": 0.0,
            "lam_value": 0.0,
            "lr_value": 0.9,
            "entropy": 0.8,
            "max_norm": 10.0,
            "schedule": "inverse",
            "schedule_updates": 500_000.0,
            "episodes": 100_000,
        },
        "MountainCar-v0": {"gamma": 0.99, "lam": 0.9, "lam_value": 0.9, "lr_value": 0.02, "episodes": 5_000},
        "MountainCarContinuous-v0": {"lam": 0.95, "lam_value": 0.95, "lr": 0.001, "lr_value": 0.03, "episodes": 1_000},
        "Pendulum-v1": {"lr": 0.0003, "lr_value": 0.03, "episodes": 2_000},
        "Taxi-v4": {"lam": 0.5, "lam_value": 0.5, "lr": 0.03, "lr_value": 0.3, "episodes": 300_000},
    },
    "actor-critic-continuing": {
        "AccessControl": {
            "lam": 0.0,
            "lam_value": 0.0,
            "lr": 0.03,
            "lr_average": 0.003,
            "lr_value": 0.05,
            "episodes": 1_000,
        },
        "MountainCar-v0": {"lam": 0.9, "lam_value": 0.9, "lr": 0.0003, "lr_value": 0.02},
        "MountainCarContinuous-v0": {"lam": 0.9, "lam_value": 0.9, "lr": 0.0003, "lr_value": 0.03, "episodes": 1_000},
        "Pendulum-v1": {
            "lam": 0.6,
            "lam_value": 0.6,
            "lr": 0.0003,
            "lr_average": 0.03,
            "lr_value": 0.06,
            "episodes": 5_000,
        },
    },
    "enac": {
        "ShortCorridor": {"lr": 0.03, "batch": 64, "episodes": 20_000},
        "FrozenLake-v1": {"lr": 10.0, "damping": 3.0, "batch": 512, "max_kl": 0.001},
        "Acrobot-v1": {"lr": 1.0},
        "AccessControl": {"horizon": 100, "batch": 256, "episodes": 50_000},
    },
    "gpomdp": {
        "Acrobot-v1": {"gamma": 0.99, "horizon": 2_000},
    },
    "natural": {
        "FrozenLake-v1": {"lr": 3.0, "entropy": 0.0, "damping": 0.1, "batch": 512},
        "Acrobot-v1": {"lr": 1.0, "max_kl": 0.01},
        "MountainCar-v0": {**_PASSES, "batch": 16, "max_kl": 0.01},
        "Pendulum-v1": {**_PASSES, "max_kl": 0.003},
        "Taxi-v4": {"damping": 0.3, "lr_value": 0.05, "batch": 1024, "entropy": 0.03, "max_kl": 0.03},
        "CliffWalking-v1": {"lr_value": 0.02, "entropy": 1.0, "episodes": 500_000, "max_kl": 0.003},
        "Blackjack-v1": {"lr": 0.1, "lr_value": 1.0, "damping": 0.1, "max_kl": 0.003},
        "AccessControl": {"lr": 0.3, "lr_value": 0.01, "damping": 0.1, "max_kl": 0.003},
    },
    "ppo": {
        "CartPole-v1": {"lam": 1.0, "lr": 0.02},
        "MountainCar-v0": {"lr_value": 1.0, "bootstrap": True},
        "LunarLander-v3": {
            "features": "fourier",
            "feature_parameters": {
                "order": 1,
                "low": [-1.0, -0.2, -1.5, -2.0, -1.0, -1.5, 0.0, 0.0],
                "high": [1.0, 1.5, 1.5, 0.5, 1.0, 1.5, 1.0, 1.0],
            },
            "lam": 0.97,
            "lr": 0.01,
            "lr_value": 0.5,
            "episodes": 1_000,
        },
    },
    "trpo": {
        "ShortCorridor": {"lam": 1.0, "max_kl": 0.001, "lr_value": 0.1, "batch": 64, "episodes": 20_000},
        "CartPole-v1": {"lam": 1.0, "max_kl": 0.003, "batch": 64},
    },
    "expected": {
        "ShortCorridor": {"optimizer": "adam", "lr": 0.02, "lr_value": 0.3, "batch": 16, "episodes": 20_000},
        "CartPole-v1": {
            "features": "polynomial",
            "feature_parameters": {"degree": 3, "low": [-2.4, -3.0, -0.21, -3.0], "high": [2.4, 3.0, 0.21, 3.0]},
            "bias": True,
            "gamma": 0.98,
            "lr": 0.01,
            "lr_value": 1.0,
            "batch": 16,
        },
        "Acrobot-v1": {
            "features": "tiles",
            "feature_parameters": {"bins": 3},
            "gamma": 0.99,
            "lr": 0.03,
            "lr_value": 1.0,
            "batch": 32,
            "horizon": 2_000,
            "episodes": 20_000,
        },
        "MountainCar-v0": {"lr_value": 1.0, "batch": 32},
        "FrozenLake-v1": {"lr": 0.05, "lr_value": 0.3, "batch": 256, "entropy": 3e-3},
        "CliffWalking-v1": {"lr_value": 1.0, "batch": 16, "entropy": 1.0, "episodes": 1_000_000},
        "Taxi-v4": {"lr_value": 1.0, "batch": 64, "episodes": 2_000_000},
        "Blackjack-v1": {"lr": 0.02, "lr_value": 0.1},
        "AccessControl": {"lr_value": 1.0, "batch": 16},
    },
    "pgpe": {
        "MountainCarContinuous-v0": {"features": "observation", "sigma0": 2.0, "lr": 0.2, "episodes": 5_000},
        "Pendulum-v1": {"features": "fourier", "feature_parameters": {"order": 3}, "lr": 0.1, "episodes": 20_000},
        "MountainCar-v0": {"features": "fourier", "feature_parameters": {"order": 2}, "lr": 0.1},
    },
}


_FEATURED = ("auto", "linear", "gaussian")  # policies that take the features of a preset


def preset(
    name: str, foreign: bool = False, chosen: Mapping[str, Any] | None = None, algorithm: str = "reinforce"
) -> dict[str, Any]:
    """The settings for an environment's name and an algorithm, on top of the defaults; `foreign` where Gymnasium steps
    it. Features are left out where those `chosen` have others, or a policy that takes none, a schedule's constant where
    they have another schedule, and a horizon where Gymnasium ends episodes."""
    suits = ALGORITHMS[algorithm].defaults if algorithm in ALGORITHMS else {}
    found = {
        **DEFAULT,
        **(FOREIGN if foreign else {}),
        **PRESETS.get(name, {}),
        **suits,
        **BEST.get(algorithm, {}).get(name, {}),
    }
    given = chosen or {}
    if given.get("n_steps") is not None:  # in the place of λ
        found.pop("lam", None)
    if given.get("policy") == "timed":  # which knows that nothing follows the last step
        found.pop("bootstrap", None)
    if foreign:
        found.pop("horizon", None)
    if given.get("features", found.get("features")) != found.get("features"):
        found.pop("feature_parameters", None)
    if given.get("schedule", found.get("schedule")) != found.get("schedule"):
        found.pop("schedule_updates", None)
    if given.get("policy", "auto") not in _FEATURED:
        found = {k: v for k, v in found.items() if k not in ("features", "feature_parameters")}
    return found
