"""What single precision gains and costs: ``python -m pgfast._bench.precision [--rounds N] [--scale F] [workload …]``.

In each round both precisions learn the same task in turn, from the same seed, on one thread. Their random numbers
differ, so what they learn is compared as two samples. Times are of training, after compilation.
"""

from __future__ import annotations

import math
from statistics import fmean, median, variance

from pgfast._bench.command import add_names, parser_of
from pgfast.engine import Engine
from pgfast.workloads import WORKLOADS, Workload

PRECISIONS = ("float64", "float32")
CHANGES = {"cartpole": {}, "frozenlake": {"policy": "linear", "optimizer": "adam", "lr": 0.05}, "corridor": {}}


def standard_errors(a: list[float], b: list[float]) -> float:
    """Welch's t: the difference of two means in units of its standard error."""
    error = math.sqrt(variance(a) / len(a) + variance(b) / len(b))
    return (fmean(b) - fmean(a)) / error if error > 0 else 0.0


def compare(name: str, workload: Workload, rounds: int, scale: float) -> str:
    """One workload as a row of the table."""
    tenth = max(1, round(workload.episodes * scale / 10 / workload.settings["batch"])) * workload.settings["batch"]
    costs: dict[str, list[float]] = {p: [] for p in PRECISIONS}
    returns: dict[str, list[float]] = {p: [] for p in PRECISIONS}

    def engine(seed: int, p: str) -> Engine:
        return workload.engine(seed, precision=p, log_every=tenth, **CHANGES[name])

    for p in PRECISIONS:
        engine(0, p).learn(workload.settings["batch"], threads=1)
    for seed in range(rounds):
        for p in PRECISIONS:
            result = engine(seed, p).learn(10 * tenth, threads=1)
            costs[p].append(1e9 * result.train_seconds / result.steps)
            returns[p].append(float(result.curve.mean_return[:, -1].mean()))
    double, single = (median(costs[p]) for p in PRECISIONS)
    ratios = [d / s for d, s in zip(*costs.values(), strict=True)]
    spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    means = " ".join(f"{fmean(returns[p]):10.3f}" for p in PRECISIONS)
    return f"{name:12}{double:9.2f}{single:9.2f}{spread:>24}{means}{standard_errors(*returns.values()):8.1f}"


def gradient(precision: str, runs: int = 16, batch: int = 50_000) -> tuple[float, float]:
    """dJ/dθ_right of the short corridor at P(right) = 0.5 from `runs` batches: mean and standard error. It is 2, since
    J(p) = (2p − 4)/(p (1 − p)) has the slope 8 there, and p the slope 1/4."""
    settings = {"policy": "state-action", "baseline": "mean", "optimizer": "sgd", "lr": 1.0, "gamma": 1.0}
    engine = Engine("ShortCorridor", batch=batch, runs=runs, precision=precision, **settings)
    engine.learn(batch)
    found = engine.theta[:, 1].tolist()
    return fmean(found), math.sqrt(variance(found) / runs)


def main() -> None:
    parser = parser_of(__file__, __doc__)
    add_names(parser, "workload", CHANGES)
    parser.add_argument("--rounds", type=int, default=9, help="at least 2")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of episodes")
    given = parser.parse_args()
    print(f"{'':12}{'ns a step':>18}{'':24}{'mean return':>21}{'apart by':>9}")
    print(f"{'':12}{'float64':>9}{'float32':>9}{'times as fast':>24}{'float64':>10} {'float32':>10}{'s.e.':>8}")
    for name in given.workload or CHANGES:
        print(compare(name, WORKLOADS[name], given.rounds, given.scale), flush=True)
    for p in PRECISIONS:
        mean, error = gradient(p)
        print(f"gradient of the corridor in {p}: {mean:.5f} ± {error:.5f} (exactly 2)")


if __name__ == "__main__":
    main()
