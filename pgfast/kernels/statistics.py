"""Statistics of episodes, updates and logs: sums that can be added to one another.

They are sums over episodes: their count; of the returns' differences from a reference, and of the squares of these; of
lengths and of G_0; over steps, of the returns X_t credited to them; of the policy's entropy at each step, or instead
the likelihood of all actions as mantissa · 2**exponent; over updates, of the gradient's squared norm, and their count.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import leaf, routine, wide
from pgfast.kernels.lanes import split

N_STATS = 12  # columns of statistics:
COUNT, REFERENCE, SUM, SQUARES, LENGTH, DISCOUNTED, CREDITED, ENTROPY, MANTISSA, EXPONENT, NORM, MOVES = range(N_STATS)


@leaf
def count_episode(sums, a, at, undiscounted, discounted, length):
    """Add one episode to the statistics that begin at sums[a, at]."""
    difference = wide(undiscounted) - sums[a, at + REFERENCE]
    sums[a, at + COUNT] += 1.0
    sums[a, at + SUM] += difference
    sums[a, at + SQUARES] += difference * difference
    sums[a, at + LENGTH] += length
    sums[a, at + DISCOUNTED] += wide(discounted)


@leaf
def count_likelihood(sums, a, at, likelihood, exponent):
    """Multiply a likelihood by likelihood · 2**exponent."""
    mantissa, power = split(sums[a, at + MANTISSA] * wide(likelihood))
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
