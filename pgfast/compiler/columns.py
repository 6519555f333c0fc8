"""A lane's state is a column: row r of lane i stands at ``rows[r, i]``, floats in one array, ints in another.

The state is a number or a flat tuple of ints and floats. `like` is a value of the same shape that says which element is
which; its k-th float is row k of `floats`, its k-th int row k of `ints`; both are C-contiguous with LANES columns. The
distance between rows is a compile-time constant, without which LLVM's loop vectoriser gives up on a state of more than
a few numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LANES = 64


def load_column(floats: Any, ints: Any, lane: int, like: Any) -> Any:
    """The state of lane `lane`."""
    floats, ints = floats.reshape(-1), ints.reshape(-1)
    parts: list[Any] = []
    row = [0, 0]
    for t in like if isinstance(like, tuple) else (like,):
        kind = 0 if isinstance(t, float) else 1
        value = floats[row[0] * LANES + lane] if kind == 0 else ints[row[1] * LANES + lane]
        parts.append(value if value.dtype == np.float32 else value.item())
        row[kind] += 1
    return tuple(parts) if isinstance(like, tuple) else parts[0]


def store_column(floats: Any, ints: Any, lane: int, value: Any, like: Any) -> None:
    """Set the state of lane `lane`; ints become floats where `like` has a float."""
    rows = (floats.reshape(-1), ints.reshape(-1))
    row = [0, 0]
    pairs = zip(value, like, strict=True) if isinstance(like, tuple) else [(value, like)]
    for v, t in pairs:
        kind = 0 if isinstance(t, float) else 1
        rows[kind][row[kind] * LANES + lane] = v
        row[kind] += 1
