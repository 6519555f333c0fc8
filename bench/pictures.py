"""Pictures of what was measured: a line for each workload, dots at the medians, bars over the spread of the rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import log10
from pathlib import Path
from typing import Any, NamedTuple

from pgfast._bench.words import many
from pgfast.figures import new_figure, save

OURS = ("#1f5fa8", "#1b998b")  # double, single precision
THEIRS = ("#c2571a", "#8e44ad", "#b8860b", "#2b8a3e", "#c0392b", "#7f5539", "#d6569d")
LIMITS = ("#555555", "#999999")
SHAPES = "s^Dv<>P"

Point = tuple[float, float, float]  # median, least, most
Points = Callable[[dict[str, Any]], dict[str, Point]]  # from a row of the data: where it has a point, by line


class Series(NamedTuple):
    """What has one colour and one shape."""

    label: str
    color: str
    shape: str
    filled: bool
    points: dict[str, Point]  # by line


def draw(data: dict[str, Any], file: Path) -> None:
    """Nanoseconds a step of everything that learned, and beside it the memory of its process."""
    lines = list(dict.fromkeys(row["workload"] for row in data["workloads"]))
    series = [*_ours(data, _cost), *_theirs(data, _cost)]
    figure, (left, right) = _figure(data, len(lines), len(series), widths=(3.2, 1.0))
    _dots(left, lines, series)
    left.set_xlabel(f"nanoseconds a step, median and spread of {many(data['rounds'], 'round')} (less is better)")
    _dots(right, lines, [*_ours(data, _memory), *_theirs(data, _memory)])
    right.set_xscale("linear")
    right.set_xlim(left=0.0)
    right.set_xlabel("peak memory, MB")
    right.tick_params(labelleft=False)
    _finish(figure, left, file)


def draw_ratios(data: dict[str, Any], file: Path) -> None:
    """How many times as fast pgfast is as each peer, on one core; nothing where there were no peers."""
    lines = list(dict.fromkeys(f"{p['workload']}, {r['precision']}" for p in data["peers"] for r in p["ratios"]))
    series = _theirs(data, _ratios)
    figure, (axes,) = _figure(data, len(lines), len(series), widths=(1.0,))
    _dots(axes, lines, series)
    axes.axvline(1.0, color="#00000060", linewidth=1)
    axes.set_xlabel("times as fast as the peer, on one core")
    _finish(figure, axes, file)


def _ours(data: dict[str, Any], points: Points) -> list[Series]:
    """pgfast in each precision, on each number of threads."""
    rows = [row for row in data["workloads"] if row["learned"]]
    found = []
    for precision, color in zip(dict.fromkeys(row["precision"] for row in rows), OURS, strict=False):
        for threads in dict.fromkeys(row["threads"] for row in rows):
            own = [row for row in rows if (row["precision"], row["threads"]) == (precision, threads)]
            label = f"pgfast {precision}, {many(threads, 'thread')}"
            found.append(Series(label, color, "o", threads == 1, _joined(own, points)))
    return found


def _theirs(data: dict[str, Any], points: Points) -> list[Series]:
    """Each peer; limits are grey."""
    found = []
    for limit, colors in ((False, THEIRS), (True, LIMITS)):
        rows = [row for row in data["peers"] if row["learned"] and row["limit"] == limit]
        for i, name in enumerate(dict.fromkeys(row["peer"] for row in rows)):
            own = [row for row in rows if row["peer"] == name]
            shape, color = SHAPES[i % len(SHAPES)], colors[i % len(colors)]
            found.append(Series(name, color, shape, True, _joined(own, points)))
    return found


def _joined(rows: Iterable[dict[str, Any]], points: Points) -> dict[str, Point]:
    return {line: point for row in rows for line, point in points(row).items()}


def _cost(row: dict[str, Any]) -> dict[str, Point]:
    return {row["workload"]: (row["ns_per_step"], row["ns_per_step_min"], row["ns_per_step_max"])}


def _memory(row: dict[str, Any]) -> dict[str, Point]:
    if row["peak_memory_bytes"] is None:
        return {}
    megabytes = row["peak_memory_bytes"] / 1e6
    return {row["workload"]: (megabytes, megabytes, megabytes)}


def _ratios(row: dict[str, Any]) -> dict[str, Point]:
    return {f"{row['workload']}, {r['precision']}": (r["median"], r["min"], r["max"]) for r in row["ratios"]}


def _figure(data: dict[str, Any], lines: int, series: int, widths: tuple[float, ...]) -> tuple[Any, Any]:
    figure = new_figure(9.0, 1.7 + lines * (0.33 + 0.055 * series))
    axes = figure.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0]
    figure.suptitle(f"Training: {data['machine']['processor']}, {data['machine']['date']}", fontsize=10)
    return figure, axes


def _dots(axes: Any, lines: list[str], series: list[Series]) -> None:
    """A line for each name, and on it each series a little lower than the one before."""
    for i, s in enumerate(series):
        if not s.points:
            continue
        offset = 0.62 * (i / (len(series) - 1) - 0.5) if len(series) > 1 else 0.0
        x, low, high = zip(*s.points.values(), strict=True)
        spread = [[m - a for m, a in zip(x, low, strict=True)], [b - m for m, b in zip(x, high, strict=True)]]
        axes.errorbar(
            x, [lines.index(name) + offset for name in s.points], xerr=spread, linestyle="none", elinewidth=1,
            marker=s.shape, markersize=5, color=s.color, markerfacecolor=s.color if s.filled else "white",
            label=s.label,
        )  # fmt: skip
    _scale(axes, [value for s in series for point in s.points.values() for value in point])
    _lines(axes, lines)


def _finish(figure: Any, axes: Any, file: Path) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    save(figure, file)


def _scale(axes: Any, values: list[float]) -> None:
    """Logarithmic, with ticks that can be read: 1, 2, 5, 10 or, over many decades, powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    wide = bool(values) and log10(max(values) / min(values)) > 3
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=30))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.xaxis.minorticks_off()
    axes.grid(axis="x", alpha=0.25)


def _lines(axes: Any, lines: list[str]) -> None:
    """Names at the left, from top to bottom, with a rule between each two."""
    axes.set_yticks(range(len(lines)), lines)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    for i in range(1, len(lines)):
        axes.axhline(i - 0.5, color="#00000018", linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
