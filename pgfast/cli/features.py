"""``pgfast features``: what a linear policy can weigh."""

from __future__ import annotations

from typing import Any

from pgfast.cli.output import Debug, Json, Quiet, answer


def features(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """List the feature maps: what each is, where it is from, and its parameters."""
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
        given = ", ".join(f"{k}={_word(v)}" for k, v in entry["parameters"].items())
        lines = [entry["description"] + ".", *([f"Parameters: {given}."] if given else [])]
        parts += [Text(entry["name"], "bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines)]
        parts += [Padding(Text(entry["reference"] + ".", "dim"), (0, 0, 0, 2))]
    parts += [
        Text(),
        Text("pgfast train ENV --features NAME -F parameter=value; or --features my_features.py:function"),
    ]
    return Group(*parts)


def _word(value: Any) -> str:
    return "the space's" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
