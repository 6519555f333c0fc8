"""What a method of a NamedTuple class takes from ``self``, made visible to compiled code.

Kernels call an environment's entry points through hooks. Inside these, ``self.helper(…)``, ``self.size`` and class
constants are attributes that numba doesn't know a NamedTuple to have: `bind` registers those that are used, and the
plain functions they call in turn.
"""

from __future__ import annotations

import inspect
import itertools
from types import FunctionType
from typing import Any

import numpy as np
from numba import types
from numba.core.typing.templates import infer_getattr, make_overload_method_template
from numba.extending import overload, overload_attribute

from pgfast.compiler.references import class_attribute, compiled_attributes, compiled_functions
from pgfast.compiler.specialise import FORCED
from pgfast.compiler.templates import leaf

_TUPLE_TYPES = (types.NamedTuple, types.NamedUniTuple)
_serial = itertools.count()
_attributes: set[str] = set()
_bound: set[type] = set()

CONSTANTS = (bool, int, float, tuple, np.ndarray)


def bind(cls: type) -> None:
    """Register what compiled code can reach from the entry points of `cls`; a second call does nothing."""
    if cls in _bound:
        return
    attributes = compiled_attributes(cls)
    for name, attribute in attributes.items():
        if isinstance(attribute, FunctionType):
            _bind_method(cls, name, attribute)
        elif _is_property(attribute) or isinstance(attribute, CONSTANTS):
            _bind_attribute(name)
    for function in compiled_functions(cls):
        if function not in attributes.values():
            leaf(function)
    _bound.add(cls)


def _is_property(attribute: Any) -> bool:
    return isinstance(attribute, property) and attribute.fget is not None


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
    options = {"jit_options": FORCED, "strict": False}
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
        if name in self.fields:  # of another class, which has a field of this name
            index = self.fields.index(name)
            return lambda self: self[index]
        attribute = class_attribute(self.instance_class, name)
        if _is_property(attribute):
            return attribute.fget
        return (lambda self: attribute) if isinstance(attribute, CONSTANTS) else None

    for tuple_type in _TUPLE_TYPES:
        overload_attribute(tuple_type, name, jit_options=FORCED, strict=False)(resolve)
