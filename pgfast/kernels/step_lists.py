"""Tables and sparse features whose θ and w move at every step (`pgfast.algorithms.actor_critic`): traces as lists.

Only rows of θ that were active within the last steps stand in a lane's list, so that a step costs what they are, not
all of θ: a row leaves it when what is left of its trace, (γλ)ᵏ after k steps, is below `actor_critic.TOLERANCE`. With
λ = 0 it holds the rows of the step itself.

S rows of θ, B parameters each, of which T are active at a step; N entries of a list; L = LANES. A table is a policy
with one active row. What comes after the B score coefficients, of a Gaussian policy's standard deviations, belongs to
the last row, which every step touches and v̂ has no use for.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, busy_routine, inlined, leaf
from pgfast.kernels.continuing import come_to_states, move_reached, restart_or_go_on
from pgfast.kernels.lanes import ACTIVE, RUNNING, TALLY_NORM, TERMINATED, Field, settle_and_weigh
from pgfast.kernels.sparse import load_sparse_lane, move_sparse_lane, sparse_fields
from pgfast.kernels.step_traces import discount_updates
from pgfast.kernels.tables import load_table_lane, move_table_lane, table_fields
from pgfast.kernels.traces import Sizes, zero
from pgfast.policies.tabular import FAULT, locate
from pgfast.protocol import activate, find_rows, observed, prepare, tape_score, weigh_entropy


def step_table_fields(width: int) -> list[Field]:
    """Rows of the workspace for a table with `width` parameters in a row."""
    own = [("active", "i8", (1, LANES)), ("coming", "i8", (1, LANES))]
    return [*table_fields(), *own, ("c", "f8", (width, LANES)), ("q", "f8", (width, LANES))]


def step_sparse_fields(sizes: Sizes, n_active: int) -> list[Field]:
    """Rows of the workspace for sparse features."""
    return [*sparse_fields(sizes, n_active), ("coming", "i8", (n_active, LANES))]


@leaf
def estimate(learner, run, active, i):
    """v̂ where the rows in column i are active."""
    v = 0.0
    for k in range(active.shape[0]):
        v += learner.runs[run, learner.weights_at + active[k, i]]
    return v


@leaf
def fade(lists, algorithm, i):
    """One step's decay of the traces of lane i."""
    k = 0
    while k < lists.count[i]:
        lists.age[i, k] += 1
        if lists.age[i, k] > algorithm.window:
            drop(lists, i, k)
        else:
            for b in range(lists.e.shape[2]):
                lists.e[i, k, b] *= algorithm.decay
            lists.ev[i, k] *= algorithm.decay_value
            k += 1


@leaf
def drop(lists, i, k):
    """Take entry k out of the list of lane i; the last takes its place."""
    last = lists.count[i] - 1
    lists.place[i, lists.rows[i, k]] = 0
    if k < last:
        row = lists.rows[i, last]
        lists.rows[i, k] = row
        lists.place[i, row] = k + 1
        lists.age[i, k] = lists.age[i, last]
        lists.ev[i, k] = lists.ev[i, last]
        for b in range(lists.e.shape[2]):
            lists.e[i, k, b] = lists.e[i, last, b]
    lists.count[i] = last


@leaf
def touch(lists, i, row, replaces, weight, c, first, value):
    """Add the score, with its weight, and `value` to the traces of a row."""
    k = lists.place[i, row] - 1
    if k < 0:
        k = lists.count[i]
        lists.count[i] = k + 1
        lists.rows[i, k] = row
        lists.place[i, row] = k + 1
        replaces = 1
    lists.age[i, k] = 0
    for b in range(lists.e.shape[2]):
        lists.e[i, k, b] = (0.0 if replaces == 1 else lists.e[i, k, b]) + weight * c[first + b, i]
    lists.ev[i, k] = (0.0 if replaces == 1 else lists.ev[i, k]) + value


@leaf
def forget(lists, i):
    """Empty the list of lane i."""
    for k in range(lists.count[i]):
        lists.place[i, lists.rows[i, k]] = 0
    lists.count[i] = 0


