"""Types in single precision: where a float32 meets another number, the result is a float32.

So NumPy 2 has it for a float32 and Python's own numbers, and so compiled code has to have it: to numba a literal is a
float64 and an int times a float32 another one, and one conversion in a loop over lanes halves its speed.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import builtins
import operator
from copy import copy
from typing import Any

from numba import types
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NopythonTypeInference
from numba.core.typing.context import BaseContext

_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
_OPERATORS = {
    *(getattr(operator, name) for name in _ARITHMETIC),
    *(getattr(operator, f"i{name}") for name in _ARITHMETIC),
    *(getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")),
    builtins.max,
    builtins.min,
}
_POWERS = (operator.pow, operator.ipow)
_contexts: dict[Any, Any] = {}


def is_single(t: Any) -> bool:
    """Is it numba's type of a float32, or of a tuple or array that has one?"""
    if isinstance(t, types.BaseTuple):
        return any(map(is_single, t.types))
    return t == types.float32 or (isinstance(t, types.Array) and t.dtype == types.float32)


def _is_number(t: Any) -> bool:
    return isinstance(t, types.Integer | types.Float | types.IntegerLiteral | types.Boolean | types.BooleanLiteral)


def narrowed(args: tuple[Any, ...], key: Any) -> tuple[Any, ...]:
    """Types of an operator's arguments: all float32 if one is and the others are numbers; an exponent stays whole."""
    if types.float32 not in args or not all(map(_is_number, args)):
        return args
    if key in _POWERS and not isinstance(args[1], types.Float):
        return args
    return (types.float32,) * len(args)


class SinglePrecision:
    """What a typing context has to do differently, and faster: of thousands of calls in a kernel, few are of other
    types than one before."""

    resolved: dict[Any, Any]

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        if kws or isinstance(func, types.Dispatcher):  # which remember for themselves
            return super().resolve_function_type(func, args, kws)  # type: ignore[misc]
        key = getattr(func, "typing_key", func)
        args = narrowed(tuple(args), key) if key in _OPERATORS else tuple(args)
        if (func, args) not in self.resolved:
            found = super().resolve_function_type(func, args, kws)  # type: ignore[misc]
            if found is None:
                return None
            self.resolved[func, args] = found
        return self.resolved[func, args]

    def unify_pairs(self, first: Any, second: Any) -> Any:
        if types.float32 in (first, second) and _is_number(first) and _is_number(second):
            return types.float32
        return super().unify_pairs(first, second)  # type: ignore[misc]


def _with_single_precision(context: BaseContext) -> Any:
    """A typing context that shares all it knows with `context`; the same for the same."""
    if context not in _contexts:
        twin = copy(context)
        twin.__class__ = type("Context", (SinglePrecision, type(context)), {"resolved": {}})
        _contexts[context] = twin
    return _contexts[context]


def forget_resolved() -> None:
    """Look at all calls anew, since numba may have been taught more functions."""
    for context in _contexts.values():
        context.resolved.clear()


@register_pass(mutates_CFG=True, analysis_only=False)
class TypeInference(NopythonTypeInference):  # type: ignore[misc]
    """Numba's, but for single precision."""

    _name = "pgfast_type_inference"

    def run_pass(self, state: Any) -> bool:
        context = state.typingctx
        state.typingctx = _with_single_precision(context)
        try:
            return bool(super().run_pass(state))
        finally:
            state.typingctx = context
