"""The environment that plays a table: a step is one look-up."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pgfast.compiler import as_bits, as_float, wide
from pgfast.random import floor_index, uniform
from pgfast.tables.alias import alias_table
from pgfast.tables.outcomes import Outcomes
from pgfast.tables.size import check_size
from pgfast.vmath import times

ENTRY = 4  # words of an entry: its chance of being kept, both codes, both rewards
_LOW = 0xFFFFFFFF
_1, _2, _3 = np.uint64(1), np.uint64(2), np.uint64(3)


class TableEnvironment(NamedTuple):
    """Plays a TabularMDP; for each (state, action) a row of `width` entries, taken with probability 1/width each, and
    then kept or exchanged for another (`pgfast.tables.alias`).

    An entry is four words next to each other in memory, half a cache line: the chance that it is kept, times 2**32, the
    codes of what follows if kept (low half) and if not (high half), and the rewards of both (bits of floats). A code is
    2 · state, and 1 more if the episode ends with it."""

    n_states: int
    n_actions: int
    width: int
    limit: int  # steps after which an episode is truncated; 0: never
    entries: np.ndarray  # int64 (S A width ENTRY,)
    first_chance: np.ndarray  # float64 (S,)
    first_other: np.ndarray  # int64 (S,)

    @property
    def max_steps(self):
        return self.limit or None

    @property
    def observation_space(self):
        from gymnasium.spaces import Discrete

        return Discrete(self.n_states)

    @property
    def action_space(self):
        from gymnasium.spaces import Discrete

        return Discrete(self.n_actions)

    def reset(self, key):
        u = wide(uniform(key, 0))
        column = floor_index(u, self.n_states)
        return column if u * self.n_states - column < wide(self.first_chance[column]) else self.first_other[column]

    def step(self, state, action, key):
        word = (as_bits(wide(uniform(key, 0)) + 1.0) >> 20) & _LOW  # 32 bits of the number's fraction
        place = times(word, self.width)  # in the row, times 2**32
        row = times(state, self.n_actions * self.width) + times(action, self.width)
        entry = np.uint64((row + (place >> 32)) * ENTRY)  # unsigned: no wrap-around
        kept = (place & _LOW) < self.entries[entry]
        codes = self.entries[entry + _1]
        code = (codes & _LOW) if kept else (codes >> 32)
        return code >> 1, as_float(self.entries[entry + (_2 if kept else _3)]), (code & 1) == 1


class ObservedTable(NamedTuple):
    """A `TableEnvironment` of whose state the policy sees a number only, the same for several states."""

    n_states: int
    n_actions: int
    width: int
    limit: int
    entries: np.ndarray
    first_chance: np.ndarray
    first_other: np.ndarray
    seen: np.ndarray  # int64 (S,)

    max_steps = TableEnvironment.max_steps  # type: ignore[misc]
    action_space = TableEnvironment.action_space  # type: ignore[misc]
    reset = TableEnvironment.reset  # type: ignore[misc]
    step = TableEnvironment.step  # type: ignore[misc]

    @property
    def observation_space(self):
        from gymnasium.spaces import Discrete

        return Discrete(int(self.seen.max()) + 1)

    def observe(self, state):
        return self.seen[state]


def play_table(
    outcomes: Outcomes, n_states: int, n_actions: int, rho0: np.ndarray, max_steps: int | None, name: str
) -> TableEnvironment:
    """The environment of these outcomes, which begins in a state drawn from `rho0`."""
    width = int(np.diff(outcomes.offsets).max())
    check_size(name, n_states, n_actions, width)
    first_chance, first_other = alias_table(np.array([0, n_states]), rho0)
    return TableEnvironment(
        n_states=n_states,
        n_actions=n_actions,
        width=width,
        limit=max_steps or 0,
        entries=_entries(outcomes),
        first_chance=first_chance.reshape(-1),
        first_other=first_other.reshape(-1),
    )


def _entries(o: Outcomes) -> np.ndarray:
    chance, other = alias_table(o.offsets, o.probability)
    width = chance.shape[1]
    last = np.diff(o.offsets)[:, None] - 1
    kept = o.offsets[:-1, None] + np.minimum(np.arange(width), last)  # a row that is shorter goes on with its last
    other = np.take_along_axis(kept, other, axis=1)
    code = 2 * o.following + o.terminated
    entries = _whole_lines(chance.size * ENTRY).reshape(*chance.shape, ENTRY)
    entries[:, :, 0] = np.rint(chance * 2.0**32)
    entries[:, :, 1] = code[kept] | code[other] << 32
    entries[:, :, 2] = o.reward.view(np.int64)[kept]
    entries[:, :, 3] = o.reward.view(np.int64)[other]
    return entries.reshape(-1)


def _whole_lines(size: int) -> np.ndarray:
    """Room for `size` words that begins a cache line, so that no entry lies across two."""
    buffer = np.empty(size + 8, np.int64)
    start = -buffer.ctypes.data // 8 % 8
    return buffer[start : start + size]
