"""Tabular policies: every turn's (observation, action) entries, gone over backward when an episode ends.

Σ_t w_t δ_t ∇ log π(A_t|S_t) of a tabular softmax needs only C[s, a] = Σ_t w_t δ_t 1{S_t = s, A_t = a}. Entry (s, a) of
a flat table is s A + a; S observations, A actions, T steps, L = LANES.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, fma, gather_kernel, lane_kernel, leaf
from pgfast.kernels.accounts import see
from pgfast.kernels.lanes import ACTIVE, MOST_SHARING, TURN, Field, settle, smaller
from pgfast.kernels.learner import update
from pgfast.kernels.statistics import CREDITED

_LANES = np.uint64(LANES)


def table_fields() -> list[Field]:
    """Rows of the workspace."""
    return [
        ("run", "i8", (LANES,)),
        ("prepared_at", "i8", (LANES,)),  # where the run's prepared table begins
        ("seen", "i8", (LANES,)),  # s
        ("index", "i8", (LANES,)),  # s A + a of this step
        ("value", "f8", (LANES,)),  # the running mean of G_0
        ("since", "i8", (LANES,)),  # the turn of the episode's first step
        ("rewarded", "i8", (LANES,)),  # 1 once the episode has had a reward other than 0
    ]


@leaf
def load_table_lane(learner, m, i, run):
    """Give lane i to a run."""
    m.run[i] = run
    m.prepared_at[i] = run * learner.runs.shape[1] + learner.prepared_at
    m.value[i] = learner.runs[run, learner.baseline_at]


@leaf
def move_table_lane(m, source, target):
    """Copy what lane `source` knows, its tape apart, over what lane `target` knows."""
    m.run[target] = m.run[source]
    m.prepared_at[target] = m.prepared_at[source]
    m.value[target] = m.value[source]
    m.since[target] = m.since[source]
    m.rewarded[target] = m.rewarded[source]


@gather_kernel
def record(n, turn, last, m, lanes, index, reward):
    """Write down this turn's entries and rewards in the ring, (T L,) each, and whose episodes have had a reward."""
    row = (np.uint64(turn) * _LANES) & last
    for i in range(n):
        m.rewarded[i] |= 1 if lanes.reward[i] != 0.0 else 0
        index[row + np.uint64(i)] = m.index[i]
        reward[row + np.uint64(i)] = lanes.reward[i]


@leaf
def steps_of(lanes, i):
    """Steps made in lane i."""
    return np.int64(lanes.counter[0, i]) - 1


@leaf
def place(w, i):
    """Where in the ring, modulo its length, the first step of the episode in lane i stands."""
    return np.uint64(w.memory.since[i] * LANES + i)


@lane_kernel
def earliest(n, m):
    """The first turn that any of n lanes needs."""
    first = m.since[0]
    for i in range(n):
        first = smaller(first, m.since[i])
    return first


@leaf
def see_episode(tape, i, w, accounts, account):
    """List the states of the episode in lane i."""
    at, share, count = place(w, i), 1.0 / tape.n_actions, accounts.seen[account, 0]
    for t in range(steps_of(w.lanes, i)):
        index = tape.index[(at + np.uint64(t) * _LANES) & tape.last]
        s = np.int64((np.int64(index) + 0.5) * share)  # the quotient: half an entry away from another
        count = see(accounts, account, s, count)
    accounts.seen[account, 0] = count


@leaf
def go_back(tape, gamma, value, i, w, c):
    """C[s, a] += G_t − value over the episode in lane i, backward; c (S A or more). Returns Σ G_t."""
    steps = steps_of(w.lanes, i)
    k, credited, g = place(w, i) + np.uint64(steps) * _LANES, 0.0, 0.0
    for _ in range(steps):
        k -= _LANES
        at = k & tape.last
        g = fma(gamma, g, tape.reward[at])
        credited += g
        c[np.uint64(tape.index[at])] += g - value
    return credited


