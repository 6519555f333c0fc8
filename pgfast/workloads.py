"""The training runs by which `pgfast bench` measures cost. A new workload is an entry of _ALL."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pgfast.algorithms.catalogue import ALGORITHMS
from pgfast.engine import Engine
from pgfast.files import packaged_folder

_SGD: dict[str, Any] = {"optimizer": "sgd", "entropy": 0.0}
_CARTPOLE = {"policy": "linear", "bias": False, "batch": 256, "gamma": 0.99, "baseline": "mean", **_SGD, "lr": 0.003}
_CARTPOLES = {**_CARTPOLE, "runs": 128, "batch": 1, "bias": True, "baseline": "value", "lr": 0.001, "lr_value": 0.001}
_TRACES = {"algorithm": "actor-critic", "lam": 0.98, "lam_value": 0.98}
_PPO = {"algorithm": "ppo", "baseline": "value", "optimizer": "adam", "lr": 0.05, "lr_value": 1.0, "lam": 0.98}
_LAKE = {"policy": "tabular", "gamma": 1.0, "baseline": "mean", **_SGD}
_TAXI = {"policy": "tabular", "batch": 256, "gamma": 0.99, "baseline": "value", "entropy": 0.05}
_GARNET = {"policy": "tabular", "batch": 4096, "gamma": 0.9, "baseline": "mean", **_SGD}
_CAR = {"features": "tiles", "batch": 64, "gamma": 0.995, "baseline": "value", "horizon": 5000}
_PENDULUM = {"features": "tiles", "batch": 64, "gamma": 0.95, "baseline": "value"}
_CORRIDOR = {"policy": "state-action", "batch": 1, "gamma": 1.0, "baseline": "none", **_SGD, "lr": 2.0**-12} | {
    "theta0": [math.log(19.0), 0.0]  # P(right) = 0.05
}


@dataclass(frozen=True)
class Workload:
    """A training run: an environment, the engine's settings, and the episodes of each independent run."""

    name: str
    env: str  # an id, or a file of bench/
    episodes: int
    goal: float  # mean return over the last tenth of a run that has learned the task
    settings: dict[str, Any]

    def engine(self, seed: int = 0, **changed: Any) -> Engine:
        """A fresh engine; `changed` are settings that differ from the workload's."""
        return Engine(self.found, seed=seed, **{**self.settings, **changed})

    @property
    def precisions(self) -> tuple[str, ...]:
        """Those that differ: of tables and tiles lanes look numbers up and compute little, in double in any case, and
        some algorithms have no other."""
        looked_up = self.settings.get("policy") == "tabular" or self.settings.get("features") == "tiles"
        double = "precision" in ALGORITHMS[self.settings.get("algorithm", "reinforce")].fixed
        return ("float64",) if looked_up or double else ("float64", "float32")

    @property
    def found(self) -> str:
        """The environment's id, or its path on this machine."""
        return str(packaged_folder("bench") / self.env) if self.env.endswith(".py") else self.env


_ALL = (
    Workload("cartpole", "CartPole-v1", 256 * 240, 400.0, _CARTPOLE),
    Workload("cartpole-natural", "CartPole-v1", 256 * 120, 400.0, {**_CARTPOLE, "algorithm": "natural", "lr": 0.1}),
    Workload("cartpole-ppo", "CartPole-v1", 256 * 60, 400.0, {**_CARTPOLE, **_PPO}),
    Workload("cartpole-runs", "CartPole-v1", 2000, 400.0, _CARTPOLES),
    Workload("cartpole-traces", "CartPole-v1", 1500, 400.0, {**_CARTPOLES, **_TRACES}),
    Workload("frozenlake", "FrozenLake-v1", 512 * 800, 0.7, {**_LAKE, "batch": 512, "lr": 5.0}),
    Workload("frozenlake8x8", "FrozenLake8x8-v1", 1024 * 400, 0.8, {**_LAKE, "batch": 1024, "lr": 50.0}),
    Workload("taxi", "Taxi-v4", 256 * 2000, 6.0, {**_TAXI, "optimizer": "adam", "lr": 0.1, "lr_value": 0.1}),
    Workload("garnet-1k", "Garnet", 4096 * 50, 80.0, {**_GARNET, "lr": 40.0}),
    Workload(
        "garnet-100k", "Garnet", 4096 * 50, 65.0, {**_GARNET, "lr": 400.0, "env_parameters": {"n_states": 100_000}}
    ),
    Workload("corridor", "ShortCorridor", 1000, -13.0, {**_CORRIDOR, "runs": 1000}),
    Workload("corridor-1", "ShortCorridor", 1_000_000, -13.0, _CORRIDOR),
    Workload("mountain-car", "MountainCar-v0", 64 * 640, -135.0, {**_CAR, "lr": 0.01, "lr_value": 20.0}),
    Workload("pendulum", "Pendulum-v1", 64 * 320, -300.0, {**_PENDULUM, "lr": 0.01, "lr_value": 2.0}),
    Workload("user-file", "my_cartpole.py", 256 * 240, 400.0, _CARTPOLE),
    Workload("user-branches", "my_branching_cartpole.py", 256 * 240, 400.0, _CARTPOLE),
)
WORKLOADS = {workload.name: workload for workload in _ALL}
