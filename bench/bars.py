"""How fast pgfast means to be: ratios within one run. What reaches them and what doesn't is computed, never stated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pgfast._bench.contest import Entrant, hold
from pgfast._bench.report import comparable, ratio
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


def pairs() -> tuple[Pair, ...]:
    """Bars within pgfast: threads, runs, states, a user's own file."""
    cores = default_threads()
    cartpole, frozenlake = (_larger_batches(WORKLOADS[name]) for name in ("cartpole", "frozenlake"))
    corridor = WORKLOADS["corridor"]
    alone = replace(corridor, name="corridor, one run", episodes=200_000, settings=corridor.settings | {"runs": 1})
    return (
        *(
            Pair(f"{w.name}, on {cores} cores to one", Entrant(w, threads=cores), Entrant(w), 0.9 * cores)
            for w in (cartpole, frozenlake)
        ),
        Pair("corridor, 1,000 runs to one", Entrant(corridor), Entrant(alone), 3.0),
    )


def _larger_batches(workload: Workload, batch: int = 1024) -> Workload:
    """As many updates, of a larger batch."""
    episodes = workload.episodes // workload.settings["batch"] * batch
    name = f"{workload.name}, batches of {batch:,}"
    return replace(workload, name=name, episodes=episodes, settings=workload.settings | {"batch": batch})


def judge(data: dict[str, Any], rounds: int, say: Callable[[str], None] = lambda text: None) -> list[dict[str, Any]]:
    """Every bar with the ratio that was seen (None where it couldn't be) and whether it was reached.

    `data` is what `pgfast._bench.report.bench` gave; pairs are measured now.
    """
    measured = {row["workload"] for row in data["workloads"]}
    return [_of_peer(bar, data) for bar in AGAINST if bar.workload in measured] + [
        _of_pair(pair, rounds, say) for pair in pairs() if _base(pair) in measured
    ]


def _base(pair: Pair) -> str:
    return pair.one.workload.name.partition(",")[0]


def _of_peer(bar: Against, data: dict[str, Any]) -> dict[str, Any]:
    rows = [row for row in data["peers"] if (row["workload"], row["peer"]) == (bar.workload, bar.peer)]
    seen = next((r for row in rows for r in row["ratios"] if r["precision"] == bar.precision), None)
    return _verdict(f"{bar.workload}, {bar.precision}, to {bar.peer}", seen, bar.times)


def _of_pair(pair: Pair, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    one, other = hold([pair.one, pair.other], rounds, say=say)
    return _verdict(pair.claim, ratio(other, one) if comparable(other, one) else None, pair.times)


def _verdict(claim: str, seen: dict[str, Any] | None, at_least: float) -> dict[str, Any]:
    return {"claim": claim, "ratio": seen, "bar": at_least, "reached": seen is not None and seen["median"] >= at_least}
