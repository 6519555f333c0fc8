"""Kernels as templates: ordinary Python functions, compiled once for each combination of what they are about.

A kernel calls *hooks*, ``step(env, …)`` or ``act(policy, …)``. In plain Python a hook is the method of its first
argument. To compile a kernel for an environment, a policy and so on, every function it reaches is copied with other
globals: hooks become the methods of the classes in question, leaves become functions that numba inlines before it
infers types, and functions that stand for a machine instruction become that instruction. One unit of code results,
instead of a hundred that are compiled one by one and optimised again at each level of calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeVar

from numba import config, njit
from numba.extending import register_jitable

from pgfast.compiler.parts import ApartCompiler, PartCompiler
from pgfast.compiler.references import global_names, is_library

STRICT = {"error_model": "numpy"}  # x / 0 is inf as in NumPy; an exception in a loop body stops the vectoriser
BORROWED = {"_nrt": False}  # kernels allocate nothing and own nothing: no reference counting of their arguments
OWNED = {"_nrt": True}  # said aloud, since numba hands the caller's choice on to the callee

F = TypeVar("F", bound=Callable[..., Any])

_INLINE, _APART, _UNIT, _HOOK = "inline", "apart", "unit", "hook"
_kinds: dict[Any, str] = {}
_twins: dict[Any, Any] = {}
_defaults: dict[str, Any] = {}


def leaf(function: F) -> F:
    """A small function, inlined wherever compiled code calls it; plain Python when Python does. Other people's compiled
    functions may call it too."""
    _kinds[function] = _INLINE
    if not config.DISABLE_JIT:
        register_jitable(forceinline=True, **STRICT)(function)
    return function


def lane_kernel(function: F) -> F:
    """A loop over lanes, inlined into kernels: over the rows of one workspace record, whose distances are compile-time
    constants, LLVM can vectorise it."""
    _kinds[function] = _INLINE
    return function


def gather_kernel(function: F) -> F:
    """A loop over lanes that reads tables at places known only when it runs. No two of its arguments share memory: LLVM
    may take it that what it writes leaves the tables alone, and load from many places at once."""
    _kinds[function] = _APART
    return function


def inlined(function: F) -> F:
    """A piece of a kernel that is there to be read apart; it is compiled into its callers."""
    _kinds[function] = _INLINE
    return function


def routine(function: F) -> F:
    """A piece of a kernel that runs rarely, or is called from several places: compiled once, and called."""
    _kinds[function] = _UNIT
    return function


def hook(method: str) -> Callable[..., Any]:
    """A function that calls the method of that name of its first argument."""

    def call(thing: Any, *args: Any) -> Any:
        return getattr(thing, method)(*args)

    call.__name__ = call.__qualname__ = method
    _kinds[call] = _HOOK
    return call


def optional_hook(method: str, default: Callable[..., Any]) -> Callable[..., Any]:
    """A hook that calls `default` for a thing without such a method."""

    def call(thing: Any, *args: Any) -> Any:
        return getattr(thing, method)(*args) if hasattr(thing, method) else default(thing, *args)

    call.__name__ = call.__qualname__ = method
    _kinds[call] = _HOOK
    _defaults[method] = default
    return call


def twin(function: Callable[..., Any], instruction: Any) -> None:
    """In compiled code, `instruction` (a numba intrinsic) takes the place of `function`."""
    _twins[function] = instruction


class Specialiser:
    """Copies functions with globals bound for one combination; each function is copied once.

    `methods` gives, for each hook name, the function that takes its place. Functions from outside pgfast (a user's
    methods and helpers) are inlined as leaves are; only where `allocates` is true can they own memory.
    """

    def __init__(self, methods: Mapping[str, FunctionType], allocates: bool) -> None:
        self.methods = dict(methods)
        self.allocates = allocates
        self.copies: dict[Any, Any] = {}

    def copy(self, function: FunctionType) -> FunctionType:
        """`function` with its globals replaced."""
        replaced = dict(function.__globals__)
        for name in global_names(function):
            if name in replaced:
                replaced[name] = self.substitute(replaced[name])
        copy = FunctionType(function.__code__, replaced, function.__name__, function.__defaults__, function.__closure__)
        copy.__qualname__ = function.__qualname__
        copy.__module__ = function.__module__
        return copy

    def substitute(self, value: Any) -> Any:
        """What stands in compiled code for a global."""
        if not isinstance(value, FunctionType):
            return value
        if value in _twins:
            return _twins[value]
        if value in self.copies:
            return self.copies[value]
        kind = _kinds.get(value)
        if kind == _HOOK:
            method = self.methods.get(value.__name__) or _defaults.get(value.__name__)
            return self.compiled(method, True) if method is not None else value
        if kind is None and _belongs_to_libraries(value):
            return value
        return self.compiled(value, kind != _UNIT, kind == _APART)

    def compiled(self, function: FunctionType, inline: bool, apart: bool = False) -> Any:
        """The dispatcher of a function's copy; `apart`: its arguments share no memory."""
        if function not in self.copies:
            memory = OWNED if self.allocates and not is_library(function.__module__ or "") else BORROWED
            part = njit(pipeline_class=ApartCompiler if apart else PartCompiler, forceinline=inline, **STRICT, **memory)
            self.copies[function] = part(self.copy(function))
        return self.copies[function]


def _belongs_to_libraries(function: FunctionType) -> bool:
    """True for functions that numba itself knows what to do with."""
    root = (function.__module__ or "").partition(".")[0]
    return root in ("numba", "numpy", "math", "cmath", "operator", "builtins")
