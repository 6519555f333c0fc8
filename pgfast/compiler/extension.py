"""What numba must know of pgfast to compile a call of one of its leaves, in a kernel or in other people's functions.

Numba imports this by itself when it is about to compile something (the entry point ``numba_extensions``), pgfast when
it compiles a kernel.
"""

from __future__ import annotations

from typing import Any

from numba import config
from numba.extending import register_jitable

import pgfast.compiler.instructions  # noqa: F401
from pgfast.compiler.specialise import STRICT
from pgfast.compiler.templates import leaves, on_new_leaf


def register() -> None:
    """Called by numba; importing is all that is needed."""


def _make_known(function: Any) -> None:
    if not config.DISABLE_JIT:
        register_jitable(forceinline=True, **STRICT)(function)


for _leaf in leaves:
    _make_known(_leaf)
on_new_leaf.append(_make_known)
