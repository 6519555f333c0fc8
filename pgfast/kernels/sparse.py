"""Policies of sparse features: every turn's active features and score coefficients, gone over backward when an episode
ends.

∇ log π(A_t|S_t) has the coefficients c_b in the rows of θ that belong to the active features, and 0 in all others: so
Σ_t w_t δ_t ∇ log π costs as much as is active. What comes after the coefficients of a row, of a Gaussian policy's
standard deviations, belongs to one row more, which every step touches.

D features, T active in each step; C score coefficients, B of them of a row; S turns, L = LANES.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, fma, gather_kernel, inlined, leaf
from pgfast.kernels.accounts import see
from pgfast.kernels.lanes import TURN, Field, settle_and_weigh
from pgfast.kernels.learner import update
from pgfast.kernels.statistics import CREDITED
from pgfast.kernels.tables import is_full, steps_of
from pgfast.kernels.traces import Sizes, preference_fields, zero
from pgfast.policies.softmax import fit
from pgfast.protocol import weigh_entropy
from pgfast.room import zeros


def sparse_fields(sizes: Sizes, n_active: int) -> list[Field]:
    """Rows of the workspace."""
    return [
        *preference_fields(sizes),
        ("active", "i8", (n_active, LANES)),  # the active features of this step
        ("run", "i8", (LANES,)),
        ("at", "i8", (LANES,)),  # where the run's θ begins
        ("q", "f8", (sizes.coefficients, LANES)),  # coefficients of what an entropy bonus adds
        ("value", "f8", (LANES,)),  # the running mean of X_t
        ("since", "i8", (LANES,)),  # the turn of the episode's first step
    ]


@leaf
def load_sparse_lane(learner, m, i, run):
    """Give lane i to a run."""
    m.run[i] = run
    m.at[i] = run * learner.runs.shape[1]
    m.value[i] = learner.runs[run, learner.baseline_at]
    for r in range(m.theta.shape[0]):
        m.theta[r, i] = fit(learner.runs[run, learner.prepared_at + r], m.theta[r, i])


@leaf
def move_sparse_lane(m, source, target):
    """Copy what lane `source` knows, its tape apart, over what lane `target` knows."""
    m.run[target] = m.run[source]
    m.at[target] = m.at[source]
    m.value[target] = m.value[source]
    m.since[target] = m.since[source]
    for r in range(m.theta.shape[0]):
        m.theta[r, target] = m.theta[r, source]


@gather_kernel
def write_down(n, row, rows, ring):
    """Rows (R, L) of this turn into ring[:, row], of shape (L, R). What belongs to a lane stands together: an episode
    is gone over lane by lane."""
    for i in range(n):
        for r in range(rows.shape[0]):
            ring[i, row, r] = rows[r, i]


@leaf
def see_episode(tape, i, w, accounts, account):
    """List the rows of θ that the episode in lane i touches."""
    count = accounts.seen[account, 0]
    for t in range(steps_of(w.lanes, i)):
        row = (w.memory.since[i] + t) & tape.last
        for j in range(tape.active.shape[2]):
            count = see(accounts, account, np.int64(tape.active[i, row, j]), count)
    if tape.c.shape[2] > tape.width:
        count = see(accounts, account, tape.n_features, count)
    accounts.seen[account, 0] = count


@leaf
def add_step(tape, i, row, first, b, x, sums):
    """x to coefficient b of the rows of θ that are active at a turn of lane i, in a block of sums."""
    if b < tape.width:
        for j in range(tape.active.shape[2]):
            sums[first + np.int64(tape.active[i, row, j]) * tape.width + b] += x
    else:
        sums[first + tape.n_features * tape.width + b - tape.width] += x


@leaf
def estimate(tape, learner, run, i, row):
    """v̂ at a turn of lane i."""
    v = 0.0
    for j in range(tape.active.shape[2]):
        v += learner.runs[run, learner.weights_at + np.int64(tape.active[i, row, j])]
    return v


@leaf
def add_gap(tape, i, row, gap, accounts, sums):
    """What v̂ is short of, times its gradient, at a turn of lane i."""
    for j in range(tape.active.shape[2]):
        sums[accounts.value_at + np.int64(tape.active[i, row, j])] += gap


@leaf
def add_score(tape, algorithm, i, row, weight, delta, total, accounts, sums):
    """w_t δ_t ∇ log π(A_t|S_t), what an entropy bonus adds, and what a leave-one-out baseline needs, at a turn of lane
    i."""
    for b in range(tape.c.shape[2]):
        z = weight * tape.c[i, row, b]
        bonus = tape.q[i, row, b] if algorithm.entropy != 0.0 else 0.0
        add_step(tape, i, row, 0, b, fma(delta, z, bonus), sums)
        if accounts.counts == 1:
            add_step(tape, i, row, accounts.scores_at, b, z, sums)
            add_step(tape, i, row, accounts.returns_at, b, total * z, sums)


@leaf
def go_back(tape, algorithm, learner, value, i, w, accounts, account):
    """Add Σ_t w_t δ_t ∇ log π(A_t|S_t), and what goes with it, over the episode in lane i; returns Σ_t X_t."""
    credited, g, sums = 0.0, 0.0, accounts.sums[account]
    total, run = w.lanes.returns[1, i], w.memory.run[i]
    for t in range(steps_of(w.lanes, i) - 1, -1, -1):
        row = (w.memory.since[i] + t) & tape.last
        g = fma(algorithm.gamma, g, tape.reward[i, row])
        weight = tape.powers[t] if algorithm.discount_factor == 1 else 1.0
        if algorithm.fits_value == 1:
            value = estimate(tape, learner, run, i, row)
            add_gap(tape, i, row, g - value, accounts, sums)
        credit = total if algorithm.whole_return == 1 else g
        credited += credit
        add_score(tape, algorithm, i, row, weight, credit - value, total, accounts, sums)
    return credited


@inlined
def write_step(tape, policy, algorithm, n, w):
    """The step that n lanes have just made, in a ring; 1 when that is full, and how many lanes have ended."""
    m, lanes = w.memory, w.lanes
    turn = lanes.control[TURN]
    row = turn & tape.last
    waiting = settle_and_weigh(n, algorithm, lanes)
    write_down(n, row, m.active, tape.active)
    write_down(n, row, m.c, tape.c)
    if algorithm.entropy != 0.0:
        zero(n, m.q)
        weigh_entropy(policy, n, algorithm.entropy, lanes, m)
        write_down(n, row, m.q, tape.q)
    for i in range(n):
        tape.reward[i, row] = lanes.reward[i]
    return 1 if is_full(turn, tape.powers.shape[0], lanes, m) else 0, waiting


class Sparse(NamedTuple):
    """What the lanes of a thread remember of their episodes: each a ring of turns, S of them, a power of two; a turn's
    row is its number modulo S."""

    n_features: int
    width: int  # B
    last: int  # S − 1
    powers: Any  # float64 (S,): γᵗ
    active: Any  # uint32 (L, S, T)
    c: Any  # float64 (L, S, C)
    q: Any  # float64 (L, S, C): coefficients of what an entropy bonus adds
    reward: Any  # float64 (L, S)

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made; 1 when the ring is full."""
        return write_step(self, policy, algorithm, n, w)

    def begin(self, w, i):
        """Start an episode in lane i."""
        w.memory.since[i] = w.lanes.control[TURN]

    def clear(self, w, i):
        """Nothing: what lane i has seen is forgotten when an episode begins."""

    def load(self, learner, w, i, run):
        """Give lane i to a run."""
        load_sparse_lane(learner, w.memory, i, run)

    def store(self, learner, w, i, run):
        """Nothing: θ and running mean are the learner's own."""

    def end(self, algorithm, learner, w, accounts, account, i):
        """Episode's end in lane i: go back over it."""
        value = w.memory.value[i] if algorithm.baseline == 1 else 0.0
        if accounts.lists == 1:
            see_episode(self, i, w, accounts, account)
        credited = go_back(self, algorithm, learner, value, i, w, accounts, account)
        accounts.sums[account, accounts.stats_at + CREDITED] += credited

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_sparse_lane(w.memory, source, target)
        for turn in range(w.memory.since[source], w.lanes.control[TURN]):
            row = turn & self.last
            self.reward[target, row] = self.reward[source, row]
            for j in range(self.active.shape[2]):
                self.active[target, row, j] = self.active[source, row, j]
            for b in range(self.c.shape[2]):
                self.c[target, row, b] = self.c[source, row, b]
                self.q[target, row, b] = self.q[source, row, b]

    def improve(self, policy, algorithm, optimisation, learner, accounts, i, w, room):
        """Update the run in lane i from its account; False when θ would not be finite."""
        return update(policy, algorithm, optimisation, learner, accounts, i, w.lanes.run[i], room)

    def grown(self, gamma, turn):
        """The same ring with twice as many turns; `turn` is the next one."""
        size = len(self.powers)
        ring = make_sparse(self.n_features, self.active.shape[2], self.width, self.c.shape[2], gamma, 2 * size)
        turns = np.arange(turn - size, turn)
        for name in ("active", "c", "q", "reward"):
            getattr(ring, name)[:, turns % (2 * size)] = getattr(self, name)[:, turns % size]
        return type(self)(*ring)


def make_sparse(n_features: int, n_active: int, width: int, n_coefficients: int, gamma: float, capacity: int) -> Sparse:
    """An empty ring of `capacity` turns, rounded up to a power of two."""
    capacity = 1 << (capacity - 1).bit_length()
    return Sparse(
        n_features=n_features,
        width=width,
        last=capacity - 1,
        powers=gamma ** np.arange(capacity, dtype=float),
        active=_rings(capacity, n_active, np.uint32),
        c=_rings(capacity, n_coefficients),
        q=_rings(capacity, n_coefficients),
        reward=_rings(capacity, 1).reshape(LANES, -1),
    )


def _rings(capacity: int, width: int, dtype: Any = float) -> np.ndarray:
    """Zeros, (L, capacity and a cache line more, width): rings whose distance is a power of two would all want the same
    places in the caches."""
    line = -(-64 // (width * np.dtype(dtype).itemsize))
    return zeros((LANES, capacity + line, width), dtype)
