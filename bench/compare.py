"""pgfast beside the plain compiled loops: ``python bench/compare.py [--json] [--rounds N] [--scale F] [workload …]``.

In each round the plain loop, pgfast on one thread and pgfast on all processors learn the same task in turn, so that
whatever slows the machine down slows all three. Times are of training, after compilation.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import fmean, median, variance

import numpy as np
import plain

from pgfast.training import default_threads
from pgfast.workloads import WORKLOADS, Workload

Played = tuple[int, float]  # steps, mean return of the last tenth of the episodes


def _plain_cartpole(w: Workload, seed: int, episodes: int) -> Played:
    s = w.settings
    return plain.cartpole(seed, episodes, s["batch"], s["gamma"], s["lr"])


def _plain_frozenlake(w: Workload, seed: int, episodes: int) -> Played:
    s = w.settings
    return plain.frozenlake(seed, episodes, s["batch"], s["gamma"], s["lr"], *plain.frozenlake_table())


def _plain_corridor(w: Workload, seed: int, episodes: int) -> Played:
    s = w.settings
    return plain.corridor(seed, s["runs"], episodes, s["gamma"], s["lr"], np.array(s["theta0"]))


PLAIN: dict[str, Callable[[Workload, int, int], Played]] = {
    "cartpole": _plain_cartpole,
    "frozenlake": _plain_frozenlake,
    "corridor": _plain_corridor,
}


@dataclass(frozen=True)
class Comparison:
    """One workload; nanoseconds a step are medians over the rounds, ratios medians of those of each round."""

    name: str
    rounds: int
    plain_ns: float
    pgfast_ns: float  # one thread
    ratio: float  # plain / pgfast
    ratio_min: float
    ratio_max: float
    threads: int
    threads_ns: float
    threads_ratio: float  # one thread / all
    plain_return: float  # mean of the last tenth of the episodes, over rounds
    pgfast_return: float
    standard_errors: float  # how far apart these are


def compare(workload: Workload, rounds: int, scale: float = 1.0) -> Comparison:
    """Let both learn `rounds` times, each time with a seed of its own, for `scale` times the workload's episodes."""
    batch = workload.settings["batch"]
    tenth = max(1, round(workload.episodes * scale / 10 / batch)) * batch
    episodes = 10 * tenth
    threads = default_threads()
    PLAIN[workload.name](workload, 0, 10)
    workload.engine().learn(batch)
    costs: dict[str, list[float]] = {"plain": [], "one": [], "all": []}
    returns: dict[str, list[float]] = {"plain": [], "pgfast": []}
    for seed in range(rounds):
        start = time.perf_counter()
        steps, final = PLAIN[workload.name](workload, seed, episodes)
        costs["plain"].append(1e9 * (time.perf_counter() - start) / steps)
        returns["plain"].append(final)
        for kind, count in (("one", 1), ("all", threads)):
            result = workload.engine(seed, log_every=tenth).learn(episodes, threads=count)
            costs[kind].append(1e9 * result.train_seconds / result.steps)
        returns["pgfast"].append(float(result.curve.mean_return[:, -1].mean()))
    ratios = [p / q for p, q in zip(costs["plain"], costs["one"], strict=True)]
    return Comparison(
        name=workload.name,
        rounds=rounds,
        plain_ns=median(costs["plain"]),
        pgfast_ns=median(costs["one"]),
        ratio=median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        threads=threads,
        threads_ns=median(costs["all"]),
        threads_ratio=median(p / q for p, q in zip(costs["one"], costs["all"], strict=True)),
        plain_return=fmean(returns["plain"]),
        pgfast_return=fmean(returns["pgfast"]),
        standard_errors=_standard_errors(returns["plain"], returns["pgfast"]),
    )


def _standard_errors(a: list[float], b: list[float]) -> float:
    """Welch's t: the difference of two means in units of its standard error."""
    error = math.sqrt(variance(a) / len(a) + variance(b) / len(b))
    return abs(fmean(a) - fmean(b)) / error if error > 0 else 0.0


def show(results: list[Comparison]) -> None:
    """The results as a table."""
    print(
        f"{'ns a step':12}{'plain':>8}{'pgfast':>8}{'times faster':>22}{'threads':>18}   mean return, plain and pgfast"
    )
    for r in results:
        spread = f"{r.ratio:.2f} ({r.ratio_min:.2f} to {r.ratio_max:.2f})"
        threads = f"{r.threads}: {r.threads_ns:.2f} ({r.threads_ratio:.2f}x)"
        print(
            f"{r.name:12}{r.plain_ns:8.2f}{r.pgfast_ns:8.2f}{spread:>22}{threads:>18}   "
            f"{r.plain_return:.3f} and {r.pgfast_return:.3f} ({r.standard_errors:.1f} standard errors apart)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workload", nargs="*", choices=[*PLAIN, []], help="default: all")
    parser.add_argument("--rounds", type=int, default=7, help="at least 2")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of episodes")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    results = [compare(WORKLOADS[name], given.rounds, given.scale) for name in given.workload or PLAIN]
    if given.json:
        print(json.dumps([asdict(r) for r in results]))
    else:
        show(results)


if __name__ == "__main__":
    main()
