"""Where the time of a step goes: ``python -m pgfast._bench.stages [--precision NAME] [workload …]``.

The stages that every step has, on lanes in the middle of training: the first alone, the first two, and so on; what a
stage adds is its cost. What a whole training needs beyond all of them is the rest: ends and starts of episodes, with
tables the way back over them, updates, statistics, lanes that stand idle.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from pgfast._bench.command import add_names, parser_of
from pgfast._bench.words import digits
from pgfast.compiler import kernel
from pgfast.kernels.lanes import PRECISIONS, RUNNING, factors, normalise, step_environment
from pgfast.protocol import act, advance, draw, learn
from pgfast.training import Job
from pgfast.workloads import WORKLOADS, Workload

STAGES = ("random numbers", "policy", "environment", "returns and traces")
SHOWN = ("cartpole", "frozenlake", "corridor")
CALLS, TURNS = 11, 40_000  # calls of a kernel, and turns of one call


@kernel
def turns(last, count, n, env, like, policy, algorithm, plan, learner, w, memory):
    """`count` turns of n lanes, up to and with stage `last`."""
    for turn in range(count):
        late = turn & (plan.sharing - 1)
        if late == 0:
            draw(plan.actions, n, plan.sharing, plan.k0, plan.k1, w.lanes)
        else:
            advance(plan.actions, n, late, plan.sharing, w.lanes)
        if last >= 1:
            act(policy, env, like, n, w, learner, 0)
        if last >= 2:
            step_environment(n, env, like, plan, w.lanes)
        if last >= 3:
            learn(memory, policy, algorithm, n, w)
            if turn % factors(w.lanes.likelihood) == 0:
                normalise(n, w.lanes)
        for i in range(n):
            w.lanes.done[i] = RUNNING  # nobody begins another episode here, and what has ended fades to subnormals
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
    cost, before = {}, 0.0
    arguments = (n, p.env, p.traits.like, p.model.policy, p.algorithm, job.plan, job.learner,
                 worker.workspace, worker.memory)  # fmt: skip
    for k, name in enumerate(STAGES):
        turns(k, 1, *arguments)
        total = median(_timed(lambda k=k: turns(k, TURNS, *arguments))) / (TURNS * n)
        cost[name], before = total - before, total
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
    parser = parser_of(__file__, __doc__)
    add_names(parser, "workload", WORKLOADS, default=", ".join(SHOWN))
    parser.add_argument("--precision", choices=tuple(PRECISIONS), default="float64")
    given = parser.parse_args()
    for row in (HEADS, *rows(given.workload or SHOWN, given.precision)):
        print("".join(f"{cell:>20}" for cell in row))


if __name__ == "__main__":
    main()
