"""The softmax over action preferences, lane by lane.

Notation of Sutton & Barto (2018), section 13.1: preferences h(s, a, θ), π(a|s, θ) = exp h_a / Σ_b exp h_b. The score of
a softmax is linear in the *score coefficients* c_b = 1{b = A_t} − π_b: ∇ log π(A_t|S_t) = Σ_b c_b ∇h_b.
The gradient of its entropy H = −Σ_b π_b log π_b is Σ_b −π_b (log π_b + H) ∇h_b.

Shapes: A actions, L = LANES; all arrays (…, L); `n` is the number of lanes at work.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import as_float, as_single, by_precision, lane_kernel, leaf
from pgfast.vmath import exp, exp_parts, log

SMALL = 8  # rows that are worth keeping in registers: loops over them go inside the loop over lanes
_LARGEST, _LARGEST_SINGLE = 1.7976931348623157e308, 3.4028234663852886e38


def fit_single(x, like):
    """As `fit` for a float32."""
    x = -_LARGEST_SINGLE if x < -_LARGEST_SINGLE else x
    return _LARGEST_SINGLE if x > _LARGEST_SINGLE else x


@by_precision(fit_single)
def fit(x, like):
    """x, which may be infinite, taken back to the largest number of the precision of `like`."""
    x = -_LARGEST if x < -_LARGEST else x
    return _LARGEST if x > _LARGEST else x


@leaf
def finite(x):
    """x, with an overflow to ±inf taken back to the largest float: a difference of preferences stays a number."""
    return fit(x, x)


def sigmoid_pair_single(x):
    """As `sigmoid_pair`; ±inf is as good as ±86."""
    y = 86.0 if x > 86.0 else x
    y = -86.0 if y < -86.0 else y
    mantissa, k = exp_parts(-y)
    odds = mantissa * as_single((k + 127) << 23)
    p = 1.0 / (1.0 + odds)
    return p, odds * p


@by_precision(sigmoid_pair_single)
def sigmoid_pair(x):
    """(1/(1 + e⁻ˣ), 1/(1 + eˣ)), both accurate however small; ±inf is as good as ±700."""
    y = 700.0 if x > 700.0 else x
    y = -700.0 if y < -700.0 else y
    mantissa, k = exp_parts(-y)
    odds = mantissa * as_float((k + 1023) << 52)
    p = 1.0 / (1.0 + odds)
    return p, odds * p


@leaf
def sample_two(i, p, q, lanes, m):
    """Sample in lane i from two actions of probabilities p and q = 1 − p: action, its probability, and the score
    coefficients. A lane whose episode has ended gets coefficients 0: it adds nothing to an estimate."""
    first, running = lanes.uniforms[0, i] < p, lanes.done[i] == 0
    lanes.action[i] = 0 if first else 1
    lanes.probability[i] = (p if first else q) if running else 1.0
    c = (q if first else -p) if running else 0.0
    m.c[0, i] = c
    m.c[1, i] = -c


@lane_kernel
def softmax_two(n, h):
    """Two preferences become probabilities; h (2, L)."""
    for i in range(n):
        h[0, i], h[1, i] = sigmoid_pair(h[0, i] - h[1, i])


@lane_kernel
def sample_pairs(n, lanes, m):
    """Sample from the two probabilities in ``m.h``."""
    for i in range(n):
        sample_two(i, m.h[0, i], m.h[1, i], lanes, m)


@lane_kernel
def softmax_many(n, h, u, done, peak, total, action, probability, c):
    """As `sample_two` for any number of preferences; `peak` and `total` are scratch rows, `h` becomes π.

    The action is the first whose cumulative sum of exp(h − peak) exceeds u times the sum of all: rounding can't make it
    one of probability 0."""
    n_actions = h.shape[0]
    for i in range(n):
        peak[i] = finite(h[0, i])
        total[i] = 0.0
        action[i] = 0
        probability[i] = 0.0 if done[i] == 0 else 1.0
    for b in range(1, n_actions):
        for i in range(n):
            x = finite(h[b, i])
            peak[i] = x if x > peak[i] else peak[i]
    for b in range(n_actions):
        for i in range(n):
            p = exp(finite(h[b, i]) - peak[i])
            h[b, i] = p
            total[i] += p
    for i in range(n):
        peak[i] = 0.0  # from here on the cumulative sum
    for b in range(n_actions - 1):
        for i in range(n):
            peak[i] += h[b, i]
            action[i] += 1 if peak[i] <= u[i] * total[i] else 0
    for b in range(n_actions):
        for i in range(n):
            p = h[b, i] / total[i]
            taken, running = action[i] == b, done[i] == 0
            h[b, i] = p
            c[b, i] = (1.0 if taken else 0.0) - p if running else 0.0
            probability[i] += p if taken & running else 0.0


@lane_kernel
def greedy(n, h, done, peak, action, probability):
    """The action with the largest preference; of equals, the first. It is certain, unless preferences are no numbers:
    then the probability is none, which tells of it."""
    for i in range(n):
        peak[i] = h[0, i]
        action[i] = 0
    for b in range(1, h.shape[0]):
        for i in range(n):
            better = h[b, i] > peak[i]
            peak[i] = h[b, i] if better else peak[i]
            action[i] += b - action[i] if better else 0
    for i in range(n):
        probability[i] = 1.0 + 0.0 * finite(peak[i]) if done[i] == 0 else 1.0


@lane_kernel
def entropy_coefficients(n, scale, weight, action, c, peak, q):
    """q_b += scale · weight · (−π_b (log π_b + H)), π read off the score coefficients c; `peak` is a scratch row."""
    n_actions = c.shape[0]
    for i in range(n):
        peak[i] = 0.0
    for b in range(n_actions):
        for i in range(n):
            p = (1.0 if action[i] == b else 0.0) - c[b, i]
            peak[i] -= p * log(p) if p > 0.0 else 0.0
    for b in range(n_actions):
        for i in range(n):
            p = (1.0 if action[i] == b else 0.0) - c[b, i]
            q[b, i] -= scale * weight[i] * p * (log(p) + peak[i]) if p > 0.0 else 0.0


@leaf
def choose(n, deterministic, lanes, m):
    """Actions from the preferences ``m.h``: sampled, with their score coefficients, or the greedy ones."""
    if deterministic == 1:
        greedy(n, m.h, lanes.done, m.peak, lanes.action, lanes.probability)
    elif m.h.shape[0] == 2:
        softmax_two(n, m.h)
        sample_pairs(n, lanes, m)
    else:
        softmax_many(n, m.h, lanes.uniforms[0], lanes.done, m.peak, m.scratch, lanes.action, lanes.probability, m.c)


@leaf
def unmarked(mark):
    """The action, or entry of a table, behind a mark on a tape, which is −1 − it in an episode's last step."""
    return np.int64(-1 - mark if mark < 0 else mark)


@leaf
def score_preferences(action, scale, entropy_scale, numbers, h, n_actions):
    """Preferences at numbers[h], …, numbers[h + A − 1] become scale · (1{b = action} − π_b) + entropy_scale · (−π_b
    (log π_b + H))."""
    peak = finite(numbers[h])
    for b in range(h + 1, h + n_actions):
        x = finite(numbers[b])
        peak = x if x > peak else peak
    total = 0.0
    for b in range(h, h + n_actions):
        numbers[b] = exp(finite(numbers[b]) - peak)
        total += numbers[b]
    entropy = 0.0
    for b in range(h, h + n_actions):
        p = numbers[b] / total
        numbers[b] = p
        if entropy_scale != 0.0 and p > 0.0:
            entropy -= p * log(p)
    for b in range(h, h + n_actions):
        p = numbers[b]
        numbers[b] = scale * ((1.0 if b - h == action else 0.0) - p)
        if entropy_scale != 0.0 and p > 0.0:
            numbers[b] -= entropy_scale * p * (log(p) + entropy)
