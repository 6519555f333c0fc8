"""`pgfast bench` for people: tables that fit 80 columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pgfast._bench.words import between, compiling, digits, is_part, many, megabytes, number, rounds, times
from pgfast.cli.output import facts, short

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def show(data: dict[str, Any]) -> RenderableType:
    """Everything that was measured: training, what comes before it, memory, peers, the check."""
    from rich.console import Group

    rows = data["workloads"]
    parts: list[RenderableType] = []
    for precision in dict.fromkeys(row["precision"] for row in rows):
        alike = [row for row in rows if row["precision"] == precision]
        parts += [_training(alike, precision, data["rounds"]), _beside(alike, precision)]
        if data["peers"]:
            parts.append(_peers([row for row in alike if row["threads"] == 1], data["peers"], precision))
    if "check" in data:
        parts.append(_check(data["check"]))
    parts.append(facts([*_missing(data), ("picture", data["picture"])]))
    return Group(*(piece for part in parts for piece in (part, "")))


def _table(title: str, *headers: str, left: int = 1) -> Table:
    """Columns of numbers after `left` columns of words."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for i, header in enumerate(headers):
        table.add_column(header, justify="left" if i < left else "right", no_wrap=i >= left, overflow="fold")
    return table


def _training(rows: Iterable[dict[str, Any]], precision: str, played: int) -> Table:
    title = f"Training in {precision}: median of {many(played, 'round')}, and the spread"
    table = _table(title, "workload", "threads", "ns/step", "min-max", "steps/s", "episodes/s", "return", "goal")
    for row in rows:
        table.add_row(
            row["workload"],
            str(row["threads"]),
            *_speed(row),
            *((short(row[k]) if row["learned"] else "-") for k in ("steps_per_second", "episodes_per_second")),
            number(row["final_return"]),
            f"{row['goal']:g}",
        )
    return table


def _beside(rows: Iterable[dict[str, Any]], precision: str) -> Table:
    title = f"Before the first step, and memory, in {precision}"
    table = _table(title, "workload", "threads", "compile", "load", "run", "peak memory", "10x episodes")
    for row in rows:
        table.add_row(
            row["workload"],
            str(row["threads"]),
            compiling(row),
            f"{row['load_seconds']:.2f} s",
            f"{row['run_seconds']:.3f} s" if row["learned"] else "-",
            megabytes(row["peak_memory_bytes"]),
            megabytes(row["memory_growth_bytes"], "+"),
        )
    return table


def _peers(ours: Iterable[dict[str, Any]], peers: Iterable[dict[str, Any]], precision: str) -> Table:
    """Each workload: pgfast, and how many times as fast it is as each peer; of lanes in C, the part of it reached."""
    title = f"Beside others in {precision} on one core (of c-lanes: part reached)"
    table = _table(title, "", "ns/step", "min-max", "pgfast is", "rounds")
    for mine in ours:
        table.add_row(f"{mine['workload']}: pgfast", *_speed(mine), "", rounds(mine), style="bold")
        for row in peers:
            if row["workload"] == mine["workload"] and not (row["limit"] and row["precision"] != precision):
                ratio = next((r for r in row["ratios"] if r["precision"] == precision), None)
                seen = times(ratio, is_part(row)) if ratio else ""
                table.add_row(f"  {row['peer']}", *_speed(row), seen, rounds(row))
    return table


def _speed(row: dict[str, Any]) -> tuple[str, str]:
    """Nanoseconds a step and their spread, or why there are none."""
    if row["learned"]:
        return digits(row["ns_per_step"]), between(row)
    return "-", "failed" if row.get("trouble") else f"return {number(row['final_return'])}"


def _check(check: dict[str, Any]) -> Table:
    heads = ("workload", "precision", "beside", "recorded", "now", "verdict")
    other = "" if check["same_processor"] else f", of another processor: {check['recorded']['processor']}"
    table = _table(f"Times as fast, beside the record of {check['recorded']['date']}{other}", *heads, left=3)
    for v in check["verdicts"]:
        now = "-" if v["now"] is None else digits(v["now"])
        table.add_row(v["workload"], v["precision"], v["peer"], digits(v["recorded"]), now, v["verdict"])
    return table


def _missing(data: dict[str, Any]) -> list[tuple[str, str]]:
    """A line for each peer that didn't run: how to install it, or what went wrong."""
    from rich.markup import escape

    lines = [(m["peer"], f"not here: {m['install']}" if "install" in m else m["trouble"]) for m in data["missing"]]
    lines += [(p["peer"], p["trouble"]) for p in data["peers"] if p["trouble"]]
    return [(name, escape(text)) for name, text in lines]
