"""What a function's compiled code depends on, read from its bytecode."""

from __future__ import annotations

import builtins
import dis
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

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


def global_names(function: FunctionType) -> set[str]:
    """The names of the globals that `function` reads."""
    return {i.argval for c in codes(function.__code__) for i in dis.get_instructions(c) if i.opname in _GLOBAL}


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
            if name in function.__globals__:
                value = function.__globals__[name]
            elif hasattr(builtins, name):
                continue
            else:
                continue
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
