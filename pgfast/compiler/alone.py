"""One method compiled by itself: the form of what it gives, or why it can't be compiled.

Takes a fraction of a second where a kernel takes many, and an error found here is the method's own.
"""

from __future__ import annotations

from typing import Any

from numba import typeof, types

from pgfast.compiler.build import keeping_garbage, let_allocate, specialiser
from pgfast.compiler.explain import Complaint, complaint, type_in_words


class CannotCompile(Exception):
    """The cause is numba's error."""

    def __init__(self, why: Complaint) -> None:
        super().__init__(why.reason)
        self.why = why


def compiled_form(thing: Any, name: str, *examples: Any) -> Any:
    """What method `name` of `thing` gives for arguments like `examples`: "int", "float", "bool", a tuple of such, or
    the name of another type. Raises CannotCompile.

    A class whose methods make arrays or lists is compiled as one that may, from then on.
    """
    signature = tuple(typeof(x) for x in (thing, *examples))
    try:
        return _form(_returned(type(thing), name, signature, allocates=False))
    except Exception:  # numba raises whatever it meets
        try:
            form = _form(_returned(type(thing), name, signature, allocates=True))
        except Exception as error:
            raise CannotCompile(complaint(error)) from error
    let_allocate(type(thing))
    return form


def _returned(cls: type, name: str, signature: tuple[Any, ...], allocates: bool) -> Any:
    binder = specialiser((cls,), allocates)
    dispatcher = binder.compiled(binder.methods[name])
    with keeping_garbage():
        dispatcher.compile(signature)
    return dispatcher.overloads[signature].signature.return_type


def _form(type_: Any) -> Any:
    plain = types.unliteral(type_)
    if isinstance(plain, types.Boolean):
        return "bool"
    if isinstance(plain, types.Integer):
        return "int"
    if isinstance(plain, types.Float):
        return "float"
    if isinstance(plain, types.BaseTuple) and not isinstance(plain, types.BaseNamedTuple):
        return tuple(_form(t) for t in plain.types)
    return type_in_words(str(plain))
