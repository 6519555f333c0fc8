"""Which row of a table an observation has: its own, one for every step of an episode, or one that all share."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pgfast.compiler import lane_kernel
from pgfast.vmath import times


@lane_kernel
def add_time(n, horizon, n_observations, counter, seen):
    """Row t S + s in place of s, t the steps made: where an episode is over, that of the last."""
    for i in range(n):
        t = np.int64(counter[0, i]) - 1
        seen[i] += times(t if t < horizon else horizon - 1, n_observations)


@lane_kernel
def share(n, seen):
    """Row 0 for every lane."""
    for i in range(n):
        seen[i] = 0


class Stationary(NamedTuple):
    """Row s."""

    def rows_of(self, seen, time):
        """The rows of observations, counted from 0, at a time, as NumPy has them."""
        return seen

    def observed(self, n_rows):
        """S, the number of observations."""
        return n_rows

    def find_rows(self, n, lanes, m):
        """From observations in ``m.seen`` to rows."""


class Timed(NamedTuple):
    """Row t S + s: with a limited horizon the best action depends on the steps left (Puterman 1994, chapter 4)."""

    horizon: int  # H
    n_observations: int  # S

    def rows_of(self, seen, time):
        return np.minimum(time, self.horizon - 1) * self.n_observations + seen

    def observed(self, n_rows):
        return self.n_observations

    def find_rows(self, n, lanes, m):
        add_time(n, self.horizon, self.n_observations, lanes.counter, m.seen)


class Shared(NamedTuple):
    """One row for all observations."""

    n_observations: int

    def rows_of(self, seen, time):
        return 0 * seen

    def observed(self, n_rows):
        return self.n_observations

    def find_rows(self, n, lanes, m):
        share(n, m.seen)
