"""Templates made into code for one combination of classes: every function is copied with other globals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CellType, FunctionType
from typing import Any

from numba import njit, types
from numba.core.typing import make_concrete_template

from pgfast.compiler.fingerprint import CannotFingerprint, environment_of_compilation, fingerprint
from pgfast.compiler.inference import is_single
from pgfast.compiler.parts import ApartCompiler, BusyCompiler, MethodCompiler, PartCompiler, UnitCompiler
from pgfast.compiler.references import global_names, is_library
from pgfast.compiler.templates import APART, BUSY, HOOK, INLINE, UNIT, defaults, kinds, pairs

STRICT = {"error_model": "numpy"}  # x / 0 is inf as in NumPy; an exception in a loop body stops the vectoriser
BORROWED = {"_nrt": False}  # kernels allocate nothing and own nothing: no reference counting of their arguments
OWNED = {"_nrt": True}  # said aloud, since numba hands the caller's choice on to the callee
FORCED = {"forceinline": True, "pipeline_class": MethodCompiler, **STRICT}  # for what isn't copied

_COMPILERS = {APART: ApartCompiler, UNIT: UnitCompiler, BUSY: BusyCompiler}
twins: dict[Any, Any] = {}
_parts: dict[Any, Any] = {}  # what kernels have in common, compiled once in a process


def twin(function: Callable[..., Any], instruction: Any) -> None:
    """In compiled code, `instruction` (a numba intrinsic) takes the place of `function`."""
    twins[function] = instruction


class Specialiser:
    """Copies functions with globals bound for one combination; each function is copied once. Of two combinations that
    bind all that a function reaches alike, the second takes the first one's copy, compiled as it is.

    `methods` gives, for each hook name, the function that takes its place. Functions from outside pgfast (a user's
    methods and helpers) are inlined as leaves are; only where `allocates` is true can they own memory.
    """

    def __init__(self, methods: Mapping[str, FunctionType], allocates: bool) -> None:
        self.methods = dict(methods)
        self.allocates = allocates
        self.copies: dict[Any, Any] = {}
        self.flags = environment_of_compilation()

    def copy(self, function: FunctionType) -> FunctionType:
        """`function` with its globals, and what it closes over, replaced."""
        replaced = dict(function.__globals__)
        for name in global_names(function):
            if name in replaced:
                replaced[name] = self.substitute(replaced[name])
        cells = tuple(CellType(self.substitute(cell.cell_contents)) for cell in function.__closure__ or ())
        copy = FunctionType(function.__code__, replaced, function.__name__, function.__defaults__, cells)
        copy.__qualname__ = function.__qualname__
        copy.__module__ = function.__module__
        return copy

    def substitute(self, value: Any) -> Any:
        """What stands in compiled code for a global."""
        if not isinstance(value, FunctionType):
            return value
        if value in twins:
            return twins[value]
        if value in self.copies:
            return self.copies[value]
        if value in pairs:
            return self._either(value)
        kind = kinds.get(value)
        if kind == HOOK:
            method = self.methods.get(value.__name__) or defaults.get(value.__name__)
            return self.compiled(method) if method is not None else value
        if kind is None and _belongs_to_libraries(value):
            return value
        return self.compiled(value, kind or INLINE)

    def compiled(self, function: FunctionType, kind: str = INLINE) -> Any:
        """The dispatcher of a function's copy."""
        if function not in self.copies:
            memory = OWNED if self.allocates and not is_library(function.__module__ or "") else BORROWED
            inline = kind not in (UNIT, BUSY)
            part = njit(pipeline_class=_COMPILERS.get(kind, PartCompiler), forceinline=inline, **STRICT, **memory)
            copy = self.copy(function)
            key = kind, *memory.values(), self.flags, _identity(function, copy)
            if key not in _parts:
                _parts[key] = _exact(part(copy), kind == UNIT)
            self.copies[function] = _parts[key]
        return self.copies[function]

    def _either(self, function: FunctionType) -> Any:
        """The dispatcher for doubles of a pair, which hands calls with float32s to the other one."""
        double, single = map(self.compiled, pairs[function])
        self.copies[function] = double
        if (double, single) in _parts:
            return double
        own = double.get_call_template, double.get_overload
        choose = lambda args: any(map(is_single, args))  # noqa: E731
        double.get_call_template = lambda args, kws: (single.get_call_template if choose(args) else own[0])(args, kws)
        double.get_overload = lambda args: (single.get_overload if choose(args) else own[1])(args)
        _parts[double, single] = double
        return double


def _exact(part: Any, once: bool) -> Any:
    """A dispatcher that takes a call to be one of just its types: among what other kernels had compiled, numba would
    look for something that these types can be converted to. Constants are no types of their own to what is compiled
    `once`."""
    any_of_them = part.get_call_template

    def just_these(args: Any, kws: Any) -> Any:
        template, signature, args, kws = any_of_them(tuple(map(types.unliteral, args)) if once else args, kws)
        if tuple(args) in part.overloads:
            name = part.py_func.__name__
            template = make_concrete_template(name, key=name, signatures=[part.overloads[tuple(args)].signature])
        return template, signature, args, kws

    part.get_call_template = just_these
    return part


def _identity(function: FunctionType, copy: FunctionType) -> Any:
    """What tells a copy from others of the same function that would be other code: what its globals and cells stand
    for, and where others than pgfast can change something, a digest of all that it refers to."""
    values = [copy.__globals__.get(name) for name in sorted(global_names(function))]
    values += [cell.cell_contents for cell in copy.__closure__ or ()]
    content: Any = None
    if not is_library(function.__module__ or ""):
        try:
            content = fingerprint(function)
        except CannotFingerprint:
            content = object()  # like no other
    return function, tuple(map(id, values)), content


def _belongs_to_libraries(function: FunctionType) -> bool:
    """True for functions that numba itself knows what to do with."""
    root = (function.__module__ or "").partition(".")[0]
    return root in ("numba", "numpy", "math", "cmath", "operator", "builtins")
