"""Numbers of single precision in plain Python, and where another width is wanted.

A float32 beside any other number gives a float32 (`pgfast.compiler.inference`). A kernel that keeps a sum of float32s
in double says so: ``wide(x)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def has_single(value: Any) -> bool:
    """Is it a float32, or a tuple or array that has one?"""
    if isinstance(value, tuple):
        return any(map(has_single, value))
    return isinstance(value, np.float32) or (isinstance(value, np.ndarray) and value.dtype == np.float32)


def short(k: Any) -> Any:
    """An int; in compiled code one of 32 bits."""
    return int(k)


def wide(x: Any) -> Any:
    """A float64, whatever x is; compiled code knows NumPy's own function."""
    return np.float64(x)
