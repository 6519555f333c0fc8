"""Ends of episodes and updates where every lane is a run with a θ of its own, as loops over lanes.

P parameters, R rows of gradient, V value weights, L = LANES. A lane is being updated where its `share` is one over the
episodes of its batch, and left alone where it is 0.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import as_bits, as_float, by_precision, fma, inlined, lane_kernel, leaf, optional_hook, wide
from pgfast.kernels.lanes import TALLY_NORM, masked
from pgfast.kernels.step_sizes import as_number, scale_lanes, scaled_rate
from pgfast.policies.softmax import SMALL, finite
from pgfast.protocol import change, correction, expand_lane, prepare_lane, shorten_all


@lane_kernel
def end_whole_returns(n, lanes, m):
    """g += G_0 e in lanes whose episode has ended."""
    for r in range(m.e.shape[0]):
        for i in range(n):
            total = lanes.returns[1, i] if lanes.done[i] != 0 else 0.0
            m.g[r, i] += total * m.e[r, i]


@lane_kernel
def end_leave_one_out(n, lanes, m):
    """The sums of a batch that its leave-one-out baseline needs take in the episodes that have ended."""
    for i in range(n):
        m.total[i] += lanes.returns[1, i] if lanes.done[i] != 0 else 0.0
    for r in range(m.s.shape[0]):
        for i in range(n):
            s = m.s[r, i] if lanes.done[i] != 0 else 0.0
            m.scores[r, i] += s
            m.return_scores[r, i] += lanes.returns[1, i] * s
            m.s[r, i] = masked(m.s[r, i], lanes.going[i])


@lane_kernel
def clear_rows(n, mask, rows):
    """rows = 0 where the mask is 0."""
    if rows.shape[0] <= SMALL:
        for i in range(n):
            for r in range(rows.shape[0]):
                rows[r, i] = masked(rows[r, i], mask[i])
    else:
        for r in range(rows.shape[0]):
            for i in range(n):
                rows[r, i] = masked(rows[r, i], mask[i])


@lane_kernel
def follow_means(n, algorithm, lanes, m):
    """The running mean of X_t takes in the batches that are complete."""
    for i in range(n):
        steps = as_number(np.int64(lanes.counter[0, i])) - 1.0 if lanes.done[i] != 0 else 0.0
        ended = m.credited[i] if lanes.done[i] != 0 else 0.0
        m.batch_steps[i] += steps
        m.batch_credit[i] += steps * lanes.returns[1, i] if algorithm.whole_return == 1 else ended
        fresh = m.batch_steps[i] if lanes.share[i] != 0.0 else 0.0
        m.played[i] += fresh
        m.value[i] += (m.batch_credit[i] - fresh * m.value[i]) / m.played[i] if fresh > 0.0 else 0.0
        m.batch_steps[i] = masked(m.batch_steps[i], lanes.kept[i])
        m.batch_credit[i] = masked(m.batch_credit[i], lanes.kept[i])
        m.credit[i] = masked(m.credit[i], lanes.going[i])
        m.credited[i] = masked(m.credited[i], lanes.going[i])


@lane_kernel
def leave_one_out(n, lanes, m):
    """g −= (Σ G_i Σ s_i − Σ G_i s_i) / (n − 1) where a batch is complete, 1/n = share; a batch of one has no others and
    no baseline."""
    for r in range(m.g.shape[0]):
        for i in range(n):
            share, kept = lanes.share[i], lanes.kept[i]
            factor = share / (1.0 - share) if share < 1.0 else 0.0
            m.g[r, i] -= factor * (m.total[i] * m.scores[r, i] - m.return_scores[r, i])
            m.scores[r, i] = masked(m.scores[r, i], kept)
            m.return_scores[r, i] = masked(m.return_scores[r, i], kept)
    for i in range(n):
        m.total[i] = masked(m.total[i], lanes.kept[i])


@leaf
def gather_lane(i, policy, lanes, m):
    """The gradient of θ in lane i, if it is being updated, else 0; its squared norm is tallied."""
    expand_lane(policy, i, lanes.share, m)
    total = 0.0
    for r in range(m.gradient.shape[0]):
        total = fma(m.gradient[r, i], m.gradient[r, i], total)
    lanes.tally[TALLY_NORM, i] += total


@lane_kernel
def gather(n, policy, lanes, m):
    """`gather_lane` for n lanes; the sum g begins anew in those that are being updated."""
    for i in range(n):
        gather_lane(i, policy, lanes, m)
        for r in range(m.g.shape[0]):
            m.g[r, i] = masked(m.g[r, i], lanes.kept[i])


@lane_kernel
def gather_values(n, lanes, m):
    """As `gather`, for the value function's weights."""
    for k in range(m.gv.shape[0]):
        for i in range(n):
            m.wg[k, i] = lanes.share[i] * m.gv[k, i]
            m.gv[k, i] = masked(m.gv[k, i], lanes.kept[i])


@lane_kernel
def tick(n, rule, lanes, m):
    """β₁ᵗ and β₂ᵗ of the step to come, in lanes that take one."""
    for i in range(n):
        moved = lanes.share[i] != 0.0
        m.decays[0, i] *= rule.beta1 if moved else 1.0
        m.decays[1, i] *= rule.beta2 if moved else 1.0


set_scales = optional_hook("set_scales", scale_lanes)
lane_rate = optional_hook("lane_rate", scaled_rate)


@leaf
def plain_change(i, rate, full, gradient):
    """Δθ in place of the gradient; returns 1 when some θ + Δθ is not finite."""
    bad = 0
    for r in range(full.shape[0]):
        step = rate * gradient[r, i]
        gradient[r, i] = step
        bad |= 0 if finite(full[r, i] + step) == full[r, i] + step else 1
    return bad


