"""The natural gradient (Kakade 2001): F⁻¹ g, g the gradient of a batch and F its empirical Fisher matrix.

    F = Σ w_t z_t z_tᵀ    over all steps of all episodes of the batch, z_t = ∇ log π(A_t|S_t), w_t as in g

So F⁻¹ g is the w of the compatible features z that fits what the scores meet best, zᵀw the advantage (Kakade 2001,
theorem 1). Of a softmax F is singular: a preference more for all actions of an observation changes nothing. Linear
preferences are differences to the last action's here, of which F is a matrix of full rank; θ then takes the change of
least norm that has these differences, which is that of the pseudo-inverse, F⁺ g.

Of a table, F has a block N(s) (diag π − π πᵀ) for each row s, N(s) = Σ w_t 1{S_t = s}, and nothing else: the natural
gradient is g(s, a) / (N(s) π(a|s)), up to a number that is the same for all actions of a row and such that they sum to
0. π is known, not counted. It is damped as N(s) (diag π − π πᵀ + λ I).

A step that would change the policy by more than `max_kl`, ½ αxᵀF̄ αx with F̄ = F / Σ T the mean of a step's matrices and
α the step size, is cut to that length.

R rows of gradient, L = LANES.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from pgfast.compiler import lane_kernel, leaf, routine, wide
from pgfast.kernels.linear_systems import place, size, solve
from pgfast.kernels.statistics import COUNT, LENGTH
from pgfast.policies.tabular import place_of_pi
from pgfast.protocol import cool, lift, score


@lane_kernel
def write_scores(n, policy, m, first):
    """Rows first, … of the moments: the score of this step; 0 where the episode had ended."""
    for r in range(m.g.shape[0]):
        for i in range(n):
            m.moments[first + r, i] = score(policy, i, r, m.c, m)


@lane_kernel
def add_products(n, weight, moments, scores):
    """moments[(r, c)] += weight z_r z_c; z at moments[scores], …"""
    for r in range(moments.shape[0] - scores):
        for c in range(r + 1):
            for i in range(n):
                moments[place(r, c), i] += weight[i] * moments[scores + r, i] * moments[scores + c, i]


@leaf
def share_within(rate, limit, square):
    """The share of a step of size `rate` that has ½ rate² square ≤ limit; no limit is 0."""
    change = 0.5 * rate * rate * square
    return sqrt(limit / change) if change > limit > 0.0 else 1.0


@leaf
def quadratic(numbers, x, n, sums, at):
    """xᵀM x."""
    total = 0.0
    for r in range(n):
        for c in range(r):
            total += 2.0 * sums[at + place(r, c)] * numbers[x + r] * numbers[x + c]
        total += sums[at + place(r, r)] * numbers[x + r] * numbers[x + r]
    return total


@routine
def solve_noting(conjugate, damping, learner, run, n, room):
    """Solve the system of n unknowns in the room's scratch, and note it where its matrix is singular."""
    x = room.scratch_at
    if solve(conjugate, room.numbers, x + n, n, x, damping) > damping:
        learner.runs[run, learner.kept_at] = 1.0


class Fisher(NamedTuple):
    """Of linear policies; lanes sum up the triangle of F, and have R rows more for a step's score."""

    damping: float  # λ
    max_kl: float  # 0: none
    conjugate: int  # 1: by conjugate gradients

    def sum_step(self, policy, n, w):
        m = w.memory
        scores = size(m.g.shape[0])
        write_scores(n, policy, m, scores)
        add_products(n, w.lanes.weight, m.moments, scores)

    def sum_episode(self, memory, algorithm, learner, w, accounts, account, i):
        m = w.memory
        for k in range(size(m.g.shape[0])):
            accounts.sums[account, accounts.moments_at + k] += wide(m.moments[k, i])
            m.moments[k, i] = 0.0

    def forget_sums(self, w, i):
        for k in range(w.memory.moments.shape[0]):
            w.memory.moments[k, i] = 0.0

    def move_sums(self, w, source, target):
        for k in range(w.memory.moments.shape[0]):
            w.memory.moments[k, target] = w.memory.moments[k, source]

    def refine(self, policy, algorithm, optimisation, learner, accounts, a, run, room):
        sums, n, x, at = accounts.sums[a], accounts.value_at, room.scratch_at, accounts.moments_at
        for r in range(n):
            room.numbers[x + r] = sums[r]
        for k in range(size(n)):
            room.numbers[x + n + k] = sums[at + k]
        solve_noting(self.conjugate, self.damping, learner, run, n, room)
        mean = quadratic(room.numbers, x, n, sums, at) / sums[accounts.stats_at + LENGTH]
        episodes = sums[accounts.stats_at + COUNT] * share_within(optimisation.lr, self.max_kl, mean)
        for r in range(n):
            room.numbers[x + r] *= episodes  # what follows divides by their number
        lift(policy, n, x, room.numbers)


@leaf
def solve_row(n, first, visits, damping, pi, runs, numbers):
    """numbers[first], … become x of visits (diag π − π πᵀ + λ I) x = numbers[first], …, Σ x = 0."""
    total, weight = 0.0, 0.0
    for b in range(first, first + n):
        p = runs[pi + b - first]
        x = numbers[b] / (visits * (p + damping)) if p + damping > 0.0 else 0.0
        numbers[b] = x
        total += x
        weight += p / (p + damping) if p + damping > 0.0 else 0.0
    for b in range(first, first + n):
        p = runs[pi + b - first]
        numbers[b] -= total / weight * (p / (p + damping)) if p + damping > 0.0 else 0.0


@leaf
def variance(n, first, pi, runs, numbers):
    """Of numbers[first], … by π."""
    mean, square = 0.0, 0.0
    for b in range(n):
        mean += runs[pi + b] * numbers[first + b]
    for b in range(n):
        square += runs[pi + b] * (numbers[first + b] - mean) ** 2
    return square


@leaf
def sum_of(sums, first, n):
    """Σ of sums[first], …: the visits of a row whose entries these are."""
    total = 0.0
    for b in range(first, first + n):
        total += sums[b]
    return total


class TabularFisher(NamedTuple):
    """Of tables; the account's scores are Σ w_t of each entry."""

    damping: float  # λ
    max_kl: float

    def refine(self, policy, algorithm, optimisation, learner, accounts, a, run, room):
        sums, runs, numbers, n = accounts.sums[a], learner.runs[run], room.numbers, policy.n_actions
        change, unit = 0.0, cool(policy.link, 1.0)  # which is 1 / τ, of both gradient and scores
        for k in range(1, room.spans[0, 0] + 1):
            for first in range(room.spans[k, 0], room.spans[k, 1], n):
                visits, pi = sum_of(sums, accounts.scores_at + first, n), place_of_pi(policy, learner) + first
                if visits > 0.0:
                    solve_row(n, first, visits, self.damping, pi, runs, numbers)
                    change += visits * variance(n, first, pi, runs, numbers)
        mean = change / (unit * unit * sums[accounts.stats_at + LENGTH])
        factor = sums[accounts.stats_at + COUNT] * share_within(optimisation.lr, self.max_kl, mean) / (unit * unit)
        for k in range(1, room.spans[0, 0] + 1):
            for r in range(room.spans[k, 0], room.spans[k, 1]):
                numbers[r] *= factor
