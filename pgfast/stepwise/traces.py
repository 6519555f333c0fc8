"""Arrays of the shape of θ, as they are handed to the functions of policies."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import leaf


@leaf
def clear(out):
    """out = 0."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = 0.0


@leaf
def fade(out, decay):
    """out = decay · out."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] *= decay
