"""What a step of training costs as the work grows: ``python -m pgfast._bench.scaling [--json] [--out DIR] [curve …]``.

Each curve changes one number and nothing else; a new one is an entry of CURVES. Points are measured in turn, again and
again, so that whatever slows the machine down slows all of them. Where a curve bends is computed: the plateau is its
cheapest point, and the bends are where the cost, between two points a power of the number, passes DEARER times that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pgfast._bench.command import add_names, parser_of
from pgfast._bench.drift import Drift
from pgfast.engine import Engine
from pgfast.figures import new_figure, save
from pgfast.training import default_threads

DEARER = 1.5  # than the plateau: there the curve bends
REPETITIONS = 7
SECONDS = 0.1  # of training, that a repetition should take
LENGTH = 32  # steps of an episode, where it is not what changes


@dataclass(frozen=True)
class Curve:
    """Cost against one number, x."""

    axis: str  # what x counts
    title: str  # what is learned meanwhile
    points: Sequence[int]
    engine: Callable[[int], Engine]
    threaded: bool = False  # x is the number of threads; else there is one


@dataclass(frozen=True)
class Point:
    """Nanoseconds a step and thread: the median of the repetitions, and their range."""

    x: int
    ns: float
    ns_min: float
    ns_max: float
    steps: int  # of a repetition


@dataclass(frozen=True)
class Bends:
    """Where a curve leaves its plateau; None where it doesn't."""

    plateau: float  # ns
    below: float | None  # for smaller x a step costs more than DEARER times that
    above: float | None  # and for larger ones


def drift(numbers: int = 2, *, length: int = LENGTH, batch: int = 256, **settings: Any) -> Engine:
    """A linear policy on as many numbers; a gradient, and so what suits it, grows with the length of episodes."""
    chosen = {"policy": "linear", "bias": False, "gamma": 0.9, "optimizer": "sgd", "entropy": 0.0, **settings}
    return Engine(Drift((0.0,) * numbers), batch=batch, max_steps=length, lr=0.05 / length, **chosen)


def tiled(tilings: int) -> Engine:
    """The same with as many tilings."""
    return drift(features="tiles", feature_parameters={"tilings": tilings, "low": -1.0, "high": 1.0})


def garnet(states: int, actions: int, batch: int = 256) -> Engine:
    """A tabular policy on a random sparse MDP."""
    parameters = {"n_states": states, "n_actions": actions, "max_steps": LENGTH}
    chosen = {"policy": "tabular", "gamma": 0.9, "baseline": "mean", "optimizer": "sgd", "lr": 1.0}
    return Engine("Garnet", env_parameters=parameters, batch=batch, **chosen)


def powers(base: int, first: int, last: int) -> list[int]:
    """base**first … base**last."""
    return [base**k for k in range(first, last + 1)]


def thread_counts() -> list[int]:
    """1, 2, 4, … and all processors."""
    most = default_threads()
    return sorted({*powers(2, 0, int(math.log2(most))), most})


CURVES = {
    "batch": Curve("episodes per update", "linear, 2 features", powers(4, 0, 7), lambda n: drift(batch=n)),
    "runs": Curve(
        "independent runs, one episode per update",
        "linear, 2 features",
        powers(4, 0, 6),
        lambda n: drift(batch=1, runs=n, baseline="none"),
    ),
    "states": Curve("states", "tabular, 4 actions", [10, 100, 1_000, 10_000, 100_000], lambda n: garnet(n, 4, 1024)),
    "actions": Curve("actions", "tabular, 100 states", powers(2, 1, 8), lambda n: garnet(100, n)),
    "features": Curve("features", "linear", powers(2, 0, 5), lambda n: drift(n)),  # each is compiled anew
    "tilings": Curve("tilings", "tiles, 2 numbers", powers(2, 0, 6), tiled),
    "length": Curve("steps of an episode", "linear, 2 features, batch 256", powers(8, 0, 5), lambda n: drift(length=n)),
    "threads": Curve("threads", "linear, 2 features, batch 1,024", thread_counts(), lambda n: drift(batch=1024), True),
}


def _trial(engine: Engine, threads: int) -> int:
    """How many episodes take SECONDS, found by ever longer trials of whole batches."""
    batch = engine.settings.batch
    engine.learn(batch, threads=threads)  # compiles
    updates = 1
    while True:
        taken = engine.learn(updates * batch, threads=threads).train_seconds
        if taken > SECONDS / 4:
            return max(1, round(updates * SECONDS / taken)) * batch
        updates *= 4


