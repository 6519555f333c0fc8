"""A gambler who bets on coins."""

from typing import NamedTuple

import numpy as np

from pgfast.drawing import Words, box
from pgfast.errors import PgfastError
from pgfast.tables import Outcomes, TabularMDP


class GamblersProblem(NamedTuple):
    """Stake money on flips of a coin, until it has become what was hoped for or nothing (example 4.3).

    State: the capital, 0 to goal.
    Actions: a stakes a + 1, but no more than the capital, and no more than what the goal needs. Heads wins the stake,
    tails loses it.
    Observations: the state.
    Reward: 1 for reaching the goal, so that the value of a state is the probability of it.
    End: with nothing or with the goal. Capitals of 1 to goal − 1 are equally likely at first.
    Parameters: heads (the probability), goal.
    Reference: Sutton & Barto (2018), example 4.3. For heads ≤ 1/2 bold play is best, the largest stake (Dubins & Savage
    1965), for heads ≥ 1/2 the smallest.
    """

    heads: float = 0.4
    goal: int = 100

    def table(self):
        if not 2 <= self.goal <= 2000:
            raise PgfastError(f"GamblersProblem.goal is {self.goal}: it must be from 2 to 2000.")
        if not 0 <= self.heads <= 1:
            raise PgfastError(f"GamblersProblem.heads is {self.heads}: it must be a probability, from 0 to 1.")
        capital, stakes = np.arange(self.goal + 1)[:, None], 1 + np.arange(self.goal // 2)
        stake = np.minimum(stakes, np.minimum(capital, self.goal - capital))
        following = np.stack([capital + stake, capital - stake], axis=2)
        won = (following == self.goal) & (capital < self.goal)[:, :, None]
        ended = (following == 0) | (following == self.goal)
        outcomes = Outcomes.stacked([self.heads, 1 - self.heads], following, won, ended)
        first = np.full(self.goal + 1, 1 / (self.goal - 1))
        first[[0, -1]] = 0.0
        return TabularMDP.from_outcomes(outcomes, first, name="GamblersProblem")

    def text(self, state):
        return f"{state} of {self.goal}"

    def draw(self, state):
        share = state / self.goal
        return [
            box(0.1, 0.45, 0.9, 0.55, "white"),
            box(0.1, 0.45, 0.1 + 0.8 * share, 0.55, "goldenrod"),
            Words((0.5, 0.35), self.text(state)),
        ]
