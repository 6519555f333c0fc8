"""Figures as tables show them, on a terminal and in RESULTS.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def digits(number: float) -> str:
    """Three digits of it: 0.123, 1.23, 12.3, 123, 1,230."""
    places = 0 if number >= 99.95 else 1 if number >= 9.995 else 2 if number >= 0.9995 else 3
    return f"{number:,.{places}f}"


def many(count: int, what: str) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{count} {what}{'s' if count != 1 else ''}"


def rounds(row: dict[str, Any]) -> str:
    """How many there were, and how many of them learned where not all did."""
    played, learned = row["rounds"], row["learned"]
    return str(played) if learned == played else f"{learned} of {played}"


def compiling(row: dict[str, Any]) -> str:
    """What compiling the kernels of a workload took."""
    return f"{row['compile_seconds']:.1f} s" if row["compile_seconds"] else "in cache"


def between(row: dict[str, Any]) -> str:
    """The spread of nanoseconds a step."""
    return f"{digits(row['ns_per_step_min'])}-{digits(row['ns_per_step_max'])}"


def times(ratio: dict[str, Any], part: bool = False) -> str:
    """A ratio with its spread: ``3.81x (3.62-4.03)``, or as a part of a limit: ``45 % (43-47)``."""
    if part:
        return f"{100 * ratio['median']:.0f} % ({100 * ratio['min']:.0f}-{100 * ratio['max']:.0f})"
    return f"{digits(ratio['median'])}x ({digits(ratio['min'])}-{digits(ratio['max'])})"


def is_part(peer: dict[str, Any]) -> bool:
    """Is what is compared with the best that the processor can do, so that less than one is to be expected?"""
    return bool(peer["limit"] and peer["lanes"])


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def megabytes(count: int | None, sign: str = "") -> str:
    return "not known" if count is None else f"{count / 1e6:{sign}.1f} MB"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """In Markdown."""
    heads = list(heads)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *map(list, rows)))


def where(data: dict[str, Any], written: str) -> str:
    """What has written a page, and on what machine."""
    m = data["machine"]
    memory = f", {m['memory_bytes'] / 2**30:.0f} GiB" if m["memory_bytes"] else ""
    load = f" Load average at the start: {m['load']:.2f}." if m["load"] is not None else ""
    return (
        f"{written}\n\n{m['processor']}, vectors of {m['vector_bits']} bits, {m['processors']} processors{memory}, "
        f"{m['system']}.{load}"
    )


def in_words(versions: dict[str, str]) -> str:
    """``numpy 2.4, gymnasium 1.3``."""
    return ", ".join(f"{name} {version.removeprefix(f'{name} ')}" for name, version in versions.items())
