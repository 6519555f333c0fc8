"""What numba must know of pgfast to compile a call of one of its leaves, in a kernel or in other people's functions.

Numba imports this by itself when it is about to compile something (the entry point ``numba_extensions``), pgfast when
it compiles a kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import config, types
from numba.extending import overload, register_jitable

import pgfast.compiler.instructions  # noqa: F401
from pgfast.compiler.inference import is_single
from pgfast.compiler.specialise import FORCED
from pgfast.compiler.templates import forms, leaves, on_new_leaf, pairs, stand_ins


def register() -> None:
    """Called by numba; importing is all that is needed."""


def _make_known(function: Any) -> None:
    if config.DISABLE_JIT:
        return
    if function in pairs:
        double, single = pairs[function]
        _choose(function, lambda *args: single if any(map(is_single, args)) else double)
    elif function in forms:
        array, whole = forms[function]
        _choose(function, lambda *args: whole if isinstance(args[1], types.Integer) else array)
    elif function in stand_ins:
        _choose(function, lambda *args, **named: stand_ins[function])
    else:
        register_jitable(**FORCED)(function)


def _choose(function: Any, choice: Callable[..., Any]) -> None:
    """In compiled code, what `choice` gives for the types of the arguments takes the function's place."""
    overload(function, jit_options=FORCED, strict=False)(choice)


for _leaf in leaves:
    _make_known(_leaf)
on_new_leaf.append(_make_known)
