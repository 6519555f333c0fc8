"""Leaves that Python has no operator for: a fused multiply-add, and the bits of a float."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import struct
from fractions import Fraction
from math import inf, isfinite
from typing import Any

import llvmlite.ir as ir
from numba import types
from numba.extending import intrinsic, overload

from pgfast.compiler.templates import twin


@intrinsic
def _fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    real = types.float32 if {x, y, z} == {types.float32} else types.float64
    return real(real, real, real), codegen


@intrinsic
def _as_float(typingctx: Any, bits: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def _as_bits(typingctx: Any, x: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


def fma(x: float, y: float, z: float) -> float:
    """x·y + z, rounded once."""
    if not (isfinite(x) and isfinite(y)):
        return x * y + z
    if not isfinite(z):
        return z
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    try:
        return float(exact) if exact else x * y + z  # the sign of a zero
    except OverflowError:
        return inf if exact > 0 else -inf


def as_float(bits: int) -> float:
    """The float64 with these 64 bits."""
    return float(struct.unpack("<d", struct.pack("<Q", int(bits) & 0xFFFFFFFFFFFFFFFF))[0])


def as_bits(x: float) -> int:
    """The 64 bits of a float64, as an int64."""
    return int(struct.unpack("<q", struct.pack("<d", x))[0])


@overload(fma, jit_options={"forceinline": True})
def _overload_fma(x, y, z):
    return lambda x, y, z: _fma(x, y, z)


@overload(as_float, jit_options={"forceinline": True})
def _overload_as_float(bits):
    return lambda bits: _as_float(bits)


@overload(as_bits, jit_options={"forceinline": True})
def _overload_as_bits(x):
    return lambda x: _as_bits(x)


twin(fma, _fma)
twin(as_float, _as_float)
twin(as_bits, _as_bits)
