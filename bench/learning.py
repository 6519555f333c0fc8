"""What algorithms learn in a fixed number of steps, written to LEARNING.md: ``python -m pgfast._bench.learning``.

Every algorithm that samples learns every task that it can serve, with the settings that `pgfast train` takes, in many
independent runs; the policies are then judged by fresh episodes. Shown is the interquartile mean over runs with a 95 %
bootstrap interval, and over tasks the same of scores normalised to 0 for the policy that training begins with and 1 for
the optimum, or the best row of a task whose optimum isn't known, bootstrapped task by task (Agarwal et al. 2021: Deep
reinforcement learning at the edge of the statistical precipice. NeurIPS).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pgfast._bench.command import parser_of
from pgfast._bench.machine import OWN, machine, versions
from pgfast._bench.words import digits, in_words, many, number, table, where
from pgfast.algorithms.catalogue import ALGORITHMS
from pgfast.algorithms.exact import EXACT
from pgfast.engine import Engine
from pgfast.errors import PgfastError
from pgfast.figures import new_figure, save, tidy

PORTIONS = 100  # of a run, after each of which its steps are counted
JUDGED = 3000  # episodes that the policy of a run is judged by
RESAMPLES = 2000
PATIENCE = 400.0  # seconds of processor time that an algorithm has for a task


class Task(NamedTuple):
    """An environment, and what is asked of a policy there."""

    env: str
    steps: int  # of each run
    target: float  # a mean return that counts as learned
    greedy: bool = False  # judged by the preferred actions


TASKS = (
    Task("ShortCorridor", 200_000, -12.0),
    Task("CartPole-v1", 2_000_000, 475.0),
    Task("Acrobot-v1", 4_000_000, -100.0),
    Task("MountainCar-v0", 16_000_000, -115.0),
    Task("MountainCarContinuous-v0", 2_000_000, 90.0),
    Task("Pendulum-v1", 4_000_000, -300.0),
    Task("FrozenLake-v1", 5_000_000, 0.73),
    Task("CliffWalking-v1", 6_000_000, -13.0, greedy=True),
    Task("Taxi-v4", 10_000_000, 7.5),
    Task("Blackjack-v1", 2_000_000, -0.055),
    Task("AccessControl", 5_000_000, 2706.0),
)


@dataclass(frozen=True)
class Learned:
    """What one algorithm has learned of one task."""

    env: str
    algorithm: str
    steps: float  # of a run, the mean
    scores: tuple[float, ...]  # of each run's policy: mean return of fresh episodes
    diverged: float  # share of the runs
    first: float  # score of the policy that training begins with
    optimum: float | None
    target: float
    greedy: bool
    tabular: bool  # are observations discrete?


def learn(task: Task, algorithm: str, runs: int, scale: float) -> Learned:
    """Raises PgfastError for an algorithm that can't serve the task, or not in time."""
    engine = Engine(task.env, algorithm=algorithm, runs=runs)
    first = engine.evaluate(JUDGED, deterministic=task.greedy).mean
    engine.compile()
    batch, steps, begun = engine.settings.batch, 0.0, time.process_time()
    portion = max(1, engine.settings.episodes // PORTIONS // batch) * batch
    while steps < scale * task.steps:
        trained = engine.learn(portion)
        steps += trained.steps / runs
        if len(trained.failed) == runs:
            break
        if steps < scale * task.steps and time.process_time() - begun > PATIENCE:
            raise PgfastError(f"{steps:,.0f} of {scale * task.steps:,.0f} steps in {PATIENCE:g} s of processor time.")
    scores = engine.evaluate(JUDGED, deterministic=task.greedy).by_run
    return Learned(
        task.env, algorithm, steps, tuple(scores.tolist()), len(trained.failed) / runs, first, engine.optimum,
        task.target, task.greedy, engine.traits.n_observations is not None,
    )  # fmt: skip


def found(task: Task, algorithm: str, given: argparse.Namespace) -> Learned | str:
    """What was learned, or why it wasn't; kept in a file of the folder `given.keep`, and read from there when it is
    there already."""
    file = given.keep / f"{task.env}-{algorithm}.json" if given.keep else None
    if file is not None and file.exists():
        kept = json.loads(file.read_text("utf-8"))
        return kept if isinstance(kept, str) else Learned(**kept)
    try:
        row: Learned | str = learn(task, algorithm, given.runs, given.scale)
    except PgfastError as error:
        row = str(error)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(row if isinstance(row, str) else asdict(row), ensure_ascii=False), "utf-8")
    return row


