"""Guards of the arrays that uncompiled kernels read and write: an index below 0 is an error, as one too large is in any
case."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from pgfast.compiler.kernel import Kernel, compilation_is_off


class Guarded(np.ndarray):
    """An array that has no index below 0, which for NumPy is one from the end, and in compiled code one outside."""

    def __getitem__(self, index: Any) -> Any:
        _check(index)
        return super().__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        _check(index)
        super().__setitem__(index, value)


def _check(index: Any) -> None:
    for k in index if type(index) is tuple else (index,):
        if isinstance(k, int | np.integer) and k < 0:
            raise IndexError(f"index {index} is outside")


def guarded(tree: Any) -> Any:
    """The same NamedTuples and records with their arrays guarded."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*map(guarded, tree))
    if isinstance(tree, np.record):
        return SimpleNamespace(**{name: guarded(tree[name]) for name in tree.dtype.names})
    return tree.view(Guarded) if isinstance(tree, np.ndarray) else tree


call = Kernel.__call__


def call_guarded(kernel: Kernel, *args: Any) -> Any:
    """As `Kernel.__call__`; arrays of the environment are its own business."""
    if not compilation_is_off():
        return call(kernel, *args)
    names = kernel.function.__code__.co_varnames
    return kernel.function(*(a if name == "env" else guarded(a) for name, a in zip(names, args, strict=False)))
