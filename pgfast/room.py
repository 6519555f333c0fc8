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
    """Bytes of this machine's memory; all that 63 bits can count where it doesn't say."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return 2.0**63


def check_memory(needed: float, what: str, advice: str) -> None:
    """Raise PgfastError where `what` takes more bytes than the machine's memory has."""
    there = memory()
    if needed > there:
        raise PgfastError(
            f"{what} would take {_in_bytes(needed)} of memory, of which this machine has {_in_bytes(there)}: {advice}."
        )


def _in_bytes(count: float) -> str:
    """``1.5 GB``."""
    if count >= 10**18:
        return f"about 10^{round(math.log10(count))} bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} PB"


def check_room(shape: tuple[int, ...], itemsize: int = 8) -> None:
    """Raise PgfastError where an array of this shape is more than the machine's memory."""
    check_memory(
        math.prod(shape) * itemsize,
        f"{' × '.join(f'{n:,}' for n in shape)} numbers",
        "take fewer runs, features, states or episodes in a batch, or fewer points of the curve",
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
            f"The lanes of a thread need {_in_bytes(needed)}, and can have {_in_bytes(2**31)}: take fewer features, "
            f"or a tabular policy or features='tiles', which are looked up."
        )
