"""What a state looks like: in text, and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgfast.drawing import image, written
from pgfast.environments import Source
from pgfast.errors import EnvironmentFault
from pgfast.probe import call_method

if TYPE_CHECKING:
    import numpy as np


def text(source: Source, state: Any) -> str:
    """The state in text: what the environment's method `text` gives, without one its numbers."""
    owner = _owner(source)
    if hasattr(owner, "text"):
        return str(call_method(owner, source.label, "text", state))
    numbers = state if isinstance(state, tuple) else (state,)
    return " ".join(f"{x:g}" for x in numbers)


def picture(source: Source, state: Any, side: int = 400) -> np.ndarray:
    """The state as an image, uint8 (side, side, 3): what the environment's method `draw` gives, or its text."""
    owner = _owner(source)
    if not hasattr(owner, "draw"):
        return image(written(text(source, state)), side)
    shapes = call_method(owner, source.label, "draw", state)
    try:
        return image(shapes, side)
    except Exception as error:  # whatever is no shape
        raise EnvironmentFault(
            f"{source.label}: draw gives {shapes!r}, which is no list of shapes of pgfast.drawing "
            f"({type(error).__name__}: {error})."
        ) from error


def has_text(source: Source) -> bool:
    """Does the environment say how a state looks in text?"""
    return hasattr(_owner(source), "text")


def has_picture(source: Source) -> bool:
    """Does the environment say how a state looks?"""
    return has_text(source) or hasattr(_owner(source), "draw")


def _owner(source: Source) -> Any:
    return source.origin if source.origin is not None else source.env
