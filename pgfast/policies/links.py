"""Links: what turns parameters into preferences, whose softmax is the policy.

A link writes preferences h from the parameters θ of a table's row, and pulls a gradient by h back to one by θ,
∂J/∂θ = (∂h/∂θ)ᵀ ∂J/∂h. All else, sampling, sums and entropy, is the softmax's own: so another parametrisation is one
such class. The two here, of the softmax itself, serve linear preferences too, by `cool`.

In NumPy, for whoever wants probabilities or exact gradients, a link gives the preferences of rows (…, D) as (…, A), and
their derivatives as (…, A, D); where it is linear these are the same everywhere.

A row has n actions; its parameters begin at theta[first], preferences and the gradient by them stand at numbers[h], …,
and the gradient by the parameters goes to numbers[first], ….
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pgfast.policies.softmax import finite
from pgfast.policies.tabular import expand_row, gaps


class Direct(NamedTuple):
    """h = θ."""

    @property
    def linear(self):
        return True

    def preferences(self, rows):
        return rows

    def derivatives(self, rows):
        return np.broadcast_to(np.eye(rows.shape[-1]), (*rows.shape, rows.shape[-1]))

    def cool(self, x):
        """x / τ, where x is a number in proportion to h."""
        return x

    def write_preferences(self, theta, first, n, numbers, h):
        for b in range(n):
            numbers[h + b] = theta[first + b]

    def pull_back(self, theta, first, n, numbers, h):
        for b in range(n):
            numbers[first + b] = numbers[h + b]

    # without a copy in between, since nothing has to be turned into anything

    def write_gaps(self, n, n_actions, theta, room):
        gaps(n, n_actions, theta, room.chosen, room.rows)

    def expand_state(self, n, algorithm, runs, accounts, a, entry, first, pi, room):
        expand_row(n, algorithm, runs, accounts, a, entry, pi, room.numbers)

    def pull_back_lane(self, policy, learner, i, c, m, room):
        """Nothing to do."""

    def greedy_at(self, pi):
        return 0


class Tempered(NamedTuple):
    """h = θ / τ: the lower the temperature, the greedier the policy."""

    temperature: float  # τ

    @property
    def linear(self):
        return True

    def preferences(self, rows):
        with np.errstate(over="ignore"):  # what overflows counts as the largest number
            return rows / self.temperature

    def derivatives(self, rows):
        return np.broadcast_to(np.eye(rows.shape[-1]) / self.temperature, (*rows.shape, rows.shape[-1]))

    def cool(self, x):
        """x / τ, where x is a number in proportion to h."""
        return x / self.temperature

    def write_preferences(self, theta, first, n, numbers, h):
        for b in range(n):
            numbers[h + b] = finite(theta[first + b] / self.temperature)

    def pull_back(self, theta, first, n, numbers, h):
        for b in range(n):
            numbers[first + b] = numbers[h + b] / self.temperature
