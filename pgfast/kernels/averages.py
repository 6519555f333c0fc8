"""q̂ by averages: a weight moves by its mean error at a visit, however often it was visited.

Over a batch, with e_t = G_t − q̂(S_t, A_t; w) and x_t the features of S_t and A_t, each weight has its own step size:

    n_k = Σ_t |x_tk| Σ_j |x_tj|        N_k ← (1 − α) N_k + n_k        w_k ← w_k + Σ_t e_t x_tk / N_k

where n_k > 0; other weights stay, and so does their N. Of a table n_k counts the visits of an entry, and w_k is the
mean of the returns that followed them, those of j batches ago weighed by (1 − α)ʲ; of tilings a step is divided by how
many there are, too (Sutton & Barto 2018, section 9.6). Whatever the features are, diag n − Σ_t x_t x_tᵀ has a dominant
diagonal, so that no step of w overshoots: the batch's squared error is never larger after it.

Among the sums over a batch visits follow errors, entry by entry in tables and of sparse features, else all after all.
N stands where a step rule would keep w's first moments.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import isfinite
from typing import NamedTuple

from pgfast.compiler import lane_kernel, leaf
from pgfast.kernels.lanes import masked
from pgfast.kernels.learner import keep_step, span_everything
from pgfast.kernels.trace_updates import accept, lane_rate, plain_change


@leaf
def average(rate, kept, visits, error):
    """(change of a weight, N) from α, N, n and Σ e x."""
    total = (1.0 - rate) * kept + visits
    return error / total if visits > 0.0 else 0.0, total if visits > 0.0 else kept


@lane_kernel
def count_visits(n, live, x, size, sums):
    """sums[V + k] += |x_k| Σ_j |x_j| in lanes at work; x (V, L), sums (2 V, L), `size` is scratch."""
    for i in range(n):
        size[i] = 0.0
    for k in range(x.shape[0]):
        for i in range(n):
            size[i] += abs(x[k, i])
    for k in range(x.shape[0]):
        for i in range(n):
            sums[x.shape[0] + k, i] += live[i] * abs(x[k, i]) * size[i]


@lane_kernel
def average_lanes(n, schedule, rate, lanes, m):
    """Changes of w to m.wg in lanes that are being updated, whose sums begin anew."""
    for k in range(m.weights.shape[0]):
        for i in range(n):
            visits = m.gv[m.weights.shape[0] + k, i] if lanes.share[i] != 0.0 else 0.0
            m.wg[k, i], m.wm[k, i] = average(lane_rate(schedule, rate, i, m), m.wm[k, i], visits, m.gv[k, i])
    for k in range(m.gv.shape[0]):
        for i in range(n):
            m.gv[k, i] = masked(m.gv[k, i], lanes.kept[i])


@lane_kernel
def move_lanes(n, lanes, m):
    """w + Δw where all of it is finite; 0 when some lane's isn't."""
    some = 0
    for i in range(n):
        bad = plain_change(i, 1.0, m.weights, m.wg)
        accept(i, bad, m.weights, m.weights_rest, m.wg)
        lanes.bad[i] += bad
        some |= bad
    return 1 - some


class Averages(NamedTuple):
    """What w of q̂ follows."""

    def fit_values(self, optimisation, factor, learner, accounts, a, run, room):
        """By the sums of account `a`, along the room's spans; False when w would not be finite."""
        runs, sums, numbers, size = learner.runs, accounts.sums, room.numbers, learner.n_weights
        apart, beside = (2, 1) if accounts.width > 0 else (1, size)
        if accounts.lists == 0:
            span_everything(room, size)
        good = True
        for k in range(1, room.spans[0, 0] + 1):
            for r in range(room.spans[k, 0], room.spans[k, 1]):
                w, at = learner.weights_at + r, accounts.value_at + apart * r
                change, runs[run, w + size] = average(
                    optimisation.lr_value * factor, runs[run, w + size], sums[a, at + beside], sums[a, at]
                )
                numbers[room.trial_at + r] = runs[run, w] + change
                good &= isfinite(numbers[room.trial_at + r])
        for k in range(1, (room.spans[0, 0] if good else 0) + 1):
            keep_step(learner, run, learner.weights_at, room, room.spans[k, 0], room.spans[k, 1])
        return good

    def fit_lanes(self, optimisation, n, lanes, m):
        """Where lanes are runs; 0 when w would not be finite in some."""
        average_lanes(n, optimisation.schedule, optimisation.lr_value, lanes, m)
        return move_lanes(n, lanes, m)


AVERAGES = Averages()
