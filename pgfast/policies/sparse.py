"""Policies linear in features of which only some are active, each 1: a step costs as much as those, however many there
are altogether.

Row j of θ belongs to feature j: the preferences of all actions, or the means of all numbers of a real action, are the
sums of the active rows. Lanes look them up in θ itself; nothing is derived from it but a Gaussian policy's standard
deviations.

D features, T of them active; A actions, K numbers of a real action; L = LANES.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import gather_kernel, lane_kernel, leaf
from pgfast.policies.gaussian import First, copy_entropy, draw_actions, sum_entropy, weigh_deviations
from pgfast.policies.softmax import choose, entropy_coefficients, finite, score_preferences, unmarked
from pgfast.policies.taken import divergence_of_choices, divergence_of_reals, judge_choices, judge_reals, write_log
from pgfast.protocol import activate, cool
from pgfast.vmath import exp, times

FAULT = 4  # entry of ``lanes.control``: an observation that is no number


@gather_kernel
def sum_rows(n, width, table, m):
    """h[b] = Σ_j θ[j, b] over each lane's active features; table (all numbers of all runs), h (width, L)."""
    for b in range(width):
        for i in range(n):
            m.h[b, i] = 0.0
        for k in range(m.active.shape[0]):
            for i in range(n):
                m.h[b, i] += table[np.uint64(m.at[i] + times(m.active[k, i], width) + b)]


@lane_kernel
def cool_preferences(n, link, h):
    """h / τ."""
    for b in range(h.shape[0]):
        for i in range(n):
            h[b, i] = cool(link, h[b, i])


@lane_kernel
def add_number(n, x, source, row):
    """row = source + x."""
    for i in range(n):
        row[i] = source[i] + x


@leaf
def see_active(features, env, like, n, w):
    """Which features are active in n lanes."""
    if activate(features, env, n, like, w, w.memory.active) != 0:
        w.lanes.control[FAULT] = 1


@leaf
def find_active(features, env, n, like, w, width, learner):
    """Which features are active in n lanes, and the sums of their rows."""
    see_active(features, env, like, n, w)
    sum_rows(n, width, learner.flat, w.memory)


@leaf
def copy_sums(accounts, a, room):
    """The gradient is what was summed."""
    for k in range(1, room.spans[0, 0] + 1):
        for r in range(room.spans[k, 0], room.spans[k, 1]):
            room.numbers[r] = accounts.sums[a, r]


@leaf
def cool_gradient(link, room):
    """That by θ from that by θ / τ."""
    for k in range(1, room.spans[0, 0] + 1):
        for r in range(room.spans[k, 0], room.spans[k, 1]):
            room.numbers[r] = cool(link, room.numbers[r])


@leaf
def sum_of_row(learner, run, active, i, t, width, b):
    """Σ_j θ[j, b] over the features active at step t of lane i's tape."""
    total = 0.0
    for k in range(active.shape[2]):
        total += learner.runs[run, active[i, t, k] * width + b]
    return total


@leaf
def span_rows(memory, i, t, entries, room):
    """The room's spans become those of the features active at step t of lane i's tape, of `entries` each; returns what
    says so."""
    active = memory.x.shape[2]
    room.spans[0, 0] = active
    for k in range(active):
        first = memory.x[i, t, k] * entries
        room.spans[k + 1, 0], room.spans[k + 1, 1] = first, first + entries
    return -1, -1


