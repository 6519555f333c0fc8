"""Where the time of a step goes: ``python -m pgfast._bench.stages [--precision NAME] [workload …]``.

The stages that every step has, each as a kernel of its own, called again and again on lanes in the middle of training;
what a whole training needs beyond them is the rest: ends and starts of episodes, with tables the way back over them,
updates, statistics, lanes that stand idle. Stages are timed apart: in a kernel that has them all they overlap.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

from pgfast._bench.words import digits
from pgfast.compiler import kernel
from pgfast.kernels.lanes import PRECISIONS, draw, step_environment
from pgfast.protocol import act, learn
from pgfast.training import Job
from pgfast.workloads import WORKLOADS, Workload

STAGES = ("random numbers", "policy", "environment", "returns and traces")
SHOWN = ("cartpole", "frozenlake", "corridor")
CALLS, TURNS = 15, 2000  # calls of a kernel, and turns of one call


@kernel
def turns(stage, count, n, env, like, policy, algorithm, plan, learner, w, memory):
    """One stage of `count` turns of n lanes."""
    for _ in range(count):
        if stage == 0:
            draw(n, w.lanes.counter, plan.k0, plan.k1, w.lanes.uniforms)
        elif stage == 1:
            act(policy, env, like, n, w, learner, 0)
        elif stage == 2:
            step_environment(n, env, like, plan, w.lanes)
        else:
            learn(memory, policy, algorithm, n, w)
    return 0


def stages(workload: Workload, precision: str = "float64") -> dict[str, float]:
    """Nanoseconds that a step of one lane takes in each stage, the rest, and the whole step; medians."""
    batch = workload.settings["batch"]
    engine = workload.engine(precision=precision)
    engine.learn(min(workload.episodes, 20 * batch), threads=1)  # past the first, short episodes
    problem = engine._problem
    job = Job(problem, engine._learner, engine.settings.runs, 0, batch, threads=1)
    job.prepare()
    job.advance(None)
    worker, p, n = job.workers[0], problem, job.plan.width
    cost = {}
    for k, name in enumerate(STAGES):
        worker.workspace.lanes.probability[:] = 1.0  # a likelihood that shrinks without end would become subnormal
        arguments = (n, p.env, p.traits.like, p.model.policy, p.algorithm, job.plan, job.learner,
                     worker.workspace, worker.memory)  # fmt: skip
        share = 1 / job.plan.sharing if k == 0 else 1.0  # steps that share a block of random numbers
        turns(k, 1, *arguments)
        cost[name] = share * median(_timed(lambda k=k, a=arguments: turns(k, TURNS, *a))) / (TURNS * n)
    whole = median(_nanoseconds(workload, seed, precision) for seed in range(5))
    return cost | {"rest": whole - sum(cost.values()), "whole step": whole}


def _timed(call: Any) -> list[float]:
    """Nanoseconds of each call."""
    found = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        found.append(1e9 * (time.perf_counter() - start))
    return found


def _nanoseconds(workload: Workload, seed: int, precision: str) -> float:
    done = workload.engine(seed, precision=precision).learn(workload.episodes, threads=1)
    return 1e9 * done.train_seconds / done.steps


def rows(names: Any, precision: str) -> list[tuple[str, ...]]:
    """A row for each workload: its name, the precision, and nanoseconds."""
    found = []
    for name in names:
        cost = stages(WORKLOADS[name], precision)
        found.append((name, precision, *map(digits, cost.values())))
    return found


HEADS = ("workload", "precision", *STAGES, "rest", "whole step")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pgfast._bench.stages", description=__doc__.splitlines()[0])
    parser.add_argument("workload", nargs="*", help=f"default: {' '.join(SHOWN)}")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), default="float64")
    given = parser.parse_args()
    for name in given.workload:
        if name not in WORKLOADS:
            parser.error(f"there is no workload {name!r}: choose from {', '.join(WORKLOADS)}")
    for row in (HEADS, *rows(given.workload or SHOWN, given.precision)):
        print("".join(f"{cell:>20}" for cell in row))


if __name__ == "__main__":
    main()
