"""What a policy says of actions taken before, under the θ of now: for algorithms that go over a batch several times.

From what a record has of a step (features; the action, or the numbers it was drawn as) come the *distribution* ``m.p``,
of choices π_b (A), of real actions μ_k and log σ_k (2 K); the action's *chance*, π of a choice, of real actions log π
less what doesn't depend on θ; the *ratio* of π to what it was when the action was drawn, from the chance it had before;
score coefficients; and the divergence from the earlier distribution ``m.old``, KL(old ‖ new).

Shapes (…, L), L = LANES; n lanes are at work. Where ``lanes.live`` is 0 nothing was done: coefficients are 0.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import lane_kernel, leaf
from pgfast.policies.softmax import finite, sigmoid_pair
from pgfast.vmath import exp, log


@leaf
def judge_pair(i, difference, lanes, m):
    """`judge_choices` of two actions in lane i, from the difference of their preferences."""
    p, q = sigmoid_pair(difference)
    first = lanes.action[i] == 0
    m.p[0, i] = p
    m.p[1, i] = q
    m.chance[i] = p if first else q
    c = lanes.live[i] * (q if first else -p)
    m.c[0, i] = c
    m.c[1, i] = -c


@lane_kernel
def judge_two(n, lanes, m):
    """`judge_choices` of two actions."""
    for i in range(n):
        judge_pair(i, m.h[0, i] - m.h[1, i], lanes, m)


@lane_kernel
def judge_many(n, lanes, m):
    """`judge_choices` of any number of actions."""
    n_actions = m.h.shape[0]
    for i in range(n):
        m.peak[i] = finite(m.h[0, i])
        m.scratch[i] = 0.0
    for b in range(1, n_actions):
        for i in range(n):
            x = finite(m.h[b, i])
            m.peak[i] = x if x > m.peak[i] else m.peak[i]
    for b in range(n_actions):
        for i in range(n):
            p = exp(finite(m.h[b, i]) - m.peak[i])
            m.p[b, i] = p
            m.scratch[i] += p
    for b in range(n_actions):
        for i in range(n):
            p = m.p[b, i] / m.scratch[i]
            m.p[b, i] = p
            m.chance[i] = p if lanes.action[i] == b else m.chance[i]
            m.c[b, i] = lanes.live[i] * ((1.0 if lanes.action[i] == b else 0.0) - p)


@lane_kernel
def judge_choices(n, lanes, m):
    """From preferences ``m.h`` and actions: chance and score coefficients."""
    if m.h.shape[0] == 2:
        judge_two(n, lanes, m)
    else:
        judge_many(n, lanes, m)


@lane_kernel
def judge_reals(n, lanes, m):
    """From the distribution and the numbers drawn, ``m.drawn``: chance and score coefficients."""
    size = m.drawn.shape[0]
    for i in range(n):
        m.chance[i] = 0.0
    for k in range(size):
        for i in range(n):
            inverse = finite(exp(-m.p[size + k, i]))
            z = (m.drawn[k, i] - m.p[k, i]) * inverse
            m.c[k, i] = lanes.live[i] * z * inverse
            m.c[size + k, i] = lanes.live[i] * (z * z - 1.0)
            m.chance[i] -= 0.5 * z * z + m.p[size + k, i]


@lane_kernel
def find_ratios(n, m):
    """From the chances of now and then."""
    for i in range(n):
        m.ratio[i] = exp(m.chance[i] - m.before[i]) if m.drawn.shape[0] > 0 else m.chance[i] / m.before[i]


@lane_kernel
def write_log(n, x, row):
    """row = log x."""
    for i in range(n):
        row[i] = log(x[i])


@lane_kernel
def divergence_of_choices(n, m):
    """Σ_b old_b log(old_b / new_b)."""
    for i in range(n):
        m.divergence[i] = 0.0
    for b in range(m.p.shape[0]):
        for i in range(n):
            old = m.old[b, i]
            m.divergence[i] += old * (log(old) - log(m.p[b, i])) if old > 0.0 else 0.0


@lane_kernel
def divergence_of_reals(n, m):
    """Σ_k log(σ_k/σ'_k) + (σ'_k² + (μ'_k − μ_k)²) / (2 σ_k²) − 1/2, old ones with a stroke."""
    size = m.drawn.shape[0]
    for i in range(n):
        m.divergence[i] = 0.0
    for k in range(size):
        for i in range(n):
            old, new, apart = m.old[size + k, i], m.p[size + k, i], m.old[k, i] - m.p[k, i]
            spread = exp(2.0 * old) + apart * apart
            m.divergence[i] += new - old + 0.5 * spread * exp(-2.0 * new) - 0.5
