"""State–action features x(s, a) (Sutton & Barto 2018, section 13.1).

A map is a NamedTuple with `n_features` and a method ``write_all(env, n, like, state, state_int, x)`` that fills
``x[b D + k, i]``, feature k of action b in the state of lane i, for the first n lanes.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import lane_kernel, load_column, store_column
from pgfast.protocol import features, observe


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


class ActionOneHot(NamedTuple):
    """One feature per action whatever the state: in the short corridor x(s, left) = (1, 0), x(s, right) = (0, 1)."""

    n_features: int  # the number of actions
    constant: int = 1  # the same in every state

    def write_all(self, env, n, like, state, state_int, x):
        write_identity(n, self.n_features, x)


class EnvironmentFeatures(NamedTuple):
    """The environment's own ``features(observation, action)``, a tuple of numbers."""

    shape: Any  # a tuple of floats as long as the features
    n_features: int
    first_action: int = 0  # what the environment calls action 0
    constant: int = 0

    def write_all(self, env, n, like, state, state_int, x):
        d = self.n_features
        for b in range(x.shape[0] // d):
            write_environment(n, env, like, self.shape, b + self.first_action, state, state_int, x[b * d : b * d + d])
