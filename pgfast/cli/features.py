"""``pgfast features``: what a linear policy can weigh."""

from __future__ import annotations

from typing import Any

from pgfast.cli.output import Debug, Json, Quiet, answer, assignments, catalogue


def features(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """List the feature maps. Shows what each is, its parameters, and where it is from."""
    from pgfast.features.catalogue import FEATURES, described, options

    found = [
        {"name": name, "description": described(name)[0], "reference": described(name)[1], "parameters": options(name)}
        for name in FEATURES
    ]
    answer({"features": found}, lambda: catalogue(found, _details, *_NOTES), as_json, quiet)


_NOTES = (
    "By default low and high are the bounds of the observation space, mean and std those of random play.",
    "pgfast train ENV --features NAME -F parameter=value; or --features my_features.py:function",
)


def _details(entry: dict[str, Any]) -> list[str]:
    return [f"Parameters: {assignments(entry['parameters'])}."] if entry["parameters"] else []
