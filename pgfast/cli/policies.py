"""``pgfast policies``: what can choose actions."""

from __future__ import annotations

from typing import Any

from pgfast.cli.output import Debug, Json, Quiet, answer, assignments, catalogue


def policies(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """List the policies. Shows what each is, its settings, and where it is from."""
    from pgfast.parametrisations import POLICIES

    found = [
        {
            "name": name,
            "description": policy.title,
            "reference": policy.source,
            "actions": "real" if policy.real else "discrete",
            "settings": policy.settings,
        }
        for name, policy in POLICIES.items()
    ]
    answer({"policies": found}, lambda: catalogue(found, _details, *_NOTES), as_json, quiet)


_NOTES = (
    "auto, the default, takes tabular for discrete observations, linear for others and gaussian for real actions.",
    "pgfast train ENV --policy NAME",
)


def _details(entry: dict[str, Any]) -> list[str]:
    return [f"Settings: {assignments(entry['settings'])}."]
