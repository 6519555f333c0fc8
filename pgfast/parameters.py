"""The parameters of an environment: fields given by name, each of the type it is declared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import numpy as np

from pgfast.errors import PgfastError, unknown


def construct(cls: type, parameters: Mapping[str, Any]) -> Any:
    """An environment with parameters given by name; strings, as the command line has them, become numbers."""
    fields: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]
    for name in parameters:
        if name not in fields:
            if not fields:
                raise PgfastError(f"{cls.__name__} has no parameters, so {name!r} can't be set.")
            raise unknown("parameter", name, fields, of=cls.__name__)
    missing = [f for f in fields if f not in cls._field_defaults and f not in parameters]  # type: ignore[attr-defined]
    if missing:
        raise PgfastError(f"{cls.__name__} needs a value for its parameter {missing[0]!r}.")
    return normalised(cls(**parameters))


def normalised(env: Any) -> Any:
    """The same environment with every parameter of the type it is declared with, so that none changes what is
    compiled."""
    cls = type(env)
    try:
        hints = get_type_hints(cls)
    except Exception:  # a hint that can't be evaluated says nothing
        hints = {}
    values = {}
    for name, value in env._asdict().items():
        default = cls._field_defaults.get(name)
        kind = hints.get(name, type(default))
        kind = type(default) if kind not in (int, float, bool) and isinstance(default, bool | int | float) else kind
        if isinstance(value, np.ndarray) or isinstance(default, np.ndarray) or kind is np.ndarray:
            values[name] = _as_array(cls, name, value, default)
        else:
            values[name] = _as_kind(cls, name, value, kind)
    return cls(**values)


def in_precision(env: Any, real: str) -> Any:
    """The environment with the floats of its parameters in single precision where `real` is "f4"."""
    return type(env)(*(_single(value) for value in env)) if real == "f4" else env


def _single(value: Any) -> Any:
    """A parameter whose floats, if it has any, are float32s."""
    if isinstance(value, tuple):
        return tuple(map(_single, value))
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(np.float32)
    return np.float32(value) if isinstance(value, float | np.floating) else value


def _as_array(cls: type, name: str, value: Any, default: Any) -> np.ndarray:
    """An array of the default's dtype; lists, as configuration files have them, become arrays."""
    dtype = default.dtype if isinstance(default, np.ndarray) else None
    try:
        array = np.ascontiguousarray(value, dtype)
    except (TypeError, ValueError):
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        raise PgfastError(f"{cls.__name__}.{name} is {value!r}: it must be an array of numbers.")
    return array


def _as_kind(cls: type, name: str, value: Any, kind: Any) -> Any:
    if kind is bool:
        truths = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
        if isinstance(value, bool | np.bool_) or (isinstance(value, int | float) and value in (0, 1)):
            return bool(value)
        if str(value).lower() not in truths:
            raise PgfastError(f"{cls.__name__}.{name} is {value!r}: it must be true or false.")
        return truths[str(value).lower()]
    if kind in (int, float):
        try:
            number = kind(value)
        except (TypeError, ValueError, OverflowError):
            raise PgfastError(
                f"{cls.__name__}.{name} is {value!r}: it must be {'a whole number' if kind is int else 'a number'}."
            ) from None
        if number != number:
            raise PgfastError(f"{cls.__name__}.{name} is {value!r}: it must be a number.")
        if kind is int and not isinstance(value, str) and number != value:
            raise PgfastError(f"{cls.__name__}.{name} is {value!r}: it must be a whole number.")
        return number
    return value
