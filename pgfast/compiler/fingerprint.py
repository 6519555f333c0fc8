"""A digest of everything that compiled code depends on: edit any of it, near or far, and the digest changes."""

from __future__ import annotations

import hashlib
import os
import sys
from enum import Enum
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

import pgfast.compiler.references as refs


class CannotFingerprint(Exception):
    """Something that compiled code refers to can't be told apart from a changed version of itself."""


def fingerprint(*things: Any) -> str:
    """SHA-256 of values, functions and classes, following what they refer to; raises CannotFingerprint."""
    walker = _Walker()
    for thing in things:
        walker.visit(thing)
    return walker.hash.hexdigest()


def environment_of_compilation() -> str:
    """Digest of what all kernels depend on: pgfast's sources, the versions of the compilers, the processor, and flags.
    Numba is not imported for it."""
    from pgfast.compiler.machine import processor

    return hashlib.sha256(repr((sources_and_versions(), processor(), _flags())).encode()).hexdigest()


@cache
def sources_and_versions() -> str:
    """Digest of pgfast's sources and of the versions of what it compiles with."""
    h = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    for path in sorted(root.rglob("*.py")):
        h.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    h.update(repr((sys.version, np.__version__, _version("numba"), _version("llvmlite"))).encode())
    return h.hexdigest()


def _version(package: str) -> bytes | str:
    """What tells this version of a package from others, if possible without importing it."""
    spec = find_spec(package)
    file = Path(spec.origin).with_name("_version.py") if spec is not None and spec.origin else None
    return file.read_bytes() if file is not None and file.is_file() else str(import_module(package).__version__)


_HARMLESS = {"NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER"}
_DEFAULTS = {
    "OPT": 3,
    "BOUNDSCHECK": None,
    "DEBUGINFO_DEFAULT": 0,
    "LOOP_VECTORIZE": 1,
    "SLP_VECTORIZE": 0,
    "FULL_TRACEBACKS": 0,
}


def _flags() -> list[tuple[str, Any]]:
    """Numba's settings: from the environment, from its file, and those that a program has changed."""
    found: list[tuple[str, Any]] = [(k, v) for k, v in os.environ.items() if k.startswith("NUMBA_")]
    found = sorted((k, v) for k, v in found if k not in _HARMLESS)
    file = Path(".numba_config.yaml")
    if file.is_file():
        found.append((file.name, file.read_bytes()))
    config = sys.modules.get("numba.core.config")  # another thread may be importing it
    now = {k: getattr(config, k, v) for k, v in _DEFAULTS.items()}
    return found + [(k, v) for k, v in now.items() if v != _DEFAULTS[k] and not _is_from_environment(k, v)]


def _is_from_environment(flag: str, value: Any) -> bool:
    """Is a setting what the environment says, and so among the flags whether numba is imported or not?"""
    said = os.environ.get(f"NUMBA_{flag}")
    return said is not None and value is not None and said == str(int(value))


class _Walker:
    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.seen: dict[int, int] = {}
        self.alive: list[Any] = []  # keeps ids unique while we walk

    def put(self, *parts: Any) -> None:
        self.hash.update(repr(parts).encode() + b"\0")

    def visit(self, thing: Any) -> None:
        if thing is None or isinstance(thing, bool | int | float | complex | str | bytes):
            return self.put(type(thing).__name__, thing)
        if id(thing) in self.seen:
            return self.put("seen", self.seen[id(thing)])
        self.seen[id(thing)] = len(self.seen)
        self.alive.append(thing)
        if isinstance(thing, np.ndarray) and not thing.dtype.hasobject:
            self.put("array", thing.dtype.str, thing.shape)
            return self.hash.update(np.ascontiguousarray(thing).tobytes())
        if isinstance(thing, np.generic):
            return self.put(thing.dtype.str, thing.tobytes())
        if isinstance(thing, tuple | list | frozenset):
            return self._visit_sequence(thing)
        if isinstance(thing, type):
            return self._visit_class(thing)
        return self._visit_callable(thing)

    def _visit_sequence(self, thing: Any) -> None:
        self.put(type(thing).__name__, len(thing))
        if hasattr(thing, "_fields"):
            self.visit(type(thing))
        for element in sorted(thing, key=repr) if isinstance(thing, frozenset) else thing:
            self.visit(element)

    def _visit_callable(self, thing: Any) -> None:
        module = getattr(thing, "__module__", None) or ""
        name = getattr(thing, "__qualname__", getattr(thing, "__name__", None))
        if isinstance(thing, ModuleType) and refs.is_library(thing.__name__):
            self.put("module", thing.__name__)
        elif name and refs.is_library(module):
            self.put("library", module, name)
        elif isinstance(thing, FunctionType):
            self._visit_function(thing)
        elif hasattr(thing, "py_func"):  # a numba dispatcher
            self.put("dispatcher", sorted((str(k), str(v)) for k, v in getattr(thing, "targetoptions", {}).items()))
            self.visit(thing.py_func)
        else:
            raise CannotFingerprint(f"{thing!r} of type {type(thing).__name__}")

    def _visit_function(self, function: FunctionType) -> None:
        self.put("function", function.__qualname__)
        self._visit_code(function.__code__)
        self.visit(function.__defaults__)
        self.visit(tuple((function.__kwdefaults__ or {}).items()))
        for name, value in refs.references(function):
            self.put(name)
            self.visit(value)

    def _visit_code(self, code: CodeType) -> None:
        self.put("code", code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_argcount)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._visit_code(constant)
            else:
                self.visit(constant)

    def _visit_class(self, cls: type) -> None:
        self.put("class", cls.__module__, cls.__qualname__, getattr(cls, "_fields", ()))
        if refs.is_library(cls.__module__):
            return
        if issubclass(cls, Enum):
            self.visit([(member.name, member.value) for member in cls])
        elif not issubclass(cls, tuple):
            raise CannotFingerprint(f"what compiled code takes from {cls!r}")
        for name, attribute in refs.compiled_attributes(cls).items():
            self.put("attribute", name)
            self.visit(attribute.fget if isinstance(attribute, property) else attribute)
