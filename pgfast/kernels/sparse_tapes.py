"""Policies of sparse features that are updated within the episode: each lane keeps the tape of its whole batch.

Notation of `pgfast.kernels.tapes`; x is no vector of features, but the numbers of those that are active.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import LANES
from pgfast.kernels.lanes import settle
from pgfast.kernels.sparse import load_sparse_lane, move_sparse_lane
from pgfast.kernels.tapes import Tape, move_tape, record
from pgfast.policies.sparse import span_rows
from pgfast.room import zeros


class SparseTape(Tape):
    """A tape whose x, int64 (L, T, active), says which features are active, in ascending order."""

    __slots__ = ()

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made; 1 when a tape is full."""
        m, lanes = w.memory, w.lanes
        waiting = settle(n, algorithm, lanes)
        return record(n, lanes.live, m.active, m.v, m.h, lanes.action, lanes.reward, lanes.done, self), waiting

    def load(self, learner, w, i, run):
        """Give lane i to a run."""
        load_sparse_lane(learner, w.memory, i, run)

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_sparse_lane(w.memory, source, target)
        move_tape(self, source, target)

    def tape_value(self, learner, run, i, t):
        """v̂ at step t of lane i's tape."""
        v = 0.0
        for k in range(self.x.shape[2]):
            v += learner.runs[run, learner.weights_at + self.x[i, t, k]]
        return v

    def tape_value_gradient(self, i, t, delta, room):
        """delta ∇v̂ at step t of lane i's tape into the room's value gradient, and which entries those are."""
        for k in range(self.x.shape[2]):
            room.numbers[room.value_at + self.x[i, t, k]] = delta
        return span_rows(self, i, t, 1, room)


def make_sparse_tape(n_active: int, n_reals: int, capacity: int) -> SparseTape:
    """An empty tape of `capacity` steps."""
    return SparseTape(
        x=zeros((LANES, capacity, n_active), np.int64),
        v=zeros((LANES, capacity, 0)),
        drawn=zeros((LANES, capacity, n_reals)),
        action=zeros((LANES, capacity), np.int64),
        reward=zeros((LANES, capacity)),
        length=zeros(LANES, np.int64),
    )
