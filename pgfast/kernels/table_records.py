"""A batch written down, of tables: a page has the entry of each lane, s A + a.

Σ_t c_t ∇ log π(A_t|S_t) needs only C[s, a] = Σ_t c_t 1{S_t = s, A_t = a}, as in `pgfast.kernels.tables`; and what a
direction means to log π is a table of slopes, made once for all steps.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import LANES, fma, gather_kernel, leaf
from pgfast.kernels.lanes import Field
from pgfast.kernels.passes import DIRECTION
from pgfast.kernels.records import Record, note_lane_move, pass_fields, read_turn
from pgfast.kernels.tables import load_table_lane, move_table_lane, table_fields
from pgfast.policies.tabular import place_of_pi
from pgfast.protocol import pull_back
from pgfast.vmath import log

PI, SLOPES = range(2)  # of a record's `tables`


def table_record_fields() -> list[Field]:
    """Rows of the workspace."""
    return [*table_fields(), *pass_fields(0, 0)]


@gather_kernel
def read_entries(n, source, row):
    """row = source."""
    for i in range(n):
        row[i] = source[i]


@gather_kernel
def read_values(n, first, width, table, m):
    """v̂ = w[s]; w begins at table[first]."""
    for i in range(n):
        m.estimate[i] = table[np.uint64(first + m.index[i] // width)]


@gather_kernel
def read_seen_values(n, first, table, m):
    """As `read_values`, of the row that each lane has seen."""
    for i in range(n):
        m.estimate[i] = table[np.uint64(first + m.seen[i])]


@leaf
def add_visits(n, width, visits_at, value_at, m, sums):
    """factor to C, error to v̂'s, and one visit, unless `visits_at` is negative."""
    for i in range(n):
        if m.status[i] > 0.0:
            index = m.index[i]
            sums[index] += m.factor[i]
            sums[value_at + index // width] += m.error[i]
            if visits_at >= 0:
                sums[visits_at + index] += 1.0


class TableRecord(Record):
    """A record of entries."""

    __slots__ = ()

    def load(self, learner, w, i, run):
        """Give lane i to a run."""
        load_table_lane(learner, w.memory, i, run)

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_table_lane(w.memory, source, target)
        note_lane_move(self, w, source, target)

    def set_up(self, policy, learner, w, run):
        """Before a pass over a block: every lane is the run's."""
        for i in range(LANES):
            load_table_lane(learner, w.memory, i, run)

    def keep(self, n, page, marks, w):
        """Write down entries."""
        read_entries(n, w.memory.index, marks[0])

    def recall(self, n, page, marks, w):
        """Bring them back."""
        read_turn(n, page, w.lanes, w.memory)
        read_entries(n, marks[0], w.memory.index)

    def look_up_values(self, n, learner, run, w):
        """v̂ of n lanes."""
        read_values(n, run * learner.runs.shape[1] + learner.weights_at, self.width, learner.flat, w.memory)

    def look_up_last(self, n, learner, run, w):
        """v̂ of the rows that have been seen."""
        read_seen_values(n, run * learner.runs.shape[1] + learner.weights_at, learner.flat, w.memory)

    def add_first(self, policy, algorithm, n, accounts, account, w):
        """As `add_up`, with all visits."""
        add_visits(n, self.width, accounts.scores_at, accounts.value_at, w.memory, accounts.sums[account])

    def add_up(self, policy, algorithm, n, accounts, account, w):
        """C, visits that an entropy bonus weighs, and errors of v̂."""
        visits_at = accounts.scores_at if algorithm.entropy != 0.0 else -1
        add_visits(n, self.width, visits_at, accounts.value_at, w.memory, accounts.sums[account])

    def find_slopes(self, policy, n, run, w):
        """How steeply log π rises along the direction."""
        m = w.memory
        for i in range(n):
            m.factor[i] = self.tables[run, SLOPES, m.index[i]]

    def compare(self, policy, n, page, learner, run, w):
        """KL of π(·|s) at the time and of now."""
        m, pi = w.memory, place_of_pi(policy, learner)
        for i in range(n):
            first, total = m.index[i] // self.width * self.width, 0.0
            for b in range(first, first + self.width):
                old = self.tables[run, PI, b]
                total += old * (log(old) - log(learner.runs[run, pi + b])) if old > 0.0 else 0.0
            m.divergence[i] = total

    def remember(self, n, page, w):
        """Nothing: π at the time is a table."""

    def hand_in(self, accounts, account, w):
        """Nothing: all has been added to the account at once."""

    def aim(self, policy, learner, run, room):
        """The table of slopes along the direction; and π, which is still that of the time."""
        n, h, u, pi = self.width, room.preferences_at, self.vectors[run, DIRECTION], place_of_pi(policy, learner)
        for s in range(policy.n_states):
            first = s * policy.width
            for a in range(n):
                self.tables[run, PI, s * n + a] = learner.runs[run, pi + s * n + a]
                for b in range(n):
                    room.numbers[h + b] = (1.0 if a == b else 0.0) - learner.runs[run, pi + s * n + b]
                pull_back(policy.link, learner.runs[run], first, n, room.numbers, h)
                total = 0.0
                for k in range(first, first + policy.width):
                    total = fma(room.numbers[k], u[k], total)
                self.tables[run, SLOPES, s * n + a] = total
