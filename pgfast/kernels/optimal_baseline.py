"""The constant baseline of least variance, for every parameter or one for all (Peters & Schaal 2008, section 3.1).

Of one episode, with A = Σ_t w_t X_t ∇ log π(A_t|S_t) the estimate without a baseline and ψ = Σ_t w_t ∇ log π(A_t|S_t),
the estimate is A − b ψ, unbiased for any b that doesn't depend on the episode, since E ψ = 0. Its variance is least
with

    b_r = E A_r ψ_r / E ψ_r²    for parameter r,    b = Σ_r E A_r ψ_r / Σ_r E ψ_r²    for all.

With whole returns A = G ψ, and b_r = E G ψ_r² / E ψ_r² as in the paper. A baseline from the very episodes that it is
subtracted from would bias the estimate; so it is taken from the batches before, whose sums are kept: a batch of n
episodes leaves 1 − n/`WINDOW` of what was there. There is none in the first batch.

P parameters, R rows of gradient.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import fma, leaf, wide
from pgfast.kernels.statistics import COUNT
from pgfast.kernels.tables import place, steps_of, trail
from pgfast.kernels.traces import add_scores, weigh_scores
from pgfast.protocol import cool, unfold

WINDOW = 1000.0  # episodes of which something is kept


@leaf
def keep(kept, sums, count):
    """What is kept of a sum when one of `count` episodes is added."""
    return max(0.0, 1.0 - count / WINDOW) * kept + sums


@leaf
def level(scalar, runs, kept, size, r):
    """b_r from what is kept: E A ψ of all `size` parameters, then E ψ²; 0 where there is nothing yet."""
    above, below = runs[kept + r], runs[kept + size + r]
    if scalar == 1:
        above, below = 0.0, 0.0
        for k in range(size):
            above += runs[kept + k]
            below += runs[kept + size + k]
    return above / below if below > 0.0 else 0.0


@leaf
def keep_moments(runs, kept, sums, at, size, count):
    """The batch's moments join those that are kept."""
    for k in range(2 * size):
        runs[kept + k] = keep(runs[kept + k], sums[at + k], count)


class OptimalBaseline(NamedTuple):
    """Of linear policies. Moments are Σ A ψ, Σ ψ² and Σ ψ (P each); lanes sum up ψ in ``m.s``."""

    policy: Any  # says what a lane's rows are by parameters
    scalar: int  # 1: the same for all parameters

    def sum_step(self, policy, n, w):
        weigh_scores(n, w.lanes.weight, w.memory.c, w.memory.q)
        add_scores(n, policy, w.memory.q, w.memory, w.memory.s)

    def sum_episode(self, memory, algorithm, learner, w, accounts, account, i):
        m, sums, at, size = w.memory, accounts.sums, accounts.moments_at, learner.n_theta
        total = wide(w.lanes.returns[1, i]) if algorithm.whole_return == 1 else 0.0
        for r in range(size):
            psi = wide(unfold(self.policy, i, r, m.s))
            estimate = wide(unfold(self.policy, i, r, m.g)) + total * psi
            sums[account, at + r] += estimate * psi
            sums[account, at + size + r] += psi * psi
            sums[account, at + 2 * size + r] += psi

    def refine(self, policy, algorithm, optimisation, learner, accounts, a, run, room):
        runs, sums, at, size = learner.runs[run], accounts.sums[a], accounts.moments_at, learner.n_theta
        common = level(1, runs, learner.kept_at, size, 0)
        for r in range(size):
            b = common if self.scalar == 1 else level(0, runs, learner.kept_at, size, r)
            room.numbers[r] -= b * sums[at + 2 * size + r]
        keep_moments(runs, learner.kept_at, sums, at, size, sums[accounts.stats_at + COUNT])


@leaf
def credit_visits(tape, algorithm, i, w, sums, credits, weights, states):
    """Σ w_t X_t and Σ w_t of each entry of the table over the episode in lane i, at sums[credits], … and
    sums[weights], …, and its rows, each once, at sums[states], …; returns how many."""
    path, count, g, n = trail(w.memory, i), np.int64(0), 0.0, tape.n_actions
    steps, total = steps_of(w.lanes, i), w.lanes.returns[1, i]
    for t in range(steps - 1, -1, -1):
        k = place(tape, path, t)
        g = fma(algorithm.gamma, g, w.memory.last[i] if t == steps - 1 else tape.reward[k])
        weight = tape.powers[t] if algorithm.discount_factor == 1 else 1.0
        entry = np.int64(tape.index[k])
        s, seen = entry // n, 0.0
        for b in range(s * n, s * n + n):
            seen += sums[weights + b]
        if seen == 0.0 and weight > 0.0:
            sums[states + count] = s
            count += 1
        sums[credits + entry] += weight * (total if algorithm.whole_return == 1 else g)
        sums[weights + entry] += weight
    return count


@leaf
def square_row(n, entry, pi, runs, sums, above, below, credits, weights):
    """A ψ and ψ² of one row into the moments; its sums of the episode begin anew."""
    credit, weight = 0.0, 0.0
    for b in range(entry, entry + n):
        credit += sums[credits + b]
        weight += sums[weights + b]
    for b in range(entry, entry + n):
        psi = sums[weights + b] - runs[pi + b] * weight
        sums[above + b] += (sums[credits + b] - runs[pi + b] * credit) * psi
        sums[below + b] += psi * psi
    for b in range(entry, entry + n):
        sums[credits + b] = 0.0
        sums[weights + b] = 0.0


class TabularOptimalBaseline(NamedTuple):
    """Of tables, whose accounts' scores give ψ. Moments are Σ A ψ and Σ ψ² (P each), and room for an episode's sums by
    entry (2 P) and its rows (S)."""

    scalar: int

    def sum_episode(self, memory, algorithm, learner, w, accounts, account, i):
        sums, at, size, n = accounts.sums[account], accounts.moments_at, learner.n_theta, memory.n_actions
        runs = learner.runs[w.memory.run[i]]
        credits, weights, states = at + 2 * size, at + 3 * size, at + 4 * size
        count = credit_visits(memory, algorithm, i, w, sums, credits, weights, states)
        for k in range(count):
            entry = np.int64(sums[states + k]) * n
            square_row(n, entry, learner.decays_at - size, runs, sums, at, at + size, credits, weights)

    def refine(self, policy, algorithm, optimisation, learner, accounts, a, run, room):
        runs, sums, size, n = learner.runs[run], accounts.sums[a], learner.n_theta, policy.n_actions
        common = level(1, runs, learner.kept_at, size, 0)
        for k in range(1, room.spans[0, 0] + 1):
            for first in range(room.spans[k, 0], room.spans[k, 1], n):
                visits, pi = 0.0, learner.decays_at - size
                for b in range(first, first + n):
                    visits += sums[accounts.scores_at + b]
                for b in range(first, first + n):
                    level_b = common if self.scalar == 1 else level(0, runs, learner.kept_at, size, b)
                    psi = sums[accounts.scores_at + b] - runs[pi + b] * visits
                    room.numbers[b] -= cool(policy.link, level_b * psi)
        keep_moments(runs, learner.kept_at, sums, accounts.moments_at, size, sums[accounts.stats_at + COUNT])