@leaf
def go_back_with_more(tape, algorithm, learner, value, i, w, accounts, account):
    """As `go_back`, with weights γᵗ, the whole return, a learned baseline, and the sums that leave-one-out and entropy
    need."""
    at, credited, g, sums = place(w, i), 0.0, 0.0, accounts.sums
    total, run = w.lanes.returns[1, i], w.memory.run[i]
    for t in range(steps_of(w.lanes, i) - 1, -1, -1):
        k = (at + np.uint64(t) * _LANES) & tape.last
        index = tape.index[k]
        g = fma(algorithm.gamma, g, tape.reward[k])
        weight = tape.powers[t] if algorithm.discount_factor == 1 else 1.0
        if algorithm.fits_value == 1:
            s = index // tape.n_actions
            value = learner.runs[run, learner.weights_at + s]
            sums[account, accounts.value_at + s] += g - value
        credit = total if algorithm.whole_return == 1 else g
        credited += credit
        sums[account, index] += weight * (credit - value)
        if accounts.counts == 1:
            sums[account, accounts.scores_at + index] += weight
            sums[account, accounts.returns_at + index] += weight * total
    return credited


class Table(NamedTuple):
    """What the lanes of a thread remember of their episodes: a ring of turns, a row for each.

    T is a power of two: a turn's row is the turn's number modulo T; lane i of it stands at row · L + i."""

    n_actions: int
    n_states: int
    last: Any  # uint64: T L − 1
    powers: Any  # float64 (T,): γᵗ
    index: Any  # uint32 (T L,): s A + a
    reward: Any  # float64 (T L,)

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made; 1 when the ring is full."""
        m, lanes = w.memory, w.lanes
        turn = lanes.control[TURN]
        waiting = settle(n, algorithm, lanes)
        record(n, turn, self.last, m, lanes, self.index, self.reward)
        full = 1 if turn + 1 + MOST_SHARING - earliest(lanes.control[ACTIVE], m) > self.powers.shape[0] else 0
        return full, waiting

    def begin(self, w, i):
        """Start an episode in lane i."""
        w.memory.since[i] = w.lanes.control[TURN]
        w.memory.rewarded[i] = 0

    def clear(self, w, i):
        """Nothing: what lane i has seen is forgotten when an episode begins."""

    def load(self, learner, w, i, run):
        """Give lane i to a run."""
        load_table_lane(learner, w.memory, i, run)

    def store(self, learner, w, i, run):
        """Nothing: tables and running mean are the learner's own."""

    def end(self, algorithm, learner, w, accounts, account, i):
        """Episode's end in lane i: go back over it and add w_t δ_t to C."""
        m, sums = w.memory, accounts.sums
        value = m.value[i] if algorithm.baseline == 1 else 0.0
        if m.rewarded[i] == 0 and value == 0.0 and accounts.counts == 0 and algorithm.fits_value == 0:
            return  # every δ_t is 0
        if accounts.lists == 1:
            see_episode(self, i, w, accounts, account)
        plain = algorithm.fits_value == 0 and algorithm.whole_return == 0 and algorithm.discount_factor == 0
        if plain and accounts.counts == 0:
            credited = go_back(self, algorithm.gamma, value, i, w, sums[account])
        else:
            credited = go_back_with_more(self, algorithm, learner, value, i, w, accounts, account)
        sums[account, accounts.stats_at + CREDITED] += credited

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_table_lane(w.memory, source, target)
        for turn in range(w.memory.since[source], w.lanes.control[TURN]):
            row = (np.uint64(turn) * _LANES) & self.last
            self.index[row + np.uint64(target)] = self.index[row + np.uint64(source)]
            self.reward[row + np.uint64(target)] = self.reward[row + np.uint64(source)]

    def improve(self, policy, algorithm, optimisation, learner, accounts, i, w, room):
        """Update the run in lane i from its account; False when θ would not be finite."""
        return update(policy, algorithm, optimisation, learner, accounts, i, w.lanes.run[i], room)

    def grown(self, gamma, turn):
        """The same ring with twice as many turns; `turn` is the next one."""
        size = len(self.powers)
        ring = make_table(self.n_states, self.n_actions, gamma, 2 * size)
        turns = np.arange(turn - size, turn)
        for new, old in ((ring.index, self.index), (ring.reward, self.reward)):
            new.reshape(-1, LANES)[turns % (2 * size)] = old.reshape(-1, LANES)[turns % size]
        return ring


def make_table(n_states: int, n_actions: int, gamma: float, capacity: int) -> Table:
    """An empty ring of `capacity` turns, rounded up to a power of two."""
    capacity = 1 << (capacity - 1).bit_length()
    return Table(
        n_actions=n_actions,
        n_states=n_states,
        powers=gamma ** np.arange(capacity, dtype=float),
        last=np.uint64(capacity * LANES - 1),
        index=np.zeros(capacity * LANES, np.uint32),
        reward=np.zeros(capacity * LANES),
    )
