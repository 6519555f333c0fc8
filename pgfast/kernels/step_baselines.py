"""Baselines of least variance for every time step (Peters & Schaal 2008, section 3.1, of G(PO)MDP by Baxter & Bartlett
2001).

The estimate is Σ_t (ρ_t − b_t) e_t, e_t the trace and ρ_t what the reward of step t contributes: unbiased for any b_t
that doesn't depend on the episode, since E e_t = 0. Each term's variance is least with

    b_t = E ρ_t e_t² / E e_t²

for every row of gradient of a linear policy, and of a table with |e_t|² in place of e_t². E is over all episodes: after
the end of one rewards are 0, and its trace goes on to decay, e_t = a e_{t−1}. (Those that last until t are no fair
sample of episodes, and their e_t have another mean.) What has ended is summed up once, at its end, and decays together.

Baselines are taken from the batches before (`pgfast.kernels.optimal_baseline` says why, and how long), for the first
`horizon` steps of an episode; later ones have none.

R rows of gradient, L = LANES.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pgfast.compiler import gather_kernel, leaf, wide
from pgfast.kernels.lanes import smaller
from pgfast.kernels.optimal_baseline import keep
from pgfast.kernels.statistics import COUNT
from pgfast.kernels.tables import place, steps_of, trail
from pgfast.protocol import expand


@gather_kernel
def note_traces(n, horizon, lanes, m):
    """Write down each lane's trace and ρ at its own time step; m.moments (L, horizon (R + 1))."""
    width = m.e.shape[0] + 1
    for i in range(n):
        t = np.int64(lanes.counter[0, i]) - 2
        if lanes.live[i] == 1.0 and t < horizon:
            for r in range(width - 1):
                m.moments[i, t * width + r] = m.e[r, i]
            m.moments[i, t * width + width - 1] = lanes.reward[i] * lanes.weight[i]


@leaf
def ratio(above, below):
    """above / below; 0 where there is nothing yet."""
    return above / below if below > 0.0 else 0.0


class StepBaselines(NamedTuple):
    """Of linear policies. Moments of step t and row r are Σ ρ e², Σ e² and Σ e of episodes that last until t, and Σ e²
    and Σ e at the end of those that end before it: five blocks of `horizon` R."""

    horizon: int

    def sum_step(self, policy, n, w):
        note_traces(n, self.horizon, w.lanes, w.memory)

    def sum_episode(self, memory, algorithm, learner, w, accounts, account, i):
        m, sums, at = w.memory, accounts.sums[account], accounts.moments_at
        rows = m.e.shape[0]
        block = self.horizon * rows
        steps = steps_of(w.lanes, i)
        for t in range(smaller(steps, self.horizon)):
            rho = wide(m.moments[i, t * (rows + 1) + rows])
            for r in range(rows):
                e, k = wide(m.moments[i, t * (rows + 1) + r]), at + t * rows + r
                sums[k] += rho * (e * e)
                sums[k + block] += e * e
                sums[k + 2 * block] += e
        if steps < self.horizon:
            for r in range(rows):
                e, k = wide(m.e[r, i]), at + steps * rows + r
                sums[k + 3 * block] += e * e
                sums[k + 4 * block] += e

    def move_sums(self, w, source, target):
        m = w.memory
        for k in range(smaller(steps_of(w.lanes, source), self.horizon) * (m.e.shape[0] + 1)):
            m.moments[target, k] = m.moments[source, k]

    def refine(self, policy, algorithm, optimisation, learner, accounts, a, run, room):
        runs, sums, at, kept = learner.runs[run], accounts.sums[a], accounts.moments_at, learner.kept_at
        rows = accounts.value_at
        block = self.horizon * rows
        for r in range(rows):
            squares, traces = 0.0, 0.0  # of what has ended
            for k in range(r, block, rows):
                squares = algorithm.decay * algorithm.decay * (squares + sums[at + 3 * block + k])
                traces = algorithm.decay * (traces + sums[at + 4 * block + k])
                sums[at + block + k] += squares
                sums[r] -= ratio(runs[kept + k], runs[kept + block + k]) * (sums[at + 2 * block + k] + traces)
        for k in range(2 * block):
            runs[kept + k] = keep(runs[kept + k], sums[at + k], sums[accounts.stats_at + COUNT])
        expand(policy, algorithm, learner, run, accounts, a, room)


@leaf
def step_trace(n, row, taken, factor, pi, runs, sums, traces):
    """The trace takes in the score of a step, `factor` times; returns what |e|² gains."""
    gain = 0.0
    for b in range(row, row + n):
        z = factor * ((1.0 if b == taken else 0.0) - runs[pi + b])
        gain += z * (2.0 * sums[traces + b] + z)
        sums[traces + b] += z
    return gain


class TabularStepBaselines(NamedTuple):
    """Of tables. Moments of step t are Σ ρ |e|² and Σ |e|² of episodes that last until t, and Σ |e|² at the end of
    those that end before it; and there is room for an episode's trace (P), as it stands divided by γᵗ. Beside the
    former two, what is kept is Σ_{k≥t} a^{k−t+1} b_k, which an episode's last trace meets.

    Rewards are lessened by the baselines where they are written down: all else is as with the returns of others."""

    horizon: int

    def sum_episode(self, memory, algorithm, learner, w, accounts, account, i):
        m, sums, at, n = w.memory, accounts.sums[account], accounts.moments_at, memory.n_actions
        runs, pi, kept = learner.runs[m.run[i]], learner.decays_at - learner.n_theta, learner.kept_at
        traces, path, steps = at + 3 * self.horizon, trail(m, i), steps_of(w.lanes, i)
        discounts, square = algorithm.discount_factor == 1, 0.0
        limit = smaller(steps, self.horizon)
        for t in range(limit):
            k = place(memory, path, t)
            entry, power = np.int64(memory.index[k]), memory.powers[t]
            square += step_trace(n, entry // n * n, entry, 1.0 if discounts else 1.0 / power, pi, runs, sums, traces)
            reward = m.last[i] if t == steps - 1 else memory.reward[k]
            now = square if discounts else square * power * power
            sums[at + t] += (reward * power if discounts else reward) * now
            sums[at + self.horizon + t] += now
            b = ratio(runs[kept + t], runs[kept + self.horizon + t]) / (power if discounts else 1.0)
            if t == steps - 1:
                m.last[i] -= b
                if steps < self.horizon:
                    sums[at + 2 * self.horizon + steps] += now
                    m.last[i] -= runs[kept + 2 * self.horizon + steps] / (power if discounts else 1.0)
            else:
                memory.reward[k] -= b
                memory.written[np.int64(k) // w.lanes.live.shape[0]] = 1
        m.early[i] = 1
        for t in range(limit):
            row = np.int64(memory.index[place(memory, path, t)]) // n * n
            for b in range(row, row + n):
                sums[traces + b] = 0.0

    def refine(self, policy, algorithm, optimisation, learner, accounts, a, run, room):
        runs, sums, at, kept = learner.runs[run], accounts.sums[a], accounts.moments_at, learner.kept_at
        squares, tail, decay = 0.0, 0.0, algorithm.decay
        for t in range(self.horizon):
            squares = decay * decay * (squares + sums[at + 2 * self.horizon + t])
            sums[at + self.horizon + t] += squares
        for k in range(2 * self.horizon):
            runs[kept + k] = keep(runs[kept + k], sums[at + k], sums[accounts.stats_at + COUNT])
        for t in range(self.horizon - 1, -1, -1):
            tail = decay * (tail + ratio(runs[kept + t], runs[kept + self.horizon + t]))
            runs[kept + 2 * self.horizon + t] = tail
