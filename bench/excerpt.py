"""What the README shows of results.json: ``python -m pgfast._bench.excerpt`` brings its table up to date.

A checkout has both; where pgfast is installed there is nothing to do.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pgfast._bench.command import parser_of
from pgfast._bench.words import digits, table

HERE = Path(__file__).parent
README, RECORD = HERE.parent / "README.md", HERE / "results.json"
TASKS = {
    "cartpole": "CartPole-v1, linear policy, batches of 256",
    "frozenlake": "FrozenLake-v1, tabular policy, batches of 512",
    "corridor": "short corridor, 1,000 runs, an update each episode",
}
PEERS = {  # in single precision the C is, too
    "Numba loop": "plain",
    "JAX (float32)": "jax",
    "C, one episode at a time": "c-one-lane",
    "C, vector registers full of episodes": "c-lanes",
}
SHOWN = re.compile(r"^\| task \|.*\n(\|.*\n)*", re.MULTILINE)  # the table, as it stands in the README


def excerpt(data: dict[str, Any]) -> str:
    """The table: a row for each task and precision, a column for each peer."""
    seen = {
        (row["workload"], ratio["precision"], row["peer"].removesuffix(f"-{row['precision']}")): ratio
        for row in data["peers"]
        for ratio in row["ratios"]
    }
    lines = []
    for workload, title in TASKS.items():
        precisions = dict.fromkeys(key[1] for key in seen if key[0] == workload)
        for precision in precisions:
            ratios = (seen.get((workload, precision, peer)) for peer in PEERS.values())
            lines.append((title, precision, *map(_short, ratios)))
            title = ""
    return table(("task", "", *PEERS), lines) + "\n"


def _short(ratio: dict[str, Any] | None) -> str:
    if ratio is None:
        return "-"
    return f"{digits(ratio['median'])} ({digits(ratio['min'])}-{digits(ratio['max'])})"


def main() -> None:
    parser_of(__file__, __doc__).parse_args()
    text, count = SHOWN.subn(excerpt(json.loads(RECORD.read_text("utf-8"))), README.read_text("utf-8"))
    if count != 1:
        raise SystemExit(f"{README} has {count} tables that begin with | task |: one is written anew.")
    README.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
