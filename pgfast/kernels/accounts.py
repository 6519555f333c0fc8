"""Accounts: sums over the episodes of a batch, a row for each block of it.

N accounts, R rows of gradient, V value weights; S states of a table, or features of which few are active (here called
states, too). Of a large table only some states are visited between updates: an account then lists those, and clearing,
adding and updating cost as much as was visited, not as much as there is.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import busy_routine, leaf, routine
from pgfast.kernels.statistics import COUNT, DISCOUNTED, MANTISSA, N_STATS, merge_stats
from pgfast.room import check_room, zeros

LINE = 8  # numbers in a cache line
MANY = 16  # a share of the states, one in so many, from which on going through all marks costs little


class Accounts(NamedTuple):
    """Sums of the gradient (R), the value gradient (V), statistics (N_STATS), and for the leave-one-out baseline or a
    tabular entropy bonus Σ w_t ∇ log π (R) and Σ_episodes G_0 Σ_t w_t ∇ log π (R); M moments of the scores, for what
    refines the gradient; and O of what is observed."""

    sums: Any  # float64 (N, R + V + N_STATS + M + O) or (N, R + V + N_STATS + 2 R + M + O)
    value_at: int  # R
    stats_at: int  # R + V
    scores_at: int  # R + V + N_STATS
    returns_at: int  # R + V + N_STATS + R
    moments_at: int  # R + V + N_STATS or R + V + N_STATS + 2 R
    observed_at: int  # M further on
    counts: int  # 1: Σ w_t ∇ log π and Σ G_0 Σ_t w_t ∇ log π are there
    notes: Any  # float64 (N, N_STATS): what lanes that are runs have tallied
    width: int  # entries of a state of a table, or of one of many features; 0: neither
    values: int  # value weights of a state, where the states visited are listed
    lists: int  # 1: the states visited are listed
    marks: Any  # uint8 (N, S): 1 where a state is listed
    seen: Any  # int64 (N, S + 2): how many states are listed, which, and room to write one more


def make_rows(count: int, width: int, dtype: Any = float) -> np.ndarray:
    """Zeros, (count, width or a little more), 8 bytes each; every row begins a cache line of its own, so that threads
    with neighbouring rows don't slow each other down."""
    columns = -(-width // LINE) * LINE
    check_room((count, columns))
    buffer = np.empty(count * columns + LINE, dtype)  # NumPy asks for huge pages for these, not for zeros
    buffer[:] = 0
    start = -buffer.ctypes.data // 8 % LINE
    return buffer[start : start + count * columns].reshape(count, columns)


def make_accounts(
    count: int,
    n_rows: int,
    n_weights: int,
    counts: bool,
    width: int = 0,
    lists: bool = False,
    moments: int = 0,
    observed: int = 0,
) -> Accounts:
    """`count` empty accounts; `width` as of `Accounts`."""
    stats_at = n_rows + n_weights
    scores_at = stats_at + N_STATS
    moments_at = scores_at + (2 * n_rows if counts else 0)
    sums = make_rows(count, moments_at + moments + observed)
    sums[:, stats_at + MANTISSA] = 1.0
    listed = n_rows // width if lists else 0
    return Accounts(
        sums, n_rows, stats_at, scores_at, scores_at + n_rows, moments_at, moments_at + moments, int(counts),
        zeros((count, N_STATS)), width, n_weights // listed if listed else 0, int(lists),
        zeros((count, listed), np.uint8), zeros((count, listed + 2), np.int64),
    )  # fmt: skip


@leaf
def value_rows(accounts, s):
    """Where the value weights of state s stand: one, or one for each action, or none."""
    first = accounts.value_at + s * accounts.values
    return range(first, first + accounts.values)


@leaf
def see(accounts, a, s, count):
    """List a state after `count` others, unless it is among them; returns how many there are now."""
    accounts.seen[a, count + 1] = s
    count += 1 - accounts.marks[a, s]
    accounts.marks[a, s] = 1
    return np.int64(count)


@routine
def sort_seen(accounts, a):
    """Put the states listed in order where they are many: who goes through them then goes through memory in order."""
    n_states = accounts.marks.shape[1]
    if accounts.seen[a, 0] * MANY > n_states:
        count = np.int64(0)
        for s in range(n_states):  # without a branch that nobody could foretell
            accounts.seen[a, count + 1] = s
            count += np.int64(accounts.marks[a, s])


@routine
def clear_account(accounts, a):
    """Set a row of sums to zero."""
    sums, n = accounts.sums, accounts.width
    if accounts.lists == 0:
        for k in range(sums.shape[1]):
            sums[a, k] = 0.0
    else:
        for k in range(1, accounts.seen[a, 0] + 1):
            s = accounts.seen[a, k]
            accounts.marks[a, s] = 0
            for r in range(s * n, s * n + n):
                sums[a, r] = 0.0
                if accounts.counts == 1:
                    sums[a, accounts.scores_at + r] = 0.0
                    sums[a, accounts.returns_at + r] = 0.0
            for r in value_rows(accounts, s):
                sums[a, r] = 0.0
        accounts.seen[a, 0] = 0
        for k in range(accounts.stats_at, accounts.scores_at):
            sums[a, k] = 0.0
    sums[a, accounts.stats_at + MANTISSA] = 1.0


@routine
def move_account(accounts, source, target):
    """Move one row of sums to another, and clear it."""
    clear_account(accounts, target)
    fold(accounts, target, source, source + 1)
    clear_account(accounts, source)


@leaf
def add_rows(accounts, b, a):
    """Add the sums of row b, statistics apart, to those of row a."""
    sums = accounts.sums
    for k in range(accounts.stats_at):
        sums[a, k] += sums[b, k]
    for k in range(accounts.scores_at, sums.shape[1]):
        sums[a, k] += sums[b, k]


@leaf
def add_seen(accounts, b, a):
    """As `add_rows`, of the states listed."""
    sums, n = accounts.sums, accounts.width
    count = accounts.seen[a, 0]
    for k in range(1, accounts.seen[b, 0] + 1):
        s = accounts.seen[b, k]
        count = see(accounts, a, s, count)
        for r in range(s * n, s * n + n):
            sums[a, r] += sums[b, r]
            if accounts.counts == 1:
                sums[a, accounts.scores_at + r] += sums[b, accounts.scores_at + r]
                sums[a, accounts.returns_at + r] += sums[b, accounts.returns_at + r]
        for r in value_rows(accounts, s):
            sums[a, r] += sums[b, r]
    accounts.seen[a, 0] = count


@busy_routine
def fold(accounts, into, first, stop):
    """Add rows first … stop − 1 to row `into`, in order."""
    for b in range(first, stop):
        if accounts.lists == 0:
            add_rows(accounts, b, into)
        else:
            sort_seen(accounts, b)
            add_seen(accounts, b, into)
        merge_stats(accounts.sums, b, accounts.stats_at, accounts.sums, into, accounts.stats_at)


@routine
def find_spans(accounts, a, spans):
    """The rows of a table that were visited: spans[0, 0] is their number, spans[k] the first entry and the one past the
    last."""
    n, sums = accounts.width, accounts.sums
    spans[0, 0] = 0
    if accounts.lists == 1:
        sort_seen(accounts, a)
        for k in range(1, accounts.seen[a, 0] + 1):
            add_span(spans, accounts.seen[a, k] * n, accounts.seen[a, k] * n + n)
    else:
        for first in range(0, accounts.value_at, n):
            visited = False
            for r in range(first, first + n):
                visited |= sums[a, r] != 0.0 or (accounts.counts == 1 and sums[a, accounts.scores_at + r] != 0.0)
            if visited:
                add_span(spans, first, first + n)


@leaf
def add_span(spans, first, stop):
    """One range more, or a longer one where it follows the last."""
    count = spans[0, 0]
    if count == 0 or spans[count, 1] != first:
        count += 1
        spans[0, 0] = count
        spans[count, 0] = first
    spans[count, 1] = stop


@leaf
def leave_one_out(accounts, a, spans):
    """Subtract Σ_i b_i s_i from Σ_i g_i, where b_i is the mean return of the other episodes and s_i the i-th's scores:
    Σ_i b_i s_i = (Σ G_i Σ s_i − Σ G_i s_i) / (n − 1). A batch of one has no others, and no baseline."""
    sums = accounts.sums
    n = sums[a, accounts.stats_at + COUNT]
    if n > 1.0:
        total = sums[a, accounts.stats_at + DISCOUNTED]
        for k in range(1, spans[0, 0] + 1):
            for r in range(spans[k, 0], min(spans[k, 1], accounts.value_at)):
                correction = total * sums[a, accounts.scores_at + r] - sums[a, accounts.returns_at + r]
                sums[a, r] -= correction / (n - 1.0)
