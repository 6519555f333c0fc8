"""An observation scaled by its bounds: what most bases are functions of.

u_k = (o_k − low_k) / (high_k − low_k), taken back into [0, 1]: the row ``seen[k]`` of a lane.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import lane_kernel, leaf, load_column, store_column
from pgfast.protocol import observe


@lane_kernel
def write_numbers(n, env, like, shape, w, rows):
    """The numbers of what n lanes observe; rows (k, L)."""
    for i in range(n):
        seen = observe(env, load_column(w.lanes.state, w.lanes.state_int, i, like))
        store_column(rows, w.lanes.state_int, i, seen, shape)


@lane_kernel
def scale_rows(n, low, inverse, rows):
    """Numbers become u; one that is no number stays one."""
    for k in range(rows.shape[0]):
        least, factor = low[k], inverse[k]
        for i in range(n):
            u = (rows[k, i] - least) * factor
            u = 0.0 if u < 0.0 else u
            rows[k, i] = 1.0 if u > 1.0 else u


@leaf
def write_unit(n, env, like, shape, low, inverse, w):
    """u of n lanes, into the rows of ``w.memory.seen``."""
    write_numbers(n, env, like, shape, w, w.memory.seen)
    scale_rows(n, low, inverse, w.memory.seen)