def interquartile(*samples: Sequence[float]) -> tuple[float, float, float]:
    """The interquartile mean of all samples together, and its 95 % interval by the bootstrap, each sample resampled by
    itself."""
    from scipy.stats import bootstrap, trim_mean

    def statistic(*parts: np.ndarray, axis: int) -> Any:
        return trim_mean(np.concatenate(parts, axis=axis), 0.25, axis=axis)

    given = [np.asarray(sample, float) for sample in samples]
    found = bootstrap(given, statistic, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(0))
    low, high = found.confidence_interval
    return float(statistic(*given, axis=0)), float(low), float(high)


def best_known(rows: Sequence[Learned]) -> dict[str, float]:
    """Of each task, the optimum, or the best that any algorithm has learned where that isn't known."""
    found = {env: [row for row in rows if row.env == env] for env in dict.fromkeys(row.env for row in rows)}
    return {
        env: mine[0].optimum if mine[0].optimum is not None else max(interquartile(row.scores)[0] for row in mine)
        for env, mine in found.items()
    }


def normalised(row: Learned, best: float) -> list[float]:
    """Scores with 0 for the first policy and 1 for the best."""
    return [(score - row.first) / (best - row.first) for score in row.scores]


def write(rows: Sequence[Learned], refused: Sequence[tuple[str, str, str]], file: Path, command: str) -> None:
    """LEARNING.md and its picture."""
    here, runs = machine(), max(len(row.scores) for row in rows)
    parts = [
        "# What is learned",
        where({"machine": here}, f"Written by `{command}` on {here['date']}; {runs} runs each."),
        (__doc__ or "").split("\n\n")[1].strip().replace("\n", " "),
        f"## Over tasks\n\n{_of_tasks(rows)}\n\n{_over_tasks(rows)}",
        f"## Task by task\n\n{_by_task(rows)}\n\n![Scores, task by task](images/learning.png)",
        f"## Not served, or not in time\n\n{_refused(refused)}" if refused else "",
        "## Versions",
        in_words(versions(OWN)),
    ]
    file.write_text("\n\n".join(part for part in parts if part) + "\n", "utf-8")
    (file.parent / "images").mkdir(exist_ok=True)
    draw(rows, file.parent / "images" / "learning.png")


def _of_tasks(rows: Sequence[Learned]) -> str:
    """What the columns of the table are about, and what algorithms that serve different tasks have in common."""

    def those(chosen: Callable[[Learned], bool]) -> str:
        return ", ".join(dict.fromkeys(row.env for row in rows if chosen(row))) or "none"

    return (
        f"*Tables* are tasks with discrete observations: {those(lambda row: row.tabular)}; *features* those where "
        f"numbers are observed: {those(lambda row: not row.tabular)}. A score is over the tasks that an algorithm "
        f"serves, so only those over as many tasks of a kind compare. The best row is 1 for "
        f"{those(lambda row: row.optimum is None)}. Judged by the preferred actions: {those(lambda row: row.greedy)}. "
        f"A target is reached where the interquartile mean is at least that; *runs that do* are single ones, of all "
        f"tasks served."
    )


def _over_tasks(rows: Sequence[Learned]) -> str:
    best, lines = best_known(rows), []
    for algorithm in dict.fromkeys(row.algorithm for row in rows):
        mine = [row for row in rows if row.algorithm == algorithm]
        reached = sum(interquartile(row.scores)[0] >= row.target for row in mine)
        of_runs = np.mean([_share(row) for row in mine])
        kinds = (_score([row for row in mine if row.tabular == tabular], best) for tabular in (True, False))
        lines.append((algorithm, *kinds, f"{reached} of {len(mine)}", f"{100 * of_runs:.0f} %"))
    return table(("algorithm", "tables", "features", "targets reached", "runs that do"), lines)


