"""How pgfast compiles: the only package that touches numba's internals.

Everything compiled keeps strict IEEE arithmetic: no fast-math flag anywhere, fused multiply-adds only where the code
says ``fma``. So a lane computes the same bits whether LLVM put it into a vector register or not.

Numba is imported when something has to be compiled, not before: what is in the cache is run without it.
"""

import sys

from pgfast.compiler.atomics import atomic_add, atomic_load, atomic_store, yield_processor
from pgfast.compiler.bits import as_bits, as_float, as_single, fma, highest_bit
from pgfast.compiler.columns import LANES, load_column, store_column
from pgfast.compiler.fetching import fetch_ahead
from pgfast.compiler.kernel import Kernel, Preparation, compiled, kernel
from pgfast.compiler.precision import short, wide
from pgfast.compiler.references import (
    class_attribute,
    compiled_functions,
    global_names,
    is_library,
    line_of,
    references,
)
from pgfast.compiler.templates import (
    busy_routine,
    by_form,
    by_precision,
    compiled_as,
    gather_kernel,
    hook,
    inlined,
    lane_kernel,
    leaf,
    optional_hook,
    routine,
)

if "numba" in sys.modules:
    import pgfast.compiler.extension  # noqa: F401

__all__ = [
    "LANES",
    "Kernel",
    "Preparation",
    "as_bits",
    "as_float",
    "as_single",
    "atomic_add",
    "atomic_load",
    "atomic_store",
    "busy_routine",
    "by_form",
    "by_precision",
    "class_attribute",
    "compiled",
    "compiled_as",
    "compiled_functions",
    "fetch_ahead",
    "fma",
    "gather_kernel",
    "global_names",
    "highest_bit",
    "hook",
    "inlined",
    "is_library",
    "kernel",
    "lane_kernel",
    "leaf",
    "line_of",
    "load_column",
    "optional_hook",
    "references",
    "routine",
    "short",
    "store_column",
    "wide",
    "yield_processor",
]
