"""Has pgfast become slower? Ratios to the same yardsticks, now and as recorded, are compared; times never are: they say
more about the machine and the hour.

A ratio counts as worse when every round of now lies below every recorded round and the medians are further apart than
MARGIN. Were both from one distribution, the first would happen once in C(n + m, n) times for n and m rounds (the exact
permutation probability); fewer rounds than make this RARE are refused. MARGIN is for what differs between processes and
not between rounds: where code and arrays happen to lie.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import comb
from pathlib import Path
from statistics import median
from typing import Any

from pgfast.errors import PgfastError

MARGIN = 0.05
RARE = 1e-3

Key = tuple[str, str, str]  # workload, precision of pgfast, yardstick


def yardsticks() -> tuple[str, ...]:
    """What pgfast is compared with from version to version: the plain loop, and the limits."""
    from pgfast._bench.peers import PEERS

    return tuple(name for name, entry in PEERS.items() if name == "plain" or entry.compiler)


def read_record(file: Path) -> dict[str, Any]:
    """What an earlier `pgfast bench --peers --json` said."""
    try:
        record: dict[str, Any] = json.loads(file.read_text("utf-8"))
        ratios(record), record["machine"]["processor"], record["machine"]["date"]
    except OSError:
        raise PgfastError(
            f"There is no file {file} to check against: `pgfast bench --peers --json` prints one."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise PgfastError(f"{file} can't be read as what `pgfast bench --peers --json` prints.") from None
    return record


def ratios(data: dict[str, Any]) -> dict[Key, list[float]]:
    """The ratio to each yardstick in each round."""
    rows = [row for row in data["peers"] if row["peer"] in yardsticks()]
    return {(row["workload"], r["precision"], row["peer"]): r["rounds"] for row in rows for r in row["ratios"]}


def check_rounds(record: dict[str, Any], workloads: Iterable[str], rounds: int) -> None:
    """Raise PgfastError where so many rounds could not tell a regression from chance."""
    wanted = set(workloads)
    kept = [len(each) for (workload, _, _), each in ratios(record).items() if workload in wanted]
    if not kept:
        raise PgfastError("The record has no ratios of these workloads: make one with `pgfast bench --peers --json`.")
    if chance(rounds, min(kept)) > RARE:
        enough = next((n for n in range(rounds, 100) if chance(n, min(kept)) <= RARE), None)
        advice = f"take --rounds {enough}" if enough else "record more rounds"
        raise PgfastError(
            f"{rounds} rounds against {min(kept)} recorded ones can't tell a regression from chance: {advice}."
        )


def chance(n: int, m: int) -> float:
    """Of every one of n values being below every one of m others from the same distribution."""
    return 1.0 / comb(n + m, n)


def compare(record: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """A verdict on each recorded ratio of the workloads measured now: "worse", "as before", "better", or "not
    measured"; and where and when the record was made."""
    before, measured = ratios(record), ratios(now)
    workloads = {row["workload"] for row in now["workloads"]}
    return {
        "recorded": {key: record["machine"][key] for key in ("processor", "date")},
        "same_processor": record["machine"]["processor"] == now["machine"]["processor"],
        "verdicts": [
            {
                "workload": key[0],
                "precision": key[1],
                "peer": key[2],
                "recorded": median(before[key]),
                "now": median(measured[key]) if key in measured else None,
                "verdict": _verdict(before[key], measured.get(key, [])),
            }
            for key in before
            if key[0] in workloads
        ],
    }


def _verdict(before: list[float], now: list[float]) -> str:
    if not now or chance(len(now), len(before)) > RARE:
        return "not measured"
    if max(now) < min(before) and median(now) < (1 - MARGIN) * median(before):
        return "worse"
    if min(now) > max(before) and median(now) > (1 + MARGIN) * median(before):
        return "better"
    return "as before"
