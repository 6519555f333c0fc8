"""From a template to an object file: where numba comes in."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from numba import njit, typeof
from numba.core.compiler_lock import global_compiler_lock

import pgfast.compiler.extension  # noqa: F401  leaves and instructions are known to numba from here on
from pgfast.compiler.inference import forget_resolved
from pgfast.compiler.machine import ObjectFile
from pgfast.compiler.methods import bind
from pgfast.compiler.parts import KernelCompiler
from pgfast.compiler.references import ENTRY_POINTS, class_attribute
from pgfast.compiler.specialise import BORROWED, STRICT, Specialiser

_allocating: set[type] = set()


def let_allocate(cls: type) -> None:
    """Compile the methods of `cls`, and what they call, as code that may own memory. It is slower, so only for a class
    whose methods can't be compiled otherwise."""
    _allocating.add(cls)


def build(function: FunctionType, classes: tuple[type, ...], args: tuple[Any, ...]) -> tuple[ObjectFile, Any, bool]:
    """Compile `function` for arguments like `args`, in which `classes` occur: the object file, the library that it
    comes from, and whether it is good for other processes."""
    allocates = any(c in _allocating for c in classes)
    specialised = specialiser(classes, allocates).copy(function)
    dispatcher = njit(nogil=True, pipeline_class=KernelCompiler, **STRICT, **BORROWED)(specialised)
    signature = tuple(typeof(a) for a in args)
    with global_compiler_lock, keeping_garbage():
        forget_resolved()
        dispatcher.compile(signature)
        library = dispatcher.overloads[signature].library
        library.finalize()
    returns = "nothing" if str(dispatcher.overloads[signature].signature.return_type) == "none" else "int"
    return ObjectFile(library.object_code, _symbols(library), returns), library, not library.has_dynamic_globals


@contextmanager
def keeping_garbage() -> Iterator[None]:
    """Without Python's garbage collector: compiling makes many objects that stay, and to look for garbage among them
    takes long. They are old to it afterwards, else it would look at all of them at once."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():  # what a program has frozen stays so
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def specialiser(classes: tuple[type, ...], allocates: bool) -> Specialiser:
    """Binds hooks to the methods of `classes`."""
    for cls in classes:
        bind(cls)
    return Specialiser(_methods(classes), allocates)


def _symbols(library: Any) -> list[str]:
    """The functions that a kernel calls and doesn't contain."""
    functions = library._final_module.functions
    return sorted(f.name for f in functions if f.is_declaration and not f.name.startswith("llvm."))


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
