"""What an action costs a program that has the observation: ``python -m pgfast._bench.embedding [--repeats N]``.

An observation at a time, as a tuple, an array or an int, and a batch; and an agent's step, which is `act` and `observe`
and what it learns from both. The engine is warm. Times are of the thread, so that other programs don't count; each
figure is the median of `repeats` timings, beside the least and the largest, all taken in turn.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from pgfast import Agent, Engine
from pgfast._bench.command import add_names, parser_of

MANY, ALONE = 10_000, 2_000  # observations of a batch, and calls that one timing of single ones takes
LENGTH = 100  # steps of an agent's episodes
_RNG = np.random.default_rng(0)
FORMS: dict[str, dict[str, Any]] = {  # environment: what an observation is given as
    "CartPole-v1": {
        "tuple": (0.1, -0.2, 0.05, 0.3),
        "array": np.array([0.1, -0.2, 0.05, 0.3]),
        f"batch of {MANY:,}": _RNG.normal(size=(MANY, 4)),
    },
    "FrozenLake-v1": {"int": 5, f"batch of {MANY:,}": _RNG.integers(0, 16, MANY)},
}


@dataclass(frozen=True)
class Cost:
    """Nanoseconds for an action."""

    environment: str
    observation: str
    how: str
    ns: float
    least: float
    largest: float


def cases(names: Sequence[str]) -> list[tuple[str, str, str, Callable[[], Any], int]]:
    """Environment, observation, how the action is found, a call, and the actions that it gives."""
    found: list[tuple[str, str, str, Callable[[], Any], int]] = []
    for name in names:
        engine, forms = Engine(name), FORMS[name]
        for form, seen in forms.items():
            for how, deterministic in (("sampled", False), ("preferred", True)):

                def call(engine: Engine = engine, seen: Any = seen, deterministic: bool = deterministic) -> Any:
                    return engine.predict(seen, deterministic=deterministic)

                found.append((name, form, how, call, MANY if "batch" in form else 1))
        form, seen = next(iter(forms.items()))
        found += [(name, form, how, call, 1) for how, call in steps(name, seen)]
    return found


def steps(name: str, seen: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """An agent's step, in each way to learn."""
    for learn in ("online", "episode", None):
        agent, count = Engine(name, baseline="value", batch=16).agent(learn), itertools.count(1)

        def step(agent: Agent = agent, count: Iterator[int] = count) -> None:
            agent.act(seen)
            agent.observe(1.0, next(count) % LENGTH == 0)

        yield f"step, learn={learn!r}", step


def timed(call: Callable[[], Any], times: int) -> float:
    """Seconds of a call, one after the other."""
    start = time.thread_time()
    for _ in range(times):
        call()
    return (time.thread_time() - start) / times


def measure(names: Sequence[str], repeats: int) -> list[Cost]:
    """All cases of these environments, `repeats` times in turn."""
    todo = cases(names)
    taken: list[list[float]] = [[] for _ in todo]
    for _ in range(repeats + 1):  # the first warms up
        for k, (*_, call, actions) in enumerate(todo):
            taken[k].append(1e9 * timed(call, ALONE if actions == 1 else 10) / actions)
    return [
        Cost(env, form, how, median(ns[1:]), min(ns[1:]), max(ns[1:]))
        for (env, form, how, _, _), ns in zip(todo, taken, strict=True)
    ]


def show(costs: list[Cost]) -> None:
    """The results as a table."""
    print(f"{'':16}{'observation':18}{'action':28}{'ns an action':>14}")
    for c in costs:
        print(f"{c.environment:16}{c.observation:18}{c.how:28}{c.ns:14.1f}   ({c.least:.1f} to {c.largest:.1f})")


def main() -> None:
    parser = parser_of(__file__, __doc__)
    add_names(parser, "environment", FORMS)
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    costs = measure(given.environment or list(FORMS), given.repeats)
    if given.json:
        print(json.dumps([asdict(c) for c in costs]))
    else:
        show(costs)


if __name__ == "__main__":
    main()
