"""What stands in compiled code for functions that Python can only imitate: a few machine instructions each."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import sys
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic, overload

from pgfast.compiler.atomics import atomic_add, atomic_load, atomic_store, yield_processor
from pgfast.compiler.bits import as_bits, as_float, as_single, fma, highest_bit
from pgfast.compiler.columns import LANES, load_column, store_column
from pgfast.compiler.fetching import fetch_ahead
from pgfast.compiler.precision import short, wide
from pgfast.compiler.specialise import twin

# ---- a fused multiply-add, the bits of a float, the place of a bit


@intrinsic
def _fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    real = types.float32 if types.float32 in (x, y, z) else types.float64
    return real(real, real, real), codegen


@intrinsic
def _as_float(typingctx: Any, bits: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def _as_single(typingctx: Any, bits: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


@intrinsic
def _as_bits(typingctx: Any, x: Any) -> Any:
    single = x == types.float32

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32 if single else 64))

    return types.int32(types.float32) if single else types.int64(types.float64), codegen


@intrinsic
def _highest_bit(typingctx: Any, word: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zeros = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 1))
        return builder.sub(ir.Constant(ir.IntType(64), 63), zeros)

    return types.int64(types.uint64), codegen


@overload(fma, jit_options={"forceinline": True})
def _overload_fma(x, y, z):
    return lambda x, y, z: _fma(x, y, z)


@overload(as_float, jit_options={"forceinline": True})
def _overload_as_float(bits):
    return lambda bits: _as_float(bits)


@overload(as_single, jit_options={"forceinline": True})
def _overload_as_single(bits):
    return lambda bits: _as_single(bits)


@overload(as_bits, jit_options={"forceinline": True})
def _overload_as_bits(x):
    return lambda x: _as_bits(x)


# ---- columns


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
def _load_column(typingctx: Any, floats: Any, ints: Any, lane: Any, like: Any) -> Any:
    elements = _elements(like)
    stored = [floats.dtype if _is_float(t) else types.int64 for t in elements]
    scalar = not isinstance(like, types.BaseTuple)
    returns = stored[0] if scalar else types.BaseTuple.from_types(stored)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointers = _pointers(context, builder, signature, args, elements)
        held = [floats.dtype if _is_float(t) else ints.dtype for t in elements]
        values = [context.cast(builder, builder.load(p), h, s) for p, h, s in zip(pointers, held, stored, strict=True)]
        return values[0] if scalar else context.make_tuple(builder, returns, values)

    return returns(floats, ints, types.int64, like), codegen


@intrinsic
def _store_column(typingctx: Any, floats: Any, ints: Any, lane: Any, value: Any, like: Any) -> Any:
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
            builder.store(context.cast(builder, v, g, floats.dtype if _is_float(t) else ints.dtype), p)
        return context.get_dummy_value()

    return types.void(floats, ints, types.int64, value, like), codegen


# ---- counters shared by threads, and memory


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]])


@intrinsic
def _atomic_add(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _address(context, builder, signature, args), args[2], "acq_rel")

    return types.int64(array, types.int64, types.int64), codegen


@intrinsic
def _atomic_load(typingctx: Any, array: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_address(context, builder, signature, args), "acquire", 8)

    return types.int64(array, types.int64), codegen


@intrinsic
def _atomic_store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[2], _address(context, builder, signature, args), "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), codegen


@intrinsic
def _fetch_ahead(typingctx: Any, array: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = builder.bitcast(_address(context, builder, signature, args), cgutils.voidptr_t)
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind)
        builder.call(function, [place, word(0), word(3), word(1)])  # to read, to be kept, data
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


@intrinsic
def _yield(typingctx: Any) -> Any:
    symbol = "SwitchToThread" if sys.platform == "win32" else "sched_yield"

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.IntType(32), []), symbol)
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), codegen


for function, instruction in (
    (fma, _fma),
    (as_float, _as_float),
    (as_single, _as_single),
    (as_bits, _as_bits),
    (highest_bit, _highest_bit),
    (short, np.int32),
    (wide, np.float64),
    (load_column, _load_column),
    (store_column, _store_column),
    (atomic_add, _atomic_add),
    (atomic_load, _atomic_load),
    (atomic_store, _atomic_store),
    (yield_processor, _yield),
    (fetch_ahead, _fetch_ahead),
):
    twin(function, instruction)