@leaf
def move_list(lists, source, target):
    """Copy the list of one lane over another's."""
    forget(lists, target)
    lists.count[target] = lists.count[source]
    for k in range(lists.count[source]):
        lists.rows[target, k] = lists.rows[source, k]
        lists.place[target, lists.rows[source, k]] = k + 1
        lists.age[target, k] = lists.age[source, k]
        lists.ev[target, k] = lists.ev[source, k]
        for b in range(lists.e.shape[2]):
            lists.e[target, k, b] = lists.e[source, k, b]


@leaf
def move_rows(lists, optimisation, learner, i, run, delta, m):
    """θ and w of the run in lane i along δ times its traces, and along an entropy bonus where the step was; (False when
    some of it would not be finite, and keeps its value; the squared norm of θ's gradient)."""
    runs, width, good, norm = learner.runs, lists.e.shape[2], True, 0.0
    for k in range(lists.count[i]):
        row = lists.rows[i, k]
        first = 0 if row < lists.n_states else width
        for b in range(width):
            g = delta * lists.e[i, k, b] + (m.q[first + b, i] if lists.age[i, k] == 0 else 0.0)
            norm += g * g
            new = runs[run, row * width + b] + optimisation.lr * g
            good &= isfinite(new)
            runs[run, row * width + b] = new if isfinite(new) else runs[run, row * width + b]
        at = learner.weights_at + row
        new = runs[run, at] + optimisation.lr_value * delta * lists.ev[i, k]
        good &= isfinite(new)
        runs[run, at] = new if isfinite(new) else runs[run, at]
    return good, norm


@leaf
def span_list(lists, i, room):
    """The room's spans become the rows in the list of lane i."""
    width = lists.e.shape[2]
    room.spans[0, 0] = lists.count[i]
    for k in range(lists.count[i]):
        room.spans[k + 1, 0] = lists.rows[i, k] * width
        room.spans[k + 1, 1] = (lists.rows[i, k] + 1) * width


@busy_routine
def learn_in_lane(lists, policy, algorithm, optimisation, learner, i, w, room):
    """One step's update of the run in lane i; False when θ or w would not be finite."""
    lanes, m, run = w.lanes, w.memory, w.memory.run[i]
    following = 0.0
    if lanes.done[i] != TERMINATED:
        following = algorithm.gamma * estimate(learner, run, m.coming, i)
    average = learner.runs[run, learner.baseline_at]
    delta = lanes.reward[i] - average + following - estimate(learner, run, m.active, i)
    fade(lists, algorithm, i)
    for k in range(m.active.shape[0]):
        touch(lists, i, m.active[k, i], algorithm.replacing, lanes.weight[i], m.c, 0, 1.0)
    if m.c.shape[0] > lists.e.shape[2]:
        touch(lists, i, lists.n_states, 0, lanes.weight[i], m.c, lists.e.shape[2], 0.0)
    good, norm = move_rows(lists, optimisation, learner, i, run, delta, m)
    lanes.tally[TALLY_NORM, i] += norm
    lanes.moves[i] += 1
    if good:
        learner.runs[run, learner.baseline_at] = average + algorithm.lr_average * delta
    span_list(lists, i, room)
    prepare(policy, learner, run, room)
    return good


@inlined
def learn_in_lanes(lists, policy, algorithm, optimisation, learner, w, room):
    """The step's update of every lane at work."""
    lanes = w.lanes
    for i in range(lanes.control[ACTIVE]):
        learns = lanes.live[i] == 1.0 and lanes.bad[i] == 0
        if learns and not learn_in_lane(lists, policy, algorithm, optimisation, learner, i, w, room):
            lanes.bad[i] = 1


