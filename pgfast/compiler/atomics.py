"""Counters shared by threads that run compiled code: one int64 of an array, read and changed as a whole."""

from __future__ import annotations

from typing import Any


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
