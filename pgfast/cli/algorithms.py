"""``pgfast algorithms``: what can learn."""

from __future__ import annotations

from typing import Any

from pgfast.cli.output import Debug, Json, Quiet, answer, assignments, catalogue


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
    answer({"algorithms": found}, lambda: catalogue(found, _details, *_NOTES), as_json, quiet)


_NOTES = (
    "`pgfast train --help` explains all settings; `pgfast info ENV --algorithm NAME` shows those that suit ENV.",
    "pgfast train ENV --algorithm NAME",
)


def _details(entry: dict[str, Any]) -> list[str]:
    own, usual = entry["settings"], assignments(entry["defaults"])
    return [*([f"Settings of its own: {', '.join(own)}."] if own else []), *([f"By default {usual}."] if usual else [])]
