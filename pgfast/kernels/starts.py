"""How episodes start: counters, clocks, and the environment's first state.

A lane that begins an episode while others go on is a long chain of dependent work; so the numbers that `reset` is given
are drawn for many episodes at once where it is known which come next.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import LANES, busy_routine, inlined, lane_kernel, leaf, routine, store_column
from pgfast.kernels.lanes import FIRST_EPISODE, LAST_EPISODE, RUNNING, masked, padded, smaller
from pgfast.protocol import reset, seed
from pgfast.random import Key, first_number

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_LOW, _BYTE, _12BITS = np.uint64(0xFFFFFFFF), np.uint64(0xFF), np.uint64(0xFFF)
_32, _24, _40, _20, _18 = np.uint64(32), np.uint64(24), np.uint64(40), np.uint64(20), np.uint64(18)


@leaf
def counter_words(run, episode, stream):
    """Words 1 to 3 of the counter in an episode of a run."""
    run, episode = np.uint64(run), np.uint64(episode)
    high = run | (((episode >> _32) & _BYTE) << _24)
    return episode & _LOW, high, (np.uint64(stream) << _18) | (((episode >> _40) & _12BITS) << _20)


@leaf
def set_counter(lanes, i, stream):
    """The counter of the first step of episode ``lanes.episode[i]`` of run ``lanes.run[i]``."""
    lanes.counter[0, i] = _ONE
    words = counter_words(lanes.run[i], lanes.episode[i], stream)
    lanes.counter[1, i], lanes.counter[2, i], lanes.counter[3, i] = words


@busy_routine
def draw_ahead(n, plan, run, episode, first):
    """The number that `reset` is given in each of n episodes of a run, from `episode` on."""
    for i in range(n):
        c1, c2, c3 = counter_words(run, episode + i, plan.stream)
        k0, k1 = seed(plan, i)
        first[i] = first_number(first, _ZERO, c1, c2, c3, k0, k1)


@routine
def drawn_number(plan, lanes, run, episode):
    """The number that `reset` is given in the next episode of a block; its episodes are asked for one after another."""
    k = (episode - lanes.control[FIRST_EPISODE]) % LANES
    if k == 0:
        left = smaller(LANES, lanes.control[LAST_EPISODE] - episode)
        draw_ahead(padded(left, lanes), plan, run, episode, lanes.first)
    return lanes.first[k]


@leaf
def start_number(plan, lanes, i):
    """The number that `reset` is given in the episode that lane i's counter says."""
    k0, k1 = seed(plan, i)
    return first_number(lanes.first, _ZERO, lanes.counter[1, i], lanes.counter[2, i], lanes.counter[3, i], k0, k1)


@leaf
def reset_lane(env, like, plan, lanes, i, number):
    """The environment's start in the episode that lane i's counter says."""
    k0, k1 = seed(plan, i)
    key = Key(_ZERO, lanes.counter[1, i], lanes.counter[2, i], lanes.counter[3, i], k0, k1, number)
    store_column(lanes.state, lanes.state_int, i, reset(env, key), like)


@lane_kernel
def restart_counters(n, lanes):
    """Clocks and returns of the next episode in every lane whose last one has ended."""
    for i in range(n):
        going = lanes.going[i]
        lanes.counter[0, i] = (lanes.counter[0, i] & np.uint64(going)) + np.uint64(1 + going)
        lanes.discount[i] = masked(lanes.discount[i], going) + (1.0 if going == 0 else 0.0)
        lanes.returns[0, i] = masked(lanes.returns[0, i], going)
        lanes.returns[1, i] = masked(lanes.returns[1, i], going)
        lanes.done[i] = RUNNING


@inlined
def restart(n, env, like, plan, lanes):
    """The next episode in every lane whose last one has ended."""
    for i in range(n):
        if lanes.done[i] != RUNNING:
            set_counter(lanes, i, plan.stream)
            reset_lane(env, like, plan, lanes, i, start_number(plan, lanes, i))
    restart_counters(n, lanes)


@leaf
def begin_with(env, like, plan, lanes, i, number):
    """Start the episode that lane i's counter says from a number that has been drawn."""
    reset_lane(env, like, plan, lanes, i, number)
    begin_clocks(lanes, i)


@leaf
def begin_clocks(lanes, i):
    """Returns and discount of a new episode in lane i."""
    lanes.discount[i] = 1.0
    lanes.returns[0, i] = 0.0
    lanes.returns[1, i] = 0.0
    lanes.done[i] = RUNNING


@leaf
def begin_anywhere(like, lanes, i):
    """Something that can be stepped, for a lane that is only there to fill a vector register."""
    store_column(lanes.state, lanes.state_int, i, like, like)
    lanes.counter[0, i] = _ONE
    begin_clocks(lanes, i)


@routine
def begin_episode(env, like, plan, lanes, i):
    """Start episode ``lanes.episode[i]`` of run ``lanes.run[i]`` in lane i."""
    set_counter(lanes, i, plan.stream)
    begin_with(env, like, plan, lanes, i, start_number(plan, lanes, i))


@busy_routine
def begin_next(env, like, plan, lanes, i):
    """As `begin_episode`, of the next episode of a block."""
    number = drawn_number(plan, lanes, lanes.run[i], lanes.episode[i])
    set_counter(lanes, i, plan.stream)
    begin_with(env, like, plan, lanes, i, number)
