"""What a call to a kernel is to do, and what it answers."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import atomic_load, atomic_store, leaf
from pgfast.kernels.lanes import FAULT

FINISHED, AGAIN, TAPE_FULL, OUTSIDE = range(4)  # what a call returns
PASS_OVER, BATCH_OVER, BROKEN = range(
    3
)  # what a pass over a batch leads to: another, the next batch, or, where θ would
# stop being finite, the end of a run
TICKET, DONE, STOP = 0, 8, 16  # entries of `team`, each on a cache line of its own


class Plan(NamedTuple):
    """What a call is to do; ints unless said otherwise."""

    learn: int  # 0: play only
    deterministic: int  # 1: greedy actions
    stream: int  # TRAIN or EVALUATE
    sharing: int  # 1, 2 or 4 steps, that have their random numbers from one block
    runs: int
    copies: int  # slots per run: how many lanes play episodes of one run (1 when learning)
    batch: int  # episodes per update
    passes: int  # over a batch, at most; the first plays it
    block: int  # episodes per block
    width: int  # lanes of a block, or of a thread's share of the slots
    first_episode: int
    last_episode: int  # exclusive
    max_steps: Any  # uint64, or uint32 in single precision
    actions: Any  # what the environment takes: `Choices` or `Reals`
    log_every: int  # episodes per row of the log
    tallied: int  # episodes that a lane which is a run sums up by itself
    log_origin: int
    k0: Any  # uint64: the seed's low 32 bits
    k1: Any  # uint64: its high 32 bits

    def seed(self, i: Any) -> Any:
        """Lane i's: the same in all."""
        return self.k0, self.k1


@leaf
def is_time_to_return(team, full, budget, control):
    """Is a call to end here? Whoever comes to it first tells the other threads: none waits while another works on."""
    if full != 0 or budget <= 0 or control[FAULT] != 0:
        atomic_store(team, STOP, 1)
    return atomic_load(team, STOP) != 0


@leaf
def reason(full, control):
    """What a call that ends answers."""
    return OUTSIDE if control[FAULT] != 0 else (TAPE_FULL if full != 0 else AGAIN)


def make_team() -> np.ndarray:
    """The threads' shared counters."""
    return np.zeros(24, np.int64)
