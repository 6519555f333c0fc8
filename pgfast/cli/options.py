"""Options made from the fields of `Settings`: a new choice of the engine is an option without another line here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import Field, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from pgfast.errors import PgfastError
from pgfast.settings import Settings

_NOT_OPTIONS = ("env", "env_parameters", "feature_parameters")

ENV = typer.Argument(help="An id (see `pgfast envs`), or a file: my_env.py, my_env.py:MyEnv.")
Env = Annotated[str, ENV]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--env-parameter", "-E", metavar="NAME=VALUE", help="A parameter of the environment; may be repeated."
    ),
]


_FeatureParameters = Annotated[
    list[str] | None,
    typer.Option(
        "--feature-parameter", "-F", metavar="NAME=VALUE", help="A parameter of the features; may be repeated."
    ),
]


def takes_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for every setting; it receives those as ``**settings``, None where not given."""
    own = inspect.signature(command, eval_str=True)
    parameters = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
    for field in fields(Settings):
        if field.name not in _NOT_OPTIONS:
            parameters.append(_option(field))
        if field.name == "features":
            parameters.append(_parameter("feature_parameters", _FeatureParameters))
    command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _option(field: Field[Any]) -> inspect.Parameter:
    """Switches are switches; all else is text, which `Settings` itself reads and checks."""
    flag, of_type = field.name.replace("_", "-"), str(field.type)
    switch = of_type == "bool"
    option = typer.Option(
        f"--{flag}/--no-{flag}" if switch else f"--{flag}",
        help=field.metadata["description"],
        metavar=None if switch else _metavar(of_type),
        show_default=False,
    )
    kind: Any = bool if switch else str
    return _parameter(field.name, Annotated[kind | None, option])


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _metavar(annotation: str) -> str:
    if "str" in annotation or "Literal" in annotation:
        return "NAME"
    whole = annotation.startswith(("Count", "Annotated[int")) and "list" not in annotation
    return "N" if whole else "NUMBER"


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, as `Settings` takes them."""
    chosen = {name: value for name, value in settings.items() if value is not None}
    for name in ("theta0", "std0"):
        if name in chosen:
            chosen[name] = numbers(name, chosen[name])
    if "statistics" in chosen:
        chosen["statistics"] = _value(chosen["statistics"])
    if "feature_parameters" in chosen:
        chosen["feature_parameters"] = parameters(chosen["feature_parameters"], "-F")
    return chosen


def numbers(name: str, text: str) -> Any:
    """A number, or a list of them."""
    parts = text.replace(",", " ").split()
    try:
        found = [float(part) for part in parts]
    except ValueError:
        raise PgfastError(f"{name} is {text!r}: it must be a number, or numbers with commas between them.") from None
    return found[0] if len(found) == 1 else found


def parameters(pairs: list[str] | None, flag: str = "-E") -> dict[str, Any]:
    """``["slip=0.1", …]`` as {"slip": 0.1, …}: numbers, true and false are read as such, and ``desc=@lake.txt`` is the
    text in that file."""
    out: dict[str, Any] = {}
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise PgfastError(f"{flag} {pair} has no value: write it as {flag} name=value.")
        out[name.strip()] = _value(value.strip())
    return out


def _value(text: str) -> Any:
    import ast
    import re

    if text.startswith("@"):
        return _contents(text[1:])
    for meant in (text, re.sub(r"\b(true|false)\b", lambda word: word[0].capitalize(), text, flags=re.I)):
        with suppress(ValueError, SyntaxError):
            return ast.literal_eval(meant)
    return text


def _contents(file: str) -> str:
    try:
        return Path(file).expanduser().read_text("utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        raise PgfastError(f"The file {file!r} can't be read: {error}.") from None
