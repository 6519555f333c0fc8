"""What is learned, what is counted, and one update of one run.

K runs, P parameters, R rows of gradient, V value weights, W rows of the log. What belongs to a run stands in one row of
one array, and so does what belongs to an account: kernels pass few arguments.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import kernel, leaf, routine
from pgfast.kernels.lanes import split
from pgfast.protocol import change, correction, expand, prepare

EPISODES, STEPS, UPDATES, FAILED, LAST = range(5)  # columns of `clock`
LINE = 8  # numbers in a cache line
N_STATS = 12  # columns of statistics:
COUNT, REFERENCE, SUM, SQUARES, LENGTH, DISCOUNTED, CREDITED, ENTROPY, MANTISSA, EXPONENT, NORM, MOVES = range(N_STATS)


class Optimisation(NamedTuple):
    """Step rule and step sizes of policy and value function."""

    rule: Any
    lr: float
    lr_value: float
    batch: int  # episodes per update


class Learner(NamedTuple):
    """All runs. A row of `runs` holds θ (P), its two moments (2 P), the value weights (V), their moments (2 V), what
    lanes use (Q, derived from θ after each update), β₁ᵗ, β₂ᵗ, the running mean of X_t, the number from which returns
    are tallied as differences, and the steps in the running mean.

    Statistics are sums over episodes: their count; of the returns' differences from a reference, and of the squares of
    these; of lengths and of G_0; over steps,
    of the returns X_t credited to them; of the policy's entropy at each step, or instead the likelihood of all actions
    as mantissa · 2**exponent; over updates, of the
    gradient's squared norm, and their count."""

    runs: Any  # float64 (K, 3 P + 3 V + Q + 5, and what fills the last cache line)
    flat: Any  # the same numbers, one-dimensional
    clock: Any  # int64 (K, 8): episodes, steps, updates; the episode at which θ stopped being finite, or −1; the end
    log: Any  # float64 (K, W, N_STATS)
    n_theta: int  # P
    n_weights: int  # V
    n_rows: int  # R
    weights_at: int  # 3 P
    prepared_at: int  # 3 P + 3 V
    decays_at: int  # 3 P + 3 V + Q
    baseline_at: int
    reference_at: int
    played_at: int


class Accounts(NamedTuple):
    """Sums over the episodes of a batch, a row for each block of it: gradient (R), value gradient (V), statistics
    (N_STATS), and for the leave-one-out baseline or a tabular entropy bonus Σ w_t ∇ log π (R) and
    Σ_episodes G_0 Σ_t w_t ∇ log π (R)."""

    sums: Any  # float64 (N, R + V + N_STATS) or (N, R + V + N_STATS + 2 R)
    value_at: int  # R
    stats_at: int  # R + V
    scores_at: int  # R + V + N_STATS
    returns_at: int  # R + V + N_STATS + R
    counts: int  # 1: the last two are there
    notes: Any  # float64 (N, N_STATS): what lanes that are runs have tallied


class Room(NamedTuple):
    """Scratch of one update: gradient (P), candidate for θ or w, value gradient (V), preferences (A)."""

    numbers: Any  # float64
    trial_at: int
    value_at: int
    preferences_at: int


