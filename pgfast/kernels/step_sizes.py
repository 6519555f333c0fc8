"""How long a step is: schedules of the step sizes, and a bound on the gradient's norm.

With k the updates that a run has made and n the episodes that they learned from, the step sizes of the policy and of
the value function are multiplied by

    constant          1
    linear            1 − n/N, and 0 from N episodes on
    inverse           1 / (1 + k/κ)
    robbins-monro     1 / (1 + k/κ)ᵖ, ½ < p ≤ 1: Σ α_k = ∞ and Σ α_k² < ∞

Robbins & Monro 1951: A stochastic approximation method. Annals of Mathematical Statistics 22(3), equation 6.
Pascanu, Mikolov & Bengio 2013: On the difficulty of training recurrent neural networks. ICML, algorithm 1.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import as_float, fma, lane_kernel, leaf
from pgfast.protocol import scale
from pgfast.vmath import exp, log, sqrt


@leaf
def as_number(k):
    """An int below 2**51 as a float, without the conversion that AVX2 lacks."""
    return as_float(k | 0x4330000000000000) - 4503599627370496.0


@lane_kernel
def scale_lanes(schedule, n, lanes, m):
    """The factor of the step sizes in each lane, where lanes are runs; those that are being updated count it."""
    for i in range(n):
        m.scale[i] = scale(schedule, m.updates[i], m.learned[i])
        moved = lanes.share[i] != 0.0
        m.updates[i] += 1.0 if moved else 0.0
        m.learned[i] = as_number(np.int64(lanes.episode[i])) if moved else m.learned[i]


@leaf
def scaled_rate(schedule, rate, i, m):
    """A step size in lane i."""
    return rate * m.scale[i]


class Constant(NamedTuple):
    """No schedule: nothing is computed."""

    def scale(self, updates, episodes):
        return 1.0

    def set_scales(self, n, lanes, m):
        return

    def lane_rate(self, rate, i, m):
        return rate

    def varies_nothing(self):
        return True


class Linear(NamedTuple):
    """Down to 0."""

    episodes: float  # N

    def scale(self, updates, episodes):
        left = 1.0 - episodes / self.episodes
        return left if left > 0.0 else 0.0


class Decaying(NamedTuple):
    """Inverse and Robbins–Monro."""

    kappa: float
    power: float  # p

    def scale(self, updates, episodes):
        return exp(-self.power * log(1.0 + updates / self.kappa))


SCHEDULES = ("constant", "linear", "inverse", "robbins-monro")


def step_schedule(name: str, episodes: int, kappa: float, power: float) -> Any:
    """The schedule of that name, for runs of so many episodes."""
    schedules = {
        "constant": Constant(),
        "linear": Linear(float(episodes)),
        "inverse": Decaying(kappa, 1.0),
        "robbins-monro": Decaying(kappa, power),
    }
    return schedules[name]


@leaf
def squared_norm(numbers, first, last):
    """Sum of the squares of entries first … last − 1."""
    total = 0.0
    for r in range(first, last):
        total += numbers[r] * numbers[r]
    return total


@leaf
def shortening(longest, squared):
    """What a gradient of that squared norm is multiplied by, so that its norm is `longest` at most."""
    return longest / sqrt(squared) if squared > longest * longest else 1.0


@lane_kernel
def shorten_lanes(n, longest, gradient):
    """The gradient (P, L) of every lane, no longer than that."""
    for i in range(n):
        total = 0.0
        for r in range(gradient.shape[0]):
            total = fma(gradient[r, i], gradient[r, i], total)
        factor = shortening(longest, total)
        for r in range(gradient.shape[0]):
            gradient[r, i] *= factor


class Unbounded(NamedTuple):
    """The gradient as it is."""

    def shorten(self, numbers, spans, at, entries):
        return

    def shorten_all(self, n, gradient):
        return

    def within(self, squared):
        return 1.0

    def bounds_nothing(self):
        return True


class Bounded(NamedTuple):
    """A gradient whose norm is larger is scaled to it."""

    max_norm: float

    def shorten(self, numbers, spans, at, entries):
        """The gradient at numbers[at]: one number for `entries` of those that the spans are of."""
        total = 0.0
        for k in range(1, spans[0, 0] + 1):
            total += squared_norm(numbers, at + spans[k, 0] // entries, at + spans[k, 1] // entries)
        factor = shortening(self.max_norm, total)
        for k in range(1, spans[0, 0] + 1):
            for r in range(at + spans[k, 0] // entries, at + spans[k, 1] // entries):
                numbers[r] *= factor

    def shorten_all(self, n, gradient):
        shorten_lanes(n, self.max_norm, gradient)

    def within(self, squared):
        return shortening(self.max_norm, squared)
