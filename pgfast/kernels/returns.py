"""Discounted returns, backward over a tape: G_t = R_{t+1} + γ G_{t+1} (Sutton & Barto 2018, equation 3.9)."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import routine
from pgfast.protocol import tape_last


@routine
def tape_returns(algorithm, memory, i, length):
    """The rewards of lane i's tape become returns-to-go."""
    g = 0.0
    for t in range(length - 1, -1, -1):
        r = memory.reward[i, t]
        g = r if tape_last(memory, i, t) else r + algorithm.gamma * g
        memory.reward[i, t] = g
