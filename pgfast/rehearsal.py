"""An environment's methods compiled one by one, before the kernel that they go into.

A kernel takes seconds to compile and fails far from the cause. Here what can't be compiled, or has another form once
compiled than in Python, is named with its file, line and method.
"""

from __future__ import annotations

from typing import Any

from pgfast.compiler import class_attribute
from pgfast.compiler.alone import CannotCompile, compiled_form
from pgfast.errors import EnvironmentFault
from pgfast.probe import Traits
from pgfast.random import make_key

_ADVICE = "use numbers, tuples, min, max, abs, and the functions of math and pgfast"


def rehearse(env: Any, traits: Traits) -> None:
    """Compile every method that kernels call; raises EnvironmentFault for one that they couldn't."""
    state, seen, action, key = traits.like, traits.observation, traits.action, make_key()
    _compile(env, traits, "reset", (key,), state)
    _compile(env, traits, "step", (state, action, key), (state, 0.0, True))
    _compile(env, traits, "observe", (state,), seen if traits.n_observations is not None else as_floats(seen))
    if hasattr(env, "features") and traits.n_actions:
        _compile(env, traits, "features", (seen, action), as_floats(env.features(seen, action)))


def _compile(env: Any, traits: Traits, method: str, examples: tuple[Any, ...], expected: Any) -> None:
    if class_attribute(type(env), method) is None:
        return
    try:
        form = compiled_form(env, method, *examples)
    except CannotCompile as error:
        why = error.why
        name = f"{why.file.name}, line {why.line}, {type(env).__name__}" if why.file is not None else traits.label
        raise EnvironmentFault(f"{name}.{method} can't be compiled: {why.reason}; {_ADVICE}.") from error.__cause__
    if not _fits(form, expected):
        raise EnvironmentFault(
            f"{traits.label}: compiled, {method} gives {_in_words(form)}: it must give {_in_words(_form(expected))} on "
            f"every path."
        )


def _fits(form: Any, expected: Any) -> bool:
    """Can a value of this form stand where `expected` is? A truth value is an int, and an int can become a float."""
    if isinstance(expected, tuple):
        return (
            isinstance(form, tuple)
            and len(form) == len(expected)
            and all(_fits(f, e) for f, e in zip(form, expected, strict=True))
        )
    return form in ("bool", "int", "float") if isinstance(expected, float) else form in ("bool", "int")


def as_floats(value: Any) -> Any:
    """A number, or a tuple of numbers, as floats."""
    return tuple(float(v) for v in value) if isinstance(value, tuple) else float(value)


def _form(value: Any) -> Any:
    return tuple(_form(v) for v in value) if isinstance(value, tuple) else type(value).__name__


def _in_words(form: Any) -> str:
    return f"({', '.join(_in_words(f) for f in form)})" if isinstance(form, tuple) else str(form)
