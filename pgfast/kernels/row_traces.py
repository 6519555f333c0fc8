"""Traces of rows of θ, in lists, brought up to date when somebody looks.

The step at time t adds a_t z_t to θ and b_t zʷ_t to w, with traces z and zʷ. A row that isn't active at a step has only
its trace decayed; so what the steps t, …, t + n − 1 add to a row whose trace is z at t is

    z Σ_k decayᵏ a_{t + k},   and its trace is decayⁿ z after them.

So a step writes a_t and b_t down, and works on the rows that it needs; the sums are made when a row is needed again.
Every STEPS steps, and at an episode's end, all rows are brought up to date. A row that hasn't been active for `window`
steps leaves the list then: less than TOLERANCE is left of its trace (`pgfast.algorithms.actor_critic`).

Shapes of `pgfast.kernels.step_lists`.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import isfinite

import numpy as np

from pgfast.compiler import fma, leaf, routine
from pgfast.kernels.accounts import add_span
from pgfast.protocol import prepare

STEPS = 64  # that are written down
ALL = -1  # a window that keeps nothing
ROW, SINCE, TOUCHED = range(3)  # columns of marks
HEAD = 3  # numbers that `leave_list` writes before the entries


@leaf
def width_of(lists):
    """B; the trace of w comes after it."""
    return lists.z.shape[2] - 1


@leaf
def owed(lists, algorithm, i, first):
    """What the steps from `first` on add to a row: to θ, in units of z, and to w, in units of zʷ."""
    change, change_value = 0.0, 0.0
    for t in range(lists.written[i] - 1, first - 1, -1):
        change = fma(algorithm.decay, change, lists.moves[i, t, 0])
        change_value = fma(algorithm.decay_value, change_value, lists.moves[i, t, 1])
    return change, change_value


@leaf
def moved(learner, run, at, change):
    """A parameter of a run after a change; (the old one, False) when it would not be finite."""
    x = learner.runs[run, at]
    return (x + change, True) if isfinite(x + change) else (x, False)


@leaf
def bring_up(lists, learner, i, run, k, change, change_value):
    """Entry k of lane i's list takes in what it is owed; False when that isn't finite, and is left out."""
    width, row, missed = width_of(lists), lists.marks[i, k, ROW], lists.written[i] - lists.marks[i, k, SINCE]
    kept, kept_value, good = lists.powers[missed, 0], lists.powers[missed, 1], True
    for b in range(width):
        at = row * width + b
        learner.runs[run, at], fine = moved(learner, run, at, change * lists.z[i, k, b])
        good &= fine
        lists.z[i, k, b] *= kept
    at = learner.weights_at + row
    learner.runs[run, at], fine = moved(learner, run, at, change_value * lists.z[i, k, width])
    lists.z[i, k, width] *= kept_value
    lists.marks[i, k, SINCE] = lists.written[i]
    return good & fine


@leaf
def look_at(lists, algorithm, learner, i, run, row):
    """Bring a row up to date; False when it would not be finite."""
    k = lists.place[i, row] - 1
    if k < 0 or lists.marks[i, k, SINCE] == lists.written[i]:
        return True
    change, change_value = owed(lists, algorithm, i, lists.marks[i, k, SINCE])
    return bring_up(lists, learner, i, run, k, change, change_value)


@leaf
def enter(lists, i, row):
    """The entry of a row that is active now; a new one if need be."""
    k = lists.place[i, row] - 1
    if k < 0:
        k = lists.count[i]
        lists.count[i] = k + 1
        lists.marks[i, k, ROW] = row
        lists.place[i, row] = k + 1
        lists.marks[i, k, SINCE] = lists.written[i]
        for b in range(lists.z.shape[2]):
            lists.z[i, k, b] = 0.0
    lists.marks[i, k, TOUCHED] = lists.written[i]
    return k


@leaf
def add_to_trace(lists, i, k, weight, c, first, value):
    """The score, with its weight, and `value` to the traces of entry k, and what that is to their squared norms."""
    width = width_of(lists)
    for b in range(width):
        old = lists.z[i, k, b]
        new = fma(weight, c[first + b, i], old)
        lists.z[i, k, b] = new
        lists.norm[i, 0] += new * new - old * old
    old = lists.z[i, k, width]
    lists.z[i, k, width] = old + value
    lists.norm[i, 1] += value * (2.0 * old + value)


@leaf
def begin_anew(lists, i, k):
    """Clear the traces of entry k."""
    width = width_of(lists)
    for b in range(width):
        lists.norm[i, 0] -= lists.z[i, k, b] * lists.z[i, k, b]
        lists.z[i, k, b] = 0.0
    lists.norm[i, 1] -= lists.z[i, k, width] * lists.z[i, k, width]
    lists.z[i, k, width] = 0.0


@leaf
def fade_norms(lists, algorithm, i):
    """One step's decay."""
    lists.norm[i, 0] *= algorithm.decay * algorithm.decay
    lists.norm[i, 1] *= algorithm.decay_value * algorithm.decay_value