class SparseSoftmax(NamedTuple):
    """π(a|s) ∝ exp(Σ_j θ[j, a] / τ) over the active features j; θ (D, A). Sums are those of τ = 1, gradients not."""

    features: Any
    n_actions: int
    link: Any

    def act(self, env, like, n, w, learner, deterministic):
        find_active(self.features, env, n, like, w, self.n_actions, learner)
        cool_preferences(n, self.link, w.memory.h)
        choose(n, deterministic, w.lanes, w.memory)

    def see_values(self, env, like, n, w):
        see_active(self.features, env, like, n, w)

    def weigh_entropy(self, n, scale, lanes, m):
        """The coefficients of scale · w_t ∇H, added to ``m.q``."""
        entropy_coefficients(n, scale, lanes.weight, lanes.action, m.c, m.peak, m.q)

    def expand(self, algorithm, learner, run, accounts, a, room):
        copy_sums(accounts, a, room)
        cool_gradient(self.link, room)

    def prepare(self, learner, run, room):
        """Nothing is derived from θ."""

    def judge(self, n, w, learner):
        """Of actions taken before: see `pgfast.policies.taken`."""
        sum_rows(n, self.n_actions, learner.flat, w.memory)
        cool_preferences(n, self.link, w.memory.h)
        judge_choices(n, w.lanes, w.memory)

    def diverge(self, n, m):
        divergence_of_choices(n, m)

    def along(self, direction, r):
        """Entry r of what a direction of θ means to the sums."""
        return cool(self.link, direction[r])

    def tape_score(self, learner, run, memory, i, t, scale, entropy_scale, room):
        """scale ∇ log π + entropy_scale ∇H at step t of lane i's tape into the room, and which entries those are."""
        size, h = self.n_actions, room.preferences_at
        for b in range(size):
            room.numbers[h + b] = cool(self.link, sum_of_row(learner, run, memory.x, i, t, size, b))
        score_preferences(unmarked(memory.action[i, t]), scale, entropy_scale, room.numbers, h, size)
        for k in range(memory.x.shape[2]):
            for b in range(size):
                room.numbers[memory.x[i, t, k] * size + b] = cool(self.link, room.numbers[h + b])
        return span_rows(memory, i, t, size, room)


class SparseGaussian(NamedTuple):
    """a_k ~ N(m_k + Σ_j θ[j, k] over the active features j, (s_k exp ρ_k)²); θ (D + 1, K), the last row ρ."""

    features: Any
    first: First

    def act(self, env, like, n, w, learner, deterministic):
        lanes, m = w.lanes, w.memory
        size = m.h.shape[0]
        find_active(self.features, env, n, like, w, size, learner)
        for k in range(size):
            add_number(n, self.first.middle[k], m.h[k], m.h[k])
        draw_actions(n, deterministic, self.first, lanes, m)
        sum_entropy(n, lanes, m)

    def see_values(self, env, like, n, w):
        see_active(self.features, env, like, n, w)

    def measure_entropy(self, n, lanes, m):
        """H in ``m.peak``."""
        copy_entropy(n, m)

    def weigh_entropy(self, n, scale, lanes, m):
        """The coefficients of scale · w_t ∇H, added to ``m.q``."""
        weigh_deviations(n, scale, lanes, m.q)

    def expand(self, algorithm, learner, run, accounts, a, room):
        copy_sums(accounts, a, room)

    def prepare(self, learner, run, room):
        """σ (K), 1/σ (K) and H."""
        runs, at, size = learner.runs, learner.prepared_at, len(self.first.std0)
        rho_at, entropy = self.features.n_features * size, self.first.entropy0
        for k in range(size):
            rho = runs[run, rho_at + k]
            runs[run, at + k] = finite(self.first.std0[k] * exp(rho))
            runs[run, at + size + k] = finite(exp(-rho) / self.first.std0[k])
            entropy += rho
        runs[run, at + 2 * size] = finite(entropy)

    def judge(self, n, w, learner):
        """Of actions taken before: see `pgfast.policies.taken`."""
        m = w.memory
        size = m.drawn.shape[0]
        sum_rows(n, size, learner.flat, m)
        for k in range(size):
            add_number(n, self.first.middle[k], m.h[k], m.p[k])
            write_log(n, m.theta[k], m.p[size + k])
        judge_reals(n, w.lanes, m)

    def diverge(self, n, m):
        divergence_of_reals(n, m)

    def along(self, direction, r):
        """As of `SparseSoftmax`."""
        return direction[r]

    def tape_score(self, learner, run, memory, i, t, scale, entropy_scale, room):
        """As of `SparseSoftmax`."""
        size = memory.drawn.shape[2]
        rho_at = self.features.n_features * size
        for b in range(size):
            mean = self.first.middle[b] + sum_of_row(learner, run, memory.x, i, t, size, b)
            inverse = finite(exp(-learner.runs[run, rho_at + b]) / self.first.std0[b])
            z = (memory.drawn[i, t, b] - mean) * inverse
            for k in range(memory.x.shape[2]):
                room.numbers[memory.x[i, t, k] * size + b] = scale * z * inverse
            room.numbers[rho_at + b] = scale * (z * z - 1.0) + entropy_scale
        span_rows(memory, i, t, size, room)
        last = room.spans[0, 0] + 1
        room.spans[0, 0] = last
        room.spans[last, 0], room.spans[last, 1] = rho_at, rho_at + size
        return -1, -1
