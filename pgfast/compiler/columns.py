"""A lane's state is a column: row r of lane i stands at ``rows[r, i]``, floats in one array, ints in another.

The state is a number or a flat tuple of ints and floats. `like` is a value of the same shape that says which element is
which; its k-th float is row k of `floats`, its k-th int row k of `ints`; both are C-contiguous with LANES columns. The
distance between rows is a compile-time constant, without which LLVM's loop vectoriser gives up on a state of more than
a few numbers.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from pgfast.compiler.templates import twin

LANES = 64


def _elements(like: Any) -> list[Any]:
    return [types.unliteral(t) for t in like.types] if isinstance(like, types.BaseTuple) else [types.unliteral(like)]


def _is_float(t: Any) -> bool:
    return isinstance(t, types.Float)


def _pointers(context: Any, builder: Any, signature: Any, args: Any, elements: list[Any]) -> list[Any]:
    """The address of each element of the state of one lane."""
    base = [context.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 1)]
    row = [0, 0]
    out = []
    for t in elements:
        kind = 0 if _is_float(t) else 1
        offset = ir.Constant(ir.IntType(64), row[kind] * LANES)
        out.append(builder.gep(base[kind], [builder.add(args[2], offset)]))
        row[kind] += 1
    return out


@intrinsic
def _load(typingctx: Any, floats: Any, ints: Any, lane: Any, like: Any) -> Any:
    elements = _elements(like)
    stored = [floats.dtype if _is_float(t) else types.int64 for t in elements]
    scalar = not isinstance(like, types.BaseTuple)
    returns = stored[0] if scalar else types.BaseTuple.from_types(stored)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = [builder.load(p) for p in _pointers(context, builder, signature, args, elements)]
        return values[0] if scalar else context.make_tuple(builder, returns, values)

    return returns(floats, ints, types.int64, like), codegen


@intrinsic
def _store(typingctx: Any, floats: Any, ints: Any, lane: Any, value: Any, like: Any) -> Any:
    elements, given = _elements(like), _elements(value)
    if len(elements) != len(given):
        raise TypingError(f"the state has {len(given)} elements here and {len(elements)} in reset")
    for k, (t, g) in enumerate(zip(elements, given, strict=True)):
        if _is_float(g) and not _is_float(t):
            raise TypingError(f"element {k} of the state is a float here and an int in reset")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = cgutils.unpack_tuple(builder, args[3]) if isinstance(value, types.BaseTuple) else [args[3]]
        for p, t, g, v in zip(
            _pointers(context, builder, signature, args, elements), elements, given, values, strict=True
        ):
            builder.store(context.cast(builder, v, g, floats.dtype if _is_float(t) else types.int64), p)
        return context.get_dummy_value()

    return types.void(floats, ints, types.int64, value, like), codegen


def load_column(floats: Any, ints: Any, lane: int, like: Any) -> Any:
    """The state of lane `lane`."""
    floats, ints = floats.reshape(-1), ints.reshape(-1)
    parts: list[Any] = []
    row = [0, 0]
    for t in like if isinstance(like, tuple) else (like,):
        kind = 0 if isinstance(t, float) else 1
        parts.append((float(floats[row[0] * LANES + lane])) if kind == 0 else int(ints[row[1] * LANES + lane]))
        row[kind] += 1
    return tuple(parts) if isinstance(like, tuple) else parts[0]


def store_column(floats: Any, ints: Any, lane: int, value: Any, like: Any) -> None:
    """Set the state of lane `lane`; ints become floats where `like` has a float."""
    rows = (floats.reshape(-1), ints.reshape(-1))
    row = [0, 0]
    pairs = zip(value, like, strict=True) if isinstance(like, tuple) else [(value, like)]
    for v, t in pairs:
        kind = 0 if isinstance(t, float) else 1
        rows[kind][row[kind] * LANES + lane] = v
        row[kind] += 1


twin(load_column, _load)
twin(store_column, _store)
