"""The passes of PPO (Schulman, Wolski, Dhariwal, Radford & Klimov 2017, equation 7).

With r_t = π(A_t|S_t; θ) / π(A_t|S_t; θ_old), θ goes up Σ_t min(r_t A_t, clip(r_t, 1 − ε, 1 + ε) A_t), whose gradient
is r_t A_t ∇ log π(A_t|S_t; θ), or 0 where r_t has already gone further than ε in the direction in which A_t would have
it go.

A pass is an update by every M-th turn of each block: M of them are an epoch. Before the first every ratio is 1: its
gradient is summed up when the block has been played.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

from pgfast.compiler import lane_kernel
from pgfast.kernels.learner import end_batch, update
from pgfast.kernels.passes import AHEAD, PLAYED, SCALE, SHIFT, fetch_turn, note_moves, read_advantages
from pgfast.kernels.plan import BATCH_OVER, BROKEN, PASS_OVER
from pgfast.kernels.statistics import COUNT, NORM
from pgfast.policies.taken import find_ratios
from pgfast.protocol import add_up, hand_in, judge, look_up_values, recall


@lane_kernel
def clip_ratios(n, clip, shift, scale, m):
    """factor = r A, or 0 where it is clipped; error = what v̂ lacks. Both are 0 where nothing was done."""
    for i in range(n):
        counts = m.status[i] > 0.0
        ratio, advantage = m.ratio[i], (m.credit[i] - shift) * scale
        clipped = (ratio > 1.0 + clip) & (advantage > 0.0) | (ratio < 1.0 - clip) & (advantage < 0.0)
        m.factor[i] = ratio * advantage if counts & (not clipped) else 0.0
        m.error[i] = m.target[i] - m.estimate[i] if counts else 0.0


class Clipping(NamedTuple):
    """What PPO does in its passes."""

    def sum_up(self, record, policy, algorithm, learner, accounts, w, task, run, number):
        """The surrogate's gradient over one of M parts of a block."""
        state = record.state[run]
        part = number % algorithm.minibatches
        for row in range(part, record.rows[task], algorithm.minibatches):
            fetch_turn(record, task, row + AHEAD * algorithm.minibatches)
            n, page = record.widths[task, row], record.pages[task, row]
            recall(record, n, page, record.marks[task, row], w)
            read_advantages(n, page, w.memory)
            judge(policy, n, w, learner)
            find_ratios(n, w.memory)
            look_up_values(record, n, learner, run, w)
            clip_ratios(n, algorithm.clip, state[SHIFT], state[SCALE], w.memory)
            add_up(record, policy, algorithm, n, accounts, task, w)
        hand_in(record, accounts, task, w)

    def follow(self, record, policy, algorithm, optimisation, plan, learner, accounts, a, run, room, number):
        """An update, as of a batch of an M-th of the episodes; together they learn from as many as were played."""
        sums, at, played = accounts.sums, accounts.stats_at, record.state[run, PLAYED]
        sums[a, at + COUNT] = played / algorithm.minibatches
        end_batch(learner, run, played / plan.passes - sums[a, at + COUNT])
        if not update(policy, algorithm, optimisation, learner, accounts, a, run, room):
            return BROKEN
        note_moves(plan, learner, run, sums[a, at + NORM])
        return BATCH_OVER if number == plan.passes - 1 else PASS_OVER
