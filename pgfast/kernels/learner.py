"""What is learned, what is counted, and one update of one run.

K runs, P parameters, V value weights, W rows of the log. What belongs to a run stands in one row of
one array, and so does what belongs to an account: kernels pass few arguments.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, kernel, leaf, optional_hook, routine
from pgfast.kernels.accounts import LINE, add_span, find_spans, leave_one_out, make_rows
from pgfast.kernels.statistics import (
    COUNT,
    CREDITED,
    LENGTH,
    MANTISSA,
    MOVES,
    N_STATS,
    NORM,
    REFERENCE,
    SUM,
    merge_stats,
)
from pgfast.kernels.step_sizes import Constant, Unbounded, squared_norm
from pgfast.protocol import change, correction, expand, prepare, refine, scale, shorten
from pgfast.room import zeros

EPISODES, STEPS, UPDATES, FAILED, LAST, GOES_ON = range(6)  # columns of `clock`


class Unrefined(NamedTuple):
    """θ moves along the gradient as it was summed up."""


UNREFINED = Unrefined()


class Descent(NamedTuple):
    """Weights of a value function take a step of the rule along their gradient."""


DESCENT = Descent()


class Optimisation(NamedTuple):
    """Step rule and step sizes of policy and value function, and what is made of a gradient before the step."""

    rule: Any
    lr: float
    lr_value: float
    batch: int  # episodes per update
    schedule: Any = Constant()  # of both step sizes
    bound: Any = Unbounded()  # on the norm of a gradient: of the policy's, and of the value function's
    refinement: Any = UNREFINED
    critic: Any = DESCENT  # how the weights of a value function move


class Learner(NamedTuple):
    """All runs. A row of `runs` holds θ (P), its two moments (2 P), the value weights (V), their moments (2 V), what
    lanes use (Q, derived from θ after each update), β₁ᵗ, β₂ᵗ, the running mean of X_t, the number from which returns
    are tallied as differences, the steps in the running mean, the updates made, the episodes they learned from, and
    what refines gradients keeps from batch to batch (E), the running statistics of observations (O), and in cache
    lines of its own what a task that doesn't end goes on with (C, `pgfast.kernels.continuing`)."""

    runs: Any  # float64 (K, 3 P + 3 V + Q + 7 + E + O + C, and what fills the last cache line)
    flat: Any  # the same numbers, one-dimensional
    clock: Any  # int64 (K, at least 8): episodes, steps, updates; the episode at which θ stopped being finite, or −1;
    # the end; 1 where a task goes on from the state it came to; and from there on the whole numbers of that state
    log: Any  # float64 (K, W, N_STATS)
    n_theta: int  # P
    n_weights: int  # V
    weights_at: int  # 3 P
    prepared_at: int  # 3 P + 3 V
    decays_at: int  # 3 P + 3 V + Q
    baseline_at: int
    reference_at: int
    played_at: int
    updates_at: int
    kept_at: int
    observed_at: int
    carried_at: int


class Room(NamedTuple):
    """Scratch of one update: gradient (P), candidate for θ or w, value gradient (V), preferences (A), what refining the
    gradient takes; and the ranges of θ that it can move, as `pgfast.kernels.accounts.find_spans` gives them."""

    numbers: Any  # float64
    spans: Any  # int64 (at least 2, 2)
    chosen: Any  # int64 (L,): first entries of as many rows of a table, to be worked on in lanes,
    rows: Any  # float64 (A + 2, L): and numbers of theirs
    trial_at: int
    value_at: int
    preferences_at: int
    scratch_at: int


