"""What numba must know of pgfast to compile a call of one of its leaves, in a kernel or in other people's functions.

Numba imports this by itself when it is about to compile something (the entry point ``numba_extensions``), pgfast when
it compiles a kernel.
"""

from __future__ import annotations

from typing import Any

from numba import config
from numba.extending import overload, register_jitable

import pgfast.compiler.instructions  # noqa: F401
from pgfast.compiler.inference import is_single
from pgfast.compiler.specialise import FORCED
from pgfast.compiler.templates import leaves, on_new_leaf, pairs


def register() -> None:
    """Called by numba; importing is all that is needed."""


def _make_known(function: Any) -> None:
    if config.DISABLE_JIT:
        return
    if function in pairs:
        double, single = pairs[function]

        def choose(*args: Any) -> Any:
            return single if any(map(is_single, args)) else double

        overload(function, jit_options=FORCED, strict=False)(choose)
    else:
        register_jitable(**FORCED)(function)


for _leaf in leaves:
    _make_known(_leaf)
on_new_leaf.append(_make_known)
