"""Softmax over preferences linear in state–action features: h(s, a) = θᵀ x(s, a), θ of shape (D,).

The policy of Sutton & Barto (2018), section 13.1: ∇ log π(a|s) = x(s, a) − Σ_b π(b|s) x(s, b) = Σ_b c_b x(s, b).
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import LANES, fma, lane_kernel
from pgfast.policies.softmax import (
    SMALL,
    choose,
    entropy_coefficients,
    finite,
    fit,
    sample_pairs,
    score_preferences,
    sigmoid_pair,
    unmarked,
)
from pgfast.policies.taken import divergence_of_choices, judge_choices
from pgfast.protocol import cool, write, write_all

TURN, CHANGED = 5, 9  # entries of ``lanes.control``: turns so far; 1 once θ of some lane is new


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
def pick(n, action, x, taken):
    """taken[k] = x[b D + k], b the action; taken (D, L)."""
    d = taken.shape[0]
    for k in range(d):
        for i in range(n):
            taken[k, i] = 0.0
        for b in range(x.shape[0] // d):
            for i in range(n):
                taken[k, i] = x[b * d + k, i] if action[i] == b else taken[k, i]


@lane_kernel
def probabilities_of_two(n, theta, x, h):
    """Probabilities of two actions from a few features, h[0] and h[1]."""
    d = theta.shape[0]
    for i in range(n):
        difference = 0.0
        for k in range(d):
            difference = fma(theta[k, i], x[k, i] - x[d + k, i], difference)
        h[0, i], h[1, i] = sigmoid_pair(difference)


class StateActionSoftmax(NamedTuple):
    """π(a|s) ∝ exp(θᵀ x(s, a) / τ). Lanes have θ divided by τ; gradients are, when they are complete."""

    features: Any
    value_features: Any  # x(s) of the learned baseline
    n_actions: int
    link: Any

    def act(self, env, like, n, w, learner, deterministic):
        lanes, m = w.lanes, w.memory
        if self.features.constant == 0 or lanes.control[TURN] == 0:
            write_all(self.features, env, LANES if self.features.constant == 1 else n, like, w, m.x)
        if m.v.shape[0] > 0:
            write(self.value_features, env, n, like, w, m.v)
        if m.h.shape[0] == 2 and m.x.shape[0] <= SMALL and deterministic == 0:
            if self.features.constant == 0 or lanes.control[CHANGED] != 0:
                lanes.control[CHANGED] = 0
                probabilities_of_two(n, m.theta, m.x, m.h)
            sample_pairs(n, lanes, m)
        else:
            preferences(n, m.theta, m.x, m.h)
            choose(n, deterministic, lanes, m)

    def score(self, i, r, coefficients, m):
        """Row r of Σ_b c_b x(s, b) in lane i; Σ_b c_b = 0, so that x(s, last) can be subtracted."""
        d, last = m.theta.shape[0], coefficients.shape[0] - 1
        total = 0.0
        for b in range(last):
            total = fma(coefficients[b, i], m.x[b * d + r, i] - m.x[last * d + r, i], total)
        return total

    def see_values(self, env, like, n, w):
        write(self.value_features, env, n, like, w, w.memory.v)

    def unfold(self, i, r, rows):
        return cool(self.link, rows[r, i])

    def lift(self, rows, x, numbers):
        for r in range(rows):
            numbers[r] = numbers[x + r] / cool(self.link, 1.0)

    def weigh_entropy(self, n, scale, lanes, m):
        """The coefficients of scale · w_t ∇H, added to ``m.q``."""
        entropy_coefficients(n, scale, lanes.weight, lanes.action, m.c, m.peak, m.q)

    def value_actions(self, n, lanes, m):
        """q̂ of all actions, wᵀ x(s, b), and the features of the one taken."""
        preferences(n, m.weights, m.x, m.q)
        pick(n, lanes.action, m.x, m.taken)

    def expand(self, algorithm, learner, run, accounts, a, room):
        for r in range(learner.n_theta):
            room.numbers[r] = cool(self.link, accounts.sums[a, r])

    def expand_lane(self, i, share, m):
        for k in range(m.g.shape[0]):
            m.gradient[k, i] = cool(self.link, share[i] * m.g[k, i])

    def prepare_lane(self, i, share, m):
        for k in range(m.full.shape[0]):
            m.theta[k, i] = fit(cool(self.link, m.full[k, i]), m.theta[k, i])

    def prepare(self, learner, run, room):
        for r in range(learner.n_theta):
            learner.runs[run, learner.prepared_at + r] = finite(cool(self.link, learner.runs[run, r]))

    def judge(self, n, w, learner):
        """Of actions taken before: see `pgfast.policies.taken`."""
        preferences(n, w.memory.theta, w.memory.x, w.memory.h)
        judge_choices(n, w.lanes, w.memory)

    def diverge(self, n, m):
        divergence_of_choices(n, m)

    def along(self, direction, r):
        """As of `LinearSoftmax`."""
        return cool(self.link, direction[r])

    def tape_score(self, learner, run, memory, i, t, scale, entropy_scale, room):
        """scale ∇ log π + entropy_scale ∇H at step t of lane i's tape into the room; returns the entries it set."""
        d = self.features.n_features
        h = room.preferences_at
        for b in range(self.n_actions):
            total = 0.0
            for k in range(d):
                total = fma(learner.runs[run, k], memory.x[i, t, b * d + k], total)
            room.numbers[h + b] = cool(self.link, total)
        score_preferences(unmarked(memory.action[i, t]), scale, entropy_scale, room.numbers, h, self.n_actions)
        for k in range(d):
            total = 0.0
            for b in range(self.n_actions):
                total = fma(room.numbers[h + b], memory.x[i, t, b * d + k], total)
            room.numbers[k] = cool(self.link, total)
        return 0, d
