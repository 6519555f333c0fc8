"""The episodic natural actor–critic (Peters & Schaal 2008, table 5): returns regressed on sums of scores.

With ψ_i = Σ_t w_t ∇ log π(A_t|S_t) of episode i of a batch and G_i its return, w and a constant J minimise

    Σ_i (G_i − ψ_iᵀ w − J)²

and θ moves along w, which is the natural gradient where an advantage is linear in the scores. Without J,

    (Σ ψψᵀ − Ψ Ψᵀ / n) w = Σ G ψ − Ψ Σ G / n,    Ψ = Σ ψ.

Of a softmax only differences of preferences have a w of their own: those to the last action. θ changes as little as
gives these differences, so that the shift that all actions of an observation may have in common is 0.

Σ ψψᵀ is an estimate of the Fisher matrix F = Σ w_t ∇ log π ∇ log πᵀ. Of a table F is known but for the visits N(s), a
block N(s) (diag π − π πᵀ) for each row s (`pgfast.kernels.fisher`), and that is what damps its regression, λ F, and
what `max_kl` is measured by: an action of little probability that a batch hasn't taken has scores of almost 0, whose
products are smaller still, and chance would make its w as large as 1 / π.

R rows of gradient; of a table of S rows with A actions R = S (A − 1), row s (A − 1) + b of action b of s.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pgfast.compiler import leaf, routine, wide
from pgfast.kernels.fisher import quadratic, share_within, solve_noting, sum_of, variance
from pgfast.kernels.linear_systems import place, size
from pgfast.kernels.statistics import COUNT, DISCOUNTED, LENGTH
from pgfast.kernels.tables import place as place_of_step
from pgfast.kernels.tables import steps_of, trail
from pgfast.policies.tabular import place_of_pi
from pgfast.protocol import cool, lift

_ROUNDING = 1e-12  # of a difference, relative
_LITTLE = 1e-9


@leaf
def centred(square, mean):
    """square − mean; 0 where that is a rounding error."""
    return square - mean if abs(square - mean) > _ROUNDING * abs(square) else 0.0


@routine
def set_up_regression(accounts, a, n, gradient, room):
    """The system above, of n unknowns, into the room's scratch: Σ G ψ is at sums[gradient], …, moments are ψ (n) and
    ψψᵀ, which becomes the matrix."""
    sums, numbers, x, at = accounts.sums[a], room.numbers, room.scratch_at, accounts.moments_at
    count = sums[accounts.stats_at + COUNT]
    mean = sums[accounts.stats_at + DISCOUNTED] / count
    for r in range(n):
        numbers[x + r] = sums[gradient + r] - sums[at + r] * mean
        for c in range(r + 1):
            sums[at + n + place(r, c)] = centred(sums[at + n + place(r, c)], sums[at + r] * sums[at + c] / count)
            numbers[x + n + place(r, c)] = sums[at + n + place(r, c)]


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
        n, x, sums, stats = accounts.value_at, room.scratch_at, accounts.sums[a], accounts.stats_at
        set_up_regression(accounts, a, n, 0, room)
        solve_noting(self.conjugate, self.damping, learner, run, n, room)
        change = quadratic(room.numbers, x, n, sums, accounts.moments_at + n) / sums[stats + LENGTH]
        share = share_within(optimisation.lr, self.max_kl, change)
        for r in range(n):
            room.numbers[x + r] *= sums[stats + COUNT] * share  # what follows divides by COUNT
        lift(policy, n, x, room.numbers)


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


@leaf
def add_block(s, n_actions, visits, pi, runs, numbers, matrix):
    """The matrix gains row s's block, visits (diag π − π πᵀ); π of the row is at runs[pi], … The diagonal is a little
    more: the block is singular where the last action's π is 0."""
    at = s * (n_actions - 1)
    for b in range(n_actions - 1):
        for c in range(b + 1):
            own = 1.0 + _LITTLE if b == c else 0.0
            numbers[matrix + place(at + b, at + c)] += visits * runs[pi + b] * (own - runs[pi + c])


@leaf
def centre_row(n_actions, x, first, numbers):
    """numbers[first], …, one for each action of a row, come to differ by numbers[x], …, and sum to 0."""
    mean = 0.0
    for b in range(n_actions - 1):
        mean += numbers[x + b] / n_actions
    for b in range(n_actions - 1):
        numbers[first + b] = numbers[x + b] - mean
    numbers[first + n_actions - 1] = -mean


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
        sums, runs, numbers, x = accounts.sums[a], learner.runs[run], room.numbers, room.scratch_at
        width, free, pi = self.n_actions, self.n_actions - 1, place_of_pi(policy, learner)
        n, change = self.n_states * free, 0.0
        set_up_regression(accounts, a, n, accounts.moments_at + n + size(n), room)
        for s in range(self.n_states):
            visits = sum_of(sums, accounts.scores_at + s * width, width)
            add_block(s, width, self.damping * visits, pi + s * width, runs, numbers, x + n)
        solve_noting(self.conjugate, 0.0, learner, run, n, room)
        for s in range(self.n_states):
            visits = sum_of(sums, accounts.scores_at + s * width, width)
            centre_row(width, x + s * free, s * width, numbers)
            change += visits * variance(width, s * width, pi + s * width, runs, numbers)
        share = share_within(optimisation.lr, self.max_kl, change / sums[accounts.stats_at + LENGTH])
        factor = sums[accounts.stats_at + COUNT] * share / cool(policy.link, 1.0)
        for r in range(self.n_states * width):
            numbers[r] *= factor  # COUNT, since what follows divides by it
