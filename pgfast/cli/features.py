"""``pgfast features``: what a linear policy can weigh."""

from __future__ import annotations

from typing import Any

from pgfast.cli.output import Debug, Json, Quiet, answer


def features(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """List the feature maps. Shows what each is, its parameters, and where it is from."""
    from pgfast.features.catalogue import FEATURES, described, options

    found = [
        {"name": name, "description": described(name)[0], "reference": described(name)[1], "parameters": options(name)}
        for name in FEATURES
    ]
    answer({"features": found}, lambda: _list(found), as_json, quiet)


def _list(found: list[dict[str, Any]]) -> Any:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[Any] = []
    for entry in found:
        given = ", ".join(_in_words(k, v) for k, v in entry["parameters"].items())
        lines = [entry["description"] + ".", *([f"Parameters: {given}."] if given else [])]
        parts += [Text(entry["name"], "bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines)]
        parts += [Padding(Text(entry["reference"] + ".", "dim"), (0, 0, 0, 2))]
    parts += [
        Text(),
        Text("By default low and high are the bounds of the observation space, mean and std those of random play."),
        Text("pgfast train ENV --features NAME -F parameter=value; or --features my_features.py:function"),
    ]
    return Group(*parts)


def _in_words(name: str, default: Any) -> str:
    """``bins=8``, or the name alone of what is found where it is not given."""
    if default is None:
        return name
    return f"{name}={str(default).lower() if isinstance(default, bool) else default}"
