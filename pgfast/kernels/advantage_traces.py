"""Advantages of linear policies, forward: neither a trajectory nor the next observation is needed.

With the trace e_t = γλ e_{t−1} + z_t, Σ_t δ_t e_t is Σ_t A_t z_t. Sorted by values instead of steps, v̂(S_t) is in δ_t
with −1 and in δ_{t−1} with γ, so that step t alone adds

    R_{t+1} e_t + v̂(S_t) (γ e_{t−1} − e_t)  =  R_{t+1} e_t + v̂(S_t) ((1 − λ) γ e_{t−1} − z_t)

and with the n last scores, e_t = γ e_{t−1} + z_t − γⁿ z_{t−n}, it adds R_{t+1} e_t + v̂(S_t) (γⁿ z_{t−n} − z_t). The
critic's trace has x(S_t) in the place of z_t. With weights w_t = γᵗ, which change by γ from step to step, the trace
decays by λ.

Shapes as of `pgfast.kernels.traces`; n steps of a window.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import LANES, fma, gather_kernel, inlined, lane_kernel, leaf
from pgfast.kernels.lanes import DOUBLE, TURN, Field, Precision, is_cut, settle_and_weigh, some_cut
from pgfast.kernels.traces import Sizes, Traces, add_scores, inner, sum_for_baselines, trace_fields, zero
from pgfast.protocol import measure_entropy, score, see_values, weigh_entropy
from pgfast.room import zeros


def advantage_fields(sizes: Sizes, precision: Precision = DOUBLE) -> list[Field]:
    """What the forward estimator needs, and of each step"""
    own = (
        "paid",  # the reward, with what entropy pays
        "worth",  # v̂(S_t) where the step counts,
        "held",  # that times w_t
        "due",  # the baseline times w_t
        "last",  # v̂ of the observation at which an episode is truncated
    )
    return [*trace_fields(sizes, precision), *[(name, precision.real, (LANES,)) for name in own]]


@lane_kernel
def weigh_signal(n, algorithm, lanes, m):
    """What a step pays, ρ, and what v̂(S_t) is worth; H(π(·|S_t)) is in ``m.peak`` where entropy is paid."""
    for i in range(n):
        bonus = algorithm.soft * m.peak[i] if algorithm.soft != 0.0 else 0.0
        weight = lanes.weight[i]
        m.paid[i] = lanes.reward[i] + lanes.live[i] * bonus
        lanes.rho[i] = m.paid[i] * weight
        m.worth[i] = lanes.live[i] * m.value[i]
        m.held[i] = m.worth[i] * weight
        m.due[i] = algorithm.subtracts * m.value[i] * weight


@leaf
def meet(i, r, decay, z, kept, left, rho, held, due, e, g):
    """One row and lane of e ← a e + z − left, g += ρ e + held · kept − due · z."""
    trace = fma(decay, e[r, i], z) - left
    g[r, i] = fma(rho[i], trace, fma(held[i], kept, fma(-due[i], z, g[r, i])))
    e[r, i] = trace


@leaf
def exchange(i, r, steps, fall, z, row, lanes):
    """What leaves the last n steps in row r, in whose place z comes; nothing in an episode's first n."""
    left = fall * row[r, i]  # loaded in any case, without a branch
    row[r, i] = z
    return left if lanes.counter[0, i] > steps + 1 else 0.0


@lane_kernel
def trace_scores(n, policy, algorithm, lanes, m):
    """The policy's trace and gradient."""
    for r in range(m.e.shape[0]):
        for i in range(n):
            z, kept = score(policy, i, r, m.c, m), algorithm.kept * m.e[r, i]
            meet(i, r, algorithm.decay, z, kept, 0.0, lanes.rho, m.held, m.due, m.e, m.g)


