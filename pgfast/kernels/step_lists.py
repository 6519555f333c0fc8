"""Tables and sparse features whose θ and w move at every step (`pgfast.algorithms.actor_critic`).

A step works on the rows of θ that are active before it or after it, whatever others have traces; those are brought up
to date when they are needed again (`pgfast.kernels.row_traces`).

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
from pgfast.kernels.continuing import come_to_states, leave_state, move_reached, restart_or_go_on, take_up_state
from pgfast.kernels.lanes import ACTIVE, RUNNING, TALLY_NORM, TERMINATED, Field, negligible, settle_and_weigh
from pgfast.kernels.learner import GOES_ON, begin_update, carries, end_batch
from pgfast.kernels.row_traces import (
    ALL,
    STEPS,
    add_to_trace,
    begin_anew,
    enter,
    fade_norms,
    forget,
    leave_list,
    look_at,
    move_list,
    moved,
    settle,
    take_up_list,
    width_of,
    write_move,
)
from pgfast.kernels.sparse import load_sparse_lane, move_sparse_lane, sparse_fields
from pgfast.kernels.step_traces import discount_updates
from pgfast.kernels.tables import load_table_lane, move_table_lane, table_fields
from pgfast.kernels.traces import Sizes, zero
from pgfast.policies.tabular import FAULT, locate, prepare_lanes, score_lanes
from pgfast.protocol import activate, find_rows, observed, prepare, varies_nothing, weigh_entropy, within
from pgfast.room import zeros


def step_table_fields(width: int, n_actions: int) -> list[Field]:
    """Rows of the workspace for a table with `width` parameters in a row."""
    width = max(width, n_actions)
    own = [("active", "i8", (1, LANES)), ("coming", "i8", (1, LANES)), ("picked", "i8", (LANES,))]
    return [*table_fields(), *own, ("c", "f8", (width, LANES)), ("q", "f8", (width, LANES))]


def step_sparse_fields(sizes: Sizes, n_active: int) -> list[Field]:
    """Rows of the workspace for sparse features."""
    return [*sparse_fields(sizes, n_active), ("coming", "i8", (n_active, LANES))]


@leaf
def has_deviations(lists):
    """Is there a row for standard deviations?"""
    return lists.place.shape[1] > lists.n_states


@leaf
def estimate(learner, run, active, i):
    """v̂ where the rows in column i are active."""
    v = 0.0
    for k in range(active.shape[0]):
        v += learner.runs[run, learner.weights_at + active[k, i]]
    return v


@leaf
def look_at_rows(lists, algorithm, learner, i, run, active):
    """Bring the rows in column i up to date; False when one would not be finite."""
    good = True
    for k in range(active.shape[0]):
        good &= look_at(lists, algorithm, learner, i, run, active[k, i])
    return good


@leaf
def trace_step(lists, algorithm, i, lanes, m):
    """z ← γλ z + I ∇ log π and zʷ ← γλʷ zʷ + ∇v̂, of rows that are up to date."""
    fade_norms(lists, algorithm, i)
    if algorithm.replacing == 1:
        for k in range(m.active.shape[0]):
            begin_anew(lists, i, enter(lists, i, m.active[k, i]))
    for k in range(m.active.shape[0]):
        add_to_trace(lists, i, enter(lists, i, m.active[k, i]), lanes.weight[i], m.c, 0, 1.0)
    width = width_of(lists)
    if has_deviations(lists):
        add_to_trace(lists, i, enter(lists, i, lists.n_states), lanes.weight[i], m.c, width, 0.0)


@leaf
def bonus_in_row(lists, i, row, delta, first, m):
    """What an entropy bonus adds to the squared norm of the gradient, δ z elsewhere, in a row that is active."""
    k, total = lists.place[i, row] - 1, 0.0
    for b in range(width_of(lists)):
        q = m.q[first + b, i]
        total += q * (q + 2.0 * delta * lists.z[i, k, b])
    return total


@leaf
def bonus_in_norm(lists, i, delta, m):
    """`bonus_in_row` of all rows."""
    total, width = 0.0, width_of(lists)
    for k in range(m.active.shape[0]):
        total += bonus_in_row(lists, i, m.active[k, i], delta, 0, m)
    if has_deviations(lists):
        total += bonus_in_row(lists, i, lists.n_states, delta, width, m)
    return total


@leaf
def add_bonus(lists, learner, i, run, rate, m):
    """A step of θ along an entropy bonus; False when it would not be finite."""
    width, good = width_of(lists), True
    for b in range(width):
        for k in range(m.active.shape[0]):
            at = m.active[k, i] * width + b
            learner.runs[run, at], fine = moved(learner, run, at, rate * m.q[b, i])
            good &= fine
        if has_deviations(lists):
            at = lists.n_states * width + b
            learner.runs[run, at], fine = moved(learner, run, at, rate * m.q[width + b, i])
            good &= fine
    return good


@leaf
def move(lists, algorithm, optimisation, learner, i, run, delta, lanes, m):
    """A step of θ and w along δ times their traces, and along an entropy bonus; False when it would not be finite."""
    squared = delta * delta * lists.norm[i, 0]
    if algorithm.entropy != 0.0:
        squared += bonus_in_norm(lists, i, delta, m)
    lanes.tally[TALLY_NORM, i] += squared
    lanes.moves[i] += 1
    factor = 1.0 if varies_nothing(optimisation.schedule) else begin_update(optimisation, learner, run)
    rate = optimisation.lr * factor * within(optimisation.bound, squared)
    rate_value = optimisation.lr_value * factor * within(optimisation.bound, delta * delta * lists.norm[i, 1])
    good = isfinite(rate * delta) & isfinite(rate_value * delta)
    if good:
        write_move(lists, i, rate * delta, rate_value * delta)
        if algorithm.entropy != 0.0:
            good = add_bonus(lists, learner, i, run, rate, m)
    return good


@busy_routine
def learn_in_lane(lists, policy, algorithm, optimisation, learner, i, w, room):
    """One step's update of the run in lane i; False when θ or w would not be finite."""
    lanes, m, run = w.lanes, w.memory, w.memory.run[i]
    good = look_at_rows(lists, algorithm, learner, i, run, m.coming)
    following = 0.0
    if lanes.done[i] != TERMINATED:
        following = algorithm.gamma * estimate(learner, run, m.coming, i)
    average = learner.runs[run, learner.baseline_at] if algorithm.continues == 1 else 0.0
    delta = lanes.reward[i] - average + following - estimate(learner, run, m.active, i)
    trace_step(lists, algorithm, i, lanes, m)
    good &= move(lists, algorithm, optimisation, learner, i, run, delta, lanes, m)
    good &= look_at_rows(lists, algorithm, learner, i, run, m.coming)
    if has_deviations(lists):
        good &= look_at(lists, algorithm, learner, i, run, lists.n_states)
    if good and algorithm.continues == 1:
        learner.runs[run, learner.baseline_at] = average + algorithm.lr_average * delta
    if lists.written[i] == STEPS:
        good &= settle(lists, policy, algorithm, learner, i, run, algorithm.window, 0, room)
    return good


