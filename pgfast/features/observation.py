"""State features x(s).

A feature map is a NamedTuple with `n_features` and a method ``write(env, n, like, state, state_int, x)`` that fills
``x[k, i]``, feature k of the state of lane i, for the first n lanes.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import lane_kernel, load_column, store_column
from pgfast.protocol import observe


@lane_kernel
def write_observation(n, env, like, shape, state, state_int, x):
    for i in range(n):
        store_column(x, state_int, i, observe(env, load_column(state, state_int, i, like)), shape)


@lane_kernel
def write_one_hot(n, env, like, start, state, state_int, x):
    for k in range(x.shape[0]):
        for i in range(n):
            index = observe(env, load_column(state, state_int, i, like)) - start
            x[k, i] = 1.0 if index == k else 0.0


@lane_kernel
def write_bias(n, x):
    last = x.shape[0] - 1
    for i in range(n):
        x[last, i] = 1.0


class Observation(NamedTuple):
    """The numbers of the observation themselves, and 1 after them where `bias` is 1."""

    shape: Any  # a float, or a tuple of floats, shaped like the observation
    n_features: int
    bias: int = 0

    def write(self, env, n, like, state, state_int, x):
        write_observation(n, env, like, self.shape, state, state_int, x)
        if self.bias == 1:
            write_bias(n, x)


class OneHot(NamedTuple):
    """One feature per discrete observation: 1 for the one seen, 0 for the others."""

    n_features: int
    start: int = 0

    def write(self, env, n, like, state, state_int, x):
        write_one_hot(n, env, like, self.start, state, state_int, x)
