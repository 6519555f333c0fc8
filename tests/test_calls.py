"""How kernels are called: every kind of argument arrives, results and exceptions come back, threads run together."""

from __future__ import annotations

import enum
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest

from pgfast.compiler import Kernel, atomic_load, atomic_store, kernel
from pgfast.compiler.block import Words


class Mode(enum.IntEnum):
    SLOW = 3
    FAST = 7


class Inner(NamedTuple):
    pair: Any
    array: Any


class Outer(NamedTuple):
    inner: Any
    mode: Any
    flag: Any


@kernel
def look(outer, plain, single, large, small, nothing, matrix, turned, sliced, constant, record, out):
    out[0] = outer.inner.pair[0]
    out[1] = outer.inner.pair[1]
    out[2] = outer.inner.array[1]
    out[3] = 100.0 if outer.mode == Mode.FAST else 200.0
    out[4] = 1.0 if outer.flag else 2.0
    out[5] = plain[0] + plain[1][0]
    out[6] = single
    out[7] = 1.0 if large == np.uint64(2**64 - 1) else 0.0
    out[8] = small
    out[9] = 1.0 if nothing is None else 0.0
    out[10] = matrix[1, 2]
    out[11] = turned[1, 2]
    out[12] = sliced[2]
    out[13] = constant[0]
    out[14] = record.rows.x[1]
    record.rows.k[0] = 5
    return len(sliced)


def arguments() -> tuple[Any, ...]:
    matrix = np.arange(6.0).reshape(2, 3)
    constant = np.array([8.5])
    constant.setflags(write=False)
    rows = np.dtype((np.record, [("x", "f8", (2,)), ("k", "i8", (2,))]))
    record = np.zeros(1, np.dtype((np.record, [("rows", rows)]))).view(np.recarray)[0]
    record.rows.x[1] = 6.25
    outer = Outer(Inner((1.5, 2), np.arange(3, dtype=np.int32)), Mode.FAST, True)
    large, turned = np.uint64(2**64 - 1), np.asfortranarray(matrix) * 2
    return (outer, (4, (0.5,)), np.float32(0.1), large, np.int8(-3), None, matrix, turned, np.arange(10.0)[::3],
            constant, record, np.zeros(15))  # fmt: skip


def test_every_kind_of_argument_arrives() -> None:
    compiled, plain = arguments(), arguments()
    assert look(*compiled) == look.function(*plain) == 4
    np.testing.assert_array_equal(compiled[-1], plain[-1])
    assert compiled[-2].rows.k.tolist() == [5, 0]


def test_form_tells_types_apart() -> None:
    """What numba has two types for has two forms, and the other way round."""
    values = [
        1, 1.0, True, None, (1,), (1.0,), (1, 1), ((1,), 1), (1, (1,)), Mode.FAST, np.float32(1), 2**63, np.int8(1),
        np.zeros(1), np.zeros(1, np.float32), np.zeros((1, 1)), np.zeros((2, 2))[:, ::2], np.zeros((2, 2), order="F"),
        Inner(1, 1), Inner(1.0, 1), np.zeros(1, "f8,f8")[0], np.zeros(1, "f8,i8")[0],
    ]  # fmt: skip
    forms = [Words((value,)).form for value in values]
    assert len(set(forms)) == len(values)
    assert Words((2**63,)).form == Words((np.uint64(1),)).form
    assert Words((1, 2.0)).form == Words((-5, np.float64(0.0))).form
    assert Words((Inner(1, 1), 1)).form != Words((1, Inner(1, 1))).form
    with pytest.raises(TypeError, match="a kernel can't take 'text'"):
        Words(("text",))


@kernel
def divide(a, b):
    if b == 3:
        raise ValueError("three", 3)
    if b == 4:
        raise KeyError
    if b == 5:
        raise OverflowError("five")
    return a // b


def test_exceptions_come_back() -> None:
    assert divide(15, 2) == 7
    for b, kind, args in ((3, ValueError, ("three", 3)), (4, KeyError, ()), (5, OverflowError, ("five",))):
        with pytest.raises(kind) as caught:
            divide(15, b)
        assert caught.value.args == args
    bound = divide.bind(15, 3)
    with pytest.raises(ValueError, match="three"):
        bound()


def test_what_a_kernel_may_give() -> None:
    def nothing(x):
        x[0] = 2.0

    x = np.zeros(1)
    assert Kernel(nothing, kept=False)(x) is None
    assert x[0] == 2.0
    with pytest.raises(TypeError, match="a kernel returns an int64 or nothing, not float64"):
        Kernel(lambda x: x[0], kept=False)(x)


@kernel
def wait_for(flags, mine, other, patience):
    atomic_store(flags, mine, 1)
    while atomic_load(flags, other) == 0 and patience > 0:
        patience -= 1
    return atomic_load(flags, other)


def test_threads_run_side_by_side() -> None:
    """Each waits for the other: with the GIL held the first would lose its patience."""
    flags = np.zeros(16, np.int64)
    wait_for.prepare(flags, 0, 8, 0)
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(wait_for, flags, *pair, 2**34) for pair in ((0, 8), (8, 0))]
        assert [call.result() for call in calls] == [1, 1]


def test_bound_arguments_are_read_anew() -> None:
    def first(x):
        return np.int64(x[0])

    x = np.array([4.0])
    call = Kernel(first, kept=False).bind(x)
    assert call() == 4
    x[0] = 9.0
    assert call() == 9