def make_learner(
    theta: np.ndarray,
    n_prepared: int,
    n_weights: int,
    log_rows: int,
    n_kept: int = 0,
    n_observed: int = 0,
    carried: tuple[int, int] = (0, 0),
) -> Learner:
    """Runs that start from `theta` (K, P), nothing prepared yet; `carried`: C, and the whole numbers of a state."""
    k, p = theta.shape
    weights_at, prepared_at = 3 * p, 3 * p + 3 * n_weights
    decays_at = prepared_at + n_prepared
    carried_at = -(-(decays_at + 7 + n_kept + n_observed) // LINE) * LINE
    runs = make_rows(k, carried_at + carried[0])
    runs[:, :p] = theta
    runs[:, decays_at : decays_at + 2] = 1.0
    clock = make_rows(k, GOES_ON + 1 + carried[1], np.int64)
    clock[:, FAILED] = -1
    return Learner(
        runs, runs.reshape(-1), clock, make_log(k, log_rows), p, n_weights,
        weights_at, prepared_at, decays_at, decays_at + 2, decays_at + 3, decays_at + 4, decays_at + 5,
        decays_at + 7, decays_at + 7 + n_kept, carried_at,
    )  # fmt: skip


def make_log(runs: int, rows: int) -> np.ndarray:
    """An empty log, (runs, rows, N_STATS)."""
    log = zeros((runs, rows, N_STATS))
    log[:, :, MANTISSA] = 1.0
    return log


def make_room(n_theta: int, n_weights: int, n_actions: int, n_states: int = 0, scratch: int = 0) -> Room:
    """Room for one update at a time; `n_states` of a table. Its spans are all of θ."""
    most = max(n_theta, n_weights)
    end = n_theta + most + n_weights + n_actions
    room = Room(
        zeros(end + scratch), zeros((max(1, n_states) + 1, 2), np.int64),
        zeros(LANES, np.int64), zeros((n_actions + 2, LANES)),
        n_theta, n_theta + most, n_theta + most + n_weights, end,
    )  # fmt: skip
    span_everything(room, n_theta)
    return room


@leaf
def span_everything(room, n_theta):
    """An update may move all of θ."""
    room.spans[0, 0] = 0
    add_span(room.spans, 0, n_theta)


def span_first(room, width):
    """Only a table's first row."""
    room.spans[0, 0] = 0
    add_span(room.spans, 0, width)


@leaf
def carries(learner):
    """Do runs have a task that doesn't end?"""
    return learner.runs.shape[1] > learner.carried_at


@leaf
def begin_update(optimisation, learner, run):
    """β₁ᵗ and β₂ᵗ of the step to come, which counts as an update; returns the factor of its step sizes."""
    runs, at = learner.runs, learner.updates_at
    factor = scale(optimisation.schedule, runs[run, at], runs[run, at + 1])
    runs[run, at] += 1.0
    runs[run, learner.decays_at] *= optimisation.rule.beta1
    runs[run, learner.decays_at + 1] *= optimisation.rule.beta2
    return factor


@routine
def give_up(learner, slot, run):
    """A run keeps its last parameters, and what lanes derive from them; what else it has that is not finite it needs no
    longer."""
    learner.clock[slot, FAILED] = learner.clock[slot, EPISODES]
    for r in range(learner.runs.shape[1]):
        derived = (learner.prepared_at <= r) & (r < learner.decays_at)
        if not (derived or isfinite(learner.runs[run, r])):
            learner.runs[run, r] = 0.0


@leaf
def end_batch(learner, run, episodes):
    """So many episodes more have been learned from."""
    learner.runs[run, learner.updates_at + 1] += episodes


@leaf
def try_step(rule, rate, learner, run, block, size, room, gradient_at, first, last):
    """Candidates for entries first … last − 1 of the block of `size` parameters at ``runs[run, block]``, followed by
    their moments: a step along the gradient at ``room.numbers[gradient_at]``. False when one is not finite, or v."""
    runs, numbers, trial_at, good = learner.runs, room.numbers, room.trial_at, True
    if rule.plain == 1:
        for r in range(first, last):
            numbers[trial_at + r] = runs[run, block + r] + rate * numbers[gradient_at + r]
    else:
        c1 = correction(rule, runs[run, learner.decays_at])
        c2 = correction(rule, runs[run, learner.decays_at + 1])
        m, v = block + size, block + 2 * size
        for r in range(first, last):
            step, runs[run, m + r], runs[run, v + r] = change(
                rule, numbers[gradient_at + r], runs[run, m + r], runs[run, v + r], rule.beta1, rule.beta2, c1, c2
            )
            numbers[trial_at + r] = runs[run, block + r] + rate * step
        for r in range(first, last):
            good &= isfinite(runs[run, v + r])  # with v = ∞ no parameter would ever move again
    for r in range(first, last):
        good &= isfinite(numbers[trial_at + r])
    return good


@leaf
def keep_step(learner, run, block, room, first, last):
    """The candidates become the parameters."""
    for r in range(first, last):
        learner.runs[run, block + r] = room.numbers[room.trial_at + r]


@routine
def move_parameters(rule, rate, learner, run, block, size, room, gradient_at, first, last):
    """`try_step`, and where all are finite `keep_step`."""
    good = try_step(rule, rate, learner, run, block, size, room, gradient_at, first, last)
    if good:
        keep_step(learner, run, block, room, first, last)
    return good


@routine
def move_spans(rule, rate, learner, run, block, size, room, gradient_at, entries):
    """As `move_parameters`, for the room's spans; `entries` of θ belong to one of the parameters moved."""
    spans, good = room.spans, True
    for k in range(1, spans[0, 0] + 1):
        first, last = spans[k, 0] // entries, spans[k, 1] // entries
        good &= try_step(rule, rate, learner, run, block, size, room, gradient_at, first, last)
    if good:
        for k in range(1, spans[0, 0] + 1):
            keep_step(learner, run, block, room, spans[k, 0] // entries, spans[k, 1] // entries)
    return good


@routine
def update(policy, algorithm, optimisation, learner, accounts, a, run, room):
    """Move run's θ (and value function) by the sums of account `a`; False when the new θ would not be finite."""
    sums, stats_at, rule, spans = accounts.sums, accounts.stats_at, optimisation.rule, room.spans
    n, by_states = sums[a, stats_at + COUNT], accounts.width > 0
    if by_states and rule.plain == 1:
        size = accounts.width * learner.n_theta // accounts.value_at  # of a part: a row of a table, or all
        find_spans(accounts, a, spans)
    else:
        size = learner.n_theta
        span_everything(room, accounts.value_at if by_states else learner.n_theta)
    if algorithm.leaves_one_out == 1:
        leave_one_out(accounts, a, spans)
    expand(policy, algorithm, learner, run, accounts, a, room)
    refine(optimisation.refinement, policy, algorithm, optimisation, learner, accounts, a, run, room)
    norm = 0.0
    for k in range(1, spans[0, 0] + 1):
        for r in range(spans[k, 0], spans[k, 1]):
            room.numbers[r] /= n
        for first in range(spans[k, 0], spans[k, 1], size):  # short sums, that don't wait for one another
            norm += squared_norm(room.numbers, first, first + size)
    sums[a, stats_at + NORM] = norm
    sums[a, stats_at + MOVES] = 1.0
    factor = begin_update(optimisation, learner, run)
    end_batch(learner, run, n)
    shorten(optimisation.bound, room.numbers, spans, 0, 1)
    if not move_spans(rule, optimisation.lr * factor, learner, run, 0, learner.n_theta, room, 0, 1):
        return False
    prepare(policy, learner, run, room)
    return algorithm.fits_value == 0 or fit_values(
        optimisation.critic, optimisation, factor, learner, accounts, a, run, room
    )


@routine
def update_values(critic, optimisation, factor, learner, accounts, a, run, room):
    """The value function's part of `update`."""
    size, at, n = learner.n_weights, room.value_at, accounts.sums[a, accounts.stats_at + COUNT]
    rule, rate = optimisation.rule, optimisation.lr_value * factor
    if accounts.lists == 1 and rule.plain == 1:
        width = learner.n_theta // size  # parameters of a row
        for k in range(1, room.spans[0, 0] + 1):
            for s in range(room.spans[k, 0] // width, room.spans[k, 1] // width):
                room.numbers[at + s] = accounts.sums[a, accounts.value_at + s] / n
        shorten(optimisation.bound, room.numbers, room.spans, at, width)
        return move_spans(rule, rate, learner, run, learner.weights_at, size, room, at, width)
    for k in range(size):
        room.numbers[at + k] = accounts.sums[a, accounts.value_at + k] / n
    span_everything(room, size)
    shorten(optimisation.bound, room.numbers, room.spans, at, 1)
    return move_parameters(rule, rate, learner, run, learner.weights_at, size, room, at, 0, size)


# (critic, optimisation, factor, learner, accounts, a, run, room) -> is w finite?
fit_values = optional_hook("fit_values", update_values)


@kernel
def derive(policy, learner, room):
    """What lanes use, from θ of the first run."""
    prepare(policy, learner, 0, room)


@leaf
def steps_credited(algorithm, lengths, episodes):
    return lengths


# (algorithm, steps, episodes) -> how many X_t they have
credits = optional_hook("credits", steps_credited)


@leaf
def follow_mean(algorithm, learner, run, sums, a, stats_at):
    """The running mean of X_t takes in those of account `a`."""
    runs, at = learner.runs, learner.baseline_at
    total = sums[a, stats_at + CREDITED]
    count = credits(algorithm, sums[a, stats_at + LENGTH], sums[a, stats_at + COUNT])
    runs[run, learner.played_at] += count
    runs[run, at] += (total - count * runs[run, at]) / runs[run, learner.played_at]


@leaf
def log_row(plan, episodes):
    """The row of the log that the last of so many episodes belongs to: a run may have begun behind the others."""
    row = (episodes - 1 - plan.log_origin) // plan.log_every
    return row if row > 0 else 0


@routine
def note(plan, learner, sums, a, at, run, slot):
    """Add the statistics at sums[a, at] to a slot's clock and log, and to its run's running baseline."""
    clock, runs = learner.clock, learner.runs
    count = sums[a, at + COUNT]
    if count == 0.0:
        return
    clock[slot, EPISODES] += np.int64(count)
    clock[slot, STEPS] += np.int64(sums[a, at + LENGTH])
    clock[slot, UPDATES] += np.int64(sums[a, at + MOVES])
    merge_stats(sums, a, at, learner.log[slot], log_row(plan, clock[slot, EPISODES]), 0)
    if plan.learn == 1:
        runs[run, learner.reference_at] = sums[a, at + REFERENCE] + sums[a, at + SUM] / count