def _score(rows: Sequence[Learned], best: Mapping[str, float]) -> str:
    """Normalised, with its interval, and the number of tasks that it is over."""
    if not rows:
        return "-"
    found = interquartile(*(normalised(row, best[row.env]) for row in rows))
    return f"{_with_interval(found)}, {many(len(rows), 'task')}"


def _share(row: Learned) -> float:
    """Of runs that reach the target."""
    return sum(score >= row.target for score in row.scores) / len(row.scores)


def _by_task(rows: Sequence[Learned]) -> str:
    lines = [
        (row.env, row.algorithm, f"{row.steps / 1e6:.3g} M", _with_interval(interquartile(row.scores)),
         number(row.optimum), f"{row.target:g}", f"{100 * _share(row):.0f} %", f"{100 * row.diverged:.0f} %")
        for env in dict.fromkeys(row.env for row in rows)
        for row in rows
        if row.env == env
    ]  # fmt: skip
    heads = ("task", "algorithm", "steps of a run", "return", "optimum", "target", "runs at it", "diverged")
    return table(heads, lines)


def _with_interval(found: tuple[float, float, float]) -> str:
    middle, low, high = (digits(abs(x)) if x >= 0 else f"-{digits(-x)}" for x in found)
    return f"{middle} [{low}, {high}]"


def _refused(refused: Sequence[tuple[str, str, str]]) -> str:
    """Each reason once, with the tasks that it is about."""
    tasks: dict[tuple[str, str], list[str]] = {}
    for env, algorithm, reason in refused:
        tasks.setdefault((algorithm, reason), []).append(env)
    return "\n".join(f"- {algorithm}, {', '.join(envs)}: {reason}" for (algorithm, reason), envs in tasks.items())


def draw(rows: Sequence[Learned], file: Path) -> None:
    """A panel for each task: interquartile means and intervals, the optimum where it is known, and the target."""
    tasks = list(dict.fromkeys(row.env for row in rows))
    algorithms = list(dict.fromkeys(row.algorithm for row in rows))
    columns = min(3, len(tasks))
    figure = new_figure(4.6 * columns, -(-len(tasks) // columns) * (1.0 + 0.22 * len(algorithms)))
    panels = figure.subplots(-(-len(tasks) // columns), columns, squeeze=False).reshape(-1)
    for axes, env in zip(panels, tasks, strict=False):
        mine = [row for row in rows if row.env == env]
        for row in mine:
            middle, low, high = interquartile(row.scores)
            axes.errorbar(
                middle, row.algorithm, xerr=[[max(0.0, middle - low)], [max(0.0, high - middle)]], fmt="o",
                color="#1f5fa8", markersize=4, elinewidth=1,
            )  # fmt: skip
        axes.axvline(mine[0].target, color="#c2571a", linestyle=":", linewidth=1.0)
        if mine[0].optimum is not None:
            axes.axvline(mine[0].optimum, color="#c2571a", linestyle="--", linewidth=1.0)
        axes.set_title(env, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.invert_yaxis()
        tidy(axes)
    for axes in panels[len(tasks) :]:
        axes.set_axis_off()
    save(figure, file)


def main() -> int:
    parser = parser_of(__file__, __doc__)
    sampled = [name for name in ALGORITHMS if name not in EXACT]
    parser.add_argument("--algorithm", action="append", choices=sampled, help="may be repeated; default: all")
    parser.add_argument("--task", action="append", choices=[t.env for t in TASKS], help="may be repeated; default: all")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of steps")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "LEARNING.md", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, and write nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="for the rows: what is there isn't learned again")
    given = parser.parse_args()
    rows, refused = [], []
    for task in (t for t in TASKS if given.task is None or t.env in given.task):
        for algorithm in given.algorithm or sampled:
            row = found(task, algorithm, given)
            if isinstance(row, str):
                refused.append((task.env, algorithm, row))
            else:
                rows.append(row)
            said = row if isinstance(row, str) else f"{interquartile(row.scores)[0]:.5g}"
            print(f"{task.env}, {algorithm}: {said}", file=sys.stderr)
    if given.json:
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
    elif rows:
        write(rows, refused, given.out, " ".join(["python -m pgfast._bench.learning", *sys.argv[1:]]))
        print(given.out)
    return 0 if rows else 1


if __name__ == "__main__":
    raise SystemExit(main())
