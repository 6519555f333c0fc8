"""Whom to serve next: a SimPy simulation of a service desk, whose clerk learns while it runs.

    pip install simpy
    python examples/service_desk.py

Customers of three kinds come to one clerk. An hour of waiting costs more for some than for others, and some are served
sooner than others. When the clerk is free and several kinds wait, an agent that sees which kinds wait says whom to
serve; it learns from every decision, by the actor–critic. An episode is a busy period, from the first customer who
finds the clerk free until nobody is left: how long it is doesn't depend on the order, so what is best for a busy period
is best in the long run. The best there is to do is known: always the kind with the largest c μ, the cost of an hour's
waiting times the customers served in an hour (Cox & Smith 1961, "Queues").
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import simpy
from gymnasium.spaces import Discrete

from pgfast import Agent, Engine


class Kind(NamedTuple):
    """Of customers."""

    name: str
    arrivals: float  # an hour
    served: float  # μ, an hour
    cost: float  # c, of an hour's waiting


KINDS = (Kind("parcel", 7.0, 30.0, 6.0), Kind("passport", 1.75, 7.5, 10.0), Kind("business", 3.5, 15.0, 24.0))
C_MU = sorted(range(len(KINDS)), key=lambda k: -KINDS[k].cost * KINDS[k].served)  # the best order to serve in
SEEN = Discrete(2 ** len(KINDS))  # what the agent sees: the sum of 2ᵏ over the kinds k of which somebody waits


class Clerk:
    """Serves whoever came first."""

    def choose(self, desk: Desk) -> int:
        """The kind to serve, of those that wait."""
        return desk.order[0]

    def rest(self, desk: Desk) -> None:
        """Nobody waits."""


class ByRank(Clerk):
    """Serves the kind that stands first in a list."""

    def __init__(self, rank: list[int]) -> None:
        self.rank = rank

    def choose(self, desk: Desk) -> int:
        return next(k for k in self.rank if desk.queues[k])


class ByEngine(Clerk):
    """Serves as an engine's policy says; where it names a kind of which nobody waits, whoever came first."""

    def __init__(self, engine: Engine, deterministic: bool) -> None:
        self.engine, self.deterministic = engine, deterministic

    def choose(self, desk: Desk) -> int:
        k = self.engine.predict(desk.seen, deterministic=self.deterministic)
        return k if desk.queues[k] else desk.order[0]


class Learner(Clerk):
    """As an agent says, which learns from what waiting has cost between two of its decisions."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.paid: float | None = None  # the cost up to the last decision, if there was one in this busy period

    def choose(self, desk: Desk) -> int:
        if sum(map(bool, desk.queues)) == 1:
            return desk.order[0]
        if self.paid is not None:
            self.agent.observe(self.paid - desk.cost)
        k, self.paid = self.agent.act(desk.seen), desk.cost
        return k if desk.queues[k] else desk.order[0]

    def rest(self, desk: Desk) -> None:
        if self.paid is not None:
            self.agent.observe(self.paid - desk.cost, terminated=True)
        self.paid = None


class Desk:
    """A queue for each kind, and what waiting has cost so far; times in hours."""

    def __init__(self, clerk: Clerk, seed: int) -> None:
        self.env = simpy.Environment()
        self.queues: list[deque[float]] = [deque() for _ in KINDS]  # how long serving will take
        self.order: list[int] = []  # the kinds of all who wait, as they came
        self.cost, self.since = 0.0, 0.0
        self.came = self.env.event()
        for k in range(len(KINDS)):
            self.env.process(self.arrivals(k, np.random.default_rng([seed, k])))
        self.env.process(self.work(clerk))

    @property
    def seen(self) -> int:
        return sum(2**k for k, queue in enumerate(self.queues) if queue)

    def pay(self) -> None:
        """For all waiting until now."""
        self.cost += sum(KINDS[k].cost for k in self.order) * (self.env.now - self.since)
        self.since = self.env.now

    def arrivals(self, k: int, rng: np.random.Generator) -> Iterator[Any]:
        while True:
            yield self.env.timeout(rng.exponential(1 / KINDS[k].arrivals))
            self.pay()
            self.queues[k].append(rng.exponential(1 / KINDS[k].served))
            self.order.append(k)
            if not self.came.triggered:
                self.came.succeed()

    def work(self, clerk: Clerk) -> Iterator[Any]:
        while True:
            while self.order:
                self.pay()
                k = clerk.choose(self)
                self.order.remove(k)
                yield self.env.timeout(self.queues[k].popleft())
            self.pay()
            clerk.rest(self)
            self.came = self.env.event()
            yield self.came


def cost_of(clerk: Clerk, hours: float, seed: int) -> float:
    """What waiting costs in an hour, of so many; the same customers for every clerk."""
    desk = Desk(clerk, seed)
    desk.env.run(hours)
    desk.pay()
    return desk.cost / hours


def run(seed: int = 0, hours: float = 20_000.0) -> tuple[Engine, dict[str, float]]:
    """Learn for so many hours; the engine, and the cost of an hour by clerk, in the same fresh hours for all."""
    engine = Engine.for_spaces(
        SEEN, Discrete(len(KINDS)), gamma=1.0, optimizer="sgd", lr=0.003, lr_value=0.02, entropy=0.3, seed=seed
    )
    judged: dict[str, Clerk] = {"who came first": Clerk(), "before learning": ByEngine(engine, False)}
    costs = {name: cost_of(clerk, 2_000.0, seed + 1) for name, clerk in judged.items()}
    cost_of(Learner(engine.agent("online")), hours, seed)
    judged = {"learned": ByEngine(engine, True), "largest c μ first": ByRank(C_MU)}
    return engine, costs | {name: cost_of(clerk, 2_000.0, seed + 1) for name, clerk in judged.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    engine, costs = run(parser.parse_args().seed)
    for name, cost in costs.items():
        print(f"{name:18} {cost:6.2f} an hour")
    for seen in (s for s in range(SEEN.n) if s.bit_count() > 1):
        kinds = [kind.name for k, kind in enumerate(KINDS) if seen >> k & 1]
        print(f"of {', '.join(kinds)}: {KINDS[engine.predict(seen, deterministic=True)].name} first")


if __name__ == "__main__":
    main()
