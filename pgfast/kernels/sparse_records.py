"""A batch written down, of policies of sparse features: a page has the numbers of those that are active.

Notation of `pgfast.kernels.records` and `pgfast.kernels.sparse`.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import LANES, fma, gather_kernel, leaf
from pgfast.kernels.lanes import Field
from pgfast.kernels.passes import DIRECTION
from pgfast.kernels.records import Record, note_lane_move, pass_fields, read_rows, read_turn, weigh_bonus, write_rows
from pgfast.kernels.sparse import load_sparse_lane, move_sparse_lane, sparse_fields
from pgfast.kernels.traces import Sizes
from pgfast.protocol import along, look_up_values


def sparse_record_fields(sizes: Sizes, n_active: int, n_reals: int) -> list[Field]:
    """Rows of the workspace."""
    return [*sparse_fields(sizes, n_active), *pass_fields(sizes.coefficients, n_reals)]


@gather_kernel
def sum_values(n, first, table, m):
    """v̂ = Σ_j w[j] over each lane's active features; w begins at table[first]."""
    for i in range(n):
        m.estimate[i] = 0.0
    for k in range(m.active.shape[0]):
        for i in range(n):
            m.estimate[i] += table[np.uint64(first + m.active[k, i])]


@leaf
def add_to_rows(record, i, scale, coefficients, first, accounts, m, sums):
    """scale · coefficients (C, L) of lane i to the rows of its active features in the block of sums at `first`; those
    after a row's width to the row that every step touches."""
    for k in range(m.active.shape[0]):
        row = first + m.active[k, i] * record.width
        for b in range(record.width):
            sums[row + b] += scale * coefficients[b, i]
    tail = first + accounts.value_at - coefficients.shape[0]
    for b in range(record.width, coefficients.shape[0]):
        sums[tail + b] += scale * coefficients[b, i]


@leaf
def add_turn(record, policy, algorithm, n, accounts, account, bonus_at, w):
    """factor · ∇ log π and error · ∇v̂; an entropy bonus to the block of sums at `bonus_at`."""
    m, sums = w.memory, accounts.sums[account]
    if algorithm.entropy != 0.0:
        weigh_bonus(policy, algorithm.entropy, n, w)
    for i in range(n):
        if m.status[i] > 0.0:
            add_to_rows(record, i, m.factor[i], m.c, 0, accounts, m, sums)
            if algorithm.entropy != 0.0:
                add_to_rows(record, i, 1.0, m.q, bonus_at, accounts, m, sums)
            for k in range(m.active.shape[0]):
                sums[accounts.value_at + m.active[k, i]] += m.error[i]


class SparseRecord(Record):
    """A record whose marks are the active features, and the action after them."""

    __slots__ = ()

    def load(self, learner, w, i, run):
        """Give lane i to a run."""
        load_sparse_lane(learner, w.memory, i, run)

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_sparse_lane(w.memory, source, target)
        note_lane_move(self, w, source, target)

    def set_up(self, policy, learner, w, run):
        """Before a pass over a block: every lane is the run's."""
        for i in range(LANES):
            load_sparse_lane(learner, w.memory, i, run)

    def keep(self, n, page, marks, w):
        """Write down features and actions."""
        lanes, m = w.lanes, w.memory
        write_rows(n, marks, 0, m.active)
        for k in range(m.active.shape[0], marks.shape[0]):
            for i in range(n):
                marks[k, i] = lanes.action[i]
        if m.drawn.shape[0] > 0:
            write_rows(n, page, self.drawn_at, m.h)

    def recall(self, n, page, marks, w):
        """Bring them back."""
        lanes, m = w.lanes, w.memory
        read_turn(n, page, lanes, m)
        read_rows(n, marks, 0, m.active)
        for k in range(m.active.shape[0], marks.shape[0]):
            for i in range(n):
                lanes.action[i] = marks[k, i]
        read_rows(n, page, self.drawn_at, m.drawn)

    def look_up_values(self, n, learner, run, w):
        """v̂ of n lanes."""
        sum_values(n, run * learner.runs.shape[1] + learner.weights_at, learner.flat, w.memory)

    def look_up_last(self, n, learner, run, w):
        """The same: what has been seen is what is active."""
        look_up_values(self, n, learner, run, w)

    def add_first(self, policy, algorithm, n, accounts, account, w):
        """As of `Record`, to the rows of θ that are active."""
        m = w.memory
        add_turn(self, policy, algorithm, n, accounts, account, accounts.returns_at, w)
        if algorithm.normalises == 1:
            for i in range(n):
                if m.status[i] > 0.0:
                    add_to_rows(self, i, 1.0, m.c, accounts.scores_at, accounts, m, accounts.sums[account])

    def add_up(self, policy, algorithm, n, accounts, account, w):
        """As of `Record`, to the rows of θ that are active."""
        add_turn(self, policy, algorithm, n, accounts, account, 0, w)

    def find_slopes(self, policy, n, run, w):
        """As of `Record`; a direction has the rows that θ has."""
        m, u = w.memory, self.vectors[run, DIRECTION]
        tail = u.shape[0] - m.c.shape[0] + self.width
        for i in range(n):
            total = 0.0
            for b in range(self.width):
                rise = 0.0
                for k in range(m.active.shape[0]):
                    rise += along(policy, u, m.active[k, i] * self.width + b)
                total = fma(m.c[b, i], rise, total)
            for b in range(self.width, m.c.shape[0]):
                total = fma(m.c[b, i], along(policy, u, tail + b - self.width), total)
            m.factor[i] = total

    def hand_in(self, accounts, account, w):
        """Nothing: all has been added to the account at once."""
