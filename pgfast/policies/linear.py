"""Softmax over preferences linear in state features: h(s, a) = θ_aᵀ x(s), θ of shape (A, D).

Only differences of preferences matter, and the scores of all actions sum to zero: so lanes carry θ_a − θ_last and the
gradient of all actions but the last (R = (A − 1) D rows), whose own gradient is minus the sum of the others.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import fma, lane_kernel, leaf
from pgfast.policies.softmax import (
    SMALL,
    choose,
    entropy_coefficients,
    finite,
    fit,
    sample_two,
    score_preferences,
    sigmoid_pair,
    unmarked,
)
from pgfast.policies.taken import divergence_of_choices, judge_choices, judge_pair
from pgfast.protocol import cool, write


@lane_kernel
def preferences(n, theta, x, h):
    """h[b] = Σ_k theta[b D + k] x[k] for all actions but the last, whose preference is 0; theta (R, L), x (D, L)."""
    d, last = x.shape[0], h.shape[0] - 1
    for b in range(last):
        for i in range(n):
            h[b, i] = 0.0
        for k in range(d):
            for i in range(n):
                h[b, i] = fma(theta[b * d + k, i], x[k, i], h[b, i])
    for i in range(n):
        h[last, i] = 0.0


@lane_kernel
def value_linearly(n, action, weights, x, q, taken):
    """q[b] = Σ_k weights[b D + k] x[k], and x in those rows of `taken` that belong to the action; weights, taken (A D,
    L)."""
    d = x.shape[0]
    for b in range(q.shape[0]):
        for i in range(n):
            q[b, i] = 0.0
        for k in range(d):
            for i in range(n):
                q[b, i] = fma(weights[b * d + k, i], x[k, i], q[b, i])
                taken[b * d + k, i] = x[k, i] if action[i] == b else 0.0


@leaf
def difference_of_two(i, m):
    """How much more the first of two actions is preferred in lane i, by a few features."""
    h = 0.0
    for k in range(m.theta.shape[0]):
        h = fma(m.theta[k, i], m.x[k, i], h)
    return h


@lane_kernel
def sample_from_two(n, lanes, m):
    """Preferences of two actions and a sample from them, of a few features."""
    for i in range(n):
        p, q = sigmoid_pair(difference_of_two(i, m))
        sample_two(i, p, q, lanes, m)


@lane_kernel
def judge_few(n, lanes, m):
    """`judge_choices` of two actions and a few features."""
    for i in range(n):
        judge_pair(i, difference_of_two(i, m), lanes, m)


@leaf
def expand_lane(i, d, link, share, g, gradient):
    """gradient = share · g / τ for all actions but the last, and minus their sum for the last; g (R, L), gradient (P,
    L)."""
    last = g.shape[0]
    for k in range(d):
        total = 0.0
        for b in range(last // d):
            x = cool(link, share[i] * g[b * d + k, i])
            gradient[b * d + k, i] = x
            total += x
        gradient[last + k, i] = -total


@leaf
def prepare_lane(i, d, link, share, full, theta):
    """theta[b D + k] = (θ_b − θ_last) / τ in lanes with a share, that have moved; full (P, L), theta (R, L)."""
    last = theta.shape[0]
    for b in range(last // d):
        for k in range(d):
            old = theta[b * d + k, i]
            new = cool(link, full[b * d + k, i] - full[last + k, i])
            theta[b * d + k, i] = fit(new, old) if share[i] != 0.0 else old


@lane_kernel
def copy_rows(n, source, target):
    """target[k] = source[k] for the rows that `target` has."""
    for k in range(target.shape[0]):
        for i in range(n):
            target[k, i] = source[k, i]


class LinearSoftmax(NamedTuple):
    """π(a|s) ∝ exp(θ_aᵀ x(s) / τ); with τ = 1, ∇_{θ_b} log π(a|s) = (1{a = b} − π(b|s)) x(s) (Sutton & Barto 2018,
    exercise 13.3). Lanes have θ divided by τ; gradients are, when they are complete."""

    features: Any
    n_actions: int
    link: Any

    def act(self, env, like, n, w, learner, deterministic):
        lanes, m = w.lanes, w.memory
        write(self.features, env, n, like, w, m.x)
        copy_rows(n, m.x, m.v)
        if m.h.shape[0] == 2 and m.theta.shape[0] <= SMALL and deterministic == 0:
            sample_from_two(n, lanes, m)
        else:
            preferences(n, m.theta, m.x, m.h)
            choose(n, deterministic, lanes, m)

    def score(self, i, r, coefficients, m):
        """Row b D + k of Σ_b c_b ∇h_b in lane i: c_b x_k."""
        d = m.x.shape[0]
        return coefficients[r // d, i] * m.x[r % d, i]

    def see_values(self, env, like, n, w):
        write(self.features, env, n, like, w, w.memory.v)

    def unfold(self, i, r, rows):
        """What the gradient's rows in lane i are by parameter r."""
        last = rows.shape[0]
        if r < last:
            return cool(self.link, rows[r, i])
        total = 0.0
        for k in range(r - last, last, self.features.n_features):
            total -= cool(self.link, rows[k, i])
        return total

    def lift(self, rows, x, numbers):
        """numbers[:P] = the least change of θ whose differences to the last action's, divided by τ, are
        numbers[x], …: it has a mean of 0 over the actions."""
        d, unit = self.features.n_features, cool(self.link, 1.0)
        for k in range(d):
            mean = 0.0
            for r in range(k, rows, d):
                mean += numbers[x + r] / self.n_actions
            for r in range(k, rows, d):
                numbers[r] = (numbers[x + r] - mean) / unit
            numbers[rows + k] = -mean / unit

    def weigh_entropy(self, n, scale, lanes, m):
        """The coefficients of scale · w_t ∇H, added to ``m.q``."""
        entropy_coefficients(n, scale, lanes.weight, lanes.action, m.c, m.peak, m.q)

    def value_actions(self, n, lanes, m):
        """q̂ of all actions, of weights for each as θ has them, and the features of the one taken."""
        value_linearly(n, lanes.action, m.weights, m.x, m.q, m.taken)

    def expand(self, algorithm, learner, run, accounts, a, room):
        """The gradient of all of θ from that of all actions but the last."""
        d = self.features.n_features
        last = (self.n_actions - 1) * d
        for k in range(d):
            room.numbers[last + k] = 0.0
        for r in range(last):
            x = cool(self.link, accounts.sums[a, r])
            room.numbers[r] = x
            room.numbers[last + r % d] -= x

    def expand_lane(self, i, share, m):
        expand_lane(i, m.x.shape[0], self.link, share, m.g, m.gradient)

    def prepare_lane(self, i, share, m):
        prepare_lane(i, m.x.shape[0], self.link, share, m.full, m.theta)

    def prepare(self, learner, run, room):
        d = self.features.n_features
        last = (self.n_actions - 1) * d
        for r in range(last):
            difference = learner.runs[run, r] - learner.runs[run, last + r % d]
            learner.runs[run, learner.prepared_at + r] = finite(cool(self.link, difference))

    def judge(self, n, w, learner):
        """Of actions taken before: see `pgfast.policies.taken`."""
        m = w.memory
        if m.h.shape[0] == 2 and m.theta.shape[0] <= SMALL:
            judge_few(n, w.lanes, m)
        else:
            preferences(n, m.theta, m.x, m.h)
            judge_choices(n, w.lanes, m)

    def diverge(self, n, m):
        divergence_of_choices(n, m)

    def along(self, direction, r):
        """Entry r of what a direction of θ means to the rows that scores have."""
        d = self.features.n_features
        return cool(self.link, direction[r] - direction[(self.n_actions - 1) * d + r % d])

    def tape_score(self, learner, run, memory, i, t, scale, entropy_scale, room):
        """scale ∇ log π + entropy_scale ∇H at step t of lane i's tape into the room; returns the entries it set."""
        d = self.features.n_features
        h = room.preferences_at
        for b in range(self.n_actions):
            total = 0.0
            for k in range(d):
                total = fma(learner.runs[run, b * d + k], memory.x[i, t, k], total)
            room.numbers[h + b] = cool(self.link, total)
        score_preferences(unmarked(memory.action[i, t]), scale, entropy_scale, room.numbers, h, self.n_actions)
        for b in range(self.n_actions):
            for k in range(d):
                room.numbers[b * d + k] = cool(self.link, room.numbers[h + b]) * memory.x[i, t, k]
        return 0, self.n_actions * d
