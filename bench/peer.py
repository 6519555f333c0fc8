"""What a peer is: somebody's way of learning one of the workloads, timed from the outside.

A peer is a module of this folder with PEER at its end, and a line in `pgfast._bench.peers`. It may choose batch, step
size, precision and the length of the run as suits it best, but a run must learn: reach the workload's goal, or its
speed is not quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pgfast.workloads import Workload


@dataclass(frozen=True)
class Learned:
    """One training run, from the first parameters to the last."""

    steps: int  # of the environment, in episodes that were learned from: what a fixed horizon pads is not counted
    seconds: float  # of training: environment, sampling, returns and updates
    setup_seconds: float  # before the first step: compiling, tracing, building
    final_return: float  # mean of the undiscounted returns over the last tenth of the run


Learn = Callable[[Workload, int], Learned]  # (workload, seed) -> a complete training run that should reach the goal


@dataclass(frozen=True)
class Peer:
    """One way of doing it."""

    name: str  # short, for tables: "jax"
    title: str  # one line: what runs, and how it was tuned
    learns: Mapping[str, Learn]  # workload name -> how
    limit: bool = False  # True: not a library to be chosen, but what the processor can do
    lanes: bool = False  # of a limit: True where episodes are played in lockstep
    precision: str = "float64"