@leaf
def learns(lanes, i):
    """Is lane i's run updated by the step just made?"""
    return (lanes.live[i] == 1.0) & (lanes.bad[i] == 0)


@inlined
def learn_in_lanes(lists, policy, algorithm, optimisation, learner, w, room):
    """The step's update of every lane at work."""
    lanes = w.lanes
    for i in range(lanes.control[ACTIVE]):
        if learns(lanes, i) and not learn_in_lane(lists, policy, algorithm, optimisation, learner, i, w, room):
            lanes.bad[i] = 1


@leaf
def pick_lanes(lists, lanes, m):
    """Pick the lanes whose row has been moved; returns how many."""
    count = 0
    for i in range(lanes.control[ACTIVE]):
        if learns(lanes, i) and lists.place[i, m.seen[i]] > 0:
            m.picked[count] = i
            count += 1
    return count


@leaf
def settle_lane(lists, policy, algorithm, learner, i, run, lanes, room):
    """Bring lane i up to date at an episode's end, or where it is left; the traces of a task that goes on stay."""
    window = algorithm.window if algorithm.continues == 1 else ALL
    if not settle(lists, policy, algorithm, learner, i, run, window, 1, room):
        lanes.bad[i] = 1


class SparseSteps(NamedTuple):
    """The lists of a thread's lanes, of a policy of sparse features."""

    n_states: int  # S, without a Gaussian policy's last
    count: Any  # int64 (L,): entries in the list
    marks: Any  # int64 (L, N, 3): the row of θ, the step at which it was up to date, and at which it was active last
    z: Any  # float64 (L, N, B + 1): its trace before that step, and that of w
    place: Any  # int32 (L, S or S + 1): the row's entry, counted from 1; 0 without one
    written: Any  # int64 (L,): how many steps are written down
    moves: Any  # float64 (L, STEPS, 2): their a and b
    norm: Any  # float64 (L, 2): the squared norms of z and zʷ
    powers: Any  # float64 (STEPS + 1, 2): of γλ and γλʷ

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
            prepare(policy, learner, m.run[i], room)
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
        """θ and w are the learner's own; a run whose task goes on is given the state and the traces of lane i."""
        if carries(learner):
            leave_list(self, learner, i, run, leave_state(learner, w.memory, i, run))

    def take_up(self, learner, w, i, run):
        """Go on in lane i where the run was left."""
        if learner.clock[run, GOES_ON] == 1:
            take_up_list(self, learner, i, run, take_up_state(learner, w, i, run))

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_sparse_lane(w.memory, source, target)
        move_reached(w.memory, source, target)
        move_list(self, source, target)

    def end_lanes(self, policy, algorithm, optimisation, learner, accounts, n, w, room, updates):
        """Ends of episodes; 0 when some θ would have stopped being finite."""
        lanes, m = w.lanes, w.memory
        for i in range(lanes.control[ACTIVE]):
            if lanes.done[i] != RUNNING:
                settle_lane(self, policy, algorithm, learner, i, m.run[i], lanes, room)
                end_batch(learner, m.run[i], 1.0)
        return discount_updates(n, lanes)

    def hand_back(self, policy, algorithm, learner, w, room):
        """All lanes are left where they are."""
        for i in range(w.lanes.control[ACTIVE]):
            settle_lane(self, policy, algorithm, learner, i, w.memory.run[i], w.lanes, room)

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
        for i in range(n):
            m.coming[0, i] = m.seen[i]
        score_lanes(policy, algorithm, learner, n, w, room)
        learn_in_lanes(self, policy, algorithm, optimisation, learner, w, room)
        prepare_lanes(policy, learner, pick_lanes(self, lanes, m), m, room)

    def load(self, learner, w, i, run):
        """Give lane i to a run."""
        load_table_lane(learner, w.memory, i, run)

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_table_lane(w.memory, source, target)
        move_reached(w.memory, source, target)
        move_list(self, source, target)


def list_size(algorithm: Any, rows: int, values: int, active: int) -> int:
    """N, enough for all that can have a trace; arguments as of `make_step_lists`."""
    return int(min(rows, active * (algorithm.window + STEPS + 1) + rows - values))


def make_step_lists(
    kind: type[SparseSteps], algorithm: Any, width: int, rows: int, values: int, active: int
) -> SparseSteps:
    """Empty lists: of `rows` rows of `width` parameters, of which `values` belong to features, and `active` of these
    are active at a step."""
    size = list_size(algorithm, rows, values, active)
    powers = np.array([algorithm.decay, algorithm.decay_value]) ** np.arange(STEPS + 1)[:, None]
    return kind(
        n_states=values,
        count=zeros(LANES, np.int64),
        marks=zeros((LANES, size, 3), np.int64),
        z=zeros((LANES, size, width + 1)),
        place=zeros((LANES, rows), np.int32),
        written=zeros(LANES, np.int64),
        moves=zeros((LANES, STEPS, 2)),
        norm=zeros((LANES, 2)),
        powers=np.where(powers > negligible(powers), powers, 0.0),
    )
