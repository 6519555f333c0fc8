"""Counters shared by threads that run compiled code: one int64 of an array, read and changed as a whole."""

from __future__ import annotations

import sys
from typing import Any

import llvmlite.ir as ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from pgfast.compiler.templates import twin


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]])


@intrinsic
def _add(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _address(context, builder, signature, args), args[2], "acq_rel")

    return types.int64(array, types.int64, types.int64), codegen


@intrinsic
def _load(typingctx: Any, array: Any, index: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_address(context, builder, signature, args), "acquire", 8)

    return types.int64(array, types.int64), codegen


@intrinsic
def _store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[2], _address(context, builder, signature, args), "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), codegen


@intrinsic
def _yield(typingctx: Any) -> Any:
    symbol = "SwitchToThread" if sys.platform == "win32" else "sched_yield"

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.IntType(32), []), symbol)
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), codegen


def atomic_add(array: Any, index: int, value: int) -> int:
    """Add `value` to ``array[index]``; returns what stood there before."""
    before = int(array[index])
    array[index] += value
    return before


def atomic_load(array: Any, index: int) -> int:
    """``array[index]``, and everything written before it was stored."""
    return int(array[index])


def atomic_store(array: Any, index: int, value: int) -> None:
    """Set ``array[index]`` after everything written before."""
    array[index] = value


def yield_processor() -> None:
    """Let another thread run."""


twin(atomic_add, _add)
twin(atomic_load, _load)
twin(atomic_store, _store)
twin(yield_processor, _yield)
