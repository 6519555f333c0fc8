"""Kernels as templates: ordinary Python functions, compiled once for each combination of what they are about.

A kernel calls *hooks*, ``step(env, …)`` or ``act(policy, …)``. In plain Python a hook is the method of its first
argument. To compile a kernel for an environment, a policy and so on, every function it reaches is copied with other
globals: hooks become the methods of the classes in question, leaves become functions that numba inlines before it
infers types, and functions that stand for a machine instruction become that instruction. One unit of code results,
instead of a hundred that are compiled one by one and optimised again at each level of calls.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from numpy import integer

from pgfast.compiler.precision import has_single

F = TypeVar("F", bound=Callable[..., Any])

INLINE, APART, UNIT, BUSY, HOOK = "inline", "apart", "unit", "busy", "hook"
kinds: dict[Any, str] = {}  # what each function is
defaults: dict[str, Any] = {}  # what stands for a method that a thing need not have
pairs: dict[Any, tuple[Any, Any]] = {}  # the leaves for doubles and for float32s behind a function
forms: dict[Any, tuple[Any, Any]] = {}  # the leaves for arrays and for whole numbers behind a function
stand_ins: dict[Any, Any] = {}  # the leaf that takes a function's place where other people's compiled code calls it
leaves: list[Any] = []
on_new_leaf: list[Callable[[Any], None]] = []  # once numba is there: makes a leaf known to it


def leaf(function: F) -> F:
    """A small function, inlined wherever compiled code calls it; plain Python when Python does. Other people's compiled
    functions may call it too."""
    kinds[function] = INLINE
    _announce(function)
    return function


def _announce(function: Any) -> None:
    leaves.append(function)
    for make_known in on_new_leaf:
        make_known(function)


def by_precision(single: Callable[..., Any]) -> Callable[[F], F]:
    """Decorates a leaf for doubles; where an argument is or has in it a float32, the leaf `single` takes its place."""

    def decorate(double: F) -> F:
        @wraps(double)
        def choose(*args: Any) -> Any:
            return (single if any(map(has_single, args)) else double)(*args)

        pairs[choose] = leaf(double), leaf(single)
        _announce(choose)
        return choose  # type: ignore[return-value]

    return decorate


def by_form(whole: Callable[..., Any]) -> Callable[[F], F]:
    """Decorates a leaf whose second argument is an array; where that is a whole number, the leaf `whole` takes its
    place."""

    def decorate(array: F) -> F:
        @wraps(array)
        def choose(*args: Any) -> Any:
            return (whole if isinstance(args[1], int | integer) else array)(*args)

        forms[choose] = leaf(array), leaf(whole)
        _announce(choose)
        return choose  # type: ignore[return-value]

    return decorate


def compiled_as(stand_in: Callable[..., Any]) -> Callable[[F], F]:
    """Decorates a function that can't be compiled as it is: other people's compiled code gets a leaf in its place."""

    def decorate(function: F) -> F:
        stand_ins[function] = leaf(stand_in)
        _announce(function)
        return function

    return decorate


def lane_kernel(function: F) -> F:
    """A loop over lanes, inlined into kernels: over the rows of one workspace record, whose distances are compile-time
    constants, LLVM can vectorise it."""
    kinds[function] = INLINE
    return function


def gather_kernel(function: F) -> F:
    """A loop over lanes that reads tables at places known only when it runs. No two of its arguments share memory: LLVM
    may take it that what it writes leaves the tables alone, and load from many places at once."""
    kinds[function] = APART
    return function


def inlined(function: F) -> F:
    """A piece of a kernel that is there to be read apart; it is compiled into its callers."""
    kinds[function] = INLINE
    return function


def routine(function: F) -> F:
    """A piece of a kernel that runs rarely, or is called from several places: compiled once, for size, and called."""
    kinds[function] = UNIT
    return function


def busy_routine(function: F) -> F:
    """A routine whose loops are worth the compiler's time: compiled for speed, as kernels are."""
    kinds[function] = BUSY
    return function


def hook(method: str) -> Callable[..., Any]:
    """A function that calls the method of that name of its first argument."""

    def call(thing: Any, *args: Any) -> Any:
        return getattr(thing, method)(*args)

    call.__name__ = call.__qualname__ = method
    kinds[call] = HOOK
    return call


def optional_hook(method: str, default: Callable[..., Any]) -> Callable[..., Any]:
    """A hook that calls `default` for a thing without such a method."""

    def call(thing: Any, *args: Any) -> Any:
        return getattr(thing, method)(*args) if hasattr(thing, method) else default(thing, *args)

    call.__name__ = call.__qualname__ = method
    kinds[call] = HOOK
    defaults[method] = default
    return call
