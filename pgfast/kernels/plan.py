"""What a call to a kernel is to do, and what it answers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

FINISHED, AGAIN, TAPE_FULL, OUTSIDE = range(4)  # what a call returns
TICKET, DONE, STOP = 0, 8, 16  # entries of `team`, each on a cache line of its own


class Plan(NamedTuple):
    """What a call is to do; ints unless said otherwise."""

    learn: int  # 0: play only
    deterministic: int  # 1: greedy actions
    stream: int  # TRAIN or EVALUATE
    paired: int  # 1: two steps share a block of random numbers
    runs: int
    copies: int  # slots per run: how many lanes play episodes of one run (1 when learning)
    batch: int  # episodes per update
    block: int  # episodes per block
    width: int  # lanes of a block, or of a thread's share of the slots
    first_episode: int
    last_episode: int  # exclusive
    max_steps: Any  # uint64
    first_action: int  # what the environment calls action 0
    log_every: int  # episodes per row of the log
    log_origin: int
    k0: Any  # uint64: the seed's low 32 bits
    k1: Any  # uint64: its high 32 bits


def make_team() -> np.ndarray:
    """The threads' shared counters."""
    return np.zeros(24, np.int64)
