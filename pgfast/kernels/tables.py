"""Tabular policies: a tape of (observation, action) entries, gone over backward when an episode ends.

Σ_t w_t δ_t ∇ log π(A_t|S_t) of a tabular softmax needs only C[s, a] = Σ_t w_t δ_t 1{S_t = s, A_t = a}. Entry (s, a) of
a flat table is s A + a; S observations, A actions, T steps, L = LANES.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, fma, lane_kernel, leaf
from pgfast.kernels.lanes import Field, settle
from pgfast.kernels.learner import CREDITED, update
from pgfast.kernels.replay import replay


def table_fields() -> list[Field]:
    """Rows of the workspace."""
    return [
        ("run", "i8", (LANES,)),
        ("prepared_at", "i8", (LANES,)),  # where the run's prepared table begins
        ("entropy", "f8", (LANES,)),  # sum over the steps since it was last noted
        ("seen", "i8", (LANES,)),  # s
        ("index", "i8", (LANES,)),  # s A + a of this step
        ("value", "f8", (LANES,)),  # the running mean of G_0
        ("rewarded", "i8", (LANES,)),  # 1 once the episode has had a reward other than 0
    ]


@leaf
def entry(mark):
    """The entry s A + a behind a mark on the tape."""
    return np.int64(-1 - mark if mark < 0 else mark)


@lane_kernel
def record(n, live, index, reward, done, tape, rewarded):
    """Append this step to each lane's tape; 1 when one has no room for two more."""
    full = 0
    capacity = tape.index.shape[1]
    for i in range(n):
        t = tape.length[i]
        if t < capacity and live[i] == 1.0:
            tape.index[i, t] = -1 - index[i] if done[i] != 0 else index[i]
            tape.reward[i, t] = reward[i]
            tape.length[i] = t + 1
            rewarded[i] |= 1 if reward[i] != 0.0 else 0
        full |= 1 if t + 3 > capacity else 0
    return full


class Table(NamedTuple):
    """What each lane remembers of its episode."""

    n_actions: int
    n_states: int
    powers: Any  # float64 (T,): γᵗ
    index: Any  # int32 (L, T): s A + a, or −1 − (s A + a) in an episode's last step
    reward: Any  # float64 (L, T)
    length: Any  # int64 (L,)

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made; 1 when a tape is full."""
        m, lanes = w.memory, w.lanes
        waiting = settle(n, algorithm, lanes)
        return record(n, lanes.live, m.index, lanes.reward, lanes.done, self, m.rewarded), waiting

    def begin(self, w, i):
        """Start an episode in lane i."""
        w.memory.rewarded[i] = 0

    def clear(self, w, i):
        """Forget what lane i has seen."""
        self.length[i] = 0

    def load(self, learner, w, i, run):
        """Give lane i to a run."""
        w.memory.run[i] = run
        w.memory.prepared_at[i] = run * learner.runs.shape[1] + learner.prepared_at
        w.memory.value[i] = learner.runs[run, learner.baseline_at]

    def store(self, learner, w, i, run):
        """Nothing: tables and running mean are the learner's own."""

    def end(self, algorithm, learner, w, accounts, account, i):
        """Episode's end in lane i: go back over its tape and add w_t δ_t to C."""
        length, sums = self.length[i], accounts.sums
        self.length[i] = 0
        value = w.memory.value[i] if algorithm.baseline == 1 else 0.0
        if w.memory.rewarded[i] == 0 and value == 0.0 and accounts.counts == 0 and algorithm.fits_value == 0:
            return  # every δ_t is 0
        total = w.lanes.returns[1, i]
        g, credited = 0.0, 0.0
        for t in range(length - 1, -1, -1):
            index = entry(self.index[i, t])
            g = fma(algorithm.gamma, g, self.reward[i, t])
            weight = self.powers[t] if algorithm.discount_factor == 1 else 1.0
            if algorithm.fits_value == 1:
                s = index // self.n_actions
                value = learner.runs[w.memory.run[i], learner.weights_at + s]
                sums[account, accounts.value_at + s] += g - value
            credit = total if algorithm.whole_return == 1 else g
            credited += credit
            target = credit - value
            sums[account, index] += weight * target
            if accounts.counts == 1:
                sums[account, accounts.scores_at + index] += weight
                sums[account, accounts.returns_at + index] += weight * total
        sums[account, accounts.stats_at + CREDITED] += credited

    def collect(self, w, accounts, account, i):
        """Nothing: `end` has already added the episode to its account."""

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        m = w.memory
        m.run[target] = m.run[source]
        m.prepared_at[target] = m.prepared_at[source]
        m.entropy[target] = m.entropy[source]
        m.value[target] = m.value[source]
        m.rewarded[target] = m.rewarded[source]
        self.length[target] = self.length[source]
        for t in range(self.length[source]):
            self.index[target, t] = self.index[source, t]
            self.reward[target, t] = self.reward[source, t]

    def take_entropy(self, w, i):
        """The sum of the entropies of lane i's steps since it was last taken."""
        entropy = w.memory.entropy[i]
        w.memory.entropy[i] = 0.0
        return entropy

    def improve(self, policy, algorithm, optimisation, learner, accounts, i, w, room):
        """Update the run in lane i from its account; False when θ would not be finite."""
        return update(policy, algorithm, optimisation, learner, accounts, i, w.lanes.run[i], room)

    def tape_last(self, i, t):
        """Is step t of lane i's tape the last of its episode?"""
        return self.index[i, t] < 0

    def tape_value(self, learner, run, i, t):
        """v̂ at step t of lane i's tape."""
        return learner.runs[run, learner.weights_at + entry(self.index[i, t]) // self.n_actions]

    def tape_value_gradient(self, i, t, delta, room):
        """delta ∇v̂ at step t of lane i's tape into the room's value gradient; returns the entries it set."""
        s = entry(self.index[i, t]) // self.n_actions
        room.numbers[room.value_at + s] = delta
        return s, s + 1


class TableTape(Table):
    """For updates within the episode: the tape of a whole batch is kept until it is complete."""

    def end(self, algorithm, learner, w, accounts, account, i):
        """Nothing happens before the batch is complete."""

    def improve(self, policy, algorithm, optimisation, learner, accounts, i, w, room):
        """Move θ of the run in lane i at every step of its batch; False when it would not be finite."""
        return replay(self, policy, algorithm, optimisation, learner, accounts, i, w, room)


def make_table(n_states: int, n_actions: int, powers: np.ndarray, in_loop: bool) -> Table:
    """An empty tape as long as `powers`."""
    return (TableTape if in_loop else Table)(
        n_actions=n_actions,
        n_states=n_states,
        powers=powers,
        index=np.zeros((LANES, len(powers)), np.int32),
        reward=np.zeros((LANES, len(powers))),
        length=np.zeros(LANES, np.int64),
    )
