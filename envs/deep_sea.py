"""Diving for a treasure that random play hardly ever finds."""

from typing import NamedTuple

import numpy as np

from pgfast.drawing import tiles
from pgfast.errors import PgfastError
from pgfast.tables import Outcomes, TabularMDP


class DeepSea(NamedTuple):
    """Dive through a square, a row a step: only always right, which costs, leads to the treasure.

    State: row × size + column of the diver.
    Actions: 0 and 1; which of them is right, and which left, differs from state to state by `seed`.
    Observations: the state.
    Reward: −move_cost / size for right, and 1 for right in the last column: in all 1 − move_cost for always right, with
    the defaults 0.99. Where it is stochastic, right has no effect with probability 1 / size, and both corners of the
    last row add 1 or −1 with equal chance (a standard normal number in the reference: mean and variance are the same).
    End: after `size` steps. An episode begins in the top left corner.
    Parameters: size, stochastic, move_cost, seed.
    Reference: Osband, Van Roy, Russo & Wen (2019), "Deep Exploration via Randomized Value Functions"; as in bsuite
    (Osband et al. 2020).
    """

    size: int = 10
    stochastic: bool = False
    move_cost: float = 0.01
    seed: int = 0

    def table(self):
        if not 2 <= self.size <= 1000:
            raise PgfastError(f"DeepSea.size is {self.size}: it must be from 2 to 1000.")
        n, last = self.size, self.size - 1
        row, column = np.divmod(np.arange(n * n)[:, None], n)
        right = np.arange(2) == self.which_is_right()[:, None]  # (S, 2)
        reward = right * ((column == last) - self.move_cost / n)
        corner = self.stochastic & (row == last) & ((column == 0) | (column == last))
        noise = np.where(corner, [1.0, -1.0], 0.0)  # (S, 2)
        fails = np.where(right & self.stochastic, 1 / n, 0.0)
        to_column = np.where(right, np.minimum(column + 1, last), np.maximum(column - 1, 0))
        to = [to_column, to_column, *2 * [np.broadcast_to(column, to_column.shape)]]  # each with two rewards
        outcomes = Outcomes.stacked(
            probability=np.stack([1 - fails, 1 - fails, fails, fails], axis=2) / 2,
            following=(np.minimum(row + 1, last) * n)[:, :, None] + np.stack(to, axis=2),
            reward=reward[:, :, None] + np.tile(noise, 2)[:, None],
            terminated=(row == last)[:, :, None],
        )
        first = (np.arange(n * n) == 0) * 1.0
        return TabularMDP.from_outcomes(outcomes, first, name="DeepSea")

    def which_is_right(self):
        """The action that goes right, for each state."""
        return np.random.default_rng(self.seed).integers(2, size=self.size**2)

    def text(self, state):
        row, column = divmod(state, self.size)
        rows = [["."] * self.size for _ in range(self.size)]
        rows[-1][-1] = "$"
        rows[row][column] = "o"
        return "\n".join("".join(r) for r in rows)

    def draw(self, state):
        rows = ["~" * self.size] * (self.size - 1) + ["~" * (self.size - 1) + "$"]
        return tiles(rows, {"~": "lightsteelblue", "$": "gold"}, divmod(state, self.size), letters=False)
