"""Linear policies with updates within the episode: the features, action and reward of every step are remembered.

D features (A D for state–action features), V features of the value function, K numbers of a real action, T steps, L =
LANES.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, fma, lane_kernel, leaf
from pgfast.kernels.lanes import CHANGED, MOST_SHARING, settle
from pgfast.kernels.replay import replay
from pgfast.policies.softmax import fit
from pgfast.room import zeros


@lane_kernel
def record(n, live, x, v, h, action, reward, done, tape):
    """Append this step to each lane's tape; 1 when one may lack room for the steps until a kernel can return.
    x (D, L), v (V, L), h (K or more, L)."""
    full = 0
    capacity = tape.action.shape[1]
    for i in range(n):
        t = tape.length[i]
        if t < capacity and live[i] == 1.0:
            for k in range(tape.x.shape[2]):
                tape.x[i, t, k] = x[k, i]
            for k in range(tape.v.shape[2]):
                tape.v[i, t, k] = v[k, i]
            for k in range(tape.drawn.shape[2]):
                tape.drawn[i, t, k] = h[k, i]
            tape.action[i, t] = -1 - action[i] if done[i] != 0 else action[i]
            tape.reward[i, t] = reward[i]
            tape.length[i] = t + 1
        full |= 1 if t + 1 + MOST_SHARING > capacity else 0
    return full


@leaf
def move_tape(tape, source, target):
    """Copy the tape of one lane over another's."""
    tape.length[target] = tape.length[source]
    for t in range(tape.length[source]):
        tape.action[target, t] = tape.action[source, t]
        tape.reward[target, t] = tape.reward[source, t]
        for k in range(tape.x.shape[2]):
            tape.x[target, t, k] = tape.x[source, t, k]
        for k in range(tape.v.shape[2]):
            tape.v[target, t, k] = tape.v[source, t, k]
        for k in range(tape.drawn.shape[2]):
            tape.drawn[target, t, k] = tape.drawn[source, t, k]


class Tape(NamedTuple):
    """What each lane remembers of its batch."""

    x: Any  # float64 (L, T, D)
    v: Any  # float64 (L, T, V)
    drawn: Any  # float64 (L, T, K): a real action as it was drawn
    action: Any  # int64 (L, T): the action (0 for a real one), or −1 − action in an episode's last step
    reward: Any  # float64 (L, T); becomes the return when the batch is complete
    length: Any  # int64 (L,)

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made; 1 when a tape is full."""
        m, lanes = w.memory, w.lanes
        waiting = settle(n, algorithm, lanes)
        return record(n, lanes.live, m.x, m.v, m.h, lanes.action, lanes.reward, lanes.done, self), waiting

    def begin(self, w, i):
        """Start an episode in lane i."""

    def clear(self, w, i):
        """Forget what lane i has seen."""
        self.length[i] = 0

    def load(self, learner, w, i, run):
        """Give lane i the parameters of a run."""
        w.lanes.control[CHANGED] = 1
        for r in range(w.memory.theta.shape[0]):
            w.memory.theta[r, i] = fit(learner.runs[run, learner.prepared_at + r], w.memory.theta[r, i])

    def store(self, learner, w, i, run):
        """Nothing: a replay moves the run's parameters themselves."""

    def end(self, algorithm, learner, w, accounts, account, i):
        """Nothing happens before the batch is complete."""

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        w.lanes.control[CHANGED] = 1
        for r in range(w.memory.theta.shape[0]):
            w.memory.theta[r, target] = w.memory.theta[r, source]
        move_tape(self, source, target)

    def improve(self, policy, algorithm, optimisation, learner, accounts, i, w, room):
        """Move θ of the run in lane i at every step of its batch; False when it would not be finite."""
        return replay(self, policy, algorithm, optimisation, learner, accounts, i, w, room)

    def tape_last(self, i, t):
        """Is step t of lane i's tape the last of its episode?"""
        return self.action[i, t] < 0

    def tape_value(self, learner, run, i, t):
        """v̂ at step t of lane i's tape."""
        v = 0.0
        for k in range(learner.n_weights):
            v = fma(learner.runs[run, learner.weights_at + k], self.v[i, t, k], v)
        return v

    def tape_value_gradient(self, i, t, delta, room):
        """delta ∇v̂ at step t of lane i's tape into the room's value gradient; returns the entries it set."""
        for k in range(self.v.shape[2]):
            room.numbers[room.value_at + k] = delta * self.v[i, t, k]
        return 0, self.v.shape[2]

    def grown(self, gamma, turn):
        """The same with tapes twice as long."""
        tapes = {name: longer(getattr(self, name)) for name in ("x", "v", "drawn", "action", "reward")}
        return self._replace(**tapes)


def longer(tape: np.ndarray) -> np.ndarray:
    """The same tapes, (L, T, …), with room for twice as many steps."""
    return np.concatenate((tape, zeros(tape.shape, tape.dtype)), axis=1)


def make_tape(width: int, values: int, n_reals: int, capacity: int) -> Tape:
    """An empty tape of `capacity` steps of `width` features, `values` value features and `n_reals` numbers of an
    action."""
    return Tape(
        x=zeros((LANES, capacity, width)),
        v=zeros((LANES, capacity, values)),
        drawn=zeros((LANES, capacity, n_reals)),
        action=zeros((LANES, capacity), np.int64),
        reward=zeros((LANES, capacity)),
        length=zeros(LANES, np.int64),
    )
