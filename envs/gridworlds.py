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
        following = np.where(wall[following] | ~floor[:, None], tile, following).reshape(-1)
        rows = len(following)
        outcomes = Outcomes(
            offsets=np.arange(rows + 1),
            probability=np.ones(rows),
            following=following,
            reward=np.where(np.repeat(floor, 4), -1.0, 0.0),
            terminated=ends[following],
        )
        return TabularMDP.from_outcomes(outcomes, len(floor), 4, floor / floor.sum(), None, "Gridworld")

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
        to_row = row[:, None, None] + down[:, None] - lift[:, None]
        to_row, to_column = np.broadcast_arrays(
            np.clip(to_row, 0, grid.height - 1),
            np.clip(column[:, None, None] + right[:, None], 0, grid.width - 1),
        )
        goal = grid.of("G")
        following = np.where(goal[:, None, None], np.arange(n)[:, None, None], to_row * grid.width + to_column)
        outcomes = Outcomes(
            offsets=len(gusts) * np.arange(n * self.moves + 1),
            probability=np.full(following.size, 1 / len(gusts)),
            following=following.reshape(-1),
            reward=np.where(np.repeat(goal, self.moves * len(gusts)), 0.0, -1.0),
            terminated=goal[following].reshape(-1),
        )
        start = grid.of("S")
        return TabularMDP.from_outcomes(outcomes, n, self.moves, start / start.sum(), None, "WindyGridworld")

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
