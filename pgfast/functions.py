"""A function to be maximised, as an environment: x is the action, f(x) the reward, and an episode is one step.

The gradient of E[f(x)] with respect to the parameters of x's distribution p is E[f(x) ∇log p(x)] (Williams 1992), so f
need not have a derivative: this is the estimator that all policy gradients rest on, with nothing around it.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import is_library
from pgfast.errors import EnvironmentFault, PgfastError
from pgfast.random import make_key, normal

_FEW = 1000  # choices of which all are tried before anything is compiled, and the best one is known
_POINTS = 64  # of a space of real numbers, tried as well


def maximise(f: Callable[..., Any], *, n: int | None = None, dimensions: int | None = None) -> Any:
    """An environment whose policy is a distribution of x, and whose return is f(x).

    Parameters
    ----------
    f : function
        ``f(x)``, or ``f(x, key)`` where it is random itself (`pgfast.uniform(key, 0)`); it is compiled, and gives a
        number.
    n : int, optional
        x is a whole number from 0 to n − 1, of a categorical distribution.
    dimensions : int, optional
        x is a float (1), or a tuple of so many floats, of a Gaussian distribution.

    Raises
    ------
    PgfastError
        Unless one of n and dimensions is given, and at least 1; EnvironmentFault where f can't be called, or gives no
        finite number.
    """
    if not isinstance(f, FunctionType):
        raise PgfastError(f"f is {f!r}: it must be a plain function, such as `lambda x: …` that calls it.")
    if (n is None) == (dimensions is None):
        raise PgfastError(
            f"{_name(f)} needs to know what x is: give n for a whole number from 0 to n − 1, or dimensions for as many "
            f"floats."
        )
    size = n if n is not None else dimensions
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise PgfastError(f"{'n' if n is not None else 'dimensions'} is {size!r}: it must be a whole number from 1 on.")
    env = _class_of(f, Choice if n is not None else Point)(int(size))
    for k, x in enumerate(env.examples()):
        _check_value(f, x, k)
    return env


class Choice(NamedTuple):
    """x is one of n."""

    n: int

    @property
    def observation_space(self):
        from gymnasium.spaces import Discrete

        return Discrete(1)

    @property
    def action_space(self):
        from gymnasium.spaces import Discrete

        return Discrete(self.n)

    @property
    def optimum(self):
        """The largest f(x), where that is quickly found."""
        if self.noisy or self.n > _FEW:  # type: ignore[attr-defined]
            return None
        return max(self.step(0, x, None)[1] for x in self.examples())  # type: ignore[attr-defined]

    def reset(self, key):
        return 0

    def examples(self):
        """Some values of x: all of them, if they are few."""
        return range(min(self.n, _FEW))


class Point(NamedTuple):
    """x is a point of a space of so many dimensions."""

    dimensions: int

    @property
    def observation_space(self):
        from gymnasium.spaces import Discrete

        return Discrete(1)

    @property
    def action_space(self):
        from gymnasium.spaces import Box

        return Box(-np.inf, np.inf, (self.dimensions,), np.float64)

    def reset(self, key):
        return 0

    def examples(self):
        """Some values of x, normally distributed."""
        for k in range(_POINTS):
            x = tuple(normal(make_key(episode=k), i) for i in range(self.dimensions))
            yield x if self.dimensions > 1 else x[0]


@cache
def _class_of(f: FunctionType, base: type) -> type:
    """The class of environments of f. It goes by f's name and place, by which it is found when a run is loaded."""
    noisy = _takes_key(f)
    if noisy:

        def step(self, state, action, key):
            return state, 1.0 * f(action, key), True

    else:

        def step(self, state, action, key):
            return state, 1.0 * f(action), True

    place = f.__module__ if not is_library(f.__module__ or "") else "functions"
    step.__module__ = place  # not pgfast's, whose code never changes: what it is compiled to depends on f
    members = {"__slots__": (), "__doc__": f.__doc__, "__module__": place, "__qualname__": f.__qualname__}
    return type(_name(f), (base,), {**members, "step": step, "max_steps": 1, "noisy": noisy})


def _takes_key(f: FunctionType) -> bool:
    parameters = list(inspect.signature(f).parameters.values())
    if len(parameters) in (1, 2) and all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters):
        return len(parameters) == 2
    raise PgfastError(f"{_name(f)}{inspect.signature(f)} can't be maximised: write it as f(x), or f(x, key).")


def _check_value(f: FunctionType, x: Any, k: int) -> None:
    arguments = (x, make_key(episode=k, step=1)) if _takes_key(f) else (x,)
    call = f"{_name(f)}({x})"
    try:
        value = f(*arguments)
    except Exception as error:  # whatever a user's function raises
        raise EnvironmentFault(f"{call} fails with {type(error).__name__}: {error}") from error
    if not isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating) or not math.isfinite(value):
        raise EnvironmentFault(f"{call} gives {value!r}: it must be a finite number.")


def _name(f: FunctionType) -> str:
    return f.__name__ if f.__name__.isidentifier() else "f"
