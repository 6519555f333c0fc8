"""Room for what kernels read and write: sizes are multiplied and compared with the machine before anything is made.

Python's ints don't overflow; what fits the machine's memory has indices and a number of bytes that fit 64 bits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from pgfast.errors import PgfastError


def memory() -> float:
    """Bytes of this machine's memory; infinite where it doesn't say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def check_room(shape: tuple[int, ...], itemsize: int = 8) -> None:
    """Raise PgfastError where an array of this shape is more than the machine's memory, or has more bytes than can be
    counted with 63 bits."""
    needed = math.prod(shape) * itemsize
    if needed > min(memory(), 2.0**63):
        raise PgfastError(
            f"{' × '.join(f'{n:,}' for n in shape)} numbers are needed, {needed / 2**30:,.0f} GB, more than this "
            f"machine has: take fewer runs, features, states or episodes in a batch, or fewer points of the curve."
        )


def zeros(shape: int | tuple[int, ...], dtype: Any = float) -> np.ndarray:
    """As `numpy.zeros`, for sizes that the user has a say in."""
    check_room(shape if isinstance(shape, tuple) else (shape,), np.dtype(dtype).itemsize)
    return np.zeros(shape, dtype)


def check_record(fields: Sequence[tuple[str, str, tuple[int, ...]]]) -> None:
    """Raise PgfastError where a record of these fields has more bytes than its offsets, of 32 bits, can say."""
    needed = sum(math.prod(shape) * np.dtype(kind).itemsize for _, kind, shape in fields)
    if needed >= 2**31:
        raise PgfastError(
            f"The lanes of a thread need {needed / 2**30:,.0f} GB, and can have 2: take fewer features, or a tabular "
            f"policy or features='tiles', which are looked up."
        )
