"""Features that a user's own function computes, compiled with the rest."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import math
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import is_library, lane_kernel, load_column, store_column
from pgfast.errors import PgfastError
from pgfast.features.inputs import Inputs
from pgfast.features.observation import write_bias
from pgfast.protocol import basis, observe


@lane_kernel
def write_values(n, features, env, like, values, w, x):
    for i in range(n):
        seen = observe(env, load_column(w.lanes.state, w.lanes.state_int, i, like))
        store_column(x, w.lanes.state_int, i, basis(features, seen), values)


class Function(NamedTuple):
    """x(s) = f(what is observed of s), and 1 after it where `bias` is 1."""

    values: Any  # a float, or a tuple of floats, shaped like what f gives
    n_features: int
    bias: int
    n_inputs: int = 0

    def write(self, env, n, like, w, x):
        write_values(n, self, env, like, self.values, w, x)
        if self.bias == 1:
            write_bias(n, x)


@cache
def _class_of(f: FunctionType) -> Any:
    """The class of the maps of f, whose code is not pgfast's."""

    def method(self, observation):
        return f(observation)

    place = f.__module__ if not is_library(f.__module__ or "") else "functions"
    method.__module__ = place
    members = {"__slots__": (), "__module__": place, "__qualname__": f.__qualname__, "basis": method}
    return type(f.__name__, (Function,), members)


def from_function(f: Any, inputs: Inputs) -> Any:
    """The map of a function from an observation, as the environment gives it, to a number or a tuple of numbers.

    Raises PgfastError where it can't be called, or gives anything else."""
    if not isinstance(f, FunctionType):
        raise PgfastError(f"features is {f!r}: it must be a name that `pgfast features` lists, or a plain function.")
    example = inputs.shape if not inputs.discrete else int(inputs.low[0])
    try:
        found = f(example)
    except Exception as error:  # whatever a user's function raises
        raise PgfastError(f"{f.__name__}({example}) fails with {type(error).__name__}: {error}") from error
    numbers = found if isinstance(found, tuple) else (found,)
    if not numbers or not all(isinstance(x, bool | int | float | np.number) and math.isfinite(x) for x in numbers):
        raise PgfastError(f"{f.__name__}({example}) gives {found!r}: it must be a finite number, or a tuple of them.")
    values = (0.0,) * len(numbers) if isinstance(found, tuple) else 0.0
    return _class_of(f)(values, len(numbers) + int(inputs.bias), int(inputs.bias))
