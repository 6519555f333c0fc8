"""Theory of policy gradients, measured: ``python -m pgfast._bench.theory [--out DIR] [--scale F] [--json]``.

Plays the theorems of `pgfast._bench.convergence` through, prints what was measured beside what is proved, and draws
`theory.png`. The exit code is 1 when a bound is passed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pgfast._bench import convergence as theory
from pgfast._bench.command import parser_of
from pgfast._bench.convergence import Decline
from pgfast.figures import new_figure, save, tidy

GAMMA, FAR_GAMMA, TAU = 0.5, 0.9, 0.2  # of problems that plain gradients learn, and natural ones; entropy's weight
REWARDS = (1.0, 0.8, 0.1)
HEAD_STARTS = (0.0, -2.0, -4.0)  # θ of the best arm at first, where that of the others is 0
CHANCES = (0.1, 0.03, 0.01, 0.003, 0.001)
STATES = (2, 10, 50, 200)
PARTS = (1.0, 0.5, 0.1)  # of the largest step size
SLOPE = 0.05  # how far a fitted slope may be from −1


@dataclass(frozen=True)
class Row:
    """One claim: what was measured, what is proved, and whether they agree."""

    claim: str
    measured: str
    proved: str
    holds: bool


@dataclass(frozen=True)
class Panel:
    """Lines of one picture: label, x, y and style of each."""

    title: str
    x: str
    y: str
    lines: list[tuple[str, Any, Any, str]]
    scales: tuple[str, str] = ("log", "log")


Part = tuple[Panel, list[Row]]


def _under(what: str, found: Decline, source: str) -> Row:
    """Is nothing more lost than the bound allows?"""
    nearest = float(np.max(found.lost / found.most))
    return Row(what, f"at most {nearest:.2g} of the bound", source, bool(np.all(found.lost <= found.most)))


def _rate(what: str, found: Decline, source: str) -> list[Row]:
    """Is it 1/t, and no faster?"""
    slope, half = found.slope(), len(found.lost) // 2
    assert found.least is not None
    above = found.lost[half:] / found.least[half:]
    return [
        Row(f"{what}: O(1/t)", f"slope {slope:.4f}", f"-1, {source}", abs(slope + 1.0) < SLOPE),
        Row(f"{what}: no faster", f"at least {above.min():.3g} of the bound", source, bool(above.min() >= 1.0)),
    ]


def bandits(scale: float) -> Part:
    """Softmax gradients in a bandit, from several first policies."""
    lines, rows = [], []
    for start in HEAD_STARTS:
        theta = [start, 0.0, 0.0]
        found = theory.bandit(REWARDS, theta, updates=_count(10_000, scale))
        lines += [(f"θ(best) = {start:g}", found.t, found.lost, "-"), ("", found.t, found.most, "--")]
        rows.append(_under(f"bandit from θ(best) = {start:g}", found, "Mei et al. 2020a, theorem 2"))
    fast = theory.bandit((1.0, 0.5, 0.0), updates=_count(4_000, scale), lr=1.0)
    rows += _rate("bandit, α = 1", fast, "Mei et al. 2020a, theorem 9")
    return Panel("Softmax gradient in a bandit, dashed 5/(c²t)", "t", "lost", lines), rows


def mdps(scale: float) -> Part:
    """Softmax gradients in an MDP."""
    mdp = theory.random_mdp(3, 2, seed=1)
    small = theory.softmax_gradient(mdp, GAMMA, _count(4_000, scale))
    fast = theory.softmax_gradient(mdp, GAMMA, _count(8_000, scale), lr=1.0)
    lines = [
        ("α = (1 − γ)³/8", small.t, small.lost, "-"),
        ("α = 1", fast.t, fast.lost, "-"),
        ("1/t", fast.t, fast.lost[-1] * len(fast.t) / fast.t, ":"),
    ]
    rows = [_under("MDP, α = (1 − γ)³/8", small, "Mei et al. 2020a, theorem 4")]
    rows += _rate("MDP, α = 1", fast, "Mei et al. 2020a, theorem 10")
    return Panel("Softmax gradient in an MDP", "t", "J* − J", lines), rows


def escapes(scale: float) -> Part:
    """How long the first policy holds a softmax and an escort policy back."""
    chances = [c for c in CHANCES if c >= 0.001 / min(scale, 1.0)]
    softmax, escort = ([theory.escape(c, name) for c in chances] for name in ("exact-pg", "exact-escort-pg"))
    least = [theory.least_escape(c) for c in chances]
    lines = [
        ("softmax", chances, softmax, "o-"),
        ("its lower bound", chances, least, "--"),
        ("escort, p = 2", chances, escort, "o-"),
    ]
    from_ = f"from π = {chances[-1]:g}"
    slow = all(n >= m for n, m in zip(softmax, least, strict=True))
    sooner = all(e < s for e, s in zip(escort, softmax, strict=True))
    rows = [
        Row("softmax escapes after Ω(1/π)", f"{softmax[-1]:,} updates {from_}",
            f"at least {least[-1]:,.0f}: the gravity well, Mei et al. 2020b", slow),
        Row("escort escapes sooner", f"{escort[-1]:,} updates {from_}", f"fewer than {softmax[-1]:,}", sooner),
    ]  # fmt: skip
    return Panel("Until the best arm has a probability of ½", "its probability at first", "updates", lines), rows


def entropies(scale: float) -> Part:
    """Gradients with an entropy bonus."""
    mdp = theory.random_mdp(3, 2, seed=1)
    small = theory.entropy_gradient(mdp, GAMMA, TAU, _count(4_000, scale))
    fast = theory.entropy_gradient(mdp, GAMMA, TAU, _count(2_000, scale), lr=1.0)
    factor, proved = float(np.max(small.lost[1:] / small.lost[:-1])), small.most[1] / small.most[0]
    lines = [("α of the theorem", small.t, small.lost, "-"), ("α = 1", fast.t, np.maximum(fast.lost, 1e-16), "-")]
    source = "Mei et al. 2020a, theorem 6"
    rows = [
        _under("with entropy", small, source),
        Row(
            "with entropy, linear",
            f"an update leaves {factor:.6f} or less",
            f"{proved:.6f}, {source}",
            bool(factor <= proved),
        ),
    ]
    return Panel(f"Softmax gradient with entropy, τ = {TAU:g}", "t", "J* − J", lines, ("linear", "log")), rows


def naturals(scale: float) -> Part:
    """Natural gradients with more and more states."""
    found = {n: theory.natural_gradient(theory.random_mdp(n, 4, seed=2), FAR_GAMMA, _count(200, scale)) for n in STATES}
    lines = [(f"{n} states", d.t, d.lost, "-") for n, d in found.items()]
    lines.append(("bound 2/((1 − γ)²T)", found[STATES[0]].t, found[STATES[0]].most, "--"))
    rows = [_under(f"natural gradient, {n} states", d, "Agarwal et al. 2021, theorem 16") for n, d in found.items()]
    return Panel("Natural gradient", "T", "J* − J", lines), rows


def soft_iterations(scale: float) -> Part:
    """Natural gradients with an entropy bonus, up to soft policy iteration."""
    mdp = theory.random_mdp(5, 3, seed=2)
    lines, rows = [], []
    for part in PARTS:
        found = theory.entropy_natural_gradient(mdp, FAR_GAMMA, TAU, max(20, _count(60, scale)), part)
        rate = 1 - part * (1 - FAR_GAMMA)
        label = f"α = {part:g} (1 − γ)/τ" if part < 1 else "soft policy iteration"
        lines += [(label, found.t, np.maximum(found.lost, 1e-16), "-"), ("", found.t, found.most, "--")]
        rows.append(_under(f"{label}: rate {rate:.3g}", found, "Cen et al. 2022, theorem 1"))
    return Panel(f"Natural gradient with entropy, τ = {TAU:g}", "updates", "‖Q* − Q‖∞", lines, ("linear", "log")), rows


PARTS_OF_THEORY = (bandits, mdps, escapes, entropies, naturals, soft_iterations)


def _count(updates: int, scale: float) -> int:
    return max(10, round(updates * scale))


def draw(panels: Sequence[Panel], file: Path) -> None:
    """All panels as one picture; what is proved is dashed."""
    figure = new_figure(14.0, 8.0)
    for axes, panel in zip(figure.subplots(2, 3).flat, panels, strict=True):
        color = "C0"
        for k, (label, x, y, style) in enumerate(panel.lines):
            color = color if not label and style == "--" else f"C{k}"
            axes.plot(x, y, style, color=color, label=label or None, linewidth=1.4, markersize=4)
        axes.set(title=panel.title, xlabel=panel.x, ylabel=panel.y, xscale=panel.scales[0], yscale=panel.scales[1])
        tidy(axes)
        axes.legend(frameon=False, fontsize=8)
    save(figure, file)


def main() -> int:
    parser = parser_of(__file__, __doc__)
    parser.add_argument("--out", type=Path, default=Path(), help="the folder of theory.png, made if need be")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of updates")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    given = parser.parse_args()
    parts = [part(given.scale) for part in PARTS_OF_THEORY]
    rows = [row for _, some in parts for row in some]
    given.out.mkdir(parents=True, exist_ok=True)
    draw([panel for panel, _ in parts], given.out / "theory.png")
    if given.json:
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
    else:
        for row in rows:
            print(f"{row.claim:38}{row.measured:42}{'holds' if row.holds else 'FAILS':7}{row.proved}")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