def make_rows(count: int, width: int, dtype: Any = float) -> np.ndarray:
    """Zeros, (count, width or a little more), 8 bytes each; every row begins a cache line of its own, so that threads
    with neighbouring rows don't slow each other down."""
    columns = -(-width // LINE) * LINE
    buffer = np.zeros(count * columns + LINE, dtype)
    start = -buffer.ctypes.data // 8 % LINE
    return buffer[start : start + count * columns].reshape(count, columns)


def make_learner(theta: np.ndarray, n_rows: int, n_prepared: int, n_weights: int, log_rows: int) -> Learner:
    """Runs that start from `theta` (K, P), nothing prepared yet."""
    k, p = theta.shape
    weights_at, prepared_at = 3 * p, 3 * p + 3 * n_weights
    decays_at = prepared_at + n_prepared
    runs = make_rows(k, decays_at + 5)
    runs[:, :p] = theta
    runs[:, decays_at : decays_at + 2] = 1.0
    clock = make_rows(k, 5, np.int64)
    clock[:, FAILED] = -1
    return Learner(
        runs, runs.reshape(-1), clock, make_log(k, log_rows), p, n_weights, n_rows,
        weights_at, prepared_at, decays_at, decays_at + 2, decays_at + 3, decays_at + 4,
    )  # fmt: skip


def make_log(runs: int, rows: int) -> np.ndarray:
    """An empty log, (runs, rows, N_STATS)."""
    log = np.zeros((runs, rows, N_STATS))
    log[:, :, MANTISSA] = 1.0
    return log


def make_accounts(count: int, n_rows: int, n_weights: int, counts: bool) -> Accounts:
    """`count` empty accounts."""
    stats_at = n_rows + n_weights
    scores_at = stats_at + N_STATS
    sums = make_rows(count, scores_at + (2 * n_rows if counts else 0))
    sums[:, stats_at + MANTISSA] = 1.0
    return Accounts(sums, n_rows, stats_at, scores_at, scores_at + n_rows, int(counts), np.zeros((count, N_STATS)))


def make_room(n_theta: int, n_weights: int, n_actions: int) -> Room:
    """Room for one update at a time."""
    most = max(n_theta, n_weights)
    return Room(np.zeros(n_theta + most + n_weights + n_actions), n_theta, n_theta + most, n_theta + most + n_weights)


@routine
def clear_account(accounts, a):
    """Set a row of sums to zero."""
    for k in range(accounts.sums.shape[1]):
        accounts.sums[a, k] = 0.0
    accounts.sums[a, accounts.stats_at + MANTISSA] = 1.0


@routine
def move_account(accounts, source, target):
    """Copy one row of sums over another."""
    for k in range(accounts.sums.shape[1]):
        accounts.sums[target, k] = accounts.sums[source, k]


@leaf
def count_episode(sums, a, at, undiscounted, discounted, length):
    """Add one episode to the statistics that begin at sums[a, at]."""
    difference = undiscounted - sums[a, at + REFERENCE]
    sums[a, at + COUNT] += 1.0
    sums[a, at + SUM] += difference
    sums[a, at + SQUARES] += difference * difference
    sums[a, at + LENGTH] += length
    sums[a, at + DISCOUNTED] += discounted


@leaf
def count_likelihood(sums, a, at, likelihood, exponent):
    """Multiply a likelihood by likelihood · 2**exponent."""
    mantissa, power = split(sums[a, at + MANTISSA] * likelihood)
    sums[a, at + MANTISSA] = mantissa
    sums[a, at + EXPONENT] += exponent + power


@routine
def merge_stats(source, a, source_at, target, b, target_at):
    """Add the statistics at source[a, source_at] to those at target[b, target_at], and keep the latter's reference."""
    if target[b, target_at + COUNT] == 0.0:
        target[b, target_at + REFERENCE] = source[a, source_at + REFERENCE]
    count, total = source[a, source_at + COUNT], source[a, source_at + SUM]
    shift = source[a, source_at + REFERENCE] - target[b, target_at + REFERENCE]
    target[b, target_at + SUM] += total + count * shift
    target[b, target_at + SQUARES] += source[a, source_at + SQUARES] + shift * (2.0 * total + count * shift)
    for k in (COUNT, LENGTH, DISCOUNTED, CREDITED, ENTROPY, NORM, MOVES):
        target[b, target_at + k] += source[a, source_at + k]
    count_likelihood(target, b, target_at, source[a, source_at + MANTISSA], source[a, source_at + EXPONENT])


@routine
def fold(accounts, first, count):
    """Sum rows first … first + count − 1 into the first, in order."""
    sums, stats_at = accounts.sums, accounts.stats_at
    for b in range(first + 1, first + count):
        for k in range(stats_at):
            sums[first, k] += sums[b, k]
        for k in range(accounts.scores_at, sums.shape[1]):
            sums[first, k] += sums[b, k]
        merge_stats(sums, b, stats_at, sums, first, stats_at)


@leaf
def leave_one_out(accounts, a):
    """Subtract Σ_i b_i s_i from Σ_i g_i, where b_i is the mean return of the other episodes and s_i the i-th's scores:
    Σ_i b_i s_i = (Σ G_i Σ s_i − Σ G_i s_i) / (n − 1). A batch of one has no others, and no baseline."""
    sums = accounts.sums
    n = sums[a, accounts.stats_at + COUNT]
    if n > 1.0:
        total = sums[a, accounts.stats_at + DISCOUNTED]
        for r in range(accounts.value_at):
            correction = total * sums[a, accounts.scores_at + r] - sums[a, accounts.returns_at + r]
            sums[a, r] -= correction / (n - 1.0)


@leaf
def tick_decays(rule, learner, run):
    """β₁ᵗ and β₂ᵗ of the step to come."""
    learner.runs[run, learner.decays_at] *= rule.beta1
    learner.runs[run, learner.decays_at + 1] *= rule.beta2


@routine
def move_parameters(rule, rate, learner, run, block, size, room, gradient_at, first, last):
    """Entries first … last − 1 of the block of `size` parameters at ``runs[run, block]``, followed by their moments,
    take a step along the gradient at ``room.numbers[gradient_at]``; False, and parameters as they were, when one would
    not be finite."""
    runs, numbers, trial_at = learner.runs, room.numbers, room.trial_at
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
    good = True
    for r in range(first, last):
        good &= isfinite(numbers[trial_at + r])
    if good:
        for r in range(first, last):
            runs[run, block + r] = numbers[trial_at + r]
    return good


@leaf
def squared_norm(numbers, first, last):
    """Sum of the squares of entries first … last − 1."""
    total = 0.0
    for r in range(first, last):
        total += numbers[r] * numbers[r]
    return total


@routine
def update(policy, algorithm, optimisation, learner, accounts, a, run, room):
    """Move run's θ (and value function) by the sums of account `a`; False when the new θ would not be finite."""
    sums, stats_at = accounts.sums, accounts.stats_at
    n = sums[a, stats_at + COUNT]
    if algorithm.leaves_one_out == 1:
        leave_one_out(accounts, a)
    expand(policy, algorithm, learner, run, accounts, a, room)
    for r in range(learner.n_theta):
        room.numbers[r] /= n
    sums[a, stats_at + NORM] = squared_norm(room.numbers, 0, learner.n_theta)
    sums[a, stats_at + MOVES] = 1.0
    rule = optimisation.rule
    tick_decays(rule, learner, run)
    if not move_parameters(rule, optimisation.lr, learner, run, 0, learner.n_theta, room, 0, 0, learner.n_theta):
        return False
    prepare(policy, learner, run, room, rule.plain)
    if algorithm.fits_value == 1:
        size = learner.n_weights
        for k in range(size):
            room.numbers[room.value_at + k] = sums[a, accounts.value_at + k] / n
        return move_parameters(
            rule, optimisation.lr_value, learner, run, learner.weights_at, size, room, room.value_at, 0, size
        )
    return True


@kernel
def derive(policy, learner, room):
    """What lanes use, from θ of the first run."""
    prepare(policy, learner, 0, room, 0)


@leaf
def follow_mean(learner, run, total, count):
    """The running mean of X_t takes in `count` steps with a sum of `total`."""
    runs, at = learner.runs, learner.baseline_at
    runs[run, learner.played_at] += count
    runs[run, at] += (total - count * runs[run, at]) / runs[run, learner.played_at]


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
    row = (clock[slot, EPISODES] - 1 - plan.log_origin) // plan.log_every
    merge_stats(sums, a, at, learner.log[slot], row, 0)
    if plan.learn == 1:
        runs[run, learner.reference_at] = sums[a, at + REFERENCE] + sums[a, at + SUM] / count
