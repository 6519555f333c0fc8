"""Small problems that the tests learn, and engines for them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from pgfast import Engine, TabularMDP, uniform


class Drift(NamedTuple):
    """A point on a line, pushed left, not at all or right (−1, 0, 1), and blown about.

    Its state mixes floats and an int, its observation is a part of the state, its first action isn't 0, and episodes
    end both ways. Rewards: `left`, `stay` or `right` by the action, minus `cost` times the position squared.
    """

    spread: float = 1.0
    noise: float = 0.6
    left: float = 0.0
    stay: float = 0.3
    right: float = 0.1
    cost: float = 0.5

    max_steps = 9

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (4,), np.float64)

    @property
    def action_space(self):
        return Discrete(3, start=-1)

    def reset(self, key):
        return self.spread * (uniform(key, 0) - 0.5), 0.0, 0

    def step(self, state, action, key):
        x, speed, t = state
        speed = 0.5 * speed + 0.4 * action + self.noise * (uniform(key, 0) - 0.5) * uniform(key, 1)
        x = x + speed
        pay = self.left if action < 0 else (self.right if action > 0 else self.stay)
        return (x, speed, t + 1), pay - self.cost * x * x, abs(x) > 1.5

    def observe(self, state):
        x, speed, t = state
        return x, speed, x * speed, 0.1 * t

    def features(self, observation, action):
        x, speed, both, t = observation
        return x * action, speed * action, both + action * action, 1.0 if action == 0 else t


class Glider(NamedTuple):
    """A point on a line, pushed by a real number: nothing is left to chance but where it starts."""

    spread: float = 1.0
    low: float = -1.0
    high: float = 2.0

    max_steps = 9

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (2,), np.float64)

    @property
    def action_space(self):
        return Box(self.low, self.high, (1,), np.float32)

    def reset(self, key):
        return self.spread * (uniform(key, 0) - 0.5), 0.1 * uniform(key, 1)

    def step(self, state, action, key):
        x, speed = state
        speed = 0.7 * speed + 0.3 * action
        x = x + speed
        return (x, speed), 1.0 - x * x - 0.1 * action * action, abs(x) > 1.8


class Raft(NamedTuple):
    """Two forces, one of them without bounds, against a drift that changes; an int in the state, and both ends."""

    noise: float = 0.8

    max_steps = 9

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (3,), np.float64)

    @property
    def action_space(self):
        return Box(np.array([-0.5, -np.inf]), np.array([1.0, np.inf]), dtype=np.float64)

    def reset(self, key):
        return uniform(key, 0) - 0.5, uniform(key, 1) - 0.5, 0

    def step(self, state, action, key):
        x, y, t = state
        along, across = action
        x = x + 0.5 * along + self.noise * (uniform(key, 0) - 0.5)
        y = 0.8 * y + 0.3 * across + self.noise * (uniform(key, 1) - 0.5)
        return (x, y, t + 1), 1.0 - x * x - y * y - 0.1 * across * across, x * x + y * y > 2.5

    def observe(self, state):
        x, y, t = state
        return x, y, 0.1 * t


class Stones(NamedTuple):
    """Five stones in a row, the last of which ends the episode; a wider jump is less certain."""

    wind: float = 0.3

    max_steps = 9

    @property
    def observation_space(self):
        return Discrete(5)

    @property
    def action_space(self):
        return Discrete(3)

    def reset(self, key):
        return 1 if uniform(key, 0) < 0.5 else 0

    def step(self, state, action, key):
        back = uniform(key, 0) < self.wind * action
        state = max(0, min(4, state - 1 if back else state + action))
        return state, 0.1 * state - 0.2 * action * uniform(key, 1), state == 4


def random_mdp(n_actions: int = 3, n_states: int = 5, seed: int = 0) -> TabularMDP:
    """Every transition pays, and the last state ends the episode."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n_states), (n_states, n_actions))
    r = rng.normal(size=(n_states, n_actions, n_states))
    r[-1] = 0.0
    start = np.append(rng.dirichlet(np.ones(n_states - 1)), 0.0)
    return TabularMDP(p, r, start, terminal=[n_states - 1], max_steps=9)


def preferences(mdp: TabularMDP, seed: int = 0) -> np.ndarray:
    """Of a table, at random."""
    return np.random.default_rng(seed).normal(size=(mdp.n_states, mdp.n_actions))