@leaf
def moment_change(i, rule, rate, share, decays, full, m, u, gradient):
    """As `plain_change` for rules with moments, which change in lanes that are being updated."""
    c1, c2 = correction(rule, decays[0, i]), correction(rule, decays[1, i])
    moved = share[i] != 0.0
    keep1, keep2 = rule.beta1 if moved else 1.0, rule.beta2 if moved else 1.0
    bad = 0
    for r in range(full.shape[0]):
        step, m[r, i], u[r, i] = change(rule, gradient[r, i], m[r, i], u[r, i], keep1, keep2, c1, c2)
        step = rate * step if moved else 0.0
        gradient[r, i] = step
        moved_to = full[r, i] + step + 0.0 * u[r, i]  # with u = ∞ no parameter would ever move again
        bad |= 0 if finite(moved_to) == moved_to else 1
    return bad


@leaf
def remainder(x, single):
    """What is left of x where `single` is x as a float32: so much of it as a float32 holds whatever its size, so that
    the sum of both is a double and gives the same two parts again."""
    return as_float(as_bits(x - wide(single)) & -0x20000000)


def accept_single(i, bad, full, rest, step):
    """As `accept`, where θ is the sum of two float32s."""
    for r in range(full.shape[0]):
        x = wide(full[r, i]) + wide(rest[r, i]) + (wide(step[r, i]) if bad == 0 else 0.0)
        full[r, i] = x
        rest[r, i] = remainder(x, np.float32(x))


@by_precision(accept_single)
def accept(i, bad, full, rest, step):
    """θ + Δθ where all of it is finite."""
    for r in range(full.shape[0]):
        full[r, i] += step[r, i] if bad == 0 else 0.0


@leaf
def move_lane_plainly(i, policy, rate, lanes, m):
    """A step of θ in lane i along its gradient; 1 when it would not be finite, and θ is kept."""
    bad = plain_change(i, rate, m.full, m.gradient)
    accept(i, bad, m.full, m.rest, m.gradient)
    prepare_lane(policy, i, lanes.share, m)
    lanes.bad[i] += bad
    return bad


@lane_kernel
def move_plainly(n, policy, schedule, rate, lanes, m):
    """`move_lane_plainly` for n lanes; 0 when some θ would not be finite."""
    some = 0
    for i in range(n):
        some |= move_lane_plainly(i, policy, lane_rate(schedule, rate, i, m), lanes, m)
    return 1 - some


@lane_kernel
def move(n, policy, rule, schedule, rate, lanes, m):
    """As `move_plainly`, for rules with moments."""
    some = 0
    for i in range(n):
        rate_i = lane_rate(schedule, rate, i, m)
        bad = moment_change(i, rule, rate_i, lanes.share, m.decays, m.full, m.m, m.u, m.gradient)
        accept(i, bad, m.full, m.rest, m.gradient)
        prepare_lane(policy, i, lanes.share, m)
        lanes.bad[i] += bad
        some |= bad
    return 1 - some


@lane_kernel
def move_values(n, rule, schedule, rate, lanes, m):
    """A step of the value function's weights."""
    some = 0
    for i in range(n):
        rate_i = lane_rate(schedule, rate, i, m)
        if rule.plain == 1:
            bad = plain_change(i, rate_i, m.weights, m.wg)
        else:
            bad = moment_change(i, rule, rate_i, lanes.share, m.decays, m.weights, m.wm, m.wu, m.wg)
        accept(i, bad, m.weights, m.weights_rest, m.wg)
        lanes.bad[i] += bad
        some |= bad
    return 1 - some


@inlined
def end_episodes(algorithm, n, lanes, m):
    """Whole returns and leave-one-out sums of the episodes that have ended; their traces are cleared."""
    if algorithm.whole_return == 1:
        end_whole_returns(n, lanes, m)
    if algorithm.leaves_one_out == 1:
        end_leave_one_out(n, lanes, m)
    clear_rows(n, lanes.going, m.e)
    if algorithm.fits_value == 1:
        clear_rows(n, lanes.going, m.ev)


@inlined
def move_lanes(policy, optimisation, n, lanes, m):
    """A step of θ along its gradient; 0 when it would not be finite in some lane."""
    rule, schedule = optimisation.rule, optimisation.schedule
    if rule.plain == 1:
        return move_plainly(n, policy, schedule, optimisation.lr, lanes, m)
    tick(n, rule, lanes, m)
    return move(n, policy, rule, schedule, optimisation.lr, lanes, m)


@inlined
def descend_lanes(critic, optimisation, n, lanes, m):
    """A step of the value function's weights along their gradient; 0 when they would not be finite in some lane."""
    gather_values(n, lanes, m)
    shorten_all(optimisation.bound, n, m.wg)
    return move_values(n, optimisation.rule, optimisation.schedule, optimisation.lr_value, lanes, m)


fit_lanes = optional_hook("fit_lanes", descend_lanes)  # (critic, optimisation, n, lanes, m) -> 0 or 1


@inlined
def update_lanes(policy, algorithm, optimisation, n, lanes, m):
    """A step of θ (and of v̂) in the lanes whose batch is complete; 0 when it would not be finite in some."""
    if algorithm.leaves_one_out == 1:
        leave_one_out(n, lanes, m)
    gather(n, policy, lanes, m)
    set_scales(optimisation.schedule, n, lanes, m)
    shorten_all(optimisation.bound, n, m.gradient)
    good = move_lanes(policy, optimisation, n, lanes, m)
    if algorithm.fits_value == 1:
        good &= fit_lanes(optimisation.critic, optimisation, n, lanes, m)
    return good
