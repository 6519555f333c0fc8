"""Actions for observations that come from outside: what `act` does in lanes, without an environment.

The n-th observation for which an action is drawn gets the n-th numbers of its run's stream, whether it comes alone or
among others.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import isfinite

import numpy as np

from pgfast.compiler import LANES, kernel, lane_kernel, store_column
from pgfast.kernels.lanes import CHANGED, padded, smaller
from pgfast.kernels.scaling import load_scale
from pgfast.kernels.starts import set_counter
from pgfast.protocol import act, draw, hand_out, load
from pgfast.random import PREDICT

COUNT, RUN, NUMBER, DETERMINISTIC, LOADED, LOWEST, HIGHEST, TIME = range(8)  # entries of `order`: how many
# observations, of which run's policy, the number of the first, 1 for the preferred action; 1 + the run that lanes hold,
# 0 for none; the least and the largest of discrete observations; steps made in the episode
ORDER = 8


@lane_kernel
def put_real(n, first, real, places, lanes):
    """Rows first, … of `real` into the lanes; False when one has a number that is not finite, or a fraction where a
    whole number is wanted. ``places[k]`` is the row of the floats' columns that number k goes to, or −1 − the row of
    the ints'."""
    good = True
    for k in range(real.shape[1]):
        place = places[k]
        for i in range(n):
            x = real[first + i, k]
            good &= isfinite(x)
            if place >= 0:
                lanes.state[place, i] = x
                good &= isfinite(lanes.state[place, i])  # in single precision too
            else:
                good &= x == np.floor(x)
                lanes.state_int[-1 - place, i] = np.int64(x)
    return good


@lane_kernel
def put_whole(n, first, whole, lowest, highest, lanes):
    """Entries first, … of `whole` into the lanes; False when one is out of bounds."""
    good = True
    for i in range(n):
        s = whole[first + i]
        good &= (s >= lowest) & (s <= highest)
        lanes.state_int[0, i] = s
    return good


@lane_kernel
def number_lanes(n, run, first, lanes):
    """Counters of the numbers first, … of a run's predictions."""
    for i in range(n):
        lanes.run[i] = run
        lanes.episode[i] = first + i
        set_counter(lanes, i, PREDICT)


@lane_kernel
def set_time(n, time, lanes):
    """So many steps have been made."""
    for i in range(n):
        lanes.counter[0, i] = np.uint64(time + 1)


@kernel
def predict(env, like, policy, actions, learner, w, memory, k0, k1, real, whole, places, order, out):
    """Actions for the observations of `real` (N, D) or, where they are discrete, of `whole` (N,): ``out[i]``, whole
    numbers (N,) or real ones (N, K). Returns the last of whole ones, or −1 when an observation is not finite or out of
    bounds.

    env: what has the features, or None; `like`: an observation; k0, k1: the seed; `order`, `places`: see above.
    """
    lanes = w.lanes
    if order[LOADED] != 1 + order[RUN]:
        for i in range(LANES):
            load(memory, learner, w, i, order[RUN])
            load_scale(learner, lanes, i, order[RUN])
            store_column(lanes.state, lanes.state_int, i, like, like)
        order[LOADED] = 1 + order[RUN]
    last = -1
    for first in range(0, order[COUNT], LANES):
        n = smaller(LANES, order[COUNT] - first)
        if whole.shape[0] > 0:
            good = put_whole(n, first, whole, order[LOWEST], order[HIGHEST], lanes)
        else:
            good = put_real(n, first, real, places, lanes)
        if not good:
            order[LOADED] = 0
            return -1
        if order[DETERMINISTIC] == 0:
            number_lanes(padded(n, lanes), order[RUN], order[NUMBER] + first, lanes)
        set_time(padded(n, lanes), order[TIME], lanes)
        if order[DETERMINISTIC] == 0:
            draw(actions, padded(n, lanes), lanes.uniforms.shape[0], k0, k1, lanes)
        lanes.control[CHANGED] = 1  # other lanes are at work than before
        act(policy, env, like, padded(n, lanes), w, learner, order[DETERMINISTIC])
        last = hand_out(actions, n, first, lanes, out)
    return last
