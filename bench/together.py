"""What processors do together: ``python -m pgfast._bench.together [--rounds N] [--json]``.

How many times as fast as one thread all processors train, as threads of one run, and as runs of one thread each that
share nothing but the machine: its memory, its clock, and the cores that two of its processors may be halves of. What
the second falls short of the number of processors is not pgfast's. Medians over rounds, and the least and the largest.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

from pgfast._bench.bars import SCALING, in_batches
from pgfast._bench.child import Child
from pgfast._bench.command import parser_of
from pgfast._bench.contest import Entrant, learn, prepare
from pgfast._bench.report import spread
from pgfast._bench.words import table, times
from pgfast.training import default_threads
from pgfast.workloads import WORKLOADS, Workload

BATCH = 1024


def measure(workload: Workload, rounds: int) -> dict[str, Any]:
    """Times as fast as one thread: all threads, and as many processes, in turn."""
    count, alone = default_threads(), Entrant(workload)
    threads, processes = [], []
    with ExitStack() as stack:
        places = [stack.enter_context(Child(core)) for core in _cores(count)]
        whole = stack.enter_context(Child())
        pool = stack.enter_context(ThreadPoolExecutor(count))
        for child in (*places, whole):
            child(prepare, alone)
        for seed in range(rounds):
            one = _seconds(seed, alone, places[0])
            threads.append(one / _seconds(seed, Entrant(workload, threads=count), whole))
            processes.append(sum(one / taken for taken in pool.map(partial(_seconds, seed, alone), places)))
    row = {"workload": workload.name, "processors": count}
    return row | {"threads": spread(threads), "processes": spread(processes)}


def _seconds(seed: int, entrant: Entrant, child: Child) -> float:
    learned, _ = child(learn, entrant, seed)
    return learned.seconds


def _cores(count: int) -> list[int] | list[None]:
    """A processor for each process, where the system lets one choose."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None] * count


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print the ratios of every round as JSON")
    given = parser.parse_args()
    found = [measure(in_batches(WORKLOADS[name], BATCH), given.rounds) for name in SCALING]
    if given.json:
        print(json.dumps(found))
        return
    heads = ("workload", "processors", "threads of one run", "runs that share nothing")
    print(
        table(heads, [(r["workload"], f"{r['processors']}", times(r["threads"]), times(r["processes"])) for r in found])
    )


if __name__ == "__main__":
    main()
