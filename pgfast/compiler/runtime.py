"""Numba's own functions, such as its allocator, made known to LLVM; for kernels that call them."""

from numba.core.registry import cpu_target

cpu_target.target_context.refresh()