@leaf
def write_move(lists, i, move, move_value):
    """a_t and b_t."""
    t = lists.written[i]
    lists.moves[i, t, 0], lists.moves[i, t, 1] = move, move_value
    lists.written[i] = t + 1


@leaf
def drop(lists, i, k):
    """Take entry k out of the list of lane i; the last takes its place."""
    last = lists.count[i] - 1
    lists.place[i, lists.marks[i, k, ROW]] = 0
    if k < last:
        copy_entry(lists, i, last, i, k)
    lists.count[i] = last


@leaf
def copy_entry(lists, i, source, j, target):
    """Entry `source` of lane i over entry `target` of lane j."""
    for r in range(lists.marks.shape[2]):
        lists.marks[j, target, r] = lists.marks[i, source, r]
    for b in range(lists.z.shape[2]):
        lists.z[j, target, b] = lists.z[i, source, b]
    lists.place[j, lists.marks[j, target, ROW]] = target + 1


@leaf
def forget(lists, i):
    """Empty the list of lane i."""
    for k in range(lists.count[i]):
        lists.place[i, lists.marks[i, k, ROW]] = 0
    lists.count[i] = 0
    lists.written[i] = 0
    lists.norm[i, 0] = 0.0
    lists.norm[i, 1] = 0.0


@leaf
def move_list(lists, source, target):
    """Copy the list of one lane over another's."""
    forget(lists, target)
    lists.count[target] = lists.count[source]
    lists.written[target] = lists.written[source]
    for r in range(2):
        lists.norm[target, r] = lists.norm[source, r]
        for t in range(lists.written[source]):
            lists.moves[target, t, r] = lists.moves[source, t, r]
    for k in range(lists.count[source]):
        copy_entry(lists, source, k, target, k)


@leaf
def leave_list(lists, learner, i, run, at):
    """The list of lane i, which is up to date, into ``runs[run, at]``, …: the number of its entries, its norms, and of
    each entry the row, how many steps ago that was active last, and its traces."""
    runs, size = learner.runs, lists.z.shape[2]
    runs[run, at] = lists.count[i]
    for r in range(2):
        runs[run, at + 1 + r] = lists.norm[i, r]
    for k in range(lists.count[i]):
        first = at + HEAD + k * (2 + size)
        runs[run, first] = lists.marks[i, k, ROW]
        runs[run, first + 1] = -lists.marks[i, k, TOUCHED]
        for b in range(size):
            runs[run, first + 2 + b] = lists.z[i, k, b]


@leaf
def take_up_list(lists, learner, i, run, at):
    """What `leave_list` has left, into the list of lane i, which is empty."""
    runs, size = learner.runs, lists.z.shape[2]
    for r in range(2):
        lists.norm[i, r] = runs[run, at + 1 + r]
    for k in range(np.int64(runs[run, at])):
        first = at + HEAD + k * (2 + size)
        enter(lists, i, np.int64(runs[run, first]))
        lists.marks[i, k, TOUCHED] = -np.int64(runs[run, first + 1])
        for b in range(size):
            lists.z[i, k, b] = runs[run, first + 2 + b]


def entries_left(left: np.ndarray, size: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `leave_list` has left of lists of `size` entries, (runs, …): how many there are, (runs, 1), and the row of
    each and how long ago that was active, (runs, size), which mean nothing beyond."""
    entries = left[:, HEAD : HEAD + size * (width + 3)].reshape(-1, size, width + 3)
    return left[:, :1], entries[:, :, 0], entries[:, :, 1]


@leaf
def sum_up_moves(lists, algorithm, i):
    """moves[t] = Σ_k decayᵏ moves[t + k], what a row is owed that was last looked at before step t."""
    for t in range(lists.written[i] - 2, -1, -1):
        lists.moves[i, t, 0] = fma(algorithm.decay, lists.moves[i, t + 1, 0], lists.moves[i, t, 0])
        lists.moves[i, t, 1] = fma(algorithm.decay_value, lists.moves[i, t + 1, 1], lists.moves[i, t, 1])


@routine
def settle(lists, policy, algorithm, learner, i, run, window, ready, room):
    """Bring all rows of lane i up to date, and drop those not active for `window` steps; what lanes use is prepared of
    these, and if `ready` is 1 of all. False when some of θ or w would not be finite."""
    sum_up_moves(lists, algorithm, i)
    step, width, good, k, spans = lists.written[i], width_of(lists), True, 0, room.spans
    spans[0, 0] = 0
    while k < lists.count[i]:
        row, since = lists.marks[i, k, ROW], lists.marks[i, k, SINCE]
        if since < step:
            good &= bring_up(lists, learner, i, run, k, lists.moves[i, since, 0], lists.moves[i, since, 1])
        dropped = step - lists.marks[i, k, TOUCHED] > window
        if dropped or ready == 1:
            add_span(spans, row * width, (row + 1) * width)
        if dropped:
            drop(lists, i, k)
        else:
            lists.marks[i, k, SINCE] = 0
            lists.marks[i, k, TOUCHED] -= step
            k += 1
    lists.written[i] = 0
    if lists.count[i] == 0:
        forget(lists, i)  # what rounding has left of the norms
    prepare(policy, learner, run, room)
    return good
