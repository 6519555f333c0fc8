"""`pgfast bench` as data: who takes part, what was measured, and the ratios. docs/benchmarks.md lists the fields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean, median
from typing import Any

from pgfast._bench.child import Child, Trouble
from pgfast._bench.contest import PGFAST, Entrant, Outcome, hold
from pgfast._bench.machine import OWN, THEIRS, machine, versions
from pgfast._bench.peers import install_line, load
from pgfast.workloads import Workload

Say = Callable[[str], None]


@dataclass(frozen=True)
class Known:
    """A peer that can run here."""

    name: str
    title: str
    workloads: tuple[str, ...]
    limit: bool
    lanes: bool
    precision: str


def bench(
    workloads: Sequence[Workload],
    *,
    rounds: int,
    threads: Sequence[int],
    precisions: Sequence[str],
    peers: Collection[str] = (),
    cache: Path | None = None,
    say: Say = lambda text: None,
) -> dict[str, Any]:
    """Measure pgfast on these workloads, and beside it the peers of these names that can run here."""
    known, missing = _acquainted(peers, say)
    data: dict[str, Any] = {"machine": machine(), "versions": versions([*OWN, *(THEIRS if peers else ())])}
    data |= {"rounds": rounds, "workloads": [], "peers": [], "missing": missing}
    for workload in workloads:
        ours = [Entrant(workload, PGFAST, p, n) for p in _kinds(workload, precisions) for n in threads]
        theirs = [k for k in known if workload.name in k.workloads]
        entrants = [*ours, *(Entrant(workload, k.name, k.precision, None) for k in theirs)]
        outcomes = hold(entrants, rounds, cache=cache, say=say)
        mine, others = outcomes[: len(ours)], outcomes[len(ours) :]
        data["workloads"] += [_row(outcome) for outcome in mine]
        data["peers"] += [_peer_row(k, outcome, mine) for k, outcome in zip(theirs, others, strict=True)]
    return data


def _kinds(workload: Workload, precisions: Sequence[str]) -> Sequence[str]:
    """Those of the precisions that differ, or double where none of them would."""
    return [p for p in precisions if p in workload.precisions] or ["float64"]


def _acquainted(peers: Collection[str], say: Say) -> tuple[list[Known], list[dict[str, str]]]:
    """The peers that can run here, and for each other one why not."""
    known: list[Known] = []
    missing = [{"peer": name, "install": line} for name in peers if (line := install_line(name)) is not None]
    with Child() as child:
        for name in [name for name in peers if install_line(name) is None]:
            say(f"looking at {name}")
            try:
                known.append(child(_describe, name))
            except Trouble as trouble:
                missing.append({"peer": name, "trouble": str(trouble)})
    return known, missing


def _describe(name: str) -> Known:
    peer = load(name)
    return Known(name, peer.title, tuple(peer.learns), peer.limit, peer.lanes, peer.precision)


def _row(outcome: Outcome) -> dict[str, Any]:
    """pgfast on a workload. Throughput only of runs that learned; None without any."""
    entrant, typical = outcome.entrant, _spread(outcome)
    cost, seconds = typical["ns_per_step"], [run.seconds for run in outcome.learned]
    episodes = entrant.workload.episodes * entrant.workload.settings.get("runs", 1)
    return {
        "workload": entrant.workload.name,
        "precision": entrant.precision,
        "threads": entrant.threads,
        **_learning(outcome),
        **typical,
        "steps_per_second": 1e9 / cost if cost else None,
        "episodes_per_second": median(episodes / s for s in seconds) if seconds else None,
        "run_seconds": median(seconds) if seconds else None,
        "compile_seconds": outcome.compile_seconds or None,
        "load_seconds": outcome.load_seconds,
        "peak_memory_bytes": outcome.memory,
        "memory_growth_bytes": outcome.memory_growth,
    }


def _peer_row(known: Known, outcome: Outcome, ours: Sequence[Outcome]) -> dict[str, Any]:
    """A peer on a workload. A limit is compared with pgfast in its own precision, others with pgfast in each."""
    alike = [o for o in ours if o.entrant.threads == 1 and (not known.limit or o.entrant.precision == known.precision)]
    return {
        "workload": outcome.entrant.workload.name,
        "peer": known.name,
        "title": known.title,
        "precision": known.precision,
        "limit": known.limit,
        "lanes": known.lanes,
        **_learning(outcome),
        **_spread(outcome),
        "setup_seconds": outcome.runs[0].setup_seconds if outcome.runs else None,
        "peak_memory_bytes": outcome.memory,
        "trouble": outcome.trouble,
        "ratios": [
            {"precision": o.entrant.precision, **found} for o in alike if (found := ratio(outcome, o)) is not None
        ],
    }


def ratio(other: Outcome, one: Outcome) -> dict[str, Any] | None:
    """How many times as fast `one` is: of each round in which both learned, and in the middle of these. None without
    any."""
    each = [p / q for p, q in zip(other.costs, one.costs, strict=False) if p is not None and q is not None]
    return spread(each) if each else None


def spread(each: Sequence[float]) -> dict[str, Any]:
    """Ratios of several rounds, and what is shown of them."""
    return {"median": median(each), "min": min(each), "max": max(each), "rounds": [*each]}


def _learning(outcome: Outcome) -> dict[str, Any]:
    finals = [run.final_return for run in outcome.runs]
    return {
        "rounds": len(finals),
        "learned": len(outcome.learned),
        "goal": outcome.entrant.workload.goal,
        "final_return": fmean(finals) if finals and all(map(isfinite, finals)) else None,
        "final_return_min": min(filter(isfinite, finals), default=None),
    }


def _spread(outcome: Outcome) -> dict[str, float | None]:
    costs = [cost for cost in outcome.costs if cost is not None]
    return {
        "ns_per_step": median(costs) if costs else None,
        "ns_per_step_min": min(costs) if costs else None,
        "ns_per_step_max": max(costs) if costs else None,
    }
