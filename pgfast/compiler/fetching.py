"""Memory that will be read soon."""

from __future__ import annotations

from typing import Any


def fetch_ahead(array: Any, index: int) -> None:
    """Have the cache line brought that holds the number at place `index` of a contiguous array, whatever its shape;
    places outside of it are as good."""
