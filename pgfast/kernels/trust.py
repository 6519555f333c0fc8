"""The passes of TRPO (Schulman, Levine, Moritz, Jordan & Abbeel 2015, section 6 and appendix C).

With g the mean of A_t ∇ log π over the batch's steps, and F that of ∇ log π ∇ log πᵀ, the empirical Fisher matrix:
conjugate gradients solve (F + damping I) x = g, a pass for each product with F. The step √(2 max_kl / xᵀ(F + damping
I)x) x is then halved until the surrogate, the mean of π/π_old A_t, is better than before, and the mean over the batch's
states of KL(π_old ‖ π) at most max_kl; a pass for each trial. If none of them is good θ stays where it is.

Without trials it is the natural gradient (Kakade 2001): a step lr x, cut to max_kl where that is less.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import isfinite
from typing import NamedTuple

from pgfast.compiler import lane_kernel, leaf, routine
from pgfast.kernels.fisher import share_within
from pgfast.kernels.learner import begin_update, end_batch, fit_values, span_everything
from pgfast.kernels.passes import (
    AHEAD,
    DIRECTION,
    FIRST,
    GRADIENT,
    OLD,
    OWN_STATE,
    PLAYED,
    RESIDUAL,
    SCALE,
    SECOND,
    SHIFT,
    STEPS,
    X,
    fetch_turn,
    note_moves,
    read_advantages,
)
from pgfast.kernels.plan import BATCH_OVER, BROKEN, PASS_OVER
from pgfast.kernels.statistics import COUNT
from pgfast.policies.taken import find_ratios
from pgfast.protocol import add_up, aim, compare, expand, find_slopes, hand_in, judge, prepare, recall
from pgfast.vmath import sqrt

CURVATURE, SEARCH, DONE = range(3)  # stages
# columns of a record's `state`: the stage, its products or trials so far, |residual|², the share of x that is tried,
# and of the last trial the gain and the divergence
STAGE, COUNTED, SQUARE, SHARE, GAIN, DIVERGED = range(OWN_STATE, OWN_STATE + 6)
_SOLVED = 1e-20  # of |residual|² / |g|²


@lane_kernel
def weigh_slopes(n, m):
    """Slopes count where something was done; no error of v̂."""
    for i in range(n):
        m.factor[i] = m.factor[i] if m.status[i] > 0.0 else 0.0
        m.error[i] = 0.0


@lane_kernel
def sum_trial(n, shift, scale, m):
    """The surrogate and the divergence."""
    for i in range(n):
        counts = m.status[i] > 0.0
        gain = (m.ratio[i] - 1.0) * ((m.credit[i] - shift) * scale)
        m.first[i] += gain if counts else 0.0
        m.second[i] += m.divergence[i] if counts else 0.0


@leaf
def inner(x, y):
    """xᵀy."""
    total = 0.0
    for r in range(x.shape[0]):
        total += x[r] * y[r]
    return total


@leaf
def add_multiple(x, scale, y):
    """x += scale · y."""
    for r in range(x.shape[0]):
        x[r] += scale * y[r]


@leaf
def mean_gradient(record, policy, algorithm, learner, accounts, a, run, room):
    """What account `a` has summed up, as a gradient by θ, per step, at ``room.numbers``."""
    span_everything(room, accounts.value_at if accounts.width > 0 else learner.n_theta)
    expand(policy, algorithm, learner, run, accounts, a, room)
    for r in range(learner.n_theta):
        room.numbers[r] /= record.state[run, STEPS]
    span_everything(room, learner.n_theta)


@routine
def put_theta(record, policy, learner, run, share, room):
    """θ = θ_old + share · x; False where it isn't finite."""
    vectors, good = record.vectors[run], True
    for r in range(learner.n_theta):
        learner.runs[run, r] = vectors[OLD, r] + share * vectors[X, r]
        good &= isfinite(learner.runs[run, r])
    if good:
        span_everything(room, learner.n_theta)
        prepare(policy, learner, run, room)
    return good


@routine
def try_shares(record, policy, algorithm, learner, run, room):
    """The first share of x from here on that gives a θ of finite numbers; after the last, θ_old and the end."""
    state = record.state[run]
    while state[COUNTED] < algorithm.trials:
        if put_theta(record, policy, learner, run, state[SHARE], room):
            return PASS_OVER
        state[COUNTED] += 1.0
        state[SHARE] *= 0.5
    put_theta(record, policy, learner, run, 0.0, room)
    state[STAGE] = DONE
    return BATCH_OVER


@routine
def take_share(record, policy, plan, learner, run, room):
    """θ moves without a trial."""
    state, gradient = record.state[run], record.vectors[run, GRADIENT]
    state[STAGE] = DONE
    if not put_theta(record, policy, learner, run, state[SHARE], room):
        put_theta(record, policy, learner, run, 0.0, room)
        return BROKEN
    note_moves(plan, learner, run, inner(gradient, gradient))
    return BATCH_OVER


@routine
def start_search(record, policy, algorithm, plan, learner, run, room):
    """The longest step that may do: with residual r = g − (F + damping I) x, xᵀ(F + damping I)x is xᵀ(g − r)."""
    state, vectors = record.state[run], record.vectors[run]
    bend = inner(vectors[X], vectors[GRADIENT]) - inner(vectors[X], vectors[RESIDUAL])
    if not bend > 0.0:
        state[STAGE] = DONE
        return BATCH_OVER
    if algorithm.trials == 0:
        state[SHARE] *= share_within(state[SHARE], algorithm.max_kl, bend)
        return take_share(record, policy, plan, learner, run, room)
    state[STAGE], state[COUNTED] = SEARCH, 0.0
    state[SHARE] = sqrt(2.0 * algorithm.max_kl / bend)
    return try_shares(record, policy, algorithm, learner, run, room)


