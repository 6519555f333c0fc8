"""Gaussian policy for real actions: a_k ~ N(μ_k(s), σ_k²), each number of the action by itself.

Sutton & Barto (2018), section 13.7; Williams (1992), section 6. The mean is linear in the state features, the standard
deviation the same in every state: μ_k(s) = m_k + w_kᵀ x(s) and log σ_k = log s_k + ρ_k, where m is the middle of the
Box and s the first standard deviation, so that θ = 0 is a policy to begin with. θ is (K, D + 1), w_k and ρ_k in a row.

The environment takes the action brought into its Box, clipped or squashed. The score is that of the action as it was
drawn: so clipping is a part of the environment, and the estimate stays unbiased. With z = (a − μ)/σ,
∇_μ log π = z/σ and ∇_ρ log π = z² − 1; they are the *score coefficients* c, the K of μ before the K of ρ. The entropy
is H = Σ_k log σ_k + K/2 log 2πe, and ∇_ρ H = 1.

Lanes carry, "prepared" from θ: w (K D), σ (K), 1/σ (K), H. Shapes: (…, L) with L = LANES; `n` lanes are at work.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import fma, lane_kernel, leaf
from pgfast.policies.linear import copy_rows
from pgfast.policies.softmax import SMALL, finite, fit
from pgfast.policies.taken import divergence_of_reals, judge_reals, write_log
from pgfast.protocol import into_box, write
from pgfast.vmath import exp


@leaf
def clip(x, low, high):
    """x, or the bound that it lies beyond; a NaN becomes `low`."""
    x = x if x > low else low
    return x if x < high else high


@lane_kernel
def write_product(n, row, k, first, theta, x, h):
    """h[k] = first + Σ_j theta[row D + j] x[j]; x (D, L)."""
    d = x.shape[0]
    if d <= SMALL:
        for i in range(n):
            total = first
            for j in range(d):
                total = fma(theta[row * d + j, i], x[j, i], total)
            h[k, i] = total
    else:
        for i in range(n):
            h[k, i] = first
        for j in range(d):
            for i in range(n):
                h[k, i] = fma(theta[row * d + j, i], x[j, i], h[k, i])


@lane_kernel
def sample(n, k, box, low, high, lanes, m):
    """Number k of the action, as it is drawn in place of its mean ``h[k]`` and as it is taken, and its two score
    coefficients: 0 in a lane whose episode has ended."""
    size = m.h.shape[0]
    at = size * m.x.shape[0] + k
    for i in range(n):
        z, running = lanes.normals[k, i], lanes.done[i] == 0
        drawn = fma(m.theta[at, i], z, m.h[k, i])
        m.h[k, i] = drawn
        lanes.reals[k, i] = into_box(box, drawn, low, high)
        m.c[k, i] = z * m.theta[at + size, i] if running else 0.0
        m.c[size + k, i] = fma(z, z, -1.0) if running else 0.0


@lane_kernel
def take_mean(n, k, box, low, high, lanes, m):
    """The mean as number k of the action."""
    for i in range(n):
        lanes.reals[k, i] = into_box(box, m.h[k, i], low, high)


@lane_kernel
def sum_entropy(n, lanes, m):
    """Sum the policy's entropy where the episode is going on."""
    last = m.theta.shape[0] - 1
    for i in range(n):
        lanes.entropy[i] += m.theta[last, i] if lanes.done[i] == 0 else 0.0


@lane_kernel
def copy_entropy(n, m):
    """The policy's entropy, the same everywhere, into ``m.peak``."""
    for i in range(n):
        m.peak[i] = m.theta[m.theta.shape[0] - 1, i]


