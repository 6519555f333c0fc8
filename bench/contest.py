"""Several ways of learning a workload, measured in turn: in each round every one of them learns it once, so that
whatever slows the machine down for a while slows all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any, TypeVar

from pgfast._bench.child import Child, Trouble, core, peak_memory
from pgfast._bench.peer import Learned
from pgfast._bench.words import many
from pgfast.workloads import Workload

PGFAST = "pgfast"
PATIENCE = 60.0  # seconds after which a peer has had rounds enough
T = TypeVar("T")


@dataclass(frozen=True)
class Entrant:
    """Who learns what, and how."""

    workload: Workload
    learner: str = PGFAST  # or a name of `pgfast._bench.peers`
    precision: str = "float64"
    threads: int | None = 1  # None: whatever the peer uses

    def __str__(self) -> str:
        how = f" in {self.precision} on {many(self.threads or 1, 'thread')}" if self.learner == PGFAST else ""
        return f"{self.workload.name}: {self.learner}{how}"


@dataclass
class Outcome:
    """What was seen of an entrant."""

    entrant: Entrant
    runs: list[Learned] = field(default_factory=list)  # one a round
    compile_seconds: float = 0.0  # 0: it was in the cache
    load_seconds: float = 0.0  # of compiled code from the cache
    memory: int | None = None  # bytes that its process held at most
    memory_growth: int | None = None  # bytes by which a whole run exceeds its first tenth
    trouble: str | None = None  # why there are no (more) runs

    @property
    def costs(self) -> list[float | None]:
        """Nanoseconds a step, of each round; None where the run didn't reach the workload's goal."""
        goal = self.entrant.workload.goal
        return [1e9 * run.seconds / run.steps if run.final_return >= goal else None for run in self.runs]

    @property
    def learned(self) -> list[Learned]:
        """The runs that reached the workload's goal."""
        return [run for run, cost in zip(self.runs, self.costs, strict=True) if cost is not None]


def hold(
    entrants: Sequence[Entrant],
    rounds: int,
    *,
    cache: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Outcome]:
    """Let all learn `rounds` times, each time with another seed; a slow peer fewer times.

    `cache` is a folder for compiled kernels other than the user's. A process that does nothing else compiles pgfast's
    own kernels first.
    """
    outcomes = [Outcome(entrant) for entrant in entrants]
    ours = [outcome for outcome in outcomes if outcome.entrant.learner == PGFAST]
    _compile(ours, cache, say)
    with ExitStack() as stack:
        places = [(o, stack.enter_context(Child(_core(o.entrant), cache))) for o in outcomes]
        for outcome, child in places:
            if outcome in ours:
                _warm_up(outcome, child)
        for seed in range(rounds):
            for outcome, child in places:
                if outcome.trouble is None and sum(run.seconds for run in outcome.runs) < _patience(outcome):
                    say(f"{outcome.entrant}, round {seed + 1} of {rounds}")
                    _play(outcome, child, seed)
    return outcomes


def _compile(outcomes: Sequence[Outcome], cache: Path | None, say: Callable[[str], None]) -> None:
    """Kernels serve any number of threads: the time is that of the first who needs them."""
    times: dict[tuple[str, str], float] = {}
    for outcome in outcomes:
        key = outcome.entrant.workload.name, outcome.entrant.precision
        if key not in times:
            say(f"{outcome.entrant.workload.name}: compiling, or loading what was compiled before")
            with Child(cache=cache) as child:
                times[key], _ = _ask(child, prepare, outcome.entrant)
        outcome.compile_seconds = times[key]


def _warm_up(outcome: Outcome, child: Child) -> None:
    """Load the kernels, and see what a tenth of the episodes takes."""
    _, outcome.load_seconds = _ask(child, prepare, outcome.entrant)
    workload = outcome.entrant.workload
    tenth = replace(outcome.entrant, workload=replace(workload, episodes=max(1, workload.episodes // 10)))
    _, outcome.memory = _ask(child, learn, tenth, 0)


def _play(outcome: Outcome, child: Child, seed: int) -> None:
    """One round. A peer's trouble is noted, and it takes no part in later ones; pgfast's ends everything."""
    try:
        run, memory = _ask(child, learn, outcome.entrant, seed)
    except Trouble as trouble:
        if outcome.entrant.learner == PGFAST:
            raise
        outcome.trouble = str(trouble)
        return
    if outcome.memory is not None and memory is not None and not outcome.runs:
        outcome.memory_growth = memory - outcome.memory
    outcome.memory = memory
    outcome.runs.append(run)


def _ask(child: Child, function: Callable[..., T], entrant: Entrant, *arguments: Any) -> T:
    try:
        return child(function, entrant, *arguments)
    except Trouble as trouble:
        raise Trouble(f"{entrant.learner} can't learn {entrant.workload.name}: {trouble}") from None


def _patience(outcome: Outcome) -> float:
    return float("inf") if outcome.entrant.learner == PGFAST else PATIENCE


def _core(entrant: Entrant) -> int | None:
    """One thread, and every peer, stays on one and the same processor."""
    return core() if entrant.learner != PGFAST or entrant.threads == 1 else None


# ---- in the other process


def prepare(entrant: Entrant) -> tuple[float, float]:
    """Seconds of compiling, and of loading what was compiled before."""
    made = entrant.workload.engine(precision=entrant.precision).compile()
    return made.compile_seconds, made.load_seconds


def learn(entrant: Entrant, seed: int) -> tuple[Learned, int | None]:
    """A whole run, and the most memory so far."""
    if entrant.learner == PGFAST:
        learned = _with_pgfast(entrant, seed)
    else:
        from pgfast._bench.peers import load

        learned = load(entrant.learner).learns[entrant.workload.name](entrant.workload, seed)
    return learned, peak_memory()


def _with_pgfast(entrant: Entrant, seed: int) -> Learned:
    workload, batch = entrant.workload, entrant.workload.settings["batch"]
    tenth = batch * ceil(workload.episodes / (10 * batch))  # the last point of the curve is the last tenth of the run
    engine = workload.engine(seed, log_every=tenth, precision=entrant.precision)
    done = engine.learn(workload.episodes, threads=entrant.threads)
    setup = done.compile_seconds + done.load_seconds
    return Learned(done.steps, done.train_seconds, setup, done.final_return.mean)