@gather_kernel
def trace_last_scores(n, policy, algorithm, row, lanes, m):
    """As `trace_scores` of the last n steps; row (R + V, L) is of the step before them."""
    for r in range(m.e.shape[0]):
        for i in range(n):
            z = score(policy, i, r, m.c, m)
            left = exchange(i, r, algorithm.n_steps, algorithm.fall, z, row, lanes)
            meet(i, r, algorithm.decay, z, left, left, lanes.rho, m.held, m.due, m.e, m.g)


@lane_kernel
def trace_features(n, algorithm, m):
    """The critic's trace and gradient, whose steps all weigh the same."""
    for k in range(m.ev.shape[0]):
        for i in range(n):
            kept = algorithm.value_kept * m.ev[k, i]
            meet(i, k, algorithm.fade, m.v[k, i], kept, 0.0, m.paid, m.worth, m.worth, m.ev, m.gv)


@gather_kernel
def trace_last_features(n, algorithm, row, lanes, m):
    """As `trace_features` of the last n steps."""
    first = m.e.shape[0]
    for k in range(m.ev.shape[0]):
        for i in range(n):
            left = exchange(i, first + k, algorithm.n_steps, algorithm.value_fall, m.v[k, i], row, lanes)
            meet(i, k, algorithm.fade, m.v[k, i], left, left, m.paid, m.worth, m.worth, m.ev, m.gv)


@inlined
def trace_step(policy, algorithm, n, w, ring):
    """All traces and gradients of the step that n lanes have just made."""
    lanes, m = w.lanes, w.memory
    if algorithm.n_steps == 0:
        trace_scores(n, policy, algorithm, lanes, m)
        if algorithm.fits_value == 1:
            trace_features(n, algorithm, m)
    else:
        row = ring[lanes.control[TURN] % algorithm.n_steps]
        trace_last_scores(n, policy, algorithm, row, lanes, m)
        trace_last_features(n, algorithm, row, lanes, m)


@lane_kernel
def pay_last(n, algorithm, lanes, m):
    """γ v̂ of the last observation to the traces of episodes that have just been truncated."""
    for i in range(n):
        m.last[i] = algorithm.gamma * m.last[i] if is_cut(i, lanes) else 0.0
    for r in range(m.e.shape[0]):
        for i in range(n):
            m.g[r, i] = fma(m.last[i] * lanes.weight[i], m.e[r, i], m.g[r, i])
    for k in range(m.ev.shape[0]):
        for i in range(n):
            m.gv[k, i] = fma(m.last[i], m.ev[k, i], m.gv[k, i])


class AdvantageTraces(Traces):
    """The forward estimator of advantages. Its ring has the scores and the value features of the last n steps."""

    __slots__ = ()

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made."""
        lanes, m = w.lanes, w.memory
        waiting = settle_and_weigh(n, algorithm, lanes)
        if algorithm.fits_value == 1:
            inner(n, m.weights, m.v, m.value)
        if algorithm.entropy != 0.0:
            measure_entropy(policy, n, lanes, m)
            zero(n, m.q)
            weigh_entropy(policy, n, algorithm.entropy, lanes, m)
        weigh_signal(n, algorithm, lanes, m)
        trace_step(policy, algorithm, n, w, self.ring)
        if algorithm.entropy != 0.0:
            add_scores(n, policy, m.q, m, m.g)
        sum_for_baselines(policy, algorithm, n, m.paid, lanes, m)
        return 0, waiting

    def look_ahead(self, env, like, policy, algorithm, n, w, learner):
        """What follows the last step of a truncated episode is worth v̂ of what is observed there."""
        if algorithm.bootstrap == 1 and some_cut(n, w.lanes) != 0:
            see_values(policy, env, like, n, w)
            inner(n, w.memory.weights, w.memory.v, w.memory.last)
            pay_last(n, algorithm, w.lanes, w.memory)


def make_advantage_traces(sizes: Sizes, steps: int, precision: Precision = DOUBLE) -> AdvantageTraces:
    """Of advantages of so many steps, 0 of all."""
    return AdvantageTraces(zeros((steps, sizes.rows + sizes.values, LANES), precision.real))
