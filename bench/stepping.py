"""Steps a second of vector environments for somebody else's agent: ``python -m pgfast._bench.stepping``.

CartPole with 1, 64 and 1024 sub-environments: pgfast's `VectorEnv`, and Gymnasium's own two, the one in NumPy that it
has for CartPole and its general one that steps single environments. Actions are drawn beforehand; times are of the
thread, so that other programs don't count; each figure is the median of `repeats` timings, beside the least and the
largest, all taken in turn.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import gymnasium
import numpy as np

from pgfast._bench.command import parser_of
from pgfast.gym import NAMESPACE

SIZES = 1, 64, 1024
STEPS = 4096  # of all sub-environments together that one timing takes, and of one at least TURNS
TURNS = 64
WAYS = {  # name: id, and how Gymnasium makes many of it
    "pgfast": (f"{NAMESPACE}/CartPole-v1", "vector_entry_point"),
    "Gymnasium, NumPy": ("CartPole-v1", "vector_entry_point"),
    "Gymnasium, one by one": ("CartPole-v1", "sync"),
}


@dataclass(frozen=True)
class Speed:
    """Steps a second, of all sub-environments."""

    way: str
    num_envs: int
    steps_per_second: float
    least: float
    largest: float


def speed_of(env: Any, actions: np.ndarray) -> float:
    """Steps a second with these actions, (turns, environments)."""
    start = time.thread_time()
    for a in actions:
        env.step(a)
    return actions.size / (time.thread_time() - start)


def measure(repeats: int) -> list[Speed]:
    """All ways and sizes, `repeats` times in turn."""
    rng = np.random.default_rng(0)
    cases = []
    for n in SIZES:
        actions = rng.integers(0, 2, (max(TURNS, STEPS // n), n))
        for way, (name, mode) in WAYS.items():
            env = gymnasium.make_vec(name, n, vectorization_mode=mode)
            env.reset(seed=0)
            cases.append((way, n, env, actions))
    speeds: list[list[float]] = [[] for _ in cases]
    for _ in range(repeats + 1):  # the first warms up
        for k, (_, _, env, actions) in enumerate(cases):
            speeds[k].append(speed_of(env, actions))
    return [
        Speed(way, n, median(found[1:]), min(found[1:]), max(found[1:]))
        for (way, n, _, _), found in zip(cases, speeds, strict=True)
    ]


def show(speeds: list[Speed]) -> None:
    """The results as a table."""
    print(f"{'':24}{'environments':>14}{'steps/s':>14}")
    for s in speeds:
        print(f"{s.way:24}{s.num_envs:14,}{s.steps_per_second:14,.0f}   ({s.least:,.0f} to {s.largest:,.0f})")


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    speeds = measure(given.repeats)
    if given.json:
        print(json.dumps([asdict(s) for s in speeds]))
    else:
        show(speeds)


if __name__ == "__main__":
    main()