@routine
def start_solving(record, policy, algorithm, optimisation, learner, accounts, a, run, room):
    """g is known: v̂ takes its step, and conjugate gradients begin at x = 0. The share of x is lr to begin with."""
    state, vectors, theta = record.state[run], record.vectors[run], learner.runs[run]
    mean_gradient(record, policy, algorithm, learner, accounts, a, run, room)
    for r in range(learner.n_theta):
        vectors[X, r] = 0.0
        vectors[OLD, r] = theta[r]
        for k in (RESIDUAL, DIRECTION, GRADIENT):
            vectors[k, r] = room.numbers[r]
    state[SQUARE], state[COUNTED] = inner(vectors[GRADIENT], vectors[GRADIENT]), 0.0
    accounts.sums[a, accounts.stats_at + COUNT] = state[PLAYED]
    factor = begin_update(optimisation, learner, run)
    state[SHARE] = optimisation.lr * factor
    end_batch(learner, run, state[PLAYED])
    critic = optimisation.critic
    if not isfinite(state[SQUARE]) or not fit_values(critic, optimisation, factor, learner, accounts, a, run, room):
        return BROKEN
    if state[SQUARE] == 0.0:
        state[STAGE] = DONE
        return BATCH_OVER
    state[STAGE] = CURVATURE
    aim(record, policy, learner, run, room)
    return PASS_OVER


@routine
def go_on_solving(record, policy, algorithm, plan, learner, accounts, a, run, room):
    """A step of conjugate gradients (Hestenes & Stiefel 1952), now that F times the direction is known."""
    state, vectors = record.state[run], record.vectors[run]
    mean_gradient(record, policy, algorithm, learner, accounts, a, run, room)
    product = room.numbers[: learner.n_theta]
    add_multiple(product, algorithm.damping, vectors[DIRECTION])
    bend = inner(vectors[DIRECTION], product)
    if not bend > 0.0:
        return start_search(record, policy, algorithm, plan, learner, run, room)
    add_multiple(vectors[X], state[SQUARE] / bend, vectors[DIRECTION])
    add_multiple(vectors[RESIDUAL], -state[SQUARE] / bend, product)
    square = inner(vectors[RESIDUAL], vectors[RESIDUAL])
    state[COUNTED] += 1.0
    enough = square <= _SOLVED * inner(vectors[GRADIENT], vectors[GRADIENT])
    if enough or state[COUNTED] >= algorithm.cg_iterations:
        return start_search(record, policy, algorithm, plan, learner, run, room)
    for r in range(learner.n_theta):
        vectors[DIRECTION, r] = vectors[RESIDUAL, r] + square / state[SQUARE] * vectors[DIRECTION, r]
    state[SQUARE] = square
    aim(record, policy, learner, run, room)
    return PASS_OVER


@routine
def judge_trial(record, policy, algorithm, plan, learner, accounts, a, run, room):
    """Keep the θ that was tried, or try half the step."""
    state, sums, at = record.state[run], accounts.sums, accounts.stats_at
    state[GAIN], state[DIVERGED] = sums[a, at + FIRST] / state[STEPS], sums[a, at + SECOND] / state[STEPS]
    if state[GAIN] > 0.0 and state[DIVERGED] <= algorithm.max_kl:
        gradient = record.vectors[run, GRADIENT]
        note_moves(plan, learner, run, inner(gradient, gradient))
        state[STAGE] = DONE
        return BATCH_OVER
    state[COUNTED] += 1.0
    state[SHARE] *= 0.5
    return try_shares(record, policy, algorithm, learner, run, room)


class Trust(NamedTuple):
    """What TRPO does in its passes, and the natural gradient where it makes no matrix."""

    def sum_up(self, record, policy, algorithm, learner, accounts, w, task, run, number):
        """The sums of a block that the run's stage asks for."""
        state, stage = record.state[run], record.state[run, STAGE]
        if stage == DONE:
            return
        for row in range(record.rows[task]):
            fetch_turn(record, task, row + AHEAD)
            n, page = record.widths[task, row], record.pages[task, row]
            recall(record, n, page, record.marks[task, row], w)
            judge(policy, n, w, learner)
            if stage == CURVATURE:
                find_slopes(record, policy, n, run, w)
                weigh_slopes(n, w.memory)
                add_up(record, policy, algorithm, n, accounts, task, w)
            else:
                read_advantages(n, page, w.memory)
                find_ratios(n, w.memory)
                compare(record, policy, n, page, learner, run, w)
                sum_trial(n, state[SHIFT], state[SCALE], w.memory)
        if stage != SEARCH:
            hand_in(record, accounts, task, w)

    def follow(self, record, policy, algorithm, optimisation, plan, learner, accounts, a, run, room, number):
        """The next stage, or the next pass of this one."""
        stage = record.state[run, STAGE]
        if number == 0:
            return start_solving(record, policy, algorithm, optimisation, learner, accounts, a, run, room)
        if stage == DONE:
            return BATCH_OVER
        if stage == CURVATURE:
            return go_on_solving(record, policy, algorithm, plan, learner, accounts, a, run, room)
        return judge_trial(record, policy, algorithm, plan, learner, accounts, a, run, room)
