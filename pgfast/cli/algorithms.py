"""``pgfast algorithms``: what can learn."""

from __future__ import annotations

from typing import Any

from pgfast.cli.output import Debug, Json, Quiet, answer


def algorithms(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """List the algorithms. Shows what each is, where it is from, and the settings that it has by default or alone."""
    from pgfast.algorithms.catalogue import ALGORITHMS

    found = [
        {
            "name": name,
            "description": entry.title,
            "reference": entry.source,
            "defaults": dict(entry.defaults),
            "settings": list(entry.own),
        }
        for name, entry in ALGORITHMS.items()
    ]
    answer({"algorithms": found}, lambda: _list(found), as_json, quiet)


def _list(found: list[dict[str, Any]]) -> Any:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[Any] = []
    for entry in found:
        lines = [entry["description"] + "."]
        if entry["settings"]:
            lines.append(f"Settings of its own: {', '.join(entry['settings'])}.")
        if entry["defaults"]:
            lines.append(f"By default {', '.join(f'{k}={v}' for k, v in entry['defaults'].items())}.")
        parts += [Text(entry["name"], "bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines)]
        parts += [Padding(Text(entry["reference"] + ".", "dim"), (0, 0, 0, 2))]
    parts += [Text(), Text("pgfast train ENV --algorithm NAME")]
    return Group(*parts)