def seldom() -> TabularMDP:
    """A reward in about one step of a hundred, on the way or at the end, which comes after twenty steps or so."""
    p = np.full((6, 2, 6), 0.0)
    p[:5, :, :5] = [[[0.28, 0.28, 0.28, 0.1, 0.01]], [[0.3, 0.2, 0.3, 0.14, 0.01]]] * 2 + [[[0.3, 0.3, 0.25, 0.1, 0.0]]]
    p[:5, :, 5] = 1 - p[:5, :, :5].sum(axis=2)
    p[5, :, 5] = 1.0
    r = np.zeros((6, 2, 6))
    r[:, :, 4], r[3, :, 5] = 2.0, -1.0
    return TabularMDP(p, r, [1.0, 0, 0, 0, 0, 0], terminal=[5], max_steps=60)


_FAMILY = {"policy": "exponential-family", "env": random_mdp(n_actions=4), "theta0": list(np.linspace(-0.7, 0.7, 10))}
PROBLEMS = {  # what is learned, and settings that every schedule takes
    "linear": {"env": Drift(), "policy": "linear", "theta0": list(np.linspace(-0.5, 0.4, 15)), "lr": 0.1},
    "features": {"env": Drift(), "policy": "state-action", "theta0": [0.3, -0.2, 0.1, 0.4], "lr": 0.1},
    "corridor": {"env": "ShortCorridor", "policy": "state-action", "theta0": [0.2, -0.1], "lr": 0.01, "max_steps": 40},
    "tabular": {"env": random_mdp(), "policy": "tabular", "theta0": list(np.linspace(-0.7, 0.7, 15)), "lr": 0.2},
    "stones": {"env": Stones(), "policy": "tabular", "theta0": list(np.linspace(-0.7, 0.7, 15)), "lr": 0.2},
    "tempered": {"env": random_mdp(), "temperature": 0.6, "theta0": list(np.linspace(-0.7, 0.7, 15)), "lr": 0.1},
    "escort": {"env": random_mdp(), "policy": "escort", "theta0": list(np.linspace(-0.75, 0.7, 15)), "lr": 0.005},
    "mixed": {"env": random_mdp(), "policy": "mixed", "theta0": list(np.linspace(-0.7, 0.7, 15)), "lr": 0.2},
    "family": {**_FAMILY, "lr": 0.1},
    "shared": {**_FAMILY, "shared": True, "statistics": [[1.0, 0, 0], [1, 1, 2], [0, 2, 0], [1, 3, 1]], "theta0": 0.1},
    "linear family": {
        "env": Drift(),
        "policy": "exponential-family",
        "theta0": list(np.linspace(-0.5, 0.4, 10)),
        "lr": 0.1,
    },
    "timed": {"env": random_mdp(), "policy": "timed", "theta0": list(np.linspace(-0.7, 0.7, 135)), "lr": 0.2},
    "tempered linear": {"env": Drift(), "temperature": 2.5, "theta0": list(np.linspace(-0.5, 0.4, 15)), "lr": 0.1},
    "tempered features": {
        "env": Drift(),
        "policy": "state-action",
        "temperature": 0.7,
        "theta0": [0.3, -0.2, 0.1, 0.4],
        "lr": 0.1,
    },
    "one-hot": {"env": random_mdp(seed=1), "policy": "linear", "theta0": list(np.linspace(-0.7, 0.7, 15)), "lr": 0.2},
    "cartpole": {
        "env": "CartPole-v1",
        "bias": False,
        "max_steps": 12,
        "theta0": list(np.linspace(-1, 1, 8)),
        "lr": 0.1,
    },
    "glider": {"env": Glider(), "theta0": [0.3, -0.2, -0.4, -0.3], "lr": 0.03},
    "squashed": {
        "env": Glider(),
        "policy": "gaussian-linear-std",
        "squash": True,
        "theta0": list(np.linspace(-0.3, 0.4, 6)),
        "lr": 0.03,
    },
    "raft": {"env": Raft(), "std0": [0.4, 0.9], "theta0": list(np.linspace(-0.3, 0.4, 10)), "lr": 0.03},
    "tiles": {
        "env": Drift(),
        "features": "tiles",
        "feature_parameters": {"tilings": 3, "bins": 2, "low": [-1.5, -1, -1.5, 0], "high": [1.5, 1, 1.5, 1]},
        "theta0": list(np.linspace(-0.5, 0.4, 3 * 3**4 * 3)),
        "lr": 0.1,
    },
    "tempered tiles": {
        "env": Drift(),
        "temperature": 0.7,
        "features": "tiles",
        "feature_parameters": {"tilings": 2, "bins": 1, "low": [-1.5, -1, -1.5, 0], "high": [1.5, 1, 1.5, 1]},
        "theta0": list(np.linspace(-0.5, 0.4, 2 * 2**4 * 3)),
        "lr": 0.1,
    },
    "tiled raft": {
        "env": Raft(),
        "features": "tiles",
        "feature_parameters": {"bins": 2, "wrap": [False, True, False], "low": [-2, -1, 0], "high": [2, 1, 1]},
        "std0": [0.4, 0.9],
        "theta0": list(np.linspace(-0.1, 0.1, 2 * (8 * 3 * 2 * 3 + 1))),
        "lr": 0.003,
    },
    "fourier": {
        "env": Drift(),
        "features": "fourier",
        "feature_parameters": {"order": 1, "low": [-1.5, -1, -1.5, 0], "high": [1.5, 1, 1.5, 1]},
        "lr": 0.1,
    },
}
SCHEDULES = {  # lanes are episodes of a batch, runs of few episodes, or as many runs as to be worth it; the last update
    "batches": {"batch": 17, "runs": 2, "episodes": 38},  # of each has fewer episodes
    "runs": {"batch": 3, "runs": 3, "episodes": 8},
    "many runs": {"batch": 17, "runs": 33, "episodes": 18},
    "in_loop": {"batch": 3, "runs": 3, "episodes": 8, "in_loop": True},
}
COMMON = {"optimizer": "sgd", "baseline": "none", "gamma": 0.9, "lr_value": 0.05, "seed": 2**40 + 11}


