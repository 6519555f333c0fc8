"""Pictures of what was measured: a line for each workload, nanoseconds a step from left to right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

OURS = ("#1f5fa8", "#6ba3dc")  # double, single precision
LIMIT = "#8a8a8a"
THEIRS = ("#c2571a", "#2b8a3e", "#8e44ad", "#b8860b", "#c0392b", "#16a085", "#7f5539", "#d6569d")
MARKERS = "os^Dv<>PX"
Point = tuple[float, float, float]  # median, least, most


def draw(data: dict[str, Any], file: Path) -> None:
    """Dots at the medians with lines over the spread; what didn't learn has none."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator

    names = list(dict.fromkeys(row["workload"] for row in data["workloads"]))
    series = _series(data)
    apart = 0.62 / max(1, len(series) - 1)
    figure = Figure(figsize=(9.0, 1.7 + len(names) * (0.35 + 0.075 * len(series))), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for i, (label, style, points) in enumerate(series):
        y = [names.index(name) - 0.31 + i * apart if len(series) > 1 else names.index(name) for name in points]
        x = [point[0] for point in points.values()]
        spread = [[p[0] - p[1] for p in points.values()], [p[2] - p[0] for p in points.values()]]
        axes.errorbar(x, y, xerr=spread, linestyle="none", markersize=5, elinewidth=1, label=label, **style)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=30))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.minorticks_off()
    axes.tick_params(axis="x", rotation=0 if _decades(series) < 3 else 45)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    for line in range(1, len(names)):
        axes.axhline(line - 0.5, color="#00000018", linewidth=0.8)
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    machine = data["machine"]
    axes.set_title(f"Training: {machine['processor']}, {machine['date']}", fontsize=10)
    axes.set_xlabel(f"nanoseconds a step (median and spread of {data['rounds']} rounds; less is better)")
    if series:
        figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.savefig(file)


def _series(data: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Point]]]:
    """(label, style, point of each workload): pgfast first, then its peers, then the limits."""
    ours = [row for row in data["workloads"] if row["learned"]]
    found = []
    for precision, color in zip(dict.fromkeys(row["precision"] for row in ours), OURS, strict=False):
        for threads in dict.fromkeys(row["threads"] for row in ours):
            points = {r["workload"]: _point(r) for r in ours if (r["precision"], r["threads"]) == (precision, threads)}
            many = f"{threads} thread{'s' if threads > 1 else ''}"
            style = {"color": color, "marker": "o", "markerfacecolor": color if threads == 1 else "white"}
            found.append((f"pgfast {precision}, {many}", style, points))
    theirs = [row for row in data["peers"] if row["learned"]]
    for limit in (False, True):
        names = dict.fromkeys(row["peer"] for row in theirs if row["limit"] == limit)
        for i, name in enumerate(names):
            color = LIMIT if limit else THEIRS[i % len(THEIRS)]
            style = {"color": color, "marker": MARKERS[1 + i % (len(MARKERS) - 1)]}
            found.append((name, style, {r["workload"]: _point(r) for r in theirs if r["peer"] == name}))
    return [(label, style, points) for label, style, points in found if points]


def _point(row: dict[str, Any]) -> Point:
    return row["ns_per_step"], row["ns_per_step_min"], row["ns_per_step_max"]


def _decades(series: list[tuple[str, dict[str, Any], dict[str, Point]]]) -> float:
    """Powers of ten between the least and the most."""
    from math import log10

    values = [point[0] for _, _, points in series for point in points.values()]
    return log10(max(values) / min(values)) if values else 0.0
