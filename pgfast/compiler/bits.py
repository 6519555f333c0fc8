"""Leaves that Python has no operator for: a fused multiply-add, and the bits of a float."""

from __future__ import annotations

import struct
from math import inf, isfinite


def fma(x: float, y: float, z: float) -> float:
    """x·y + z, rounded once."""
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


def as_float(bits: int) -> float:
    """The float64 with these 64 bits."""
    return float(struct.unpack("<d", struct.pack("<Q", int(bits) & 0xFFFFFFFFFFFFFFFF))[0])


def as_bits(x: float) -> int:
    """The 64 bits of a float64, as an int64."""
    return int(struct.unpack("<q", struct.pack("<d", x))[0])
