"""A simulation of which only the spaces are known: enough for a policy, and for an agent that learns it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from pgfast.errors import PgfastError
from pgfast.foreign import Foreign, checked

NAME = "spaces"  # under which settings keep it
FIELDS = ("observation_space", "action_space")


def simulation(parameters: Mapping[str, Any]) -> tuple[Foreign, dict[str, Any]]:
    """What stands for a simulation with two spaces, Gymnasium's or as a configuration file has them; and both as it has
    them."""
    if set(parameters) != set(FIELDS):
        raise PgfastError(
            f"The environment {NAME!r} was given {', '.join(parameters) or 'nothing'}: it takes {' and '.join(FIELDS)}."
        )
    plain = {name: _written(parameters[name], name) for name in FIELDS}
    seen, actions = (_read(plain[name]) for name in FIELDS)
    return checked(Foreign("The simulation", seen, actions, None)), plain


def _written(space: Any, name: str) -> dict[str, Any]:
    if isinstance(space, Discrete):
        return {"n": int(space.n), "start": int(space.start)}
    if isinstance(space, Box):
        return {"low": space.low.astype(float).tolist(), "high": space.high.astype(float).tolist()}
    if isinstance(space, Mapping) and set(space) in ({"n", "start"}, {"low", "high"}):
        return dict(space)
    raise PgfastError(f"The {name} is {space!r}: it must be gymnasium.spaces.Discrete or Box.")


def _read(plain: Mapping[str, Any]) -> Any:
    try:
        if "n" in plain:
            return Discrete(plain["n"], start=plain["start"])
        return Box(np.array(plain["low"], float), np.array(plain["high"], float), dtype=np.float64)
    except (TypeError, ValueError, AssertionError) as error:
        raise PgfastError(f"{dict(plain)} is no space: {error}") from None
