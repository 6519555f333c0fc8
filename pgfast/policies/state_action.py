"""Softmax over preferences linear in state–action features: h(s, a) = θᵀ x(s, a), θ of shape (D,).

The policy of Sutton & Barto (2018), section 13.1: ∇ log π(a|s) = x(s, a) − Σ_b π(b|s) x(s, b) = Σ_b c_b x(s, b).
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import LANES, fma, lane_kernel
from pgfast.policies.softmax import choose, sample_two, score_preferences
from pgfast.protocol import write, write_all

SMALL = 8  # rows that are worth keeping in registers: loops over them go inside the loop over lanes
TURN = 5  # entry of ``lanes.control``: turns so far


@lane_kernel
def preferences(n, theta, x, h):
    """h[b] = Σ_k theta[k] x[b D + k]; theta (D, L), x (A D, L), h (A, L)."""
    d = theta.shape[0]
    for b in range(h.shape[0]):
        for i in range(n):
            h[b, i] = 0.0
        for k in range(d):
            for i in range(n):
                h[b, i] = fma(theta[k, i], x[b * d + k, i], h[b, i])


@lane_kernel
def sample_from_two(n, lanes, m):
    """Preferences of two actions and a sample from them, of a few features."""
    d = m.theta.shape[0]
    for i in range(n):
        h = 0.0
        for k in range(d):
            h = fma(m.theta[k, i], m.x[k, i] - m.x[d + k, i], h)
        sample_two(h, i, lanes, m)


@lane_kernel
def add_combination(n, coefficients, x, rows):
    """rows[k] += Σ_b coefficients[b] x[b D + k]; coefficients (A, L), x (A D, L), rows (D, L)."""
    d = rows.shape[0]
    for k in range(d):
        for b in range(coefficients.shape[0]):
            for i in range(n):
                rows[k, i] = fma(coefficients[b, i], x[b * d + k, i], rows[k, i])


@lane_kernel
def trace_few(n, decay, rho, c, x, e, g):
    """As `trace_combination`, for few actions and features."""
    d = e.shape[0]
    for i in range(n):
        for k in range(d):
            new = decay * e[k, i]
            for b in range(c.shape[0]):
                new = fma(c[b, i], x[b * d + k, i], new)
            e[k, i] = new
            g[k, i] = fma(rho[i], new, g[k, i])


@lane_kernel
def trace_combination(n, decay, rho, c, x, e, g):
    """e ← decay e + Σ_b c[b] x[b], g += ρ e; c (A, L), x (A D, L), e and g (D, L)."""
    d = e.shape[0]
    for k in range(d):
        for i in range(n):
            e[k, i] *= decay
        for b in range(c.shape[0]):
            for i in range(n):
                e[k, i] = fma(c[b, i], x[b * d + k, i], e[k, i])
        for i in range(n):
            g[k, i] = fma(rho[i], e[k, i], g[k, i])


class StateActionSoftmax(NamedTuple):
    """π(a|s) ∝ exp(θᵀ x(s, a))."""

    features: Any
    value_features: Any  # x(s) of the learned baseline
    n_actions: int

    def act(self, env, like, n, w, learner, deterministic):
        lanes, m = w.lanes, w.memory
        if self.features.constant == 0 or lanes.control[TURN] == 0:
            write_all(
                self.features, env, LANES if self.features.constant == 1 else n, like, lanes.state, lanes.state_int, m.x
            )
        if m.v.shape[0] > 0:
            write(self.value_features, env, n, like, lanes.state, lanes.state_int, m.v)
        if m.h.shape[0] == 2 and m.x.shape[0] <= SMALL and deterministic == 0:
            sample_from_two(n, lanes, m)
        else:
            preferences(n, m.theta, m.x, m.h)
            choose(n, deterministic, lanes, m)

    def trace(self, n, decay, rho, m):
        if m.x.shape[0] <= SMALL:
            trace_few(n, decay, rho, m.c, m.x, m.e, m.g)
        else:
            trace_combination(n, decay, rho, m.c, m.x, m.e, m.g)

    def add_scores(self, n, coefficients, m, rows):
        add_combination(n, coefficients, m.x, rows)

    def expand(self, algorithm, learner, run, accounts, a, room):
        for r in range(learner.n_theta):
            room.numbers[r] = accounts.sums[a, r]

    def expand_lane(self, i, share, m):
        for k in range(m.g.shape[0]):
            m.gradient[k, i] = share[i] * m.g[k, i]

    def prepare_lane(self, i, m):
        for k in range(m.full.shape[0]):
            m.theta[k, i] = m.full[k, i]

    def prepare(self, learner, run, room, sparse):
        for r in range(learner.n_theta):
            learner.runs[run, learner.prepared_at + r] = learner.runs[run, r]

    def tape_score(self, learner, run, memory, i, t, scale, entropy_scale, room):
        """scale ∇ log π + entropy_scale ∇H at step t of lane i's tape into the room; returns the entries it set."""
        d = self.features.n_features
        h = room.preferences_at
        for b in range(self.n_actions):
            total = 0.0
            for k in range(d):
                total = fma(learner.runs[run, k], memory.x[i, t, b * d + k], total)
            room.numbers[h + b] = total
        action = memory.action[i, t]
        score_preferences(-1 - action if action < 0 else action, scale, entropy_scale, room.numbers, h, self.n_actions)
        for k in range(d):
            total = 0.0
            for b in range(self.n_actions):
                total = fma(room.numbers[h + b], memory.x[i, t, b * d + k], total)
            room.numbers[k] = total
        return 0, d
