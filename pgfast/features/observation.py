"""State features x(s).

A feature map is a NamedTuple with `n_features`, `n_inputs` (rows of ``w.memory.seen`` that it works on) and a method
``write(env, n, like, w, x)`` that fills ``x[k, i]``, feature k of the state of lane i, for the first n lanes of the
workspace w.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import lane_kernel, load_column
from pgfast.errors import PgfastError
from pgfast.features.inputs import Inputs
from pgfast.features.unit import write_numbers
from pgfast.protocol import observe


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
    n_inputs: int = 0

    def write(self, env, n, like, w, x):
        write_numbers(n, env, like, self.shape, w, x)
        if self.bias == 1:
            write_bias(n, x)


class OneHot(NamedTuple):
    """One feature per discrete observation: 1 for the one seen, 0 for the others."""

    n_features: int
    start: int = 0
    n_inputs: int = 0

    def write(self, env, n, like, w, x):
        write_one_hot(n, env, like, self.start, w.lanes.state, w.lanes.state_int, x)


class Bias(NamedTuple):
    """1, whatever is observed."""

    n_features: int = 1
    n_inputs: int = 0

    def write(self, env, n, like, w, x):
        write_bias(n, x)


def observation(inputs: Inputs) -> Any:
    """The numbers of an observation themselves and, with `bias`, 1.

    Reference: Sutton & Barto (2018), section 9.4.
    """
    return Observation(inputs.shape, inputs.size + int(inputs.bias), int(inputs.bias))


def bias(inputs: Inputs) -> Any:
    """1, whatever is observed: a policy that looks at nothing.

    Reference: Sutton & Barto (2018), section 2.8.
    """
    return Bias()


def one_hot(inputs: Inputs) -> Any:
    """One feature for each discrete observation: 1 for the one seen, 0 for the others.

    Reference: Sutton & Barto (2018), section 9.3.
    """
    if not inputs.discrete:
        raise PgfastError(
            f"{inputs.label}: features is 'one-hot', but the observations are real numbers: take 'aggregation'."
        )
    inputs.check_room(inputs.discrete, "take 'aggregation'")
    return OneHot(inputs.discrete, int(inputs.low[0]))
