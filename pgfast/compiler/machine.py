"""Machine code brought into memory and called, without numba: that takes longer to load than a short training."""

from __future__ import annotations

import ctypes
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numpy as np

from pgfast.compiler.block import EXCEPTION, RESULT, Words

ENTRY = "pgfast_kernel"  # the function of an object file: takes the address of a block, gives a status
_OK, _NONE, _FIRST_OF_USERS = 0, -2, 1  # statuses of numba's calling convention


class ObjectFile(NamedTuple):
    """A compiled kernel, as it is kept."""

    code: bytes
    symbols: list[str]  # functions that it calls and doesn't contain
    returns: str  # "int" or "nothing"


class MissingSymbol(Exception):
    """Code calls something that isn't in this process."""


@cache
def processor() -> tuple[str, str, str]:
    """What code is compiled for here: platform, processor and its features."""
    return llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def _has(symbol: str) -> bool:
    """Can code of this process call that function?"""
    if llvm.address_of_symbol(symbol) is not None:
        return True
    _load_mathematics()
    return llvm.address_of_symbol(symbol) is not None


@cache
def _load_mathematics() -> None:
    """C's mathematical functions, where they are in a library of their own."""
    if sys.platform.startswith("linux"):
        with suppress(RuntimeError):  # another C library has them elsewhere
            llvm.load_library_permanently("libm.so.6")


class MachineCode:
    """An object file in memory, in an engine of its own: no name of one can meet a name of another."""

    def __init__(self, file: ObjectFile) -> None:
        for symbol in file.symbols:
            if not _has(symbol):
                raise MissingSymbol(symbol)
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_triple(processor()[0]).create_target_machine(jit=True)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(file.code))
        self._engine.finalize_object()
        self.address = self._engine.get_function_address(ENTRY)
        self._call = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(self.address)  # lets go of the GIL
        self._call_at_once = ctypes.PYFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(self.address)  # keeps it
        self._returns_int = file.returns == "int"

    def __call__(self, words: Words) -> Any:
        """Call it; raises what the code raises."""
        block = words.block()
        status = self._call(block.ctypes.data)
        if status not in (_OK, _NONE):
            raise exception(status, block)
        return int(block[RESULT]) if self._returns_int else None

    def bind(self, args: tuple[Any, ...]) -> Callable[[], int]:
        """A function that calls it with these arguments every time, in a fraction of a microsecond."""
        words = Words(args)
        block, enter = words.block(), self._call_at_once
        address, view = block.ctypes.data, memoryview(block)  # type: ignore[arg-type]

        def call() -> int:
            status = enter(address)
            if status != _OK:
                raise exception(status, block)
            return view[RESULT]

        call.__dict__["alive"] = self, args
        return call


class _Raised(ctypes.Structure):
    """The beginning of numba's description of an exception: its class and arguments, pickled."""

    _fields_ = [("pickled", ctypes.c_void_p), ("size", ctypes.c_int32)]


def exception(status: int, block: np.ndarray) -> BaseException:
    """What a kernel raised."""
    if status < _FIRST_OF_USERS:
        return SystemError(f"a kernel ended with status {status}")
    raised = _Raised.from_address(int(block[EXCEPTION]))
    kind, arguments, _ = pickle.loads(ctypes.string_at(raised.pickled, raised.size))
    arguments = [a for a in arguments if not type(a).__module__.startswith("llvmlite")]  # known only at run time
    return RuntimeError("no exception to raise again") if kind is None else kind(*arguments)