class SparseSteps(NamedTuple):
    """The lists of a thread's lanes, of a policy of sparse features."""

    n_states: int  # S, without a Gaussian policy's last
    count: Any  # int64 (L,): entries in the list
    rows: Any  # int64 (L, N): which rows of θ
    age: Any  # int64 (L, N): steps since the row was active
    e: Any  # float64 (L, N, B)
    ev: Any  # float64 (L, N)
    place: Any  # int64 (L, S or S + 1): the row's entry, counted from 1; 0 without one
    index: Any  # int64 (L, 1): s A + a, of tables

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made."""
        waiting = settle_and_weigh(n, algorithm, w.lanes)
        if algorithm.entropy != 0.0:
            zero(n, w.memory.q)
            weigh_entropy(policy, n, algorithm.entropy, w.lanes, w.memory)
        return 0, waiting

    def update_now(self, env, like, policy, algorithm, optimisation, plan, learner, n, w, room):
        """Move θ and w of all runs, knowing what is observed after the step."""
        lanes, m = w.lanes, w.memory
        if algorithm.continues == 1:
            come_to_states(n, env, like, plan, lanes, m)
        if activate(policy.features, env, n, like, w, m.coming) != 0:
            lanes.control[FAULT] = 1
        learn_in_lanes(self, policy, algorithm, optimisation, learner, w, room)
        for i in range(lanes.control[ACTIVE]):
            load_sparse_lane(learner, m, i, m.run[i])

    def begin(self, w, i):
        """Start a run in lane i."""
        forget(self, i)

    def clear(self, w, i):
        """Nothing: what lane i has seen is forgotten when a run begins."""

    def load(self, learner, w, i, run):
        """Give lane i to a run."""
        load_sparse_lane(learner, w.memory, i, run)

    def store(self, learner, w, i, run):
        """Nothing: θ and w are the learner's own."""

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_sparse_lane(w.memory, source, target)
        move_reached(w.memory, source, target)
        move_list(self, source, target)

    def end_lanes(self, policy, algorithm, optimisation, learner, accounts, n, w, room, updates):
        """Ends of episodes; 0 when some θ would have stopped being finite."""
        for i in range(n):
            if w.lanes.done[i] != RUNNING and algorithm.continues == 0:
                forget(self, i)
        return discount_updates(n, w.lanes)

    def restart_lanes(self, algorithm, n, env, like, plan, w):
        """The next episode in every lane whose last one has ended."""
        restart_or_go_on(algorithm, n, env, like, plan, w)


class TableSteps(SparseSteps):
    """As `SparseSteps`, of a table."""

    __slots__ = ()

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made."""
        for i in range(n):
            w.memory.active[0, i] = w.memory.seen[i]
            self.index[i, 0] = w.memory.index[i]
        return 0, settle_and_weigh(n, algorithm, w.lanes)

    def update_now(self, env, like, policy, algorithm, optimisation, plan, learner, n, w, room):
        """Move θ and w of all runs, knowing what is observed after the step."""
        lanes, m = w.lanes, w.memory
        if algorithm.continues == 1:
            come_to_states(n, env, like, plan, lanes, m)
        n_observations = observed(policy.clock, policy.n_states)
        if locate(n, env, like, policy.start, n_observations, lanes.state, lanes.state_int, m.seen) != 0:
            lanes.control[FAULT] = 1
        find_rows(policy.clock, n, lanes, m)
        for i in range(lanes.control[ACTIVE]):
            m.coming[0, i] = m.seen[i]
            score_row(self, policy, learner, i, 1.0, 0.0, m.c, m, room)
            if algorithm.entropy != 0.0:
                score_row(self, policy, learner, i, 0.0, lanes.weight[i] * algorithm.entropy, m.q, m, room)
        learn_in_lanes(self, policy, algorithm, optimisation, learner, w, room)

    def load(self, learner, w, i, run):
        """Give lane i to a run."""
        load_table_lane(learner, w.memory, i, run)

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_table_lane(w.memory, source, target)
        move_reached(w.memory, source, target)
        move_list(self, source, target)


@leaf
def score_row(lists, policy, learner, i, scale, entropy_scale, c, m, room):
    """c[b] = that of scale ∇ log π + entropy_scale ∇H at the step of lane i."""
    first, last = tape_score(policy, learner, m.run[i], lists, i, 0, scale, entropy_scale, room)
    for b in range(last - first):
        c[b, i] = room.numbers[first + b]


def make_step_lists(kind: type[SparseSteps], rows: int, width: int, values: int, active: int, window: int) -> Any:
    """Empty lists: of `rows` rows of `width` parameters, and `values` that features have, of which `active` are active
    at a step, kept for `window` steps."""
    size = min(rows, active * (window + 1) + rows - values)
    return kind(
        n_states=values,
        count=np.zeros(LANES, np.int64),
        rows=np.zeros((LANES, size), np.int64),
        age=np.zeros((LANES, size), np.int64),
        e=np.zeros((LANES, size, width)),
        ev=np.zeros((LANES, size)),
        place=np.zeros((LANES, rows), np.int64),
        index=np.zeros((LANES, 1), np.int64),
    )
