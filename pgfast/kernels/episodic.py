"""The episodic natural actor–critic (Peters & Schaal 2008, table 5): returns regressed on sums of scores.

With ψ_i = Σ_t w_t ∇ log π(A_t|S_t) of episode i of a batch and G_i its return, w and a constant J minimise

    Σ_i (G_i − ψ_iᵀ w − J)²

and θ moves along w, which is the natural gradient where an advantage is linear in the scores. Without J,

    (Σ ψψᵀ − Ψ Ψᵀ / n) w = Σ G ψ − Ψ Σ G / n,    Ψ = Σ ψ.

Of a softmax only differences of preferences have a w of their own: those to the last action. θ changes as little as
gives these differences, so that the shift that all actions of an observation may have in common is 0.

R rows of gradient; of a table of S rows with A actions R = S (A − 1), row s (A − 1) + b of action b of s.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pgfast.compiler import leaf, routine, wide
from pgfast.kernels.fisher import quadratic, share_within
from pgfast.kernels.linear_systems import place, size, solve
from pgfast.kernels.statistics import COUNT, DISCOUNTED, LENGTH
from pgfast.kernels.tables import place as place_of_step
from pgfast.kernels.tables import steps_of, trail
from pgfast.protocol import cool, lift

_ROUNDING = 1e-12  # of a difference, relative


@leaf
def centred(square, mean):
    """square − mean; 0 where that is a rounding error."""
    return square - mean if abs(square - mean) > _ROUNDING * abs(square) else 0.0


@routine
def regress(refinement, optimisation, learner, accounts, a, run, n, gradient, room):
    """w of n unknowns into the room's scratch: Σ G ψ is at sums[gradient], …, moments are ψ (n) and ψψᵀ. It is
    multiplied by the number of episodes, which what follows divides by, and cut to `max_kl`."""
    sums, numbers, x, at = accounts.sums[a], room.numbers, room.scratch_at, accounts.moments_at
    count, mean = (
        sums[accounts.stats_at + COUNT],
        sums[accounts.stats_at + DISCOUNTED] / sums[accounts.stats_at + COUNT],
    )
    for r in range(n):
        numbers[x + r] = sums[gradient + r] - sums[at + r] * mean
        for c in range(r + 1):
            sums[at + n + place(r, c)] = centred(sums[at + n + place(r, c)], sums[at + r] * sums[at + c] / count)
            numbers[x + n + place(r, c)] = sums[at + n + place(r, c)]
    used = solve(refinement.conjugate, numbers, x + n, n, x, refinement.damping)
    if used > refinement.damping:
        learner.runs[run, learner.kept_at] = 1.0
    change = quadratic(numbers, x, n, sums, at + n) / sums[accounts.stats_at + LENGTH]
    factor = count * share_within(optimisation.lr, refinement.max_kl, change)
    for r in range(n):
        numbers[x + r] *= factor


class Regression(NamedTuple):
    """Of linear policies, whose traces are ψ when an episode ends."""

    damping: float  # λ
    max_kl: float  # 0: none
    conjugate: int  # 1: by conjugate gradients

    def sum_episode(self, memory, algorithm, learner, w, accounts, account, i):
        e, sums, at = w.memory.e, accounts.sums, accounts.moments_at
        n = e.shape[0]
        for r in range(n):
            psi = wide(e[r, i])
            sums[account, at + r] += psi
            for c in range(r + 1):
                sums[account, at + n + place(r, c)] += psi * wide(e[c, i])

    def refine(self, policy, algorithm, optimisation, learner, accounts, a, run, room):
        n = accounts.value_at
        regress(self, optimisation, learner, accounts, a, run, n, 0, room)
        lift(policy, n, room.scratch_at, room.numbers)


@leaf
def weigh_visits(tape, discounts, i, w, sums, weights, states, n_actions):
    """Σ w_t of each entry of the table over the episode in lane i, at sums[weights], …, and its rows, each once, at
    sums[states], …; returns how many."""
    path, count = trail(w.memory, i), np.int64(0)
    for t in range(steps_of(w.lanes, i)):
        weight = tape.powers[t] if discounts == 1 else 1.0
        if weight == 0.0:
            break
        entry = np.int64(tape.index[place_of_step(tape, path, t)])
        s, seen = entry // n_actions, 0.0
        for b in range(s * n_actions, s * n_actions + n_actions):
            seen += sums[weights + b]
        if seen == 0.0:
            sums[states + count] = s
            count += 1
        sums[weights + entry] += weight
    return count


@leaf
def score_visits(count, n_actions, pi, runs, sums, weights, states):
    """The weights of the rows listed become ψ, Σ w_t (1{A_t = b} − π(b|s)): those of a row sum to 0."""
    for k in range(count):
        first = np.int64(sums[states + k]) * n_actions
        total = 0.0
        for b in range(first, first + n_actions):
            total += sums[weights + b]
        for b in range(first, first + n_actions):
            sums[weights + b] -= runs[pi + b] * total


class TabularRegression(NamedTuple):
    """Of tables. Moments are ψ (R), ψψᵀ, G ψ (R), and room for an episode's ψ (S A) and its rows (S)."""

    n_states: int
    n_actions: int
    damping: float  # λ
    max_kl: float
    conjugate: int

    def sum_episode(self, memory, algorithm, learner, w, accounts, account, i):
        sums, at, n_actions = accounts.sums[account], accounts.moments_at, self.n_actions
        free = n_actions - 1
        n = self.n_states * free
        products = at + n + size(n)
        weights, states = products + n, products + n + self.n_states * n_actions
        total, run = w.lanes.returns[1, i], learner.runs[w.memory.run[i]]
        count = weigh_visits(memory, algorithm.discount_factor, i, w, sums, weights, states, n_actions)
        pi = learner.decays_at - self.n_states * n_actions
        score_visits(count, n_actions, pi, run, sums, weights, states)
        for j in range(count):
            s = np.int64(sums[states + j])
            for b in range(free):
                r, psi = s * free + b, sums[weights + s * n_actions + b]
                sums[at + r] += psi
                sums[products + r] += total * psi
                for k in range(count):
                    other = np.int64(sums[states + k])
                    for d in range(free):
                        c = other * free + d
                        if c <= r:
                            sums[at + n + place(r, c)] += psi * sums[weights + other * n_actions + d]
        for j in range(count):
            for b in range(n_actions):
                sums[weights + np.int64(sums[states + j]) * n_actions + b] = 0.0

    def refine(self, policy, algorithm, optimisation, learner, accounts, a, run, room):
        free, x, unit = self.n_actions - 1, room.scratch_at, cool(policy.link, 1.0)
        n = self.n_states * free
        regress(self, optimisation, learner, accounts, a, run, n, accounts.moments_at + n + size(n), room)
        for s in range(self.n_states):
            mean = 0.0
            for b in range(free):
                mean += room.numbers[x + s * free + b] / self.n_actions
            for b in range(free):
                room.numbers[s * self.n_actions + b] = (room.numbers[x + s * free + b] - mean) / unit
            room.numbers[s * self.n_actions + free] = -mean / unit
