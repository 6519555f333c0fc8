"""The learning curve, drawn by Matplotlib without a window."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np

from pgfast.figures import new_figure, save, tidy
from pgfast.results import Curve, t_quantile

_LINE, _BAND, _OPTIMUM = "#1f5fa8", "#1f5fa833", "#c2571a"


def draw_curve(file: Path | IO[bytes], curve: Curve, title: str, optimum: float | None) -> None:
    """The learning curve: mean return over runs with a 95 % band of that mean (of one run: of the mean of the episodes
    between two points), and the optimum as a line."""
    figure = new_figure(7.2, 4.4, layout=None)
    axes = figure.add_axes((0.11, 0.12, 0.86, 0.79))
    shown = np.isfinite(curve.mean_return).any(axis=0)
    x, mean, half = curve.episode[shown], *(a[shown] for a in _mean_and_band(curve))
    runs = curve.mean_return.shape[0]
    axes.fill_between(x, mean - half, mean + half, color=_BAND, linewidth=0, label="95 % band")
    axes.plot(x, mean, color=_LINE, linewidth=1.6, label="return" if runs == 1 else f"mean of {runs:,} runs")
    if optimum is not None:
        axes.axhline(optimum, color=_OPTIMUM, linestyle="--", linewidth=1.2, label=f"optimum {optimum:.5g}")
    _limits(axes, mean, half, optimum)
    axes.set(title=title, xlabel="episodes", ylabel="undiscounted return")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    tidy(axes)
    axes.legend(frameon=False, loc="lower right")
    save(figure, file)


def _mean_and_band(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the runs that have reached each point, and half the width of its 95 % interval."""
    known = np.isfinite(curve.mean_return)
    n = known.sum(axis=0)
    mean = np.where(known, curve.mean_return, 0.0).sum(axis=0) / np.maximum(n, 1)
    if curve.mean_return.shape[0] == 1:
        episodes = np.diff(curve.episode, prepend=max(0, 2 * curve.episode[0] - curve.episode[min(1, len(n) - 1)]))
        std, n = curve.std_return[0], np.maximum(episodes, 1)
    else:
        squares = np.where(known, (curve.mean_return - mean) ** 2, 0.0).sum(axis=0)
        std = np.sqrt(squares / np.maximum(n - 1, 1))
    quantiles = np.array([t_quantile(int(k) - 1) if k > 1 else 0.0 for k in n])
    return mean, np.nan_to_num(quantiles * std / np.sqrt(np.maximum(n, 1)))


def _limits(axes: Any, mean: np.ndarray, half: np.ndarray, optimum: float | None) -> None:
    """Room for the curve and the optimum; a wild start doesn't flatten the rest."""
    values = np.concatenate([mean, mean - half, mean + half, [] if optimum is None else [optimum]])
    low, usual, high = np.quantile(values, [0.0, 0.02, 1.0])
    low = low if high - low < 4.0 * (high - usual) else usual
    margin = 0.06 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
