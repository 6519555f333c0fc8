"""The way into a kernel: a C function that takes the address of a block of words (`pgfast.compiler.block`)."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
from numba import types
from numba.core import cgutils

from pgfast.compiler.block import EXCEPTION, FIRST, RESULT
from pgfast.compiler.machine import ENTRY

_WORD, _STATUS = ir.IntType(64), ir.IntType(32)


def entry_module(context: Any, description: Any) -> Any:
    """A module with a function that hands the words of a block to a native function, and gives its status back."""
    returns = types.unliteral(description.restype)
    if not (isinstance(returns, types.NoneType) or returns == types.int64):
        raise TypeError(f"a kernel returns an int64 or nothing, not {returns}")
    module = context.create_module("entry")
    native_type = context.call_conv.get_function_type(description.restype, description.argtypes)
    native = ir.Function(module, native_type, description.llvm_func_name)
    entry = ir.Function(module, ir.FunctionType(_STATUS, [_WORD.as_pointer()]), ENTRY)
    builder = ir.IRBuilder(entry.append_basic_block("entry"))

    def word(k: int) -> Any:
        return cgutils.gep_inbounds(builder, entry.args[0], k)

    slots = [builder.bitcast(word(k), t) for k, t in zip((RESULT, EXCEPTION), native_type.args, strict=False)]
    arguments = [_read(builder, word(FIRST + k), t) for k, t in enumerate(native_type.args[2:])]
    builder.ret(builder.call(native, slots + arguments))
    return module


def _read(builder: Any, word: Any, kind: Any) -> Any:
    """A word as a value of that type."""
    if isinstance(kind, ir.IntType):
        return builder.trunc(builder.load(word), kind) if kind.width < _WORD.width else builder.load(word)
    if isinstance(kind, ir.FloatType):
        return builder.fptrunc(builder.load(builder.bitcast(word, ir.DoubleType().as_pointer())), kind)
    return builder.load(builder.bitcast(word, kind.as_pointer()))
