"""An environment that can be made as wide as one likes: what the cost of features and long episodes is measured on."""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from pgfast.random import uniform


class Drift(NamedTuple):
    """Keep a drifting number near zero, seeing its last values.

    State: as many of the latest numbers as `start` has, oldest first.
    Actions: 0 down, 1 up.
    Observations: the state.
    Reward: minus the square of the newest number.
    End: never; truncated after max_steps.
    Parameters: start, whose length is compiled in.
    """

    start: tuple[float, ...] = (0.0, 0.0)

    max_steps = 32

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (len(self.start),), np.float64)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return self.start

    def step(self, state, action, key):
        x = 0.9 * state[-1] + 0.2 * action - 0.1 + 0.5 * (uniform(key, 0) - 0.5)
        return (*state[1:], x), -x * x, False
