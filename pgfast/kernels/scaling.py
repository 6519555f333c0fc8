"""Running mean and deviation of what is observed, for features that are counted from them.

Lanes sum up d = o − μ and d² over the observations for which they find actions (`gather_observed` in
`pgfast.kernels.lanes`), and hand their sums in with those of the gradient. When a batch of n observations is complete,
its mean μ + δ and its sum of squared deviations M are merged with those of the N observations before
(Chan, Golub & LeVeque 1983, Algorithms for computing the sample variance, The American Statistician 37):

    μ ← μ + δ n / (N + n),    M ← M + M_batch + δ² N n / (N + n),    σ² = M / N.

So they stand still while a batch is played, and depend on nothing but the episodes played.

K numbers of an observation; of a run N, the K means and the K sums of squares are kept.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import leaf, routine, wide
from pgfast.kernels.statistics import LENGTH
from pgfast.vmath import sqrt

_CONSTANT = 1e-12  # a variance that is smaller, relative to μ², comes from rounding


@leaf
def scale_of(runs, run, at, width, k):
    """(μ, 1/σ) of number k of `width`, in the row of a run; (0, 1) before anything was observed, and 1 for a number
    that is always the same."""
    count, mean, squares = runs[run, at], runs[run, at + 1 + k], runs[run, at + 1 + width + k]
    varies = (count > 0.0) & (squares > _CONSTANT * count * mean * mean)
    return mean, sqrt(count / squares) if varies else 1.0


@leaf
def load_scale(learner, lanes, i, run):
    """Lane i counts what it observes from a run's mean, and has summed up nothing."""
    width = lanes.scale.shape[0] // 2
    for k in range(width):
        lanes.scale[k, i], lanes.scale[width + k, i] = scale_of(learner.runs, run, learner.observed_at, width, k)
        lanes.observed[width + k, i] = 0.0
        lanes.observed[2 * width + k, i] = 0.0


@leaf
def hand_in_observed(lanes, accounts, account, i):
    """Add what lane i has summed up to an account."""
    width = lanes.scale.shape[0] // 2
    for k in range(2 * width):
        accounts.sums[account, accounts.observed_at + k] += wide(lanes.observed[width + k, i])


@routine
def follow_observed(lanes, learner, accounts, a, run):
    """The running mean and deviation of a run take in the observations of account `a`."""
    runs, sums, at, first = learner.runs, accounts.sums, learner.observed_at, accounts.observed_at
    width, n = lanes.scale.shape[0] // 2, sums[a, accounts.stats_at + LENGTH]
    if width > 0 and n > 0.0:
        before = runs[run, at]
        runs[run, at] = before + n
        share = n / (before + n)
        for k in range(width):
            shift = sums[a, first + k] / n
            own = sums[a, first + width + k] - n * shift * shift
            runs[run, at + 1 + k] += share * shift
            runs[run, at + 1 + width + k] += (own if own > 0.0 else 0.0) + share * before * shift * shift
