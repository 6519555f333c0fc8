"""How fast pgfast means to be: ratios within one run. What reaches them and what doesn't is computed, never stated."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pgfast._bench.contest import Entrant, hold
from pgfast._bench.report import ratio
from pgfast.training import default_threads
from pgfast.workloads import WORKLOADS, Workload


@dataclass(frozen=True)
class Against:
    """pgfast on one core is at least so many `times` as fast as a peer."""

    workload: str
    precision: str
    peer: str
    times: float


@dataclass(frozen=True)
class Pair:
    """`one` is at least so many `times` as fast per step as `other`; both are pgfast."""

    claim: str
    one: Entrant
    other: Entrant
    times: float


AGAINST = (
    Against("cartpole", "float32", "c-lanes-float32", 0.6),
    Against("cartpole", "float64", "c-lanes", 0.45),
    Against("cartpole", "float32", "jax", 10.0),
    Against("frozenlake", "float64", "jax", 2.5),
    Against("frozenlake", "float64", "c-one-lane", 1.6),
    Against("corridor", "float64", "c-lanes", 0.5),
    Against("corridor", "float32", "jax", 2.5),
    *(Against(name, "float64", "tutorial", 1000.0) for name in ("cartpole", "frozenlake", "corridor")),
)
WITHIN = (  # a workload is at least so many times as fast per step as another
    ("corridor", "corridor-1", 3.0),
    ("garnet-100k", "garnet-1k", 1 / 4),
    ("user-file", "cartpole", 1 / 1.1),
    ("cartpole-natural", "cartpole", 1 / 2),
    ("cartpole-ppo", "cartpole", 1 / 2),
    ("cartpole-traces", "cartpole-runs", 1 / 2),
)
SCALING = ("cartpole", "frozenlake")  # workloads that are as fast as 0.9 of the cores together, in batches of 1,024


def judge(
    data: dict[str, Any], rounds: int, cache: Path | None = None, say: Callable[[str], None] = lambda text: None
) -> list[dict[str, Any]]:
    """Every bar of the workloads in `data` (what `pgfast._bench.report.bench` gave), with the ratio that was seen, None
    where it couldn't be, and whether it was reached. Pairs are measured now; `cache`: see `contest.hold`."""
    names = {row["workload"] for row in data["workloads"]}
    return [_of_peer(bar, data) for bar in AGAINST if bar.workload in names] + [
        _of_pair(pair, rounds, cache, say) for pair in _pairs(names)
    ]


def _pairs(names: Collection[str]) -> Iterator[Pair]:
    """The bars within pgfast whose workloads are among these."""
    for one, other, times in WITHIN:
        if one in names and other in names:
            yield Pair(f"{one}, to {other}", Entrant(WORKLOADS[one]), Entrant(WORKLOADS[other]), times)
    cores = default_threads()
    for name in SCALING:
        if name in names:
            w = in_batches(WORKLOADS[name], 1024)
            yield Pair(f"{w.name}, {cores} cores to one", Entrant(w, threads=cores), Entrant(w), 0.9 * cores)


def in_batches(workload: Workload, batch: int) -> Workload:
    """As many updates, of larger batches."""
    episodes = workload.episodes // workload.settings["batch"] * batch
    name = f"{workload.name} in batches of {batch:,}"
    return replace(workload, name=name, episodes=episodes, settings=workload.settings | {"batch": batch})


def _of_peer(bar: Against, data: dict[str, Any]) -> dict[str, Any]:
    rows = [row for row in data["peers"] if (row["workload"], row["peer"]) == (bar.workload, bar.peer)]
    seen = next((r for row in rows for r in row["ratios"] if r["precision"] == bar.precision), None)
    return _verdict(f"{bar.workload}, {bar.precision}, to {bar.peer}", seen, bar.times)


def _of_pair(pair: Pair, rounds: int, cache: Path | None, say: Callable[[str], None]) -> dict[str, Any]:
    one, other = hold([pair.one, pair.other], rounds, cache=cache, say=say)
    return _verdict(pair.claim, ratio(other, one), pair.times)


def _verdict(claim: str, seen: dict[str, Any] | None, bar: float) -> dict[str, Any]:
    return {"claim": claim, "ratio": seen, "bar": bar, "reached": seen is not None and seen["median"] >= bar}
