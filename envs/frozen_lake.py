"""The slippery lake of Gymnasium's toy text."""

from typing import NamedTuple

import numpy as np

from pgfast.errors import PgfastError, unknown
from pgfast.maps import Map, check_ways, read_map
from pgfast.tables import Outcomes, TabularMDP

MAPS = {
    "4x4": "SFFF/FHFH/FFFH/HFFG",
    "8x8": "SFFFFFFF/FFFFFFFF/FFFHFFFF/FFFFFHFF/FFFHFFFF/FHHFFFHF/FHFFHFHF/FFFHFFFG",
}
TILES = {"S": "start", "F": "frozen", "H": "hole", "G": "goal"}
COLORS = {"S": "#cfe8cf", "F": "#d8ecf8", "H": "#3a5a78", "G": "#f2c14e"}
MOVES = [(0, -1), (1, 0), (0, 1), (-1, 0)]  # left, down, right, up
SIDES = np.array([-1, 0, 1])
TRIES = 10_000  # random maps until one has a way to the goal


class FrozenLake(NamedTuple):
    """Cross a frozen lake to the goal without falling into a hole; on ice one slips to the side.

    State: the tile, row · width + column, both counted from 0.
    Actions: 0 left, 1 down, 2 right, 3 up. On slippery ice one goes where one wants to with probability success_rate,
    and otherwise to either side of that; at an edge one stays.
    Observations: the state.
    Reward: reward_schedule: on reaching the goal, on falling into a hole, on any other step.
    End: in the goal or a hole; truncated after max_steps. An episode begins on a tile S, all of which are equally
    likely.
    Parameters: desc, a map (rows of S start, F frozen, H hole, G goal, with / or a new line between them);
    map_name, where desc is not given: 4x4, 8x8 or random; is_slippery; success_rate; reward_schedule; max_steps; of a
    random map its size, the probability p that a tile is frozen, and its seed (the map is the one of Gymnasium's
    generate_random_map).
    Reference: Gymnasium's FrozenLake-v1 and FrozenLake8x8-v1.
    """

    desc: str | tuple[str, ...] | None = None
    map_name: str = "4x4"
    is_slippery: bool = True
    success_rate: float = 1.0 / 3.0
    reward_schedule: tuple[float, float, float] = (1, 0, 0)
    max_steps: int = 100
    size: int = 8
    p: float = 0.8
    seed: int = 0

    def map(self):
        if self.desc is None and self.map_name == "random":
            return random_map(self.size, self.p, self.seed)
        if self.desc is None and self.map_name not in MAPS:
            raise unknown("map", str(self.map_name), [*MAPS, "random"], of="FrozenLake")
        default = FrozenLake()
        if (self.size, self.p, self.seed) != (default.size, default.p, default.seed):
            raise PgfastError("FrozenLake's size, p and seed are those of random maps: give map_name=random with them.")
        rows = MAPS[self.map_name] if self.desc is None else self.desc
        lake = read_map(rows, TILES, "FrozenLake.desc", needs="SG")
        check_ways(lake, "S", "G", "H", "FrozenLake.desc")
        return lake

    def table(self):
        lake, (goal, hole, frozen) = self.map(), self.payments()
        ways, chances = self.ways()
        following = lake.neighbours(MOVES)[:, ways]  # (S, A, K)
        ends = lake.of("GH")
        pays = np.select([lake.of("G"), lake.of("H")], [goal, hole], frozen)
        over = ends[:, None, None]  # in the goal and in a hole one is for good
        outcomes = Outcomes.stacked(
            probability=np.where(over, np.arange(len(chances)) == 0, chances),
            following=np.where(over, np.arange(len(ends))[:, None, None], following),
            reward=np.where(over, 0.0, pays[following]),
            terminated=over | ends[following],
        )
        first = lake.of("S") / lake.of("S").sum()
        return TabularMDP.from_outcomes(outcomes, first, max_steps=self.max_steps, name="FrozenLake")

    def ways(self):
        """Where each action may lead, as moves (A, K), and how likely each of them is (K,)."""
        if not 0.0 <= self.success_rate <= 1.0:
            raise PgfastError(f"FrozenLake.success_rate is {self.success_rate}: it must be a probability.")
        wanted = np.arange(4)[:, None]
        if not self.is_slippery:
            return wanted, np.ones(1)
        aside = (1.0 - self.success_rate) / 2.0
        return (wanted + SIDES) % 4, np.array([aside, self.success_rate, aside])

    def payments(self):
        """Rewards for goal, hole and other tiles."""
        try:
            pays = np.array(self.reward_schedule, float)
        except (TypeError, ValueError):
            pays = np.empty(0)
        if pays.shape != (3,) or not np.all(np.isfinite(pays)):
            raise PgfastError(
                f"FrozenLake.reward_schedule is {self.reward_schedule!r}: it must be three numbers, for goal, hole and "
                f"frozen tiles, such as 1,0,0."
            )
        return pays

    def text(self, state):
        return self.map().text(state)

    def draw(self, state):
        return self.map().draw(state, COLORS)


def random_map(size, p, seed):
    """The first of the random maps of this seed that has a way from its start to its goal."""
    if size < 2 or not 0.0 < p <= 1.0 or seed < 0:
        raise PgfastError(
            f"A random map of FrozenLake has size={size}, p={p}, seed={seed}: size must be at least 2, p a probability "
            f"above 0, seed not negative."
        )
    random = np.random.default_rng(seed)
    for _ in range(TRIES):
        tiles = random.choice(["F", "H"], (size, size), p=[p, 1 - p])
        tiles[0, 0], tiles[-1, -1] = "S", "G"
        lake = Map(tuple(map("".join, tiles)))
        if lake.reached(0, "H")[-1]:
            return lake
    raise PgfastError(f"None of {TRIES:,} random maps with p={p} has a way to its goal: take a larger p.")
