"""A kernel: a template, compiled for the classes of its arguments and kept on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, NamedTuple

from numba import config, njit, typeof

from pgfast.compiler.cache import KernelCache
from pgfast.compiler.methods import bind
from pgfast.compiler.parts import KernelCompiler
from pgfast.compiler.references import ENTRY_POINTS, class_attribute
from pgfast.compiler.templates import BORROWED, STRICT, Specialiser

_allocating: set[type] = set()


class Preparation(NamedTuple):
    """What it took to have a kernel ready for one signature."""

    compile_seconds: float  # 0 when the code came from the cache or from memory
    load_seconds: float
    cache_hit: bool


class Kernel:
    """An entry point called from Python. Releases the GIL; cached on disk by what its code really depends on, unless it
    is not `kept`."""

    def __init__(self, function: Callable[..., Any], kept: bool = True) -> None:
        self.function: Any = function
        self.kept = kept
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self._dispatchers: dict[tuple[tuple[type, ...], bool], Any] = {}

    def __call__(self, *args: Any) -> Any:
        return self.dispatcher(*args)(*args)

    @property
    def is_compiled(self) -> bool:
        """Does a call run compiled code? Not where numba is switched off."""
        return not config.DISABLE_JIT

    def dispatcher(self, *args: Any) -> Any:
        """The numba dispatcher for the classes of `args`; the plain function where compilation is switched off."""
        if config.DISABLE_JIT:
            return self.function
        classes = tuple(dict.fromkeys(c for a in args for c in _classes(a)))
        key = classes, any(c in _allocating for c in classes)
        if key not in self._dispatchers:
            specialised = specialiser(*key).copy(self.function)
            dispatcher = njit(nogil=True, pipeline_class=KernelCompiler, **STRICT, **BORROWED)(specialised)
            if self.kept:
                dispatcher._cache = KernelCache(specialised, classes)
            self._dispatchers[key] = dispatcher
        return self._dispatchers[key]

    def is_ready(self, *args: Any) -> bool:
        """Is the code for these arguments in memory, or in the cache?"""
        if config.DISABLE_JIT:
            return True
        dispatcher, signature = self.dispatcher(*args), _signature(args)
        if signature in dispatcher.overloads or not self.kept:
            return signature in dispatcher.overloads
        return bool(dispatcher._cache.has(signature, dispatcher.targetctx.codegen()))

    def prepare(self, *args: Any) -> Preparation:
        """Compile or load the code for these arguments without running it."""
        if config.DISABLE_JIT:
            return Preparation(0.0, 0.0, False)
        dispatcher = self.dispatcher(*args)
        signature = _signature(args)
        if signature in dispatcher.overloads:
            return Preparation(0.0, 0.0, True)
        hits = sum(dispatcher.stats.cache_hits.values())
        start = time.perf_counter()
        dispatcher.compile(signature)
        seconds = time.perf_counter() - start
        hit = sum(dispatcher.stats.cache_hits.values()) > hits
        return Preparation(0.0, seconds, True) if hit else Preparation(seconds, 0.0, False)

    def assembly(self, *args: Any) -> str:
        """The machine code for these arguments; empty when it came from the cache."""
        return "\n".join(self.dispatcher(*args).inspect_asm().values())

    def intermediate_code(self, *args: Any) -> str:
        """What LLVM made of it before it became machine code; of a kernel that is not kept."""
        return str(self.dispatcher(*args).inspect_llvm(_signature(args)))


def kernel(function: Callable[..., Any]) -> Kernel:
    """Make `function` a Kernel."""
    return Kernel(function)


def let_allocate(cls: type) -> None:
    """Compile the methods of `cls`, and what they call, as code that may own memory. It is slower, so only for a class
    whose methods can't be compiled otherwise."""
    _allocating.add(cls)


def specialiser(classes: tuple[type, ...], allocates: bool) -> Specialiser:
    """Binds hooks to the methods of `classes`."""
    for cls in classes:
        bind(cls)
    return Specialiser(_methods(classes), allocates)


def _signature(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(typeof(a) for a in args)


def _classes(thing: Any) -> Iterator[type]:
    """The NamedTuple classes of a value and of what is in it."""
    if isinstance(thing, tuple):
        if hasattr(thing, "_fields"):
            yield type(thing)
        for element in thing:
            yield from _classes(element)


def _methods(classes: tuple[type, ...]) -> dict[str, FunctionType]:
    """The methods of the classes by name: of an environment its entry points, for the others are its own affair. Two
    classes can't answer the same hook in one kernel."""
    found: dict[str, FunctionType] = {}
    for cls in classes:
        for name in ENTRY_POINTS if class_attribute(cls, "step") is not None else dir(cls):
            value = class_attribute(cls, name)
            if not isinstance(value, FunctionType) or name.startswith("_"):
                continue
            if name in found:
                raise TypeError(f"both {cls.__name__} and {found[name].__qualname__} have a method {name}")
            found[name] = value
    return found
