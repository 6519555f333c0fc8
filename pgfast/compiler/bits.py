"""Leaves that Python has no operator for: a fused multiply-add, the bits of a float, and the place of a bit."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from math import inf, isfinite
from typing import Any

import numpy as np

from pgfast.compiler.precision import has_single

float32: Any = np.float32  # of which type checkers think that it is no float


def fma(x: float, y: float, z: float) -> float:
    """x·y + z, rounded once; to a float32 if one of them is."""
    if has_single((x, y, z)):
        single: float = float32(_fma_single(*(float(float32(number)) for number in (x, y, z))))
        return single
    return _fma_double()(x, y, z)


@cache
def _fma_double() -> Callable[[float, float, float], float]:
    """C's, or where there is none to call, one that takes ten times as long."""
    import ctypes

    try:
        found = ctypes.PyDLL(None).fma
    except (AttributeError, OSError, TypeError):
        return fma_by_fractions
    found.restype, found.argtypes = ctypes.c_double, [ctypes.c_double] * 3
    return found


def fma_by_fractions(x: float, y: float, z: float) -> float:
    """As `fma` of float64s."""
    if not (isfinite(x) and isfinite(y)):
        return x * y + z
    if not isfinite(z):
        return z
    from fractions import Fraction

    exact = Fraction(x) * Fraction(y) + Fraction(z)
    try:
        return float(exact) if exact else x * y + z  # the sign of a zero
    except OverflowError:
        return inf if exact > 0 else -inf


def _fma_single(x: float, y: float, z: float) -> float:
    """As `fma` of float32s. The product is exact in double; a sum that isn't is rounded to odd, so that rounding it
    again, to a float32, does no harm (Boldo & Melquiond 2008). What rounding the sum has lost is a double (Knuth, The
    Art of Computer Programming 2, section 4.2.2)."""
    product = x * y
    total = product + z
    if isfinite(total):
        added = total - product
        lost = (product - (total - added)) + (z - added)
        bits = as_bits(total)
        if lost and not bits & 1:
            total = as_float(bits + (1 if (lost > 0) == (total > 0.0) else -1))
    return total


def as_float(bits: int) -> float:
    """The float64 with these 64 bits."""
    return float(struct.unpack("<d", struct.pack("<Q", int(bits) & 0xFFFFFFFFFFFFFFFF))[0])


def as_single(bits: int) -> Any:
    """The float32 with the low 32 of these bits."""
    return np.uint32(int(bits) & 0xFFFFFFFF).view(float32)


def as_bits(x: float) -> int:
    """The 64 bits of a float64, as an int64; the 32 bits of a float32, as an int32."""
    if has_single(x):
        return int(float32(x).view(np.int32))
    return int(struct.unpack("<q", struct.pack("<d", x))[0])


def highest_bit(word: Any) -> int:
    """The number of the highest bit that is set in a uint64 other than 0."""
    return int(word).bit_length() - 1
