"""How a peer's settings were chosen: ``python -m pgfast._bench.tune PEER WORKLOAD [--seeds N] setting=v,v,… …``.

Every combination of the values is run with each seed in turn; a line gives the median cost of a step, the seeds that
reached the goal and the median time of a run. Settings are the keywords of the peer's function for the workload.
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Mapping, Sequence
from itertools import product
from statistics import median
from typing import Any

from pgfast._bench.command import parser_of
from pgfast._bench.peer import Learned
from pgfast._bench.peers import PEERS, install_line, load
from pgfast.workloads import WORKLOADS


def values(given: str) -> tuple[str, list[Any]]:
    """``lr=0.1,1`` as ("lr", [0.1, 1])."""
    name, _, listed = given.partition("=")
    return name, [literal_eval(value) for value in listed.split(",")]


def tried(peer: str, workload: str, seeds: int, settings: Mapping[str, Any]) -> Sequence[Learned]:
    """A run for each seed."""
    learn: Any = load(peer).learns[workload]
    return [learn(WORKLOADS[workload], seed, **settings) for seed in range(seeds)]


def line(settings: Mapping[str, Any], runs: Sequence[Learned], goal: float) -> str:
    cost = median(1e9 * run.seconds / run.steps for run in runs)
    reached = sum(run.final_return >= goal for run in runs)
    listed = " ".join(f"{name}={value}" for name, value in settings.items())
    return (
        f"{listed:40}{cost:10.1f} ns/step   goal {reached}/{len(runs)}   {median(r.seconds for r in runs):.1f} s a run"
    )


def main() -> None:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("settings", nargs="*", type=values, metavar="setting=v,v,…")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_intermixed_args()
    if needed := install_line(given.peer):
        parser.error(f"{given.peer} is not installed: {needed}")
    names = [name for name, _ in given.settings]
    for chosen in product(*(listed for _, listed in given.settings)):
        settings = dict(zip(names, chosen, strict=True))
        runs = tried(given.peer, given.workload, given.seeds, settings)
        print(line(settings, runs, WORKLOADS[given.workload].goal), flush=True)


if __name__ == "__main__":
    main()
