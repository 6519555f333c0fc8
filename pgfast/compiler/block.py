"""Arguments as compiled code takes them: one block of 64-bit words.

A value becomes the words that numba passes for it: a number is one; an array none for its owner, its size, the bytes of
an entry, the address of the first, shape and strides; a record its address; a tuple those of its elements. Two values
with the same *form* are of the same type to numba.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

RESULT, EXCEPTION, FIRST = 0, 1, 2  # words of a block: what the kernel gives, what it raised, its arguments

Form = tuple[str, tuple[type, ...]]
_dtypes: dict[np.dtype[Any], str] = {}


class Words:
    """The arguments of one call, taken apart."""

    def __init__(self, args: tuple[Any, ...]) -> None:
        self._form: list[str] = []
        self._classes: dict[type, int] = {}
        self._codes: list[str] = []
        self._words: list[Any] = []
        for arg in args:
            self._add(arg)

    @property
    def form(self) -> Form:
        """Their types: in words, with numbers that stand for the NamedTuple classes that follow."""
        return " ".join(self._form), tuple(self._classes)

    def block(self) -> np.ndarray:
        """A new block, int64; the arrays among the arguments must outlive it."""
        packed = struct.pack("=" + "".join(self._codes), *self._words)
        return np.frombuffer(bytearray(8 * FIRST) + packed, np.int64)

    def _put(self, form: str, code: str, *words: Any) -> None:
        self._form.append(form)
        self._codes.append(code)
        self._words.extend(words)

    def _add(self, thing: Any) -> None:
        if isinstance(thing, bool | np.bool_):
            self._put("bool", "q", int(thing))
        elif type(thing) is int:
            small = -(2**63) <= thing < 2**63
            self._put("int64" if small else "uint64", "q" if small else "Q", thing)
        elif type(thing) is float:
            self._put("float64", "d", thing)
        elif isinstance(thing, tuple):
            self._add_tuple(thing)
        elif isinstance(thing, np.ndarray):
            self._add_array(thing)
        elif isinstance(thing, np.void):
            self._put(_dtype_in_words(thing.dtype), "q", thing.__array_interface__["data"][0])
        elif isinstance(thing, np.generic) and thing.dtype.kind in "iuf":
            codes = {"i": "q", "u": "Q", "f": "d"}
            self._put(thing.dtype.name, codes[thing.dtype.kind], thing.item())
        elif isinstance(thing, int):  # a member of an enumeration
            self._put(f"int64 {type(thing).__module__}.{type(thing).__qualname__}", "q", int(thing))
        elif thing is None:
            self._put("none", "q", 0)
        else:
            raise TypeError(f"a kernel can't take {thing!r}")

    def _add_tuple(self, thing: tuple[Any, ...]) -> None:
        self._form.append("(")
        if hasattr(thing, "_fields"):
            self._form.append(str(self._classes.setdefault(type(thing), len(self._classes))))
        for element in thing:
            self._add(element)
        self._form.append(")")

    def _add_array(self, array: np.ndarray) -> None:
        flags = array.flags
        order = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"
        access = ("" if flags.writeable else " constant") + ("" if flags.aligned else " unaligned")
        address = array.__array_interface__["data"][0]
        self._put(
            f"{_dtype_in_words(array.dtype)}[{array.ndim}{order}{access}]", "q" * (5 + 2 * array.ndim),
            0, 0, array.size, array.itemsize, address, *array.shape, *array.strides,
        )  # fmt: skip


def _dtype_in_words(dtype: np.dtype[Any]) -> str:
    if dtype not in _dtypes:
        _dtypes[dtype] = repr(dtype) if dtype.fields else dtype.str
    return _dtypes[dtype]
