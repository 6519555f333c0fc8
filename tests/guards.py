"""Guards of the arrays that kernels read and write. Uncompiled, an index below 0 is an error, as one too large is in
any case; compiled, arrays stand between fences of known bytes."""

from __future__ import annotations

from ctypes import c_uint8
from types import SimpleNamespace
from typing import Any

import numpy as np

from pgfast.compiler.kernel import Kernel, compilation_is_off

FENCE, POST = 4096, 0xA5  # bytes before and after an array, a whole number of cache lines, and what they hold


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


class Fences:
    """Calls kernels, from one thread, with copies of their arrays that stand between fences."""

    def __init__(self) -> None:
        self.arrays = 0  # fenced so far
        self._copies: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}  # by place: what was given, its copy

    def call(self, kernel: Kernel, *args: Any) -> Any:
        self._copies = {}
        answer = call(kernel, *map(self._fenced, args))
        for given, raw in self._copies.values():
            start = _start(raw)
            stop = start + given.nbytes
            assert np.all(raw[:start] == POST), f"{kernel.__name__} wrote before an array"
            assert np.all(raw[stop:] == POST), f"{kernel.__name__} wrote behind an array"
            if given.flags.writeable:
                given[...] = raw[start:stop]
        self.arrays += len(self._copies)
        return answer

    def _fenced(self, tree: Any) -> Any:
        if isinstance(tree, tuple):
            branches = map(self._fenced, tree)
            return type(tree)(*branches) if hasattr(tree, "_fields") else tuple(branches)
        if isinstance(tree, np.record):
            place = (c_uint8 * tree.nbytes).from_address(tree.__array_interface__["data"][0])
            return self._copy(np.ctypeslib.as_array(place)).view(tree.dtype)[0]
        if not isinstance(tree, np.ndarray) or not tree.flags.c_contiguous or tree.size == 0:
            return tree
        copy = self._copy(tree.reshape(-1).view(np.uint8)).view(tree.dtype).reshape(tree.shape)
        copy.flags.writeable = tree.flags.writeable
        return copy

    def _copy(self, given: np.ndarray) -> np.ndarray:
        """The same copy of what stands in the same place: arrays may be two views of one."""
        place = given.ctypes.data, given.nbytes
        if place not in self._copies:
            raw = np.full(given.nbytes + 2 * FENCE + 64, POST, np.uint8)
            raw[_start(raw) : _start(raw) + given.nbytes] = given
            self._copies[place] = given, raw
        raw = self._copies[place][1]
        return raw[_start(raw) : _start(raw) + given.nbytes]


def _start(raw: np.ndarray) -> int:
    """Where the copy begins, on a cache line."""
    return int(FENCE + -(raw.ctypes.data + FENCE) % 64)
