"""State–action features x(s, a) (Sutton & Barto 2018, section 13.1).

A map is a NamedTuple with `n_features` and a method ``write_all(env, n, like, w, x)`` that fills ``x[b D + k, i]``,
feature k of action b in the state of lane i, for the first n lanes of the workspace w.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import lane_kernel, load_column, store_column
from pgfast.protocol import features, observe, write


@lane_kernel
def write_identity(n, d, x):
    for row in range(x.shape[0]):
        value = 1.0 if row // d == row % d else 0.0
        for i in range(n):
            x[row, i] = value


@lane_kernel
def write_environment(n, env, like, shape, action, state, state_int, x):
    for i in range(n):
        seen = observe(env, load_column(state, state_int, i, like))
        store_column(x, state_int, i, features(env, seen, action), shape)


@lane_kernel
def write_products(n, statistics, x):
    """x[b K D + k D + j] = T[b, k] y[j], where y (D, L) stands in the last D rows."""
    count, rows = statistics.shape[1], x.shape[0] // statistics.size
    last = x.shape[0] - rows
    for b in range(statistics.shape[0]):
        for k in range(count):
            factor, first = statistics[b, k], (b * count + k) * rows
            for j in range(rows):
                for i in range(n):
                    x[first + j, i] = factor * x[last + j, i]


class ActionOneHot(NamedTuple):
    """One feature per action whatever the state: in the short corridor x(s, left) = (1, 0), x(s, right) = (0, 1)."""

    n_features: int  # the number of actions
    constant: int = 1  # the same in every state

    def write_all(self, env, n, like, w, x):
        write_identity(n, self.n_features, x)


class EnvironmentFeatures(NamedTuple):
    """The environment's own ``features(observation, action)``, a tuple of numbers."""

    shape: Any  # a tuple of floats as long as the features
    n_features: int
    first_action: int = 0  # what the environment calls action 0
    constant: int = 0

    def write_all(self, env, n, like, w, x):
        d, state, state_int = self.n_features, w.lanes.state, w.lanes.state_int
        for b in range(x.shape[0] // d):
            write_environment(n, env, like, self.shape, b + self.first_action, state, state_int, x[b * d : b * d + d])


class Products(NamedTuple):
    """x(s, a) = T(a) ⊗ x(s): with θ of shape (K, D), θᵀ x(s, a) = Σ_k T_k(a) θ_kᵀ x(s)."""

    of_state: Any  # the map x(s), of D numbers
    statistics: Any  # T, float (A, K)
    n_features: int  # K D
    constant: int = 0

    def write_all(self, env, n, like, w, x):
        write(self.of_state, env, n, like, w, x[x.shape[0] - self.of_state.n_features :])
        write_products(n, self.statistics, x)
