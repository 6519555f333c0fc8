"""What compiled code depends on, read from the bytecode of functions and the bodies of classes."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

ENTRY_POINTS = ("step", "reset", "observe", "features", "basis")  # of what users write
_LIBRARIES = {"numba", "numpy", "llvmlite", "math", "cmath", "operator", "builtins", "typing", "gymnasium"}
_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD"}
_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME"}


def codes(code: CodeType) -> Iterator[CodeType]:
    """`code` and the code objects inside it (comprehensions, inner functions)."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def attribute_names(function: FunctionType) -> set[str]:
    """Every name that follows a dot in `function`."""
    return {i.argval for c in codes(function.__code__) for i in dis.get_instructions(c) if i.opname in _ATTRIBUTE}


def global_names(function: FunctionType) -> frozenset[str]:
    """The names of the globals that `function` reads."""
    return _global_names(function.__code__)


@cache
def _global_names(code: CodeType) -> frozenset[str]:
    return frozenset(i.argval for c in codes(code) for i in dis.get_instructions(c) if i.opname in _GLOBAL)


def line_of(function: FunctionType, name: str) -> int:
    """The first line of `function` that has the global `name`; its own first line if none has."""
    for code in codes(function.__code__):
        for i in dis.get_instructions(code):
            if i.opname in _GLOBAL and i.argval == name and i.positions is not None and i.positions.lineno is not None:
                return i.positions.lineno
    return function.__code__.co_firstlineno


def references(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals and closure cells that `function` reads, as (name, value); ``module.name`` is followed to its value.

    Numba freezes all of them at compile time. Names that don't exist (yet) are left out.
    """
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents
    for code in codes(function.__code__):
        instructions = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "PRECALL", "PUSH_NULL")]
        for k, instruction in enumerate(instructions):
            if instruction.opname not in _GLOBAL:
                continue
            name = instruction.argval
            if name not in function.__globals__:
                continue
            value = function.__globals__[name]
            while isinstance(value, ModuleType) and k + 1 < len(instructions):
                k += 1
                attribute = instructions[k].argval
                if instructions[k].opname not in _ATTRIBUTE or not hasattr(value, attribute):
                    break
                name, value = f"{name}.{attribute}", getattr(value, attribute)
            yield name, value


def class_attribute(cls: type, name: str) -> Any:
    """`name` as it stands in the class body of `cls` or a base (a property stays a property), or None."""
    for base in cls.__mro__:
        if base in (object, tuple):
            continue
        if name in vars(base):
            return vars(base)[name]
    return None


def compiled_attributes(cls: type, entry_points: tuple[str, ...] = ENTRY_POINTS) -> dict[str, Any]:
    """The methods, properties and constants of `cls` that its entry points reach through ``self.name``, by name."""
    fields = set(getattr(cls, "_fields", ()))
    found: dict[str, Any] = {}
    waiting = [name for name in entry_points if class_attribute(cls, name) is not None]
    while waiting:
        name = waiting.pop(0)
        if name in found or name in fields:
            continue
        attribute = class_attribute(cls, name)
        if attribute is None:
            continue
        found[name] = attribute
        function = attribute.fget if isinstance(attribute, property) else attribute
        if isinstance(function, FunctionType):
            waiting.extend(sorted(attribute_names(function)))
    return found


def compiled_functions(cls: type, entry_points: tuple[str, ...] = ENTRY_POINTS) -> Iterator[FunctionType]:
    """The functions that the compiled code of `cls` is made of: its methods and properties, and all that these call,
    libraries and pgfast itself apart."""
    attributes = compiled_attributes(cls, entry_points).values()
    waiting = [a.fget if isinstance(a, property) else a for a in attributes]
    seen = set()
    while waiting:
        function = waiting.pop(0)
        if isinstance(function, FunctionType) and function not in seen and not is_library(function.__module__ or ""):
            seen.add(function)
            yield function
            waiting.extend(value for _, value in references(function))


def is_library(module: str) -> bool:
    """True for modules of pgfast and of the libraries it compiles with: their versions, or the digest of pgfast's
    sources, stand for all that is in them. Bundled environments are users' files like others."""
    root = module.partition(".")[0]
    return root in _LIBRARIES or (root == "pgfast" and not module.startswith("pgfast._envs"))
