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
    TRUNCATED,
    Field,
    begin_episode,
    lane_fields,
    smaller,
    step_environment,
)
from pgfast.protocol import observe, seed, take_in
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


def make_players(like: Any, observation: Any, players: int, n_reals: int) -> np.ndarray:
    """Workspaces of lanes for so many players, aligned to 64 bytes, whose episodes have all ended; `observation` is an
    example of one, `n_reals` the numbers of an action that is not a whole one."""
    columns = [form for form in lane_fields(observation) if form[0] in ("state", "state_int")]
    seen: list[Field] = [(name.replace("state", "seen"), kind, shape) for name, kind, shape in columns]
    last: list[Field] = [(name.replace("state", "last"), kind, shape) for name, kind, shape in columns]
    memory = [
        *seen,  # what is observed
        *last,  # what was observed at the end of an episode, where the next begins with it
        ("begin", "i8", (LANES,)),  # 1 where an episode is to begin
        ("ended", "i8", (LANES,)),  # how the episode ended in this step: bits TERMINATED and TRUNCATED, or RUNNING
    ]
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
def end_turn(n, env, like, seen, rules, mode, lanes, memory):
    """How the step ended each lane's episode, and where the next is to begin. An episode that ends by itself when its
    time is over too is both terminated and truncated, as in Gymnasium's TimeLimit."""
    for i in range(n):
        stepped = lanes.live[i] == 1.0
        late = lanes.counter[0, i] > rules.max_steps
        memory.ended[i] = (lanes.done[i] | (TRUNCATED if late else RUNNING)) if stepped else RUNNING
        over = lanes.done[i] != RUNNING and stepped == (mode == SAME_STEP)
        memory.begin[i] = 1 if over and mode != BY_HAND else 0
    if mode == SAME_STEP:
        for i in range(n):
            if memory.begin[i] == 1:
                last = observe(env, load_column(lanes.state, lanes.state_int, i, like))
                store_column(memory.last, memory.last_int, i, last, seen)


@inlined
def begin_and_see(n, env, like, seen, rules, lanes, memory):
    """The episodes that are to begin do, and what is observed in n lanes is noted."""
    for i in range(n):
        if memory.begin[i] == 1:
            lanes.episode[i] += 1
            k0, k1 = seed(rules, i)
            begin_episode(env, like, lanes, i, rules.stream, k0, k1)
    for i in range(n):
        state = load_column(lanes.state, lanes.state_int, i, like)
        store_column(memory.seen, memory.seen_int, i, observe(env, state), seen)


@kernel
def take_turn(env, like, seen, rules, blocks, actions, order):
    """One step of every player, by ``actions[p]``, unless order[STEPPING] is 0; then the episodes that are to begin do,
    and what is observed is noted.

    `seen`: an example of an observation; `blocks`: what `make_players` makes, modified in place; `actions`: int64 (N,)
    as `step` has them, or float64 (N, K).
    """
    for b in range(len(blocks)):
        lanes, memory = blocks[b].lanes, blocks[b].memory
        here = Rules(rules.stream, rules.max_steps, rules.actions, rules.seeds, b)
        n = smaller(LANES, order[PLAYERS] - b * LANES)
        if order[STEPPING] == 1:
            take_in(rules.actions, n, b * LANES, actions, lanes)
            draw_first(n, here, lanes)
            step_environment(n, env, like, here, lanes)
            end_turn(n, env, like, seen, here, order[MODE], lanes, memory)
        begin_and_see(n, env, like, seen, here, lanes, memory)
    return 0
