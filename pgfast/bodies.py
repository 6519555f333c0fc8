"""What the bodies of an environment's methods call that they mustn't, seen without running them."""

from __future__ import annotations

import builtins
import random
from pathlib import Path
from types import FunctionType
from typing import Any

from pgfast.compiler import compiled_functions, global_names, line_of, references
from pgfast.errors import EnvironmentFault

_TALKATIVE = {"breakpoint", "input", "open", "print"}


def check_bodies(cls: type) -> None:
    """Raise EnvironmentFault for a name that isn't defined, for input and output, and for randomness that isn't the
    key's, in a method of `cls` or in what it calls."""
    for function in compiled_functions(cls):
        for name in sorted(global_names(function)):
            defined = name in function.__globals__
            if not defined and not hasattr(builtins, name):
                raise _fault(function, name, f"{name} is not defined.")
            if name in _TALKATIVE and not defined:
                raise _fault(
                    function, name, f"{name} can't be compiled; to see what happens, call the methods from Python."
                )
        for name, value in references(function):
            if _is_random(value):
                raise _fault(
                    function,
                    name,
                    f"{name} is not a function of the key, so no episode could be repeated: draw with "
                    f"pgfast.uniform(key, i), normal(key, i) or randint(key, i, n).",
                )


def _fault(function: FunctionType, name: str, words: str) -> EnvironmentFault:
    file, line = Path(function.__code__.co_filename).name, line_of(function, name.partition(".")[0])
    return EnvironmentFault(f"{file}, line {line}, {function.__qualname__}: {words}")


def _is_random(value: Any) -> bool:
    """Is it a generator of random numbers that has a state, or one of its methods?"""
    owner = getattr(value, "__self__", value)
    homes = (getattr(value, "__module__", None), type(owner).__module__, getattr(value, "__name__", None))
    return isinstance(owner, random.Random) or any(
        str(home).partition(".")[0] in ("random", "secrets") or str(home).startswith("numpy.random") for home in homes
    )
