"""Gaussian policy whose standard deviations depend on the state, too (Sutton & Barto 2018, section 13.7).

μ_k(s) = m_k + w_kᵀ x(s) and log σ_k(s) = log s_k + ρ_kᵀ x(s); θ is (K, 2, D), w_k before ρ_k. With z = (a − μ)/σ,
∇_w log π = (z/σ) x and ∇_ρ log π = (z² − 1) x; of the entropy H(s) = Σ_k log σ_k(s) + K/2 log 2πe, ∇_ρ H = x. All else
is as in `pgfast.policies.gaussian`. Lanes carry θ itself.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import fma, lane_kernel
from pgfast.policies.gaussian import First, take_mean, weigh_deviations, write_product
from pgfast.policies.linear import copy_rows
from pgfast.policies.softmax import finite, fit
from pgfast.policies.taken import divergence_of_reals, judge_reals
from pgfast.protocol import into_box, write
from pgfast.vmath import exp, log


@lane_kernel
def sample(n, k, std0, box, low, high, lanes, m):
    """Number k of the action from its mean ``h[k]`` and the logarithm of σ_k / s_k, which is in the place of the score
    coefficient by it; both coefficients."""
    size = m.h.shape[0]
    for i in range(n):
        z, running, rho = lanes.normals[k, i], lanes.done[i] == 0, m.c[size + k, i]
        drawn = fma(finite(std0 * exp(rho)), z, m.h[k, i])
        m.h[k, i] = drawn
        lanes.reals[k, i] = into_box(box, drawn, low, high)
        m.c[k, i] = z * finite(exp(-rho) / std0) if running else 0.0
        m.c[size + k, i] = fma(z, z, -1.0) if running else 0.0


@lane_kernel
def sum_entropies(n, entropy0, lanes, m):
    """Sum the policy's entropy where the episode is going on."""
    size = m.h.shape[0]
    for i in range(n):
        lanes.entropy[i] += entropy0 if lanes.done[i] == 0 else 0.0
    for k in range(size):
        for i in range(n):
            lanes.entropy[i] += m.c[size + k, i] if lanes.done[i] == 0 else 0.0


@lane_kernel
def add_entropies(n, entropy0, m):
    """H from the logarithms of σ_k / s_k in ``m.q``, into ``m.peak``."""
    for i in range(n):
        m.peak[i] = entropy0
    for k in range(m.h.shape[0]):
        for i in range(n):
            m.peak[i] += m.q[k, i]


class DeviationGaussian(NamedTuple):
    """a_k ~ N(m_k + w_kᵀ x(s), (s_k exp ρ_kᵀ x(s))²)."""

    features: Any
    first: First

    def act(self, env, like, n, w, learner, deterministic):
        lanes, m = w.lanes, w.memory
        size = m.h.shape[0]
        write(self.features, env, n, like, w, m.x)
        copy_rows(n, m.x, m.v)
        for k in range(size):
            write_product(n, 2 * k, k, self.first.middle[k], m.theta, m.x, m.h)
            write_product(n, 2 * k + 1, size + k, 0.0, m.theta, m.x, m.c)
        sum_entropies(n, self.first.entropy0, lanes, m)
        for k in range(size):
            if deterministic == 1:
                take_mean(n, k, self.first.box, self.first.low[k], self.first.high[k], lanes, m)
            else:
                sample(n, k, self.first.std0[k], self.first.box, self.first.low[k], self.first.high[k], lanes, m)

    def score(self, i, r, coefficients, m):
        """Row (k, part, j) of the sum in lane i: the coefficient of μ_k or ρ_k times x_j."""
        d = m.x.shape[0]
        k, part, j = r // (2 * d), r // d % 2, r % d
        return coefficients[part * (coefficients.shape[0] // 2) + k, i] * m.x[j, i]

    def see_values(self, env, like, n, w):
        write(self.features, env, n, like, w, w.memory.v)

    def measure_entropy(self, n, lanes, m):
        """H in ``m.peak``; the coefficients ``m.q`` are scratch."""
        for k in range(m.h.shape[0]):
            write_product(n, 2 * k + 1, k, 0.0, m.theta, m.x, m.q)
        add_entropies(n, self.first.entropy0, m)

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
        for r in range(m.full.shape[0]):
            m.theta[r, i] = fit(m.full[r, i], m.theta[r, i])

    def prepare(self, learner, run, room):
        for r in range(learner.n_theta):
            learner.runs[run, learner.prepared_at + r] = learner.runs[run, r]

    def judge(self, n, w, learner):
        """Of actions taken before: see `pgfast.policies.taken`."""
        m = w.memory
        size = m.drawn.shape[0]
        for k in range(size):
            write_product(n, 2 * k, k, self.first.middle[k], m.theta, m.x, m.p)
            write_product(n, 2 * k + 1, size + k, log(self.first.std0[k]), m.theta, m.x, m.p)
        judge_reals(n, w.lanes, m)

    def diverge(self, n, m):
        divergence_of_reals(n, m)

    def along(self, direction, r):
        """As of `LinearGaussian`."""
        return direction[r]

    def tape_score(self, learner, run, memory, i, t, scale, entropy_scale, room):
        """scale ∇ log π + entropy_scale ∇H at step t of lane i's tape into the room; returns the entries it set."""
        d = self.features.n_features
        for k in range(memory.drawn.shape[2]):
            row = 2 * k * d
            mean, rho = self.first.middle[k], 0.0
            for j in range(d):
                mean = fma(learner.runs[run, row + j], memory.x[i, t, j], mean)
                rho = fma(learner.runs[run, row + d + j], memory.x[i, t, j], rho)
            inverse = finite(exp(-rho) / self.first.std0[k])
            z = (memory.drawn[i, t, k] - mean) * inverse
            for j in range(d):
                room.numbers[row + j] = scale * z * inverse * memory.x[i, t, j]
                room.numbers[row + d + j] = (scale * (z * z - 1.0) + entropy_scale) * memory.x[i, t, j]
        return 0, learner.n_theta
