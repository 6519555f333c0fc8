"""The walk along a cliff of Sutton & Barto, as Gymnasium plays it."""

from typing import NamedTuple

import numpy as np

from pgfast.errors import PgfastError
from pgfast.maps import check_ways, read_map
from pgfast.tables import Outcomes, TabularMDP

TILES = {"S": "start", ".": "ground", "C": "cliff", "G": "goal"}
COLORS = {"S": "#cfe8cf", ".": "#dfe6d4", "C": "#5c4033", "G": "#f2c14e"}
MOVES = [(-1, 0), (0, 1), (1, 0), (0, -1)]  # up, right, down, left
SIDES = np.array([-1, 0, 1])


class CliffWalking(NamedTuple):
    """Walk from the start to the goal along a cliff; who falls begins again at the start.

    State: the tile, row · width + column, both counted from 0.
    Actions: 0 up, 1 right, 2 down, 3 left; at an edge one stays. On slippery ground an action leads where it should, or
    to either side of that, each with probability 1/3.
    Observations: the state.
    Reward: −1 a step, −100 for one over the cliff.
    End: at the goal; there is no time limit.
    Parameters: is_slippery; desc, a map (rows of S start, C cliff, G goal and . ground, with / or a new line between
    them).
    Reference: Sutton & Barto (2018), example 6.6; Gymnasium's CliffWalking-v1 and CliffWalkingSlippery-v1.
    """

    is_slippery: bool = False
    desc: str | tuple[str, ...] = "............/............/............/SCCCCCCCCCCG"

    def map(self):
        place = read_map(self.desc, TILES, "CliffWalking.desc", needs="SG")
        starts = int(place.of("S").sum())
        if starts > 1:
            raise PgfastError(
                f"CliffWalking.desc has {starts} starts: it must have one, where those who fall begin again."
            )
        check_ways(place, "S", "G", "C", "CliffWalking.desc")
        return place

    def table(self):
        place = self.map()
        wanted, start = np.arange(4)[:, None], place.of("S")
        ways = (wanted + SIDES) % 4 if self.is_slippery else wanted
        following = place.neighbours(MOVES)[:, ways]  # (S, A, K)
        falls = place.of("C")[following]
        outcomes = Outcomes.stacked(
            probability=1.0 / ways.shape[1],
            following=np.where(falls, np.argmax(start), following),
            reward=np.where(falls, -100.0, -1.0),
            terminated=place.of("G")[following],
        )
        return TabularMDP.from_outcomes(outcomes, start.astype(float), name="CliffWalking")

    def text(self, state):
        return self.map().text(state)

    def draw(self, state):
        return self.map().draw(state, COLORS)
