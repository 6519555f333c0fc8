"""Corridors of Sutton & Barto's "Reinforcement Learning: An Introduction" (2018)."""

from math import sqrt
from typing import NamedTuple

from gymnasium.spaces import Discrete


class ShortCorridor(NamedTuple):
    """A corridor whose actions are switched in one of its states, all of which look the same (example 13.1).

    State: the position, 0 (the start) to length − 1 (the end).
    Actions: 0 left, 1 right; the other way round in the state `switched`.
    Observations: always 0. A policy that can tell right from left only as actions has one number to find: the
    probability p of right. With the book's parameters its return is (2p − 4) / (p (1 − p)), best at p = 2 − √2.
    Reward: −1 a step.
    End: at position length − 1; after 20,000 steps an episode is truncated.
    Parameters: length, switched.
    Reference: Sutton & Barto (2018), example 13.1.
    """

    length: int = 4
    switched: int = 1

    max_steps = 20_000

    @property
    def observation_space(self):
        return Discrete(1)

    @property
    def action_space(self):
        return Discrete(2)

    @property
    def optimum(self):
        return -(6 + 4 * sqrt(2)) if self == ShortCorridor() else None

    def reset(self, key):
        return 0

    def step(self, state, action, key):
        move = 2 * action - 1
        move = -move if state == self.switched else move
        state = max(state + move, 0)
        return state, -1.0, state >= self.length - 1

    def observe(self, state):
        return 0
