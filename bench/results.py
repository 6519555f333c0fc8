"""Writes RESULTS.md, its pictures and results.json from one run of everything: ``python -m pgfast._bench.results``.

Nothing in them is typed in by hand. results.json is what `pgfast bench --check` compares a later version with.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pgfast._bench import stages
from pgfast._bench.bars import judge
from pgfast._bench.command import add_names, parser_of
from pgfast._bench.contest import PATIENCE
from pgfast._bench.peers import PEERS
from pgfast._bench.pictures import draw, draw_ratios
from pgfast._bench.report import bench
from pgfast._bench.words import (
    between,
    compiling,
    digits,
    in_words,
    is_part,
    megabytes,
    number,
    rounds,
    table,
    times,
    where,
)
from pgfast.kernels.lanes import PRECISIONS
from pgfast.training import default_threads
from pgfast.workloads import WORKLOADS

HOW = f"""\
- Each entrant learns in a process of its own. In a round every entrant of a workload learns it once, one after the
  other, each round with another seed; a peer that has used {PATIENCE:g} s takes no part in later rounds.
- A time is that of a whole training run (environment, sampling, returns and updates), without compiling; a ratio is
  taken within a round. Both are shown as the median over rounds, and the least and the largest.
- Peers, and pgfast on one thread, are kept on the same processor.
- Only runs that learned are quoted: the mean return of their last tenth reaches the goal. Where fewer rounds learned
  than were played, the table says so.
- The cache of compiled kernels was empty at the start; loading is what a process does when another has compiled.
- Memory is the most that the process held; beside it, by how much a whole run exceeds its first tenth."""


def measure(names: Iterable[str], count: int) -> dict[str, Any]:
    """One run of the bench with all peers and a cold cache, and the bars."""

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="pgfast-results-") as cache:
        data = bench(
            [WORKLOADS[name] for name in names],
            rounds=count,
            threads=sorted({1, default_threads()}),
            precisions=tuple(PRECISIONS),
            peers=PEERS,
            cache=Path(cache) / "kernels",
            say=say,
        )
        data["bars"] = judge(data, count, Path(cache) / "kernels", say)
    data["stages"] = [
        row
        for precision in PRECISIONS
        for row in stages.rows(
            [n for n in stages.SHOWN if n in names and precision in WORKLOADS[n].precisions], precision
        )
    ]
    return data


def write(data: dict[str, Any], folder: Path, command: str) -> None:
    """RESULTS.md, images/*.png and results.json."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    draw(data, folder / "images" / "cost.png")
    draw_ratios(data, folder / "images" / "ratios.png")
    (folder / "results.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    parts = [
        "# Results",
        where(data, f"Written by `{command}` on {data['machine']['date']}; {data['rounds']} rounds."),
        _bars(data),
        _ratios(data),
        _costs(data),
        _beside(data),
        _stages(data),
        _peers(data),
    ]
    parts += ["## How it was measured", HOW, "## Versions", in_words(data["versions"])]
    (folder / "RESULTS.md").write_text("\n\n".join(part for part in parts if part) + "\n", "utf-8")


def _bars(data: dict[str, Any]) -> str:
    rows = [
        (b["claim"], times(b["ratio"]) if b["ratio"] else "not measured", f"{b['bar']:,.4g}x",
         "reached" if b["reached"] else "not reached")
        for b in data["bars"]
    ]  # fmt: skip
    return f"## Bars\n\n{table(('pgfast, per step', 'times as fast', 'bar', ''), rows)}"


def _ratios(data: dict[str, Any]) -> str:
    """A row for each workload and precision, a column for each peer."""
    text = "## Ratios\n\nHow many times as fast per step pgfast is on one core; of the limit, the part that it reaches."
    for part in (False, True):
        rows = [row for row in data["peers"] if is_part(row) == part]
        names = list(dict.fromkeys(row["peer"] for row in rows))
        seen = {
            (row["workload"], ratio["precision"], row["peer"]): times(ratio, part)
            for row in rows
            for ratio in row["ratios"]
        }
        lines = [
            (workload, precision, *(seen.get((workload, precision, name), "") for name in names))
            for workload, precision in dict.fromkeys(key[:2] for key in seen)
        ]
        if lines:
            text += f"\n\n{table(('workload', 'precision', *names), lines)}"
    return f"{text}\n\n![How many times as fast pgfast is](images/ratios.png)"


def _costs(data: dict[str, Any]) -> str:
    rows = [
        (row["workload"], row.get("peer", "pgfast"), row["precision"], str(row.get("threads", 1)), *_cost(row),
         rounds(row), number(row["final_return"]), f"{row['goal']:g}")
        for workload in dict.fromkeys(row["workload"] for row in data["workloads"])
        for row in [*data["workloads"], *data["peers"]]
        if row["workload"] == workload
    ]  # fmt: skip
    heads = [
        "workload",
        "learner",
        "precision",
        "threads",
        "ns a step",
        "spread",
        "steps/s",
        "rounds",
        "return",
        "goal",
    ]
    return f"## Cost of a step\n\n{table(heads, rows)}\n\n![Nanoseconds a step](images/cost.png)"


def _cost(row: dict[str, Any]) -> tuple[str, str, str]:
    if not row["learned"]:
        return "-", row.get("trouble") or "didn't learn", "-"
    return digits(row["ns_per_step"]), between(row), f"{1e3 / row['ns_per_step']:,.3g} M"


def _beside(data: dict[str, Any]) -> str:
    rows = [
        (row["workload"], row["precision"], str(row["threads"]), compiling(row),
         f"{row['load_seconds']:.2f} s", f"{row['run_seconds']:.3f} s" if row["learned"] else "-",
         f"{row['episodes_per_second'] / 1e6:.3g} M" if row["learned"] else "-",
         megabytes(row["peak_memory_bytes"]), megabytes(row["memory_growth_bytes"], "+"))
        for row in data["workloads"]
    ]  # fmt: skip
    heads = ("workload", "precision", "threads", "compile", "load", "run", "episodes/s", "peak memory", "10x episodes")
    return f"## Before the first step, and memory\n\n{table(heads, rows)}"


def _stages(data: dict[str, Any]) -> str:
    if not data["stages"]:
        return ""
    about = (
        "Nanoseconds a step, one thread, as `python -m pgfast._bench.stages` measures them: what each stage adds to "
        "those before it; the rest is ends and starts of episodes, with tables the way back over them, updates, "
        "statistics, idle lanes."
    )
    return f"## Where the time goes\n\n{about}\n\n{table(stages.HEADS, data['stages'])}"


def _peers(data: dict[str, Any]) -> str:
    titles = dict.fromkeys((row["peer"], row["title"]) for row in data["peers"])
    lines = [f"- {name}: {title}" for name, title in titles]
    lines += [f"- {m['peer']}: not run ({m.get('install') or m['trouble']})" for m in data["missing"]]
    return "## Peers\n\n" + "\n".join(lines) if lines else ""


def main() -> None:
    parser = parser_of(__file__, __doc__)
    add_names(parser, "workload", WORKLOADS)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="default: %(default)s")
    given = parser.parse_args()
    command = " ".join(["python -m pgfast._bench.results", *given.workload, "--rounds", str(given.rounds)])
    write(measure(given.workload or WORKLOADS, given.rounds), given.out, command)
    print(given.out / "RESULTS.md")


if __name__ == "__main__":
    main()
