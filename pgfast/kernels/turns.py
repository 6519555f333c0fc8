"""Play by actions from outside, a turn at a time: the steps of training without a policy.

A player is a lane with a seed of its own. Its episodes count from 0 in the stream of numbers that `make_key` draws
from, so that player p's step at time t is that of ``make_key(seed of p, 0, episode, t + 1)``.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, inlined, kernel, lane_kernel, load_column, store_column
from pgfast.kernels.lanes import (
    RUNNING,
    TERMINATED,
    Field,
    lane_fields,
    smaller,
    step_environment,
)
from pgfast.kernels.starts import begin_episode
from pgfast.protocol import accept, observe, seed
from pgfast.random import first_number

STEPPING, MODE, PLAYERS = range(3)  # entries of `order`: 1 for a step in all, 0 for none; when episodes begin; how many
# players there are
ORDER = 3
MOST_STEPS = 2**32 - 1  # that keys can tell apart
NEXT_STEP, SAME_STEP, BY_HAND = range(3)  # modes: an episode begins in place of the step after the last one's end, with
# that end, or when told


class Rules(NamedTuple):
    """Of a plan, what counts here."""

    stream: int
    max_steps: np.uint64
    actions: Any  # Choices or Reals
    seeds: np.ndarray  # uint64 (blocks, 2, LANES): the low and the high halves
    block: int = 0  # whose lanes are at work

    def seed(self, i: Any) -> Any:
        """Lane i's own."""
        return self.seeds[self.block, 0, i], self.seeds[self.block, 1, i]


class Outcome(NamedTuple):
    """What a turn gives N players; modified in place. Observations are floats, ints or both."""

    seen: np.ndarray  # float64 (N, …)
    seen_int: np.ndarray  # int64 (N, …)
    last: np.ndarray  # the observation at the end of an episode, where the next has begun with it
    last_int: np.ndarray
    reward: np.ndarray  # float64 (N,)
    terminated: np.ndarray  # bool (N,)
    truncated: np.ndarray  # bool (N,)


def make_outcome(observation: Any, players: int) -> Outcome:
    """Room for what so many players are given; `observation` is an example of one."""
    rows = {name: shape[0] for name, _, shape in lane_fields(observation)}
    reals, wholes = ((players, rows["state"]), (players, rows["state_int"]))
    return Outcome(
        np.zeros(reals), np.zeros(wholes, np.int64), np.zeros(reals), np.zeros(wholes, np.int64),
        np.zeros(players), np.zeros(players, bool), np.zeros(players, bool),
    )  # fmt: skip


def make_players(like: Any, observation: Any, players: int, n_reals: int) -> np.ndarray:
    """Workspaces of lanes for so many players, aligned to 64 bytes, whose episodes have all ended; `observation` is an
    example of one, `n_reals` the numbers of an action that is not a whole one."""
    columns = [form for form in lane_fields(observation) if form[0] in ("state", "state_int")]
    memory: list[Field] = [(name.replace("state", "seen"), kind, shape) for name, kind, shape in columns]
    memory.append(("begin", "i8", (LANES,)))  # 1 where an episode is to begin
    record = lambda fields: np.dtype((np.record, fields))  # noqa: E731
    dtype = np.dtype((np.record, [("lanes", record(lane_fields(like, n_reals=n_reals))), ("memory", record(memory))]))
    count = -(-players // LANES)
    buffer = np.zeros(dtype.itemsize * count + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    blocks: np.ndarray = buffer[start : start + dtype.itemsize * count].view(dtype)
    blocks["lanes"]["done"] = TERMINATED
    blocks["lanes"]["episode"] = -1
    return blocks


@lane_kernel
def draw_first(n, rules, lanes):
    """``uniform(key, 0)`` of the step in n lanes."""
    for i in range(n):
        c, (k0, k1) = lanes.counter, seed(rules, i)
        lanes.uniforms[1, i] = first_number(lanes.uniforms, c[0, i], c[1, i], c[2, i], c[3, i], k0, k1)


@inlined
def end_turn(n, first, rules, mode, lanes, memory, outcome):
    """How the step ended each lane's episode, and where the next is to begin. An episode that ends by itself when its
    time is over too is both terminated and truncated, as in Gymnasium's TimeLimit."""
    for i in range(n):
        stepped, done = lanes.live[i] == 1.0, lanes.done[i]
        outcome.reward[first + i] = lanes.reward[i]
        outcome.terminated[first + i] = stepped and done == TERMINATED
        outcome.truncated[first + i] = stepped and done != RUNNING and lanes.counter[0, i] > rules.max_steps
        over = done != RUNNING and stepped == (mode == SAME_STEP)
        memory.begin[i] = 1 if over and mode != BY_HAND else 0


@inlined
def see(n, first, env, like, seen, lanes, memory, reals, wholes):
    """What is observed in n lanes, to rows first, … of `reals` and `wholes`."""
    for i in range(n):
        state = load_column(lanes.state, lanes.state_int, i, like)
        store_column(memory.seen, memory.seen_int, i, observe(env, state), seen)
    for k in range(reals.shape[1]):
        for i in range(n):
            reals[first + i, k] = memory.seen[k, i]
    for k in range(wholes.shape[1]):
        for i in range(n):
            wholes[first + i, k] = memory.seen_int[k, i]


@kernel
def take_turn(env, like, seen, rules, blocks, actions, order, outcome):
    """One step of every player, by ``actions[p]``, unless order[STEPPING] is 0; then the episodes that are to begin do,
    and what is observed is noted in `outcome`.

    `seen`: an example of an observation; `blocks`: what `make_players` makes, modified in place; `actions`: int64 (N,)
    as `step` has them, or float64 (N, K).
    """
    for b in range(len(blocks)):
        lanes, memory, first = blocks[b].lanes, blocks[b].memory, b * LANES
        here = Rules(rules.stream, rules.max_steps, rules.actions, rules.seeds, b)
        n = smaller(LANES, order[PLAYERS] - first)
        if order[STEPPING] == 1:
            accept(rules.actions, n, first, actions, lanes)
            draw_first(n, here, lanes)
            step_environment(n, env, like, here, lanes)
            end_turn(n, first, here, order[MODE], lanes, memory, outcome)
            if order[MODE] == SAME_STEP:
                see(n, first, env, like, seen, lanes, memory, outcome.last, outcome.last_int)
        for i in range(n):
            if memory.begin[i] == 1:
                lanes.episode[i] += 1
                begin_episode(env, like, here, lanes, i)
        see(n, first, env, like, seen, lanes, memory, outcome.seen, outcome.seen_int)
    return 0