def engine(problem: str, schedule: str, /, **changes) -> Engine:
    """A fresh engine for a problem."""
    return Engine(**{**COMMON, **PROBLEMS[problem], **SCHEDULES[schedule], **changes})


SHORT = {  # name: problem, schedule and settings
    "linear batches": ("linear", "batches", {"baseline": "value", "entropy": 0.1, "optimizer": "adam"}),
    "linear runs": ("linear", "runs", {"baseline": "value", "discount_factor": True}),
    "features batches": ("features", "batches", {"baseline": "batch", "entropy": 0.1}),
    "corridor runs": ("corridor", "runs", {"baseline": "mean", "returns": "whole", "optimizer": "rmsprop"}),
    "corridor in_loop": ("corridor", "in_loop", {"baseline": "value", "entropy": 0.1}),
    "tabular batches": ("tabular", "batches", {"baseline": "batch", "entropy": 0.1}),
    "tabular runs": ("tabular", "runs", {"baseline": "mean", "optimizer": "momentum"}),
    "tabular in_loop": ("tabular", "in_loop", {"baseline": "value", "entropy": 0.1}),
    "cartpole runs": ("cartpole", "runs", {"baseline": "mean", "episodes": 4}),
    "glider batches": ("glider", "batches", {"baseline": "mean", "entropy": 0.1}),
    "raft batches": ("raft", "batches", {"baseline": "value", "entropy": 0.1, "optimizer": "adam"}),
    "raft runs": ("raft", "runs", {"baseline": "batch", "entropy": 0.1}),
    "raft in_loop": ("raft", "in_loop", {"baseline": "value", "entropy": 0.1, "lr": 0.003}),
    "tiles batches": ("tiles", "batches", {"baseline": "value", "entropy": 0.1, "optimizer": "adam"}),
    "tiled raft runs": ("tiled raft", "runs", {"baseline": "batch", "entropy": 0.1}),
    "escort runs": ("escort", "runs", {"baseline": "mean", "entropy": 0.1}),
    "timed runs": ("timed", "runs", {"baseline": "mean", "optimizer": "adam"}),
    **{
        f"{problem} {schedule} in single precision": (problem, schedule, {**changes, "precision": "float32"})
        for problem, schedule, changes in [
            ("corridor", "runs", {"baseline": "mean", "returns": "whole", "optimizer": "rmsprop"}),
            ("cartpole", "batches", {"baseline": "mean", "runs": 1}),
            ("glider", "batches", {"baseline": "mean", "entropy": 0.1}),
        ]
    },
}
_LINKED = ["tempered", "escort", "mixed", "family", "shared", "timed", "tempered linear", "tempered features"]
PLAIN = {  # combinations of policy and schedule that no test compiles
    **{f"{name} batches": (name, "batches", {"baseline": "value", "entropy": 0.1}) for name in _LINKED},
    **{f"{name} runs, adam": (name, "runs", {"baseline": "value", "optimizer": "adam"}) for name in _LINKED},
    **{f"{name} in_loop": (name, "in_loop", {"baseline": "mean", "entropy": 0.1}) for name in _LINKED},
    "squashed runs": ("squashed", "runs", {"baseline": "value", "entropy": 0.1}),
    "squashed in_loop": ("squashed", "in_loop", {"baseline": "mean", "entropy": 0.1, "lr": 0.001}),
    "one-hot batches": ("one-hot", "batches", {"baseline": "value", "entropy": 0.1}),
    "one-hot runs": ("one-hot", "runs", {"baseline": "mean", "optimizer": "adam"}),
    "one-hot in_loop": ("one-hot", "in_loop", {"baseline": "value", "entropy": 0.1}),
    "linear in_loop": ("linear", "in_loop", {"baseline": "batch", "episodes": 6}),
    "features runs": ("features", "runs", {"baseline": "value", "entropy": 0.1}),
    "features in_loop": ("features", "in_loop", {"baseline": "value", "discount_factor": True}),
    "cartpole batches": ("cartpole", "batches", {"baseline": "value", "episodes": 17, "runs": 1}),
    "glider runs": ("glider", "runs", {"baseline": "value", "returns": "whole", "discount_factor": True}),
    "glider in_loop": ("glider", "in_loop", {"baseline": "mean", "optimizer": "momentum", "lr": 0.0005}),
    "tiles runs": ("tiles", "runs", {"baseline": "batch", "entropy": 0.1, "discount_factor": True}),
    "tiles many runs": ("tiles", "many runs", {"baseline": "mean", "returns": "whole", "runs": 32}),
    "tiled raft batches": ("tiled raft", "batches", {"baseline": "value", "returns": "whole"}),
    "tiled raft in_loop": (
        "tiled raft",
        "in_loop",
        {"baseline": "value", "entropy": 0.1, "optimizer": "momentum", "lr": 0.0002},
    ),
    "linear family batches": ("linear family", "batches", {"baseline": "value", "entropy": 0.1}),
    "linear family runs, adam": ("linear family", "runs", {"baseline": "value", "optimizer": "adam"}),
    "linear family in_loop": ("linear family", "in_loop", {"baseline": "mean", "entropy": 0.1}),
    "linear family runs in single precision": ("linear family", "runs", {"baseline": "mean", "precision": "float32"}),
    "tempered tiles batches": ("tempered tiles", "batches", {"baseline": "value", "entropy": 0.1}),
    "tempered tiles runs, adam": ("tempered tiles", "runs", {"baseline": "batch", "optimizer": "adam"}),
    "tempered tiles in_loop": ("tempered tiles", "in_loop", {"baseline": "mean", "entropy": 0.1}),
    "fourier runs": ("fourier", "runs", {"baseline": "value", "entropy": 0.1}),
    "fourier in_loop": ("fourier", "in_loop", {"baseline": "value"}),
    "tiles in_loop": ("tiles", "in_loop", {"baseline": "value", "entropy": 0.1}),
    "linear batches in single precision": (
        "linear",
        "batches",
        {"baseline": "value", "entropy": 0.1, "optimizer": "adam", "precision": "float32"},
    ),
    "linear runs in single precision": (
        "linear",
        "runs",
        {"baseline": "value", "discount_factor": True, "precision": "float32"},
    ),
    "raft runs in single precision": ("raft", "runs", {"baseline": "batch", "entropy": 0.1, "precision": "float32"}),
    "squashed batches in single precision": ("squashed", "batches", {"baseline": "mean", "precision": "float32"}),
    "fourier batches in single precision": ("fourier", "batches", {"baseline": "value", "precision": "float32"}),
    "raft in_loop in single precision": ("raft", "in_loop", {"baseline": "mean", "precision": "float32", "lr": 0.001}),
    "features runs in single precision": ("features", "runs", {"baseline": "batch", "precision": "float32"}),
    "one-hot in_loop in single precision": ("one-hot", "in_loop", {"baseline": "mean", "precision": "float32"}),
}


def short_engine(name: str) -> Engine:
    """A fresh engine for a short problem."""
    problem, schedule, changes = {**SHORT, **PLAIN}[name]
    return engine(problem, schedule, **changes)


def learned(name: str) -> np.ndarray:
    """The parameters of all runs after training."""
    fresh = short_engine(name)
    fresh.learn(threads=1)
    return fresh.theta
