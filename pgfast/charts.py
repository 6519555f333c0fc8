"""Pictures of what the exact oracle finds, drawn by Matplotlib without a window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pgfast.drawing import image
from pgfast.figures import new_figure, save, tidy

if TYPE_CHECKING:
    from pgfast.comparison import Line
    from pgfast.gradcheck import GradientCheck
    from pgfast.gridworld import Gridworld
    from pgfast.landscape import Landscape

_COLORS = ("#1f5fa8", "#c2571a", "#3a8a4d", "#7b4fa3", "#8a6d3b", "#b3446c")
_LEGIBLE = 0.07  # side of a tile with room for a number
_PATH = "#d1281e"
_DASHES = ("-", "--", ":", "-.")


def draw_gradients(file: Path, found: GradientCheck, title: str) -> None:
    """Estimates against what they should be, with two standard errors; and their z-scores beside the normal ones."""
    from scipy.stats import norm

    figure = new_figure(9.0, 4.2)
    left, right = figure.subplots(1, 2)
    left.errorbar(found.expected, found.mean, 2 * found.error, fmt="o", color=_COLORS[0], markersize=3, elinewidth=0.8)
    ends = [float(f(np.concatenate([found.expected, found.mean]))) for f in (np.min, np.max)]
    left.plot(ends, ends, color=_COLORS[1], linewidth=1.0, linestyle="--", label="equal")
    left.set(title=title, xlabel="expected", ylabel="mean of the estimates, ± 2 standard errors")
    left.legend(frameon=False)
    z = np.sort(found.z[np.isfinite(found.z)])
    right.plot(norm.ppf((np.arange(len(z)) + 0.5) / len(z)), z, "o", color=_COLORS[0], markersize=3)
    right.axline((0, 0), slope=1, color=_COLORS[1], linewidth=1.0, linestyle="--")
    right.set(title="z-scores", xlabel="of a standard normal", ylabel="of the estimates")
    for axes in (left, right):
        tidy(axes)
    save(figure, file)


def draw_comparison(file: Path, lines: Sequence[Line], title: str) -> None:
    """Variance, and variance × cost, of each estimator against the batch size, and its bias, at each policy; a colour
    for each baseline."""
    policies = list(dict.fromkeys(line.policy for line in lines))
    estimators = list(dict.fromkeys(line.estimator for line in lines))
    figure = new_figure(5.0 * len(policies) + 2.2, 10.0)
    grid = figure.subplots(3, len(policies), squeeze=False, height_ratios=[1, 1, 0.1 * len(estimators)])
    for (variance, cost, bias), policy in zip(grid.T, policies, strict=True):
        mine = [line for line in lines if line.policy == policy]
        for estimator, style in zip(estimators, _styles(estimators), strict=True):
            by_batch = [line for line in mine if line.estimator == estimator]
            batch = [line.batch for line in by_batch]
            style |= {"marker": "o", "markersize": 3, "linewidth": 1.2, "label": estimator.name}
            variance.plot(batch, [line.variance for line in by_batch], **style)
            cost.plot(batch, [line.variance_cost for line in by_batch], **style)
        variance.set(title=f"{policy} policy", xscale="log", yscale="log", ylabel="variance of an estimate")
        cost.set(xscale="log", yscale="log", xlabel="episodes of a batch", ylabel="variance × seconds of an estimate")
        for axes in (variance, cost):
            axes.set_xticks(sorted({line.batch for line in mine}), minor=False)
            axes.minorticks_off()
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            tidy(axes)
        _draw_bias(bias, mine, estimators)
    figure.suptitle(title)
    figure.legend(
        *grid[0, 0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8, handlelength=3.5
    )
    save(figure, file)


def _draw_bias(axes: Any, lines: Sequence[Line], estimators: Sequence[Any]) -> None:
    """Of the largest batch, with what chance would make of no bias."""
    largest = max(line.batch for line in lines)
    by_estimator = {line.estimator: line for line in lines if line.batch == largest}
    shown = [by_estimator[estimator] for estimator in estimators]
    colors = [style["color"] for style in _styles(estimators)]
    axes.barh(
        range(len(shown)), [line.bias for line in shown], xerr=[line.noise for line in shown], color=colors, alpha=0.6,
        error_kw={"elinewidth": 0.8, "capsize": 2},
    )  # fmt: skip
    axes.set(xlabel=f"bias, in lengths of the gradient, and its uncertainty; batches of {largest:,}", xlim=(0.0, None))
    axes.set_yticks(range(len(shown)), [estimator.name for estimator in estimators], fontsize=7)
    axes.invert_yaxis()
    tidy(axes)


def _styles(estimators: Sequence[Any]) -> list[dict[str, Any]]:
    """A colour for each baseline, a dash for each kind."""
    kinds, baselines = (list(dict.fromkeys(getattr(e, what) for e in estimators)) for what in ("kind", "baseline"))
    return [
        {
            "color": _COLORS[baselines.index(e.baseline) % len(_COLORS)],
            "linestyle": _DASHES[kinds.index(e.kind) % len(_DASHES)],
        }
        for e in estimators
    ]


def draw_landscape(file: Path, found: Landscape, title: str) -> None:
    """J along a line, with ‖∇J‖ below it, or in a plane; with the path of training, and plateaus by number."""
    if found.J.ndim == 1:
        figure = new_figure(7.6, 6.4)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        _draw_line(above, below, found)
        above.set_title(title)
    else:
        figure = new_figure(7.6, 6.2)
        axes = figure.subplots()
        _draw_plane(figure, axes, found)
        axes.set_title(title)
    save(figure, file)


def _draw_line(above: Any, below: Any, found: Landscape) -> None:
    x, optimum = found.axes[0], found.optimum
    above.plot(x, found.J, color=_COLORS[0], linewidth=1.6, label="J on the line")
    above.plot(found.path[:, 0], found.J_path, "o-", color=_COLORS[1], markersize=3, linewidth=0.8, label="training")
    if optimum is not None:
        above.axhline(optimum, color="black", linestyle="--", linewidth=1.0, label=f"optimum {optimum:.5g}")
    below.semilogy(x, np.maximum(found.gradient_norm, 1e-300), color=_COLORS[0], linewidth=1.2)
    below.axhline(found.flat, color="black", linestyle=":", linewidth=1.0)
    for number, plateau in enumerate(found.plateaus, 1):
        for axes in (above, below):
            axes.axvspan(plateau.low[0], plateau.high[0], color=_COLORS[2], alpha=0.15, linewidth=0)
        middle = (plateau.low[0] + plateau.high[0]) / 2
        above.text(middle, 0.02, str(number), transform=above.get_xaxis_transform(), ha="center", color=_COLORS[2])
    above.set(ylabel="J")
    below.set(xlabel=_along(found, 0), ylabel="‖∇J‖")
    above.legend(frameon=False)
    for axes in (above, below):
        tidy(axes)


def _draw_plane(figure: Any, axes: Any, found: Landscape) -> None:
    x, y = found.axes
    figure.colorbar(axes.contourf(x, y, found.J.T, levels=24, cmap="viridis"), ax=axes, label="J")
    flat = (found.gradient_norm < found.flat).T.astype(float)
    if 0.0 < flat.mean() < 1.0:
        axes.contourf(x, y, flat, levels=[0.5, 1.5], colors="none", hatches=["///"])
    axes.plot(*found.path.T, "o-", color=_PATH, markersize=3, linewidth=1.2)
    label: dict[str, Any] = {"bbox": {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.5}}
    for place, word in ((found.path[0], "first"), (found.path[-1], "last")):
        axes.annotate(word, place, xytext=(5, 5), textcoords="offset points", color=_PATH, **label)
    for number, plateau in enumerate(found.plateaus, 1):
        middle = [(a + b) / 2 for a, b in zip(plateau.low, plateau.high, strict=True)]
        axes.text(*middle, str(number), weight="bold", ha="center", va="center", **label)
    axes.set(xlabel=_along(found, 0), ylabel=_along(found, 1), xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))


def _along(found: Landscape, k: int) -> str:
    """What an axis is."""
    ordinal = ("first", "second")[k]
    names = {
        "path": ("from the last θ, on the way from the first", "at right angles, where the path is widest")[k],
        "principal": f"{ordinal} principal direction of the path",
        "random": f"{ordinal} random direction",
    }
    return f"{names[found.along]}, ‖Δθ‖"


def draw_gridworld(file: Path, world: Gridworld, values: np.ndarray, policy: np.ndarray, visits: np.ndarray,
                   title: str) -> None:  # fmt: skip
    """V (S,), π (S, A) as arrows and the state distribution (S,), each on the map."""
    figure = new_figure(14.4, 5.2)
    panels = figure.subplots(1, 3)
    background = image(world.background, 600)
    for axes, name in zip(panels, ("V", "π", "state distribution"), strict=True):
        axes.imshow(background, extent=(0.0, 1.0, 0.0, 1.0))
        axes.set_title(name)
        axes.set_axis_off()
    _draw_tiles(figure, panels[0], world, values, "viridis")
    _draw_tiles(figure, panels[2], world, visits, "magma")
    for (x, y), chances in zip(world.place[world.goes_on], policy[world.goes_on], strict=True):
        _draw_arrows(panels[1], world, x, y, chances)
    figure.suptitle(title)
    save(figure, file)


def _draw_tiles(figure: Any, axes: Any, world: Gridworld, numbers: np.ndarray, colors: str) -> None:
    """A tile for each state, coloured by its number; with the number where there is room."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    side = 0.94 * world.side
    shown = PatchCollection([Rectangle((x - side / 2, y - side / 2), side, side) for x, y in world.place], cmap=colors)
    shown.set_array(np.ma.masked_invalid(numbers))
    axes.add_collection(shown)
    figure.colorbar(shown, ax=axes, shrink=0.75)
    if world.side < _LEGIBLE:
        return
    middle = np.nanmin(numbers) + 0.5 * (np.nanmax(numbers) - np.nanmin(numbers))
    for (x, y), number in zip(world.place, numbers, strict=True):
        color = "white" if number < middle else "black"
        axes.text(x, y, f"{number:.3g}", ha="center", va="center", color=color, fontsize=min(9.0, 60 * world.side))


def _draw_arrows(axes: Any, world: Gridworld, x: float, y: float, chances: np.ndarray) -> None:
    """An arrow for each action, as long as it is likely; a dot for what leads nowhere."""
    for (dx, dy), chance in zip(world.moves, chances, strict=True):
        if chance < 0.01:
            continue
        reach = 0.45 * world.side * chance
        if dx == dy == 0.0:
            axes.plot(x, y, "o", color="black", markersize=40 * reach, alpha=0.7)
        else:
            axes.annotate(
                "", (x + reach * dx, y + reach * dy), (x, y),
                arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0,
                            "mutation_scale": 60 * world.side * max(0.3, chance)},
            )  # fmt: skip
