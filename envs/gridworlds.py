"""Sutton & Barto's gridworlds."""

from typing import NamedTuple

import numpy as np

from pgfast.errors import PgfastError
from pgfast.maps import read_map
from pgfast.tables import Outcomes, TabularMDP

MOVES = [(-1, 0), (1, 0), (0, 1), (0, -1), (-1, 1), (1, 1), (1, -1), (-1, -1), (0, 0)]  # (down, right)
COLORS = {"S": "lightsteelblue", "G": "mediumseagreen", "T": "silver", "#": "dimgray"}


class Gridworld(NamedTuple):
    """Walk to one of the terminal tiles in as few steps as possible (example 4.1).

    State: the tile, row × width + column, both counted from the top left.
    Actions: 0 up, 1 down, 2 right, 3 left; one that would leave the grid, or enter a wall, changes nothing.
    Observations: the state.
    Reward: −1 a step.
    End: on a terminal tile. All other tiles are equally likely to be the first.
    Parameters: map, of the letters T (terminal), . (floor) and # (wall), rows apart by / or line breaks.
    Reference: Sutton & Barto (2018), example 4.1.
    """

    map: str = "T.../..../..../...T"

    def table(self):
        grid = self.grid()
        floor, wall, ends = grid.of("."), grid.of("#"), grid.of("T")
        tile = np.arange(len(floor))[:, None]
        following = grid.neighbours(MOVES[:4])
        following = np.where(wall[following] | ~floor[:, None], tile, following)[:, :, None]
        reward = np.where(floor, -1.0, 0.0)[:, None, None]
        outcomes = Outcomes.stacked(1.0, following, reward, ends[following])
        return TabularMDP.from_outcomes(outcomes, floor / floor.sum(), name="Gridworld")

    def grid(self):
        return read_map(self.map, {"T": "terminal tile", ".": "floor", "#": "wall"}, "Gridworld.map", "T.")

    def text(self, state):
        return self.grid().text(state)

    def draw(self, state):
        return self.grid().draw(state, COLORS)


class WindyGridworld(NamedTuple):
    """Cross a grid where the wind of a column blows upwards (example 6.5).

    State: the tile, row × width + column, both counted from the top left.
    Actions: 0 up, 1 down, 2 right, 3 left; of king's moves also 4 up right, 5 down right, 6 down left, 7 up left; and
    8 stay. To it is added the wind of the column that is left; at an edge one goes as far as one can.
    Observations: the state.
    Reward: −1 a step.
    End: at the goal. An episode begins at the start.
    Parameters: map, of the letters S (start), G (goal) and . (floor), rows apart by / or line breaks; wind, a digit for
    each column; moves, 4, 8 (king's moves) or 9 (with staying); stochastic: where there is wind it is stronger or
    weaker by one tile in a third of the steps each.
    Reference: Sutton & Barto (2018), example 6.5, exercises 6.9 and 6.10.
    """

    map: str = "........../........../........../S......G../........../........../.........."
    wind: str = "0001112210"
    moves: int = 4
    stochastic: bool = False

    def table(self):
        grid, wind = self.grid(), self.winds()
        n, gusts = grid.height * grid.width, np.array([-1, 0, 1] if self.stochastic else [0])
        row, column = np.divmod(np.arange(n), grid.width)
        down, right = np.array(MOVES[: self.moves]).T
        lift = wind[column, None] + np.where(wind[column, None] > 0, gusts, 0)  # (S, gusts)
        to_row = np.clip(row[:, None, None] + down[:, None] - lift[:, None], 0, grid.height - 1)
        to_column = np.clip(column[:, None, None] + right[:, None], 0, grid.width - 1)
        start, goal = grid.of("S"), grid.of("G")
        following = np.where(goal[:, None, None], np.arange(n)[:, None, None], to_row * grid.width + to_column)
        reward = np.where(goal, 0.0, -1.0)[:, None, None]
        outcomes = Outcomes.stacked(1 / len(gusts), following, reward, goal[following])
        return TabularMDP.from_outcomes(outcomes, start / start.sum(), name="WindyGridworld")

    def grid(self):
        return read_map(self.map, {"S": "start", "G": "goal", ".": "floor"}, "WindyGridworld.map", "SG")

    def winds(self):
        """The wind of each column, checked as the moves are."""
        if self.moves not in (4, 8, 9):
            raise PgfastError(f"WindyGridworld.moves is {self.moves}: it must be 4, 8 (king's moves) or 9 (and stay).")
        digits, width = str(self.wind), self.grid().width
        if len(digits) != width or not set(digits) <= set("0123456789"):
            raise PgfastError(
                f"WindyGridworld.wind is {digits!r}: give a digit for each of the {width} columns of the map."
            )
        return np.array(list(digits)).astype(int)

    def text(self, state):
        return self.grid().text(state) + "\n" + "".join(f" {digit} " for digit in str(self.wind)).rstrip()

    def draw(self, state):
        return self.grid().draw(state, COLORS)
