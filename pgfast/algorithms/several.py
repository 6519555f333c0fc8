"""Settings that algorithms which go over a batch several times can't have otherwise."""

from __future__ import annotations

from typing import Any

FIXED: dict[str, tuple[Any, str]] = {
    "baseline": ("value", "advantages come from a learned value function"),
    "returns": ("to-go", "advantages are of single steps"),
    "in_loop": (False, "θ moves between passes over a batch"),
    "discount_factor": (False, "every step of a batch weighs the same"),
    "precision": ("float64", "ratios of probabilities are computed in double precision"),
}
