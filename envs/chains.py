"""States in a row: walks and chains."""

from typing import NamedTuple

import numpy as np

from pgfast.drawing import tiles
from pgfast.errors import PgfastError
from pgfast.tables import Outcomes, TabularMDP, check_size


class RandomWalk(NamedTuple):
    """A walk to the left or to the right with equal chance, which nobody controls: the critic's test (example 7.1).

    State: the position, 0 and states + 1 at the ends.
    Actions: 0, which has no influence. What can be learned is the value of a state: with the parameters of example 7.1
    (i − 10) / 10, with those of example 6.2 i / 6.
    Observations: the state.
    Reward: `left` and `right` for arriving at an end, else 0.
    End: at either end. An episode begins in the middle.
    Parameters: states (between the ends; 5 in example 6.2), left (0 there), right.
    Reference: Sutton & Barto (2018), examples 6.2 and 7.1.
    """

    states: int = 19
    left: float = -1.0
    right: float = 1.0

    def table(self):
        if self.states < 1:
            raise PgfastError(f"RandomWalk.states is {self.states}: it must be at least 1.")
        n = self.states + 2
        check_size("RandomWalk", n, 1, 2)
        at = np.arange(n)
        inside = (at > 0) & (at < n - 1)
        following = np.stack([at - inside, at + inside], axis=1)
        reward = np.where(following == 0, self.left, np.where(following == n - 1, self.right, 0.0)) * inside[:, None]
        outcomes = Outcomes.stacked(0.5, following[:, None], reward[:, None], ~inside[following][:, None])
        return TabularMDP.from_outcomes(outcomes, (at == (n - 1) // 2) * 1.0, name="RandomWalk")

    def text(self, state):
        return line(self.states + 2, state)

    def draw(self, state):
        return tiles(["T" + "." * self.states + "T"], {"T": "silver"}, (0, state), letters=False)


class Chain(NamedTuple):
    """A chain whose far end pays well, and whose every state tempts one to go back to the start.

    State: the position, 0 to length − 1.
    Actions: 0 forward, 1 back to the start; with probability slip the other one happens.
    Observations: the state.
    Reward: `small` for going back, `large` for going forward at the end of the chain, where one stays.
    End: never; truncated after max_steps. An episode begins at position 0.
    Parameters: length, slip, small, large, max_steps.
    Reference: Strens (2000), "A Bayesian Framework for Reinforcement Learning", where always forward is best.
    """

    length: int = 5
    slip: float = 0.2
    small: float = 2.0
    large: float = 10.0
    max_steps: int = 1000

    def table(self):
        if self.length < 1:
            raise PgfastError(f"Chain.length is {self.length}: it must be at least 1.")
        if not 0 <= self.slip <= 1:
            raise PgfastError(f"Chain.slip is {self.slip}: it must be a probability, from 0 to 1.")
        n, last = self.length, self.length - 1
        check_size("Chain", n, 2, 2)
        at = np.arange(n)
        following = np.stack([np.minimum(at + 1, last), np.zeros(n, np.int64)], axis=1)  # forward, back
        reward = np.stack([np.where(at == last, self.large, 0.0), np.full(n, self.small)], axis=1)
        chances = np.array([[1 - self.slip, self.slip], [self.slip, 1 - self.slip]])
        outcomes = Outcomes.stacked(chances, following[:, None], reward[:, None])
        return TabularMDP.from_outcomes(outcomes, (at == 0) * 1.0, max_steps=self.max_steps, name="Chain")

    def text(self, state):
        return line(self.length, state)

    def draw(self, state):
        return tiles(["." * self.length], {}, (0, state), letters=False)


class VanishingChain(NamedTuple):
    """A chain on which the gradient is exponentially small in the length until the policy goes right often enough.

    State: the position, 0 to length + 1.
    Actions: 0 right, 1 to 3 left; at the ends one stays.
    Observations: the state.
    Reward: 1 for action 0 in the last state.
    End: never; with discount length / (length + 1) in the reference; truncated after max_steps. An episode begins at
    position 0.
    Parameters: length, max_steps.
    Reference: Agarwal, Kakade, Lee & Mahajan (2021), the example of vanishing gradients at suboptimal parameters.
    """

    length: int = 5
    max_steps: int = 100

    def table(self):
        if self.length < 1:
            raise PgfastError(f"VanishingChain.length is {self.length}: it must be at least 1.")
        last = self.length + 1
        check_size("VanishingChain", last + 1, 4, 1)
        at = np.arange(last + 1)
        left, right = np.maximum(at - 1, 0), np.minimum(at + 1, last)
        following = np.stack([right, left, left, left], axis=1)
        reward = np.outer(at == last, np.arange(4) == 0)
        outcomes = Outcomes.stacked(1.0, following[:, :, None], reward[:, :, None])
        return TabularMDP.from_outcomes(outcomes, (at == 0) * 1.0, max_steps=self.max_steps, name="VanishingChain")

    def text(self, state):
        return line(self.length + 2, state)

    def draw(self, state):
        return tiles(["." * (self.length + 1) + "G"], {"G": "mediumseagreen"}, (0, state), letters=False)


def line(n, state):
    """A row of n places, with the one where the agent stands."""
    return "." * state + "o" + "." * (n - 1 - state)
