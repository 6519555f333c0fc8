"""The taxi of Dietterich, as Gymnasium plays it."""

from typing import NamedTuple

import numpy as np

from pgfast.drawing import Circle, Line, box, tiles
from pgfast.errors import PgfastError
from pgfast.tables import TabularMDP

TOWN = ("R: | : :G", " : | : : ", " : : : : ", " | : | : ", "Y| : |B: ")  # between two tiles a passage or a wall
STANDS = {"R": (0, 0), "G": (0, 4), "Y": (4, 0), "B": (4, 3)}
NAMES, PLACES = list(STANDS), list(STANDS.values())
COLORS = {"R": "#e07a6e", "G": "#8fc48f", "Y": "#f0dc82", "B": "#8fb0e0"}
SOUTH, NORTH, EAST, WEST, PICK_UP, DROP_OFF = range(6)
MOVES = [(1, 0), (-1, 0), (0, 1), (0, -1)]  # south, north, east, west
ASIDE = [(EAST, WEST), (WEST, EAST), (NORTH, SOUTH), (SOUTH, NORTH)]  # left and right of each
ABOARD = 4  # where a passenger is who is in the taxi
STATES = 500


class Taxi(NamedTuple):
    """Drive to a passenger, pick them up, bring them where they want to go.

    State: ((row · 5 + column) · 5 + passenger) · 4 + destination; the passenger is at stand 0 to 3 (R, G, Y, B) or, 4,
    aboard; with a fickle passenger 500 more once the taxi has moved with the passenger aboard.
    Actions: 0 south, 1 north, 2 east, 3 west, 4 pick up, 5 drop off. Where there is a wall one stays. In rain the taxi
    goes where it should with probability rainy_probability, and otherwise to the left or the right of that.
    Observations: the state; with a fickle passenger the state modulo 500.
    Reward: −1 a step, −10 instead for picking up or dropping off where that can't be, 20 instead for a passenger
    brought to their destination.
    End: when the passenger is there; truncated after max_steps. An episode begins with any place of the taxi, any stand
    for the passenger and any other as destination, all equally likely.
    Parameters: is_rainy, fickle_passenger (the first time the taxi moves with them aboard they choose another
    destination with probability fickle_probability), rainy_probability, fickle_probability, max_steps.
    Reference: Dietterich (2000), Journal of Artificial Intelligence Research 13; Gymnasium's Taxi-v4, and Taxi-v3
    without rain and fickleness. Gymnasium decides about fickleness when an episode begins and its table `P` leaves it
    out; here it is decided when it shows, which is the same to all who can't see it before.
    """

    is_rainy: bool = False
    fickle_passenger: bool = False
    rainy_probability: float = 0.8
    fickle_probability: float = 0.3
    max_steps: int = 200

    def table(self):
        for name in ("rainy_probability", "fickle_probability"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise PgfastError(f"Taxi.{name} is {getattr(self, name)}: it must be a probability.")
        table = [[self.outcomes(state, action) for action in range(6)] for state in range(STATES)]
        seen = None
        if self.fickle_passenger:
            later = [[[(p, s + STATES, r, end) for p, s, r, end in row] for row in actions] for actions in table]
            table = [[self.fickle(s, row) for row in actions] for s, actions in enumerate(table)] + later
            seen = np.arange(2 * STATES) % STATES
        _, _, passenger, destination = np.unravel_index(np.arange(len(table)) % STATES, (5, 5, 5, 4))
        begins = (passenger != ABOARD) & (passenger != destination) & (np.arange(len(table)) < STATES)
        return TabularMDP.from_outcomes(
            table, begins / begins.sum(), observations=seen, max_steps=self.max_steps, name="Taxi"
        )

    def outcomes(self, state, action):
        """What can follow, (probability, next state, reward, terminated) each, with a passenger who isn't fickle."""
        row, column, passenger, destination = decode(state)
        at = row, column
        if action <= WEST:
            return [(p, encode(to, passenger, destination), -1, False) for p, to in self.ways(at, action)]
        stand = PLACES.index(at) if at in PLACES else None
        if action == PICK_UP:
            reward = -1 if passenger == stand else -10
            return [(1.0, encode(at, ABOARD if passenger == stand else passenger, destination), reward, False)]
        if passenger != ABOARD or stand is None:
            return [(1.0, state, -10, False)]
        arrived = stand == destination
        return [(1.0, encode(at, stand, destination), 20 if arrived else -1, arrived)]

    def ways(self, at, action):
        """Where a move may lead, (probability, place) each."""
        if not self.is_rainy:
            return [(1.0, moved(at, action))]
        aside = (1.0 - self.rainy_probability) / 2.0
        stuck = moved(at, action) == at
        places = [at if stuck else moved(at, way) for way in (action, *ASIDE[action])]
        return list(zip((self.rainy_probability, aside, aside), places, strict=True))

    def fickle(self, state, row):
        """What can follow while the passenger may still change their mind."""
        row_of_state, column, passenger, destination = decode(state)
        shares = np.full(4, self.fickle_probability / 3.0)
        shares[destination] = 1.0 - self.fickle_probability
        found = []
        for p, following, reward, end in row:
            to_row, to_column, _, _ = decode(following)
            if passenger != ABOARD or (to_row, to_column) == (row_of_state, column):
                found.append((p, following, reward, end))
            else:
                place = to_row, to_column
                found += [(p * shares[d], encode(place, ABOARD, d) + STATES, reward, end) for d in range(4)]
        return found

    def text(self, state):
        row, column, passenger, destination = decode(state % STATES)
        town = [list(line) for line in TOWN]
        town[row][2 * column] = "T"
        lines = ["+---------+", *(f"|{''.join(line)}|" for line in town), "+---------+"]
        where = "in the taxi" if passenger == ABOARD else f"at {NAMES[passenger]}"
        return "\n".join([*lines, f"passenger {where}, going to {NAMES[destination]}"])

    def draw(self, state):
        row, column, passenger, destination = decode(state % STATES)
        shapes = tiles([line[::2] for line in TOWN], COLORS)
        for r, line in enumerate(TOWN):
            walls = [c for c in range(4) if line[2 * c + 1] == "|"]
            shapes += [Line([(0.2 * c + 0.2, 1 - 0.2 * r), (0.2 * c + 0.2, 0.8 - 0.2 * r)], width=0.02) for c in walls]
        x, y = corner(PLACES[destination])
        frame = [(x, y), (x + 0.2, y), (x + 0.2, y + 0.2), (x, y + 0.2), (x, y)]
        shapes.append(Line(frame, "crimson", 0.012))
        x, y = corner((row, column))
        shapes.append(box(x + 0.03, y + 0.05, x + 0.17, y + 0.15, "goldenrod"))
        x, y = corner((row, column) if passenger == ABOARD else PLACES[passenger])
        shapes.append(Circle((x + 0.1, y + 0.1), 0.03, "crimson"))
        return shapes


def encode(place, passenger, destination):
    return ((place[0] * 5 + place[1]) * 5 + passenger) * 4 + destination


def decode(state):
    """Row, column, passenger and destination."""
    return state // 100, state // 20 % 5, state // 4 % 5, state % 4


def moved(at, way):
    """The place that one move leads to, past walls and the edge of the town."""
    row, column = at
    if way == EAST and (column == 4 or TOWN[row][2 * column + 1] == "|"):
        return at
    if way == WEST and (column == 0 or TOWN[row][2 * column - 1] == "|"):
        return at
    down, right = MOVES[way]
    return min(max(row + down, 0), 4), column + right


def corner(place):
    """The lower left corner of a tile in the picture."""
    return 0.2 * place[1], 0.8 - 0.2 * place[0]
