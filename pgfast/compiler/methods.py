"""Methods of plain NamedTuple classes, made visible to compiled code.

An environment or a policy is a NamedTuple whose methods are ordinary Python. `bind` reads which methods, properties,
class constants and helper functions its entry points use, and registers them, so that a kernel's ``env.step(…)`` finds
the method by the class of `env`. Uncompiled, the same call is Python's own.
"""

from __future__ import annotations

import inspect
import itertools
from types import FunctionType
from typing import Any

from numba import types
from numba.core.typing.templates import infer_getattr, make_overload_method_template
from numba.extending import overload, overload_attribute

from pgfast.compiler.fingerprint import ENTRY_POINTS, _is_covered, compiled_attributes
from pgfast.compiler.references import class_attribute, references
from pgfast.compiler.templates import STRICT, leaf

_TUPLE_TYPES = (types.NamedTuple, types.NamedUniTuple)
_serial = itertools.count()
_attributes: set[str] = set()
_helpers: set[FunctionType] = set()
_bound: set[type] = set()

INLINE = {"forceinline": True, **STRICT}


def bind(cls: type, entry_points: tuple[str, ...] = ENTRY_POINTS) -> None:
    """Register what compiled code can reach from the entry points of `cls`; a second call does nothing."""
    if cls in _bound:
        return
    for name, attribute in compiled_attributes(cls, entry_points).items():
        if isinstance(attribute, FunctionType):
            _bind_method(cls, name, attribute)
            _bind_helpers(attribute)
        elif isinstance(attribute, property) and attribute.fget is not None:
            _bind_attribute(name)
            _bind_helpers(attribute.fget)  # type: ignore[arg-type]
        elif isinstance(attribute, bool | int | float | tuple):
            _bind_attribute(name)
    _bound.add(cls)


class _OfOneClass:
    """Narrows a method template, which numba keeps per type, to the NamedTuples of one class."""

    owner: type
    method: str
    _attr: str

    def _resolve(self, typ: Any, attr: str) -> Any:
        if attr != self.method or typ.instance_class is not self.owner:
            return None
        return super()._resolve(typ, self._attr)  # type: ignore[misc]


def _bind_method(cls: type, name: str, function: FunctionType) -> None:
    def resolve(*args: Any) -> Any:
        return function

    resolve.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    options = {"jit_options": INLINE, "strict": False}
    key = f"{name} of {cls.__module__}.{cls.__qualname__} {next(_serial)}"
    for tuple_type in _TUPLE_TYPES:
        template = make_overload_method_template(tuple_type, key, resolve, inline="never", **options)
        infer_getattr(type(key, (_OfOneClass, template), {"owner": cls, "method": name}))
    overload(resolve, **options)(resolve)


def _bind_attribute(name: str) -> None:
    if name in _attributes:
        return
    _attributes.add(name)

    def resolve(self: Any) -> Any:
        attribute = class_attribute(self.instance_class, name)
        if isinstance(attribute, property):
            return attribute.fget
        return (lambda self: attribute) if isinstance(attribute, bool | int | float | tuple) else None

    for tuple_type in _TUPLE_TYPES:
        overload_attribute(tuple_type, name, jit_options=INLINE, strict=False)(resolve)


def _bind_helpers(function: FunctionType) -> None:
    """Let compiled code call the plain functions that `function` calls."""
    for _, value in references(function):
        if isinstance(value, FunctionType) and value not in _helpers and not _is_covered(value.__module__ or ""):
            _helpers.add(value)
            leaf(value)
            _bind_helpers(value)
