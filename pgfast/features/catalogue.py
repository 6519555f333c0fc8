"""Feature maps by name. A new one is a file beside this one, and a line in FEATURES."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pgfast.errors import PgfastError, unknown
from pgfast.features.aggregation import aggregation
from pgfast.features.fourier import fourier
from pgfast.features.inputs import Inputs
from pgfast.features.normalised import normalised
from pgfast.features.observation import bias, observation, one_hot
from pgfast.features.polynomial import polynomial
from pgfast.features.radial import rbf
from pgfast.features.running import running
from pgfast.features.tiles import tiles

FEATURES: dict[str, Callable[..., Any]] = {
    "bias": bias,
    "observation": observation,
    "normalised": normalised,
    "running": running,
    "one-hot": one_hot,
    "aggregation": aggregation,
    "polynomial": polynomial,
    "fourier": fourier,
    "rbf": rbf,
    "tiles": tiles,
}


def options(name: str) -> dict[str, Any]:
    """What a map can be told, with defaults."""
    parameters = inspect.signature(FEATURES[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def described(name: str) -> tuple[str, str]:
    """What a map is, in a line, and where it is from."""
    text, _, reference = " ".join((inspect.getdoc(FEATURES[name]) or "").split()).partition("Reference: ")
    return text.partition(". ")[0].strip().rstrip("."), reference.rstrip(".")


def make_map(name: str, inputs: Inputs, given: Mapping[str, Any]) -> Any:
    """The map of that name; raises PgfastError for a name, an option or a value that isn't allowed."""
    if name not in FEATURES:
        raise unknown("feature map", name, FEATURES)
    known = options(name)
    for option in given:
        if option not in known:
            if not known:
                raise PgfastError(f"The features {name!r} have no parameters, so {option!r} can't be set.")
            raise unknown("feature parameter", option, known, of=name)
    return FEATURES[name](inputs, **given)
