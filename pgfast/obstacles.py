"""Did the loop over lanes become vector code, and if it didn't, or only seemingly, what stands in the way?

The verdict is read from LLVM's intermediate code; the place where the obstacle stands, from the source of `step` and of
what it calls.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from types import FunctionType

from pgfast.compiler import compiled_functions

_FUNCTION = re.compile(r"^define[^\n]*\n.*?\n}", re.S | re.M)
_VECTOR_STORE = re.compile(r"\bstore <\d+ x |@llvm\.masked\.(?:store|scatter)\.")
_SCALAR_STORE = re.compile(r"\bstore (?:double|float|i64|i32) ")
_CALL = re.compile(r"\bcall [^@\n]*@([\w.$]+)\(")
_DIVISION = re.compile(r"= (?:[su]div|[su]rem) ")
_IN_HARDWARE = (  # what LLVM has vector instructions for
    "abs", "ceil", "copysign", "experimental", "fabs", "floor", "fma", "masked", "max", "maximum", "maxnum", "memcpy",
    "memset", "min", "minimum", "minnum", "nearbyint", "rint", "roundeven", "smax", "smin", "sqrt", "trunc", "umax",
    "umin", "vector",
)  # fmt: skip
_MAKERS = ("arange", "array", "empty", "full", "list", "ones", "zeros", "zeros_like")
_OWN = {"cos", "exp", "log", "sin"}  # of which pgfast has forms that become vector code


def is_vector_code(code: str) -> bool:
    """Are several lanes stepped at once? `code` is the kernel that steps them; each stores what it computes."""
    body = _body(code)
    return _VECTOR_STORE.search(body) is not None and _SCALAR_STORE.search(body) is None


def obstacles(code: str, cls: type) -> list[str]:
    """What is likely to keep the steps of `cls` from becoming vector code, the most certain first; none if they are."""
    body = _body(code)
    calls = _libm(body)
    found = [f"a call of {name}{_lines(cls, ast.Call, called=(name,))}{_instead(name)}" for name in calls]
    raising = _lines(cls, ast.Raise, ast.Assert, ast.Try)
    if raising and not is_vector_code(code):
        found.append("an exception" + raising)
    elif "NRT_" in body:
        found.append("an array or list that it makes" + _lines(cls, ast.List, ast.ListComp, ast.Call, called=_MAKERS))
    if _DIVISION.search(body):
        found.append("a division of whole numbers" + _lines(cls, ast.FloorDiv, ast.Mod))
    elif " frem " in body:
        found.append("a remainder of floats" + _lines(cls, ast.Mod))
    if is_vector_code(code):
        return found
    found += [
        name + place
        for name, kinds in (
            ("a loop", (ast.For, ast.While)),
            ("a look-up", (ast.Subscript,)),
            ("a branch", (ast.If,)),
        )
        if (place := _lines(cls, *kinds))
    ]
    return found or ["what LLVM finds too dear, or can't tell from writing to what it reads"]


def _body(code: str) -> str:
    """The kernel itself, which is the longest function of its module."""
    return max(_FUNCTION.findall(code), key=len, default="")


def _libm(body: str) -> list[str]:
    """Functions that are called, C's names."""
    names = set()
    for name in _CALL.findall(body):
        intrinsic = re.match(r"llvm\.(\w+)", name)
        plain = intrinsic[1] if intrinsic else name
        if not plain.startswith(("NRT_", "_Z", "x86")) and not (intrinsic and plain in _IN_HARDWARE):
            names.add(plain)
    return sorted(names)


def _instead(name: str) -> str:
    return f" (pgfast.{name} is none)" if name in _OWN else ""


def _lines(cls: type, *kinds: type[ast.AST], called: tuple[str, ...] = ()) -> str:
    """`` in line 7`` for the first place where the source of `step` has such a node, of calls one of `called`; nothing
    where there is none."""
    for function in compiled_functions(cls, ("step",)):
        found = [
            node.lineno
            for node in _nodes(function)
            if _is(node, kinds) and (not isinstance(node, ast.Call) or _called(node) in called)
        ]
        if found:
            return f" in line {min(found) + function.__code__.co_firstlineno - 1}"
    return ""


def _is(node: ast.AST, kinds: tuple[type[ast.AST], ...]) -> bool:
    if isinstance(node, ast.Subscript):
        return ast.Subscript in kinds and not isinstance(node.slice, ast.Constant)
    return isinstance(node.op if isinstance(node, ast.BinOp | ast.AugAssign) else node, kinds)


def _called(node: ast.Call) -> str:
    return str(getattr(node.func, "attr", getattr(node.func, "id", "")))


def _nodes(function: FunctionType) -> Iterator[ast.expr | ast.stmt]:
    """What the body of a function is made of, lines counted from its first; nothing where its source isn't known, or is
    a part of a line."""
    try:
        source = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError):
        return
    for statement in source.body if isinstance(source, ast.FunctionDef) else ():
        yield from (node for node in ast.walk(statement) if isinstance(node, ast.expr | ast.stmt))
