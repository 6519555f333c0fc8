"""Tabular policies that are updated within the episode: each lane keeps the tape of its whole batch.

Notation of `pgfast.kernels.tables`.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, lane_kernel
from pgfast.kernels.lanes import MOST_SHARING, settle
from pgfast.kernels.replay import replay
from pgfast.kernels.tables import load_table_lane, move_table_lane
from pgfast.kernels.tapes import longer
from pgfast.policies.softmax import unmarked
from pgfast.room import zeros


@lane_kernel
def record(n, live, index, reward, done, tape):
    """Append this step to each lane's tape; 1 when one may lack room for the steps until a kernel can return."""
    full = 0
    capacity = tape.index.shape[1]
    for i in range(n):
        t = tape.length[i]
        if t < capacity and live[i] == 1.0:
            tape.index[i, t] = -1 - index[i] if done[i] != 0 else index[i]
            tape.reward[i, t] = reward[i]
            tape.length[i] = t + 1
        full |= 1 if t + 1 + MOST_SHARING > capacity else 0
    return full


class TableTape(NamedTuple):
    """What each lane remembers of its batch."""

    n_actions: int
    n_states: int
    index: Any  # int32 (L, T): s A + a, or −1 − (s A + a) in an episode's last step
    reward: Any  # float64 (L, T); becomes the return when the batch is complete
    length: Any  # int64 (L,)

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made; 1 when a tape is full."""
        lanes = w.lanes
        waiting = settle(n, algorithm, lanes)
        return record(n, lanes.live, w.memory.index, lanes.reward, lanes.done, self), waiting

    def begin(self, w, i):
        """Start an episode in lane i."""

    def clear(self, w, i):
        """Forget what lane i has seen."""
        self.length[i] = 0

    def load(self, learner, w, i, run):
        """Give lane i to a run."""
        load_table_lane(learner, w.memory, i, run)

    def store(self, learner, w, i, run):
        """Nothing: a replay moves the run's parameters themselves."""

    def end(self, algorithm, learner, w, accounts, account, i):
        """Nothing happens before the batch is complete."""

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_table_lane(w.memory, source, target)
        self.length[target] = self.length[source]
        for t in range(self.length[source]):
            self.index[target, t] = self.index[source, t]
            self.reward[target, t] = self.reward[source, t]

    def improve(self, policy, algorithm, optimisation, learner, accounts, i, w, room):
        """Move θ of the run in lane i at every step of its batch; False when it would not be finite."""
        return replay(self, policy, algorithm, optimisation, learner, accounts, i, w, room)

    def tape_last(self, i, t):
        """Is step t of lane i's tape the last of its episode?"""
        return self.index[i, t] < 0

    def tape_value(self, learner, run, i, t):
        """v̂ at step t of lane i's tape."""
        return learner.runs[run, learner.weights_at + unmarked(self.index[i, t]) // self.n_actions]

    def tape_value_gradient(self, i, t, delta, room):
        """delta ∇v̂ at step t of lane i's tape into the room's value gradient; returns the entries it set."""
        s = unmarked(self.index[i, t]) // self.n_actions
        room.numbers[room.value_at + s] = delta
        return s, s + 1

    def grown(self, gamma, turn):
        """The same with tapes twice as long."""
        return self._replace(index=longer(self.index), reward=longer(self.reward))


def make_table_tape(n_states: int, n_actions: int, capacity: int) -> TableTape:
    """Empty tapes of `capacity` steps."""
    return TableTape(
        n_actions=n_actions,
        n_states=n_states,
        index=zeros((LANES, capacity), np.int32),
        reward=zeros((LANES, capacity)),
        length=zeros(LANES, np.int64),
    )
