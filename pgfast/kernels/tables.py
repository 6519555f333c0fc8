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
from pgfast.kernels.lanes import ACTIVE, MOST_SHARING, RUNNING, TURN, Field, settle, smaller
from pgfast.kernels.learner import UNREFINED, update
from pgfast.kernels.statistics import CREDITED
from pgfast.protocol import sum_episode
from pgfast.room import zeros

_LANES, _ONE, _BITS = np.uint64(LANES), np.uint64(1), np.uint64(LANES.bit_length() - 1)


def table_fields() -> list[Field]:
    """Rows of the workspace."""
    return [
        ("run", "i8", (LANES,)),
        ("prepared_at", "i8", (LANES,)),  # where the run's prepared table begins
        ("seen", "i8", (LANES,)),  # s
        ("index", "i8", (LANES,)),  # s A + a of this step
        ("value", "f8", (LANES,)),  # the running mean of G_0
        ("since", "i8", (LANES,)),  # the turn of the episode's first step
        ("moved", "i8", (LANES,)),  # up to this turn the episode was played in another lane,
        ("former", "i8", (LANES,)),  # this one
        ("early", "i8", (LANES,)),  # 1 once a step that wasn't the episode's last has had a reward other than 0
        ("last", "f8", (LANES,)),  # the reward of the last step
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
    m.early[target] = m.early[source]
    m.last[target] = m.last[source]


@gather_kernel
def record(n, turn, last, m, lanes, index):
    """Write down this turn's entries in the ring, (T L,), and what its rewards mean to each episode; returns 1 if one
    is other than 0 and its episode goes on."""
    row, some = (np.uint64(turn) * _LANES) & last, 0
    for i in range(n):
        reward = lanes.reward[i]
        early = 1 if (reward != 0.0) & (lanes.done[i] == RUNNING) else 0
        some |= early
        m.early[i] |= early
        m.last[i] = reward if lanes.live[i] == 1.0 else m.last[i]
        index[row + np.uint64(i)] = m.index[i]
    return some


@leaf
def record_rewards(n, turn, some, tape, rewards):
    """Write down this turn's rewards. Rows without any but last ones are left alone, and stay in no cache: they hold
    zeros."""
    row = (np.uint64(turn) * _LANES) & tape.last
    if some == 1:
        for i in range(n):
            tape.reward[row + np.uint64(i)] = rewards[i]
    elif tape.written[row >> _BITS] == 1:
        for i in range(LANES):
            tape.reward[row + np.uint64(i)] = 0.0
    tape.written[row >> _BITS] = some


@leaf
def steps_of(lanes, i):
    """Steps made in lane i."""
    return np.int64(lanes.counter[0, i]) - 1


@leaf
def trail(m, i):
    """Where the episode in lane i is to be found: its first turn, the turn up to which it was played in another lane,
    that lane, and i. (Numbers, that a loop which writes sums needn't load again.)"""
    return m.since[i], m.moved[i], m.former[i], i


@leaf
def place(tape, trail, t):
    """Where in the ring step t of an episode stands."""
    since, moved, former, i = trail
    turn = since + t
    return (np.uint64(turn) * _LANES + np.uint64(former if turn < moved else i)) & tape.last


@lane_kernel
def earliest(n, m):
    """The first turn that any of n lanes needs."""
    first = m.since[0]
    for i in range(n):
        first = smaller(first, m.since[i])
    return first


@leaf
def is_full(turn, size, lanes, m):
    """Has a ring of `size` turns no room for the steps until a kernel can return?"""
    return turn + 1 + MOST_SHARING - earliest(lanes.control[ACTIVE], m) > size


@leaf
def see_episode(tape, i, w, accounts, account):
    """List the states of the episode in lane i."""
    share, count, path = 1.0 / tape.n_actions, accounts.seen[account, 0], trail(w.memory, i)
    for t in range(steps_of(w.lanes, i)):
        index = tape.index[place(tape, path, t)]
        s = np.int64((np.int64(index) + 0.5) * share)  # the quotient: half an entry away from another
        count = see(accounts, account, s, count)
    accounts.seen[account, 0] = count


@leaf
def go_back(tape, gamma, value, i, w, c):
    """C[s, a] += G_t − value over the episode in lane i, backward; c (S A or more). Returns Σ G_t."""
    last, path, g = steps_of(w.lanes, i) - 1, trail(w.memory, i), w.memory.last[i]
    credited = g
    c[np.uint64(tape.index[place(tape, path, last)])] += g - value
    for t in range(last - 1, -1, -1):
        k = place(tape, path, t)
        g = fma(gamma, g, tape.reward[k])
        credited += g
        c[np.uint64(tape.index[k])] += g - value
    return credited


@leaf
def credit_last(tape, value, i, w, c):
    """As `go_back`, of an episode whose last step alone may have a reward: G_t is a power of γ times it, and no step
    waits for another. From both ends at once: an entry visited several times in a row would be waited for, too."""
    steps, path, reward = steps_of(w.lanes, i), trail(w.memory, i), w.memory.last[i]
    half = steps >> 1
    for t in range(half):
        late = steps - 1 - t
        c[np.uint64(tape.index[place(tape, path, t)])] += tape.powers[np.uint64(late)] * reward - value
        c[np.uint64(tape.index[place(tape, path, late)])] += tape.powers[np.uint64(t)] * reward - value
    middle = tape.powers[np.uint64(half)] * reward - value  # of an odd number of steps
    c[np.uint64(tape.index[place(tape, path, half)])] += middle if steps & 1 == 1 else 0.0
    return reward * tape.annuities[steps]


@leaf
def go_back_with_more(tape, algorithm, learner, value, i, w, accounts, account):
    """As `go_back`, with weights γᵗ, the whole return, a learned baseline, and the sums that leave-one-out and entropy
    need."""
    credited, g, sums, path = 0.0, 0.0, accounts.sums, trail(w.memory, i)
    total, run, steps = w.lanes.returns[1, i], w.memory.run[i], steps_of(w.lanes, i)
    for t in range(steps - 1, -1, -1):
        k = place(tape, path, t)
        index = tape.index[k]
        g = fma(algorithm.gamma, g, w.memory.last[i] if t == steps - 1 else tape.reward[k])
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
    annuities: Any  # float64 (T + 1,): 1 + γ + … + γᵗ⁻¹
    index: Any  # uint32 (T L,): s A + a
    reward: Any  # float64 (T L,): of steps that weren't an episode's last; zeros in rows without any
    written: Any  # uint8 (T,): 1 for a row of rewards that has others than zeros
    refinement: Any = UNREFINED

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made; 1 when the ring is full."""
        m, lanes = w.memory, w.lanes
        turn = lanes.control[TURN]
        waiting = settle(n, algorithm, lanes)
        some = record(n, turn, self.last, m, lanes, self.index)
        record_rewards(n, turn, some, self, lanes.reward)
        return 1 if is_full(turn, self.powers.shape[0], lanes, m) else 0, waiting

    def begin(self, w, i):
        """Start an episode in lane i."""
        w.memory.since[i] = w.lanes.control[TURN]
        w.memory.moved[i] = w.lanes.control[TURN]
        w.memory.early[i] = 0

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
        sum_episode(self.refinement, self, algorithm, learner, w, accounts, account, i)
        value = m.value[i] if algorithm.baseline == 1 else 0.0
        if m.early[i] == 0 and m.last[i] == 0.0 and value == 0.0 and accounts.counts == 0 and algorithm.fits_value == 0:
            return  # every δ_t is 0
        if accounts.lists == 1:
            see_episode(self, i, w, accounts, account)
        plain = algorithm.fits_value == 0 and algorithm.whole_return == 0 and algorithm.discount_factor == 0
        if plain and accounts.counts == 0:
            if m.early[i] == 0:
                credited = credit_last(self, value, i, w, sums[account])
            else:
                credited = go_back(self, algorithm.gamma, value, i, w, sums[account])
        else:
            credited = go_back_with_more(self, algorithm, learner, value, i, w, accounts, account)
        sums[account, accounts.stats_at + CREDITED] += credited

    def move(self, w, source, target):
        """Copy the column of one lane over another's. What it has written stays where it is, but for what another lane
        has written for it."""
        m, turn, path = w.memory, w.lanes.control[TURN], trail(w.memory, source)
        for t in range(m.moved[source] - m.since[source]):
            k = place(self, path, t)
            row = k & ~(_LANES - _ONE)
            self.index[row + np.uint64(source)] = self.index[k]
            self.reward[row + np.uint64(source)] = self.reward[k]
        move_table_lane(m, source, target)
        m.moved[target] = turn
        m.former[target] = source

    def improve(self, policy, algorithm, optimisation, learner, accounts, i, w, room):
        """Update the run in lane i from its account; False when θ would not be finite."""
        return update(policy, algorithm, optimisation, learner, accounts, i, w.lanes.run[i], room)

    def grown(self, gamma, turn):
        """The same ring with twice as many turns; `turn` is the next one."""
        size = len(self.powers)
        ring = make_table(self.n_states, self.n_actions, gamma, 2 * size, self.refinement)
        turns = np.arange(turn - size, turn)
        for new, old in ((ring.index, self.index), (ring.reward, self.reward), (ring.written, self.written)):
            new.reshape(2 * size, -1)[turns % (2 * size)] = old.reshape(size, -1)[turns % size]
        return type(self)(*ring)


def make_table(n_states: int, n_actions: int, gamma: float, capacity: int, refinement: Any = UNREFINED) -> Table:
    """An empty ring of `capacity` turns, rounded up to a power of two."""
    capacity = 1 << (capacity - 1).bit_length()
    powers = gamma ** np.arange(capacity, dtype=float)
    return Table(
        n_actions=n_actions,
        n_states=n_states,
        powers=powers,
        annuities=np.concatenate(([0.0], np.cumsum(powers))),
        last=np.uint64(capacity * LANES - 1),
        index=zeros(capacity * LANES, np.uint32),
        reward=zeros(capacity * LANES),
        written=zeros(capacity, np.uint8),
        refinement=refinement,
    )
