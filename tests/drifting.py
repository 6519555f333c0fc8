"""The drift of `problems` as Gymnasium environments: with the keys of the engine's own episodes, or without chance."""

from __future__ import annotations

import gymnasium
import numpy as np
from problems import Drift

from pgfast.random import EVALUATE, TRAIN, make_key
from pgfast.vector import reset_seed

STILL = Drift(spread=0.0, noise=0.0)  # only the policy draws


class DriftEnv(gymnasium.Env):
    """A `Drift`; a reset's seed says which of the first `episodes` episodes of which of 4 runs it is to be."""

    observation_space, action_space = Drift().observation_space, Drift().action_space

    def __init__(self, drift: Drift = STILL, seed: int = 0, episodes: int = 0) -> None:
        self.drift, self.seed = drift, seed
        self.known = {
            reset_seed(seed, run, episode, stream): (run, episode, stream)
            for run in range(4)
            for episode in range(episodes)
            for stream in (TRAIN, EVALUATE)
        }
        self.which, self.clock, self.state = (0, 0, TRAIN), 0, drift.reset(make_key())

    def _key(self):
        run, episode, stream = self.which
        return make_key(self.seed, run, episode, self.clock, stream)

    def _seen(self) -> np.ndarray:
        return np.array(self.drift.observe(self.state), float)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if self.known:
            self.which = self.known[seed]
        self.clock, self.state = 0, self.drift.reset(self._first_key())
        return self._seen(), {}

    def _first_key(self):
        self.clock = 0
        return self._key()

    def step(self, action):
        self.clock += 1
        self.state, reward, terminated = self.drift.step(self.state, int(action), self._key())
        return self._seen(), reward, terminated, self.clock >= self.drift.max_steps, {}


class Lengths(gymnasium.Env):
    """Episodes of a random number of steps from 1 to 9, the even ones terminated, the odd ones truncated; each step
    pays 1 and the observation is (steps made, length, 0, 0). `flaw` is what goes wrong in the fifth step."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float64)
    action_space = gymnasium.spaces.Discrete(3, start=-1)

    def __init__(self, flaw: str = "") -> None:
        self.flaw = flaw

    def _seen(self) -> np.ndarray:
        bad = self.flaw == "observation" and self.t == 5
        return np.array([self.t, self.length, np.nan if bad else 0.0, 0.0])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.length = 0, int(self.np_random.integers(1, 10))
        return self._seen(), {}

    def step(self, action):
        assert self.t < self.length, "stepped after the end"
        self.t += 1
        if self.t == 5 and self.flaw == "raises":
            raise RuntimeError("the motor is stuck")
        reward = np.inf if self.t == 5 and self.flaw == "reward" else 1.0
        end = self.t == self.length and self.flaw != "endless"
        self.length += self.flaw == "endless"
        return self._seen(), reward, end and self.length % 2 == 0, end and self.length % 2 == 1, {}


def length(seed: int) -> int:
    """Of the episode of `Lengths` that begins with this seed."""
    return int(np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))).integers(1, 10))