def measure(curve: Curve, repetitions: int = REPETITIONS) -> list[Point]:
    """All points of a curve, in turn."""
    threads = {x: x if curve.threaded else 1 for x in curve.points}
    engines = {x: curve.engine(x) for x in curve.points}
    episodes = {x: _trial(engines[x], threads[x]) for x in curve.points}
    costs: dict[int, list[float]] = {x: [] for x in curve.points}
    steps = {}
    for _ in range(repetitions):
        for x, engine in engines.items():
            result = engine.learn(episodes[x], threads=threads[x])
            steps[x] = result.steps
            costs[x].append(1e9 * threads[x] * result.train_seconds / result.steps)
    return [Point(x, median(c), min(c), max(c), steps[x]) for x, c in costs.items()]


def bends(points: Sequence[Point], dearer: float = DEARER) -> Bends:
    """Where the cost passes `dearer` times that of the cheapest point, on either side of it."""
    cheapest = min(range(len(points)), key=lambda i: points[i].ns)
    level = dearer * points[cheapest].ns
    return Bends(
        points[cheapest].ns,
        _crossing(points[cheapest::-1], level),
        _crossing(points[cheapest:], level),
    )


def _crossing(points: Sequence[Point], level: float) -> float | None:
    """The x, along points that begin below the level, from which on all are above it."""
    low = max(i for i, p in enumerate(points) if p.ns < level)
    if low == len(points) - 1:
        return None
    p, q = points[low], points[low + 1]
    share = math.log(level / p.ns) / math.log(q.ns / p.ns)
    return p.x * (q.x / p.x) ** share


def draw(measured: dict[str, list[Point]], file: Path) -> None:
    """One panel for each curve: medians, ranges, and the bends."""
    from matplotlib.ticker import EngFormatter, NullLocator

    columns = min(4, len(measured))
    rows = -(-len(measured) // columns)
    figure = new_figure(3.6 * columns, 3.1 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for axes, (name, points) in zip(panels, measured.items(), strict=False):
        x, found = [p.x for p in points], bends(points)
        axes.fill_between(x, [p.ns_min for p in points], [p.ns_max for p in points], color="#1f5fa833", linewidth=0)
        axes.plot(x, [p.ns for p in points], color="#1f5fa8", marker="o", markersize=3, linewidth=1.4)
        for bend in filter(None, (found.below, found.above)):
            axes.axvline(bend, color="#c2571a", linestyle="--", linewidth=1.0)
            label = {"xy": (bend, 0.95), "xycoords": ("data", "axes fraction"), "xytext": (3, 0)}
            axes.annotate(rounded(bend), **label, textcoords="offset points", fontsize="small", color="#c2571a")
        axes.set(xscale="log", yscale="log", xlabel=CURVES[name].axis, title=CURVES[name].title)
        axes.set_ylim(min(p.ns_min for p in points) / 2, 2 * max(p.ns_max for p in points))
        axes.set_xticks(x)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
        axes.grid(alpha=0.25)
    for axes in panels[len(measured) :]:
        axes.set_axis_off()
    figure.supylabel("ns a step, of one thread")
    file.parent.mkdir(parents=True, exist_ok=True)
    save(figure, file)


def show(measured: dict[str, list[Point]]) -> None:
    """The points and bends as a table."""
    for name, points in measured.items():
        print(f"{name}: {CURVES[name].axis} ({CURVES[name].title}), ns a step of one thread")
        for p in points:
            print(f"{p.x:>10,}{p.ns:10.2f}   ({p.ns_min:.2f} to {p.ns_max:.2f})")
        print(f"{'':10}{in_words(bends(points))}\n")


def rounded(x: float) -> str:
    """Two digits: between points far apart no more is known."""
    return f"{float(f'{x:.2g}'):,g}"


def in_words(found: Bends) -> str:
    """What a curve's bends say."""
    sides = [f"{side} {rounded(x)}" for side, x in (("below", found.below), ("above", found.above)) if x is not None]
    where = f"{DEARER:g} times that {' and '.join(sides)}" if sides else f"nowhere {DEARER:g} times that"
    return f"{found.plateau:.2f} at best, {where}"


def main() -> None:
    parser = parser_of(__file__, __doc__)
    add_names(parser, "curve", CURVES)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for scaling.png")
    given = parser.parse_args()
    measured = {name: measure(CURVES[name]) for name in given.curve or CURVES}
    draw(measured, given.out / "scaling.png")
    if given.json:
        print(json.dumps({n: {"points": [asdict(p) for p in ps], **asdict(bends(ps))} for n, ps in measured.items()}))
    else:
        show(measured)


if __name__ == "__main__":
    main()
