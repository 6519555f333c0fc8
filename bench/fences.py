"""Fences of known bytes around every array that a compiled kernel is given, and between those of a workspace."""

from __future__ import annotations

from ctypes import c_uint8
from types import TracebackType
from typing import Any, Self

import numpy as np

from pgfast import models
from pgfast.compiler import Kernel
from pgfast.kernels.lanes import Field, make_workspace

FENCE, POST = 4096, 0xA5  # bytes before and after an array, a whole number of cache lines, and what they hold
BETWEEN = "fence_behind_"  # begins the name of a fence in a workspace, a cache line


class Fences:
    """While they stand, kernels are called, from one thread, with copies of their arrays between fences. With `between`
    workspaces made in that time have fences between their arrays, too, and are played by kernels of their own."""

    def __init__(self, between: bool = False) -> None:
        self.arrays = 0  # fenced so far
        self._between = between
        self._copies: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}  # by place: what was given, its copy
        self._records: list[np.record] = []

    def __enter__(self) -> Self:
        self._call, self._make = Kernel.__call__, models.make_workspace
        Kernel.__call__ = lambda kernel, *args: self.call(kernel, *args)
        if self._between:
            models.make_workspace = fenced_workspace
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        Kernel.__call__, models.make_workspace = self._call, self._make

    def call(self, kernel: Kernel, *args: Any) -> Any:
        """As `Kernel.__call__`; raises AssertionError where the kernel has touched a fence."""
        self._copies, self._records = {}, []
        answer = self._call(kernel, *map(self._fenced, args))
        for given, raw in self._copies.values():
            start = _start(raw)
            stop = start + given.nbytes
            assert np.all(raw[:start] == POST), f"{kernel.__name__} wrote before an array"
            assert np.all(raw[stop:] == POST), f"{kernel.__name__} wrote behind an array"
            if given.flags.writeable:
                given[...] = raw[start:stop]
        for record in self._records:
            for name, fence in _posts(record):
                assert np.all(fence == POST), f"{kernel.__name__} wrote behind {name.removeprefix(BETWEEN)}"
                self.arrays += 1
        self.arrays += len(self._copies)
        return answer

    def _fenced(self, tree: Any) -> Any:
        if isinstance(tree, tuple):
            branches = map(self._fenced, tree)
            return type(tree)(*branches) if hasattr(tree, "_fields") else tuple(branches)
        if isinstance(tree, np.record):
            place = (c_uint8 * tree.nbytes).from_address(tree.__array_interface__["data"][0])
            self._records.append(self._copy(np.ctypeslib.as_array(place)).view(tree.dtype)[0])
            return self._records[-1]
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


def fenced_workspace(lanes: list[Field], memory: list[Field]) -> np.record:
    """As `make_workspace`, with a fence behind every array."""
    workspace = make_workspace(*(_spaced(fields) for fields in (lanes, memory)))
    for _, fence in _posts(workspace):
        fence[:] = POST
    return workspace


def _spaced(fields: list[Field]) -> list[Field]:
    return [one for field in fields for one in (field, (BETWEEN + field[0], "u1", (64,)))]


def _posts(workspace: np.record) -> list[tuple[str, np.ndarray]]:
    """The fences of a workspace."""
    parts = [workspace.lanes, workspace.memory]
    return [(name, part[name]) for part in parts for name in part.dtype.names if name.startswith(BETWEEN)]


def _start(raw: np.ndarray) -> int:
    """Where the copy begins, on a cache line."""
    return int(FENCE + -(raw.ctypes.data + FENCE) % 64)