@lane_kernel
def weigh_deviations(n, scale, lanes, q):
    """scale · w_t to the coefficients of every ρ, where the step counts; q (2 K, L)."""
    for k in range(q.shape[0] // 2, q.shape[0]):
        for i in range(n):
            q[k, i] += scale * lanes.weight[i] * lanes.live[i]


@leaf
def prepare_lane(i, d, std0, entropy0, share, full, theta):
    """What lanes use, in lanes with a share, that have moved; full (P, L), theta (K D + 2 K + 1, L)."""
    size = full.shape[0] // (d + 1)
    entropy = entropy0
    for k in range(size):
        for j in range(d):
            theta[k * d + j, i] = full[k * (d + 1) + j, i] if share[i] != 0.0 else theta[k * d + j, i]
        rho, at = full[k * (d + 1) + d, i], size * d + k
        theta[at, i] = fit(std0[k] * exp(rho), rho) if share[i] != 0.0 else theta[at, i]
        theta[at + size, i] = fit(exp(-rho) / std0[k], rho) if share[i] != 0.0 else theta[at + size, i]
        entropy += rho
    last = size * d + 2 * size
    theta[last, i] = fit(entropy, theta[last, i]) if share[i] != 0.0 else theta[last, i]


class Clipped(NamedTuple):
    """What is drawn, or the bound that it lies beyond."""

    def into_box(self, x, low, high):
        return clip(x, low, high)


class First(NamedTuple):
    """What actions are drawn from where θ is 0, and how they get into the Box."""

    box: Any  # `Clipped`, or `pgfast.policies.squashed.Squashed`
    low: tuple[float, ...]  # bounds of the Box, finite
    high: tuple[float, ...]
    middle: tuple[float, ...]  # m
    std0: tuple[float, ...]  # s
    entropy0: float  # H


@leaf
def draw_actions(n, deterministic, first, lanes, m):
    """All numbers of the action from the means ``m.h``: as `sample`, or `take_mean`, has each."""
    for k in range(m.h.shape[0]):
        if deterministic == 1:
            take_mean(n, k, first.box, first.low[k], first.high[k], lanes, m)
        else:
            sample(n, k, first.box, first.low[k], first.high[k], lanes, m)


class LinearGaussian(NamedTuple):
    """a_k ~ N(m_k + w_kᵀ x(s), (s_k exp ρ_k)²)."""

    features: Any
    first: First

    def act(self, env, like, n, w, learner, deterministic):
        lanes, m = w.lanes, w.memory
        write(self.features, env, n, like, w, m.x)
        copy_rows(n, m.x, m.v)
        for k in range(m.h.shape[0]):
            write_product(n, k, k, self.first.middle[k], m.theta, m.x, m.h)
        draw_actions(n, deterministic, self.first, lanes, m)
        sum_entropy(n, lanes, m)

    def steers(self, r):
        """Is row r a mean's? Deviations play no part in preferred actions."""
        return r % (self.features.n_features + 1) < self.features.n_features

    def score(self, i, r, coefficients, m):
        """Row k (D + 1) + j of the sum in lane i: c_k x_j, or for j = D the coefficient of ρ_k."""
        d = m.x.shape[0]
        k, j = r // (d + 1), r % (d + 1)
        return coefficients[k, i] * m.x[j, i] if j < d else coefficients[coefficients.shape[0] // 2 + k, i]

    def see_values(self, env, like, n, w):
        write(self.features, env, n, like, w, w.memory.v)

    def measure_entropy(self, n, lanes, m):
        """H in ``m.peak``."""
        copy_entropy(n, m)

    def weigh_entropy(self, n, scale, lanes, m):
        """The coefficients of scale · w_t ∇H, added to ``m.q``."""
        weigh_deviations(n, scale, lanes, m.q)

    def expand(self, algorithm, learner, run, accounts, a, room):
        for r in range(learner.n_theta):
            room.numbers[r] = accounts.sums[a, r]

    def expand_lane(self, i, share, m):
        for r in range(m.g.shape[0]):
            m.gradient[r, i] = share[i] * m.g[r, i]

    def prepare_lane(self, i, share, m):
        prepare_lane(i, m.x.shape[0], self.first.std0, self.first.entropy0, share, m.full, m.theta)

    def prepare(self, learner, run, room):
        runs, at, d = learner.runs, learner.prepared_at, self.features.n_features
        size = learner.n_theta // (d + 1)
        entropy = self.first.entropy0
        for k in range(size):
            row = k * (d + 1)
            for j in range(d):
                runs[run, at + k * d + j] = runs[run, row + j]
            rho = runs[run, row + d]
            runs[run, at + size * d + k] = finite(self.first.std0[k] * exp(rho))
            runs[run, at + size * d + size + k] = finite(exp(-rho) / self.first.std0[k])
            entropy += rho
        runs[run, at + size * d + 2 * size] = finite(entropy)

    def judge(self, n, w, learner):
        """Of actions taken before: see `pgfast.policies.taken`."""
        m = w.memory
        size, d = m.drawn.shape[0], m.x.shape[0]
        for k in range(size):
            write_product(n, k, k, self.first.middle[k], m.theta, m.x, m.p)
            write_log(n, m.theta[size * d + k], m.p[size + k])
        judge_reals(n, w.lanes, m)

    def diverge(self, n, m):
        divergence_of_reals(n, m)

    def along(self, direction, r):
        """Entry r of a direction of θ, of which scores have all rows."""
        return direction[r]

    def tape_score(self, learner, run, memory, i, t, scale, entropy_scale, room):
        """scale ∇ log π + entropy_scale ∇H at step t of lane i's tape into the room; returns the entries it set."""
        d = self.features.n_features
        for k in range(memory.drawn.shape[2]):
            row = k * (d + 1)
            mean, rho = self.first.middle[k], learner.runs[run, row + d]
            for j in range(d):
                mean = fma(learner.runs[run, row + j], memory.x[i, t, j], mean)
            inverse = finite(exp(-rho) / self.first.std0[k])
            z = (memory.drawn[i, t, k] - mean) * inverse
            for j in range(d):
                room.numbers[row + j] = scale * z * inverse * memory.x[i, t, j]
            room.numbers[row + d] = scale * (z * z - 1.0) + entropy_scale
        return 0, learner.n_theta
