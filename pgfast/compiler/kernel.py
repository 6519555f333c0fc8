"""A kernel: a template, compiled for the classes of its arguments and kept on disk."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

from pgfast.compiler import cache
from pgfast.compiler.block import Form, Words

if TYPE_CHECKING:
    from pgfast.compiler.machine import MachineCode

compiled: list[str] = []  # the kernels that this process has compiled, one after the other
_preparing = RLock()  # one thread at a time: kernels share what they have in common, and some of it is numba's


class Preparation(NamedTuple):
    """What it took to have a kernel ready for one signature."""

    compile_seconds: float  # 0 when the code came from the cache or from memory
    load_seconds: float
    cache_hit: bool


def compilation_is_off() -> bool:
    """Is numba told to leave functions as they are?"""
    with suppress(KeyError, AttributeError):  # not imported, or not yet to its end
        return bool(sys.modules["numba.core.config"].DISABLE_JIT)
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


class Kernel:
    """An entry point called from Python. Releases the GIL; cached on disk by what its code really depends on, unless it
    is not `kept`. Code from the cache is loaded and called without numba."""

    def __init__(self, function: Callable[..., Any], kept: bool = True) -> None:
        self.function: Any = function
        self.kept = kept
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self._codes: dict[Form, MachineCode] = {}
        self._libraries: dict[Form, Any] = {}  # numba's, of those compiled here

    def __call__(self, *args: Any) -> Any:
        if compilation_is_off():
            return self.function(*args)
        words = Words(args)
        form = words.form
        if form not in self._codes:
            self.prepare(*args)
        return self._codes[form](words)

    def bind(self, *args: Any) -> Callable[[], int]:
        """A function that calls the kernel with these arguments every time; what is in arrays is read anew. For kernels
        that take less time than a call usually costs: it keeps the GIL."""
        if compilation_is_off():
            return lambda: int(self.function(*args))
        self.prepare(*args)
        return self._codes[Words(args).form].bind(args)

    @property
    def is_compiled(self) -> bool:
        """Does a call run compiled code? Not where numba is switched off."""
        return not compilation_is_off()

    def prepare(self, *args: Any) -> Preparation:
        """Load or compile the code for these arguments without running it."""
        with _preparing:
            return self.load(*args) or self.compile(*args)

    def load(self, *args: Any) -> Preparation | None:
        """Have the code for these arguments from memory or from the cache; None where it must be compiled."""
        form = Words(args).form
        if compilation_is_off():
            return Preparation(0.0, 0.0, False)
        if form in self._codes:
            return Preparation(0.0, 0.0, True)
        start = time.perf_counter()
        with _preparing:
            code = cache.load(self.function, form) if self.kept else None
        if code is None:
            return None
        self._codes[form] = code
        return Preparation(0.0, time.perf_counter() - start, True)

    def compile(self, *args: Any) -> Preparation:
        """Compile the code for these arguments, unless another process has just done it."""
        start = time.perf_counter()
        form = Words(args).form
        with _preparing, cache.turn(self.function, form) if self.kept else nullcontext():
            made = self.load(*args)
            if made is not None:
                return made
            self._codes[form] = self._compiled(form, args)
        return Preparation(time.perf_counter() - start, 0.0, False)

    def _compiled(self, form: Form, args: tuple[Any, ...]) -> MachineCode:
        from pgfast.compiler.build import build
        from pgfast.compiler.machine import MachineCode

        compiled.append(self.__name__)
        file, library, lasting = build(self.function, form[1], args)
        self._libraries[form] = library
        if self.kept and lasting:
            cache.save(self.function, form, file)
        return MachineCode(file)

    def assembly(self, *args: Any) -> str:
        """The machine code for these arguments; empty when it came from the cache."""
        library = self._libraries.get(Words(args).form)
        return library.get_asm_str() if library is not None else ""

    def intermediate_code(self, *args: Any) -> str:
        """What LLVM made of it before it became machine code; empty when it came from the cache."""
        library = self._libraries.get(Words(args).form)
        return library.get_llvm_str() if library is not None else ""


def kernel(function: Callable[..., Any]) -> Kernel:
    """Make `function` a Kernel."""
    return Kernel(function)
