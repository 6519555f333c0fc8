"""Driving the kernels: which schedule, how many threads, how long a call, and what has been logged so far."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from pgfast.batch_records import longer_record, make_record, recording_workspace
from pgfast.compiler import LANES, Kernel, Preparation
from pgfast.faults import check_observations, check_returns, outside, raised
from pgfast.kernels.accounts import make_accounts
from pgfast.kernels.batches import work_on_batches
from pgfast.kernels.lanes import FAULT, MOST_SHARING, TURN
from pgfast.kernels.learner import EPISODES, FAILED, LAST, Learner, make_room
from pgfast.kernels.plan import FINISHED, OUTSIDE, STOP, TAPE_FULL, TICKET, Plan, make_team
from pgfast.kernels.runs import work_on_runs
from pgfast.memories import room_for_lanes
from pgfast.models import FIRST_TAPE
from pgfast.problem import Problem, chooses_runs
from pgfast.random import EVALUATE, TRAIN
from pgfast.room import zeros

CALL_SECONDS = 0.05  # what a call to a kernel should take
BLOCK = 128  # episodes of a block
TABLE_BLOCK = 256  # the same with tables, from two blocks on: a step takes less, so that what a block takes weighs more
EPISODES_OF_A_LANE = 4  # one after another, in a block: at its end lanes stand idle
MOST_BLOCKS, FEW_BLOCKS = 64, 4
MOST_SUMS = 2**21  # of all blocks together, but for a few blocks: more than that would not stay in the caches
LISTS_FROM = 1024  # entries of a table from which on those visited are listed
FIRST_BUDGET = 1024  # turns of the first call, which shows how long one takes
MOST_GROWTH = 32.0  # of the budget from one call to the next
SETTLE = -1  # a budget that makes a kernel close its lanes instead of stepping them
PIECE = 256  # episodes after which a lane that is a run gives its parameters back, so that training can be left there
PIECE_STEPS = 2**12  # the same in steps, where episodes are parts, often long ones, of a task that doesn't end
MOST_PHASES = 2**31  # of a plan: that many the threads' ticket can tell apart
PATIENCE = 2.0  # seconds that whoever ends training waits for that


def default_threads() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Keeper(Protocol):
    """Keeps what a learner has become, where it can be gone on from."""

    def is_due(self) -> bool: ...

    def keep(self) -> None: ...


@dataclass
class Worker:
    """What belongs to one thread."""

    workspace: np.record
    memory: Any
    room: Any
    accounts: Any = None


@dataclass
class Job:
    """A piece of work for all threads: episodes first … last − 1 of every run, learned from or only played.

    `advance` calls the kernels once in every thread; the caller looks at `learner` in between.
    """

    problem: Problem
    learner: Learner
    runs: int
    first: int
    last: int
    learn: bool = True
    deterministic: bool = False
    log_every: int | None = None
    log_origin: int | None = None
    threads: int | None = None
    by_runs: bool | None = None  # are lanes runs? By default as suits the problem
    seconds: float = 0.0
    compile_seconds: float = 0.0
    load_seconds: float = 0.0
    finished: bool = False
    workers: list[Worker] = field(default_factory=list)
    budget: int = FIRST_BUDGET

    def __post_init__(self) -> None:
        if self.by_runs is None:
            self.by_runs = chooses_runs(self.problem, self.runs)
        self.kernel: Kernel = work_on_runs if self.by_runs else work_on_batches
        self.plan = self._plan()
        self.team = make_team()
        tasks = self.plan.runs * (self.plan.copies if self.by_runs else self._blocks())
        self.threads = max(1, min(self.threads or default_threads(), tasks))
        if self.by_runs:
            width = min(LANES, -(-tasks // self.threads))
            self.plan = self.plan._replace(width=width)
        self.record = self._record() if self.problem.written_down else None
        self.shared = None if self.by_runs else self._accounts(self.plan.runs * self._blocks())

    def _blocks(self) -> int:
        return -(-self.plan.batch // self.plan.block)

    def _plan(self) -> Plan:
        problem, precision, episodes = self.problem, self.problem.model.precision, self.last - self.first
        batch = problem.optimisation.batch if self.learn else max(1, episodes)
        entries = max(1, problem.model.n_rows + problem.refinement.moments) if self.learn else 1
        blocks = batch // BLOCK
        if problem.model.tabular:
            blocks = max(min(blocks, 2), batch // TABLE_BLOCK)
        blocks = max(1, min(MOST_BLOCKS, blocks, max(FEW_BLOCKS, MOST_SUMS // entries)))
        copies = 1 if self.learn or not self.by_runs else max(1, min(2 * LANES // self.runs, episodes))
        piece = min(PIECE, PIECE_STEPS // problem.traits.max_steps) if problem.continues else PIECE
        tallied = min(precision.tallied, 2**31 // problem.traits.max_steps, piece if self.learn else 2**31)
        self.learner.clock[:, LAST] = self.last
        if copies > 1:
            self._share_out(copies)
        return Plan(
            learn=int(self.learn),
            deterministic=int(self.deterministic or problem.greedy),
            stream=TRAIN if self.learn else EVALUATE,
            sharing=precision.numbers // (1 if problem.traits.paired else 2),
            runs=self.runs,
            copies=copies,
            passes=problem.passes if self.learn else 1,
            batch=batch if self.learn or not self.by_runs else 2**53,
            block=-(-batch // blocks),
            width=min(LANES, max(LANES // 2, -(-batch // blocks) // EPISODES_OF_A_LANE)),
            first_episode=self.first,
            last_episode=self._leg(self.first, batch),
            max_steps=np.dtype(precision.word).type(problem.traits.max_steps),
            actions=problem.traits.actions,
            log_every=self.log_every or 2**53,
            tallied=max(tallied, batch if self.learn else 1),
            log_origin=self.first if self.log_origin is None else self.log_origin,
            k0=np.uint64(problem.seed & 0xFFFFFFFF),
            k1=np.uint64(problem.seed >> 32),
        )

    def _leg(self, first: int, batch: int) -> int:
        """The episode at which a plan ends that begins with `first`."""
        if self.by_runs or not self.learn:
            return self.last
        return min(self.last, first + (MOST_PHASES // self.problem.passes - 2) * batch)

    def _begin_leg(self) -> None:
        """On with the episodes that the plan had no room for."""
        first = self.plan.last_episode
        self.plan = self.plan._replace(first_episode=first, last_episode=self._leg(first, self.plan.batch))
        self.team[TICKET] = 0

    def _share_out(self, copies: int) -> None:
        """Give each slot of a run its share of the episodes."""
        bounds = self.first + np.linspace(0, self.last - self.first, copies + 1).astype(np.int64)
        clock = zeros((self.runs * copies, self.learner.clock.shape[1]), np.int64)
        clock[:, EPISODES] = np.tile(bounds[:-1], self.runs)
        clock[:, LAST] = np.tile(bounds[1:], self.runs)
        clock[:, FAILED] = -1
        log = np.repeat(self.learner.log, copies, axis=0)
        self.learner = self.learner._replace(clock=clock, log=log)

    def _accounts(self, count: int) -> Any:
        problem, model = self.problem, self.problem.model
        if not self.learn:
            return make_accounts(count, 0, 0, counts=False, observed=2 * model.n_scaled)
        moments = problem.refinement.moments
        marked = not problem.in_loop and moments == 0 and not problem.written_down
        lists = model.row > 0 and model.n_rows > LISTS_FROM and marked
        return make_accounts(
            count, model.n_rows, problem.value_sums, problem.counts, model.row, lists, moments, 2 * model.n_scaled
        )

    def _record(self) -> Any:
        """Where all threads write down a batch."""
        problem, episodes = self.problem, -(-self.plan.block // self.plan.width)
        capacity = episodes * min(FIRST_TAPE, problem.traits.max_steps) + 2 * MOST_SHARING if self.learn else 1
        tasks = self.plan.runs * self._blocks()
        width, runs = self.plan.width, self.plan.runs
        return make_record(problem.model, problem.algorithm, problem.values, tasks, runs, capacity, width)

    def _worker(self) -> Worker:
        problem, model = self.problem, self.problem.model
        if self.record is not None:
            workspace, memory = recording_workspace(model, problem.traits.like, problem.values), self.record
        else:
            capacity = max(2 * MOST_SHARING, min(FIRST_TAPE, problem.traits.max_steps + 2 * MOST_SHARING))
            workspace, memory = room_for_lanes(problem, capacity, self.learn)
        return Worker(
            workspace,
            memory,
            make_room(model.n_parameters, problem.values, model.n_outputs, model.n_states, problem.refinement.scratch),
            self.shared if self.shared is not None else self._accounts(LANES),
        )

    def _arguments(self, worker: Worker, budget: int) -> tuple[Any, ...]:
        p = self.problem
        return (
            p.env, p.traits.like, p.model.policy, p.algorithm, p.optimisation, self.plan, self.learner, worker.accounts,
            worker.workspace, worker.memory, worker.room, self.team, budget,
        )  # fmt: skip

    def prepare(self, announce: Callable[[], None] | None = None) -> Preparation:
        """Compile the kernel, or load it from the cache; `announce` is called before it is compiled."""
        self.workers = [self._worker() for _ in range(self.threads or 1)]
        arguments = self._arguments(self.workers[0], 1)
        made = self.kernel.load(*arguments)
        if made is None:
            start = time.perf_counter()
            from pgfast.rehearsal import rehearse

            rehearse(self.problem.env, self.problem.traits)
            if announce is not None:
                announce()
            self.compile_seconds += time.perf_counter() - start
            made = self.kernel.compile(*arguments)
        self.compile_seconds += made.compile_seconds
        self.load_seconds += made.load_seconds
        return Preparation(self.compile_seconds, self.load_seconds, made.cache_hit)

    def advance(self, pool: ThreadPoolExecutor | None) -> None:
        """One call of the kernel in every thread."""
        start = time.perf_counter()
        self.team[STOP] = 0
        if pool is None:
            statuses = [self._call(w) for w in self.workers]
        else:
            calls = [pool.submit(self._call, w) for w in self.workers]
            try:
                wait(calls)
            except BaseException:
                self.team[STOP] = 1
                wait(calls)  # nothing may touch what belongs to a thread before it is done
                raise
            statuses = [call.result() for call in calls]
        taken = time.perf_counter() - start
        self.seconds += taken
        if OUTSIDE in statuses:
            for worker in self.workers:
                worker.workspace.lanes.control[FAULT] = 0
            raise outside(self.problem.traits)
        self._make_room(statuses)
        played = all(s == FINISHED for s in statuses)
        self.finished = played and self.plan.last_episode == self.last
        if played and not self.finished:
            self._begin_leg()
        growth = min(MOST_GROWTH, CALL_SECONDS / max(taken, 1e-6))
        self.budget = max(64, min(2**22, int(self.budget * growth)))

    def _make_room(self, statuses: list[int]) -> None:
        """Longer tapes for the workers whose own is full; of a record, which all share, for all."""
        gamma = self.problem.algorithm.gamma
        if self.record is not None and TAPE_FULL in statuses:
            self.record = longer_record(self.record)
            for worker in self.workers:
                worker.memory = self.record
            return
        for worker, status in zip(self.workers, statuses, strict=True):
            if status == TAPE_FULL:
                worker.memory = worker.memory.grown(gamma, int(worker.workspace.lanes.control[TURN]))

    def _call(self, worker: Worker) -> int:
        try:
            return int(self.kernel(*self._arguments(worker, self.budget)))
        except BaseException as error:
            self.team[STOP] = 1  # nobody waits for a thread that is gone
            if isinstance(error, Exception) and self.kernel.is_compiled:
                raise raised(self.problem.traits, error) from error
            raise

    def _failed(self) -> int:
        return int((self.learner.clock[:, FAILED] >= 0).sum())

    def _check_returns(self) -> None:
        plan = self.plan
        last = self.last - plan.log_origin
        check_returns(self.problem.traits, self.learner.log, plan.log_every, last, self.learn)
        check_observations(self.problem.traits, self.learner.log)

    def settle(self) -> None:
        """Give every run the parameters and statistics that lanes still hold; the job can't go on after that."""
        if self.by_runs and not self.finished:
            for worker in self.workers:
                self.kernel(*self._arguments(worker, SETTLE))
        self.finished = True

    def pause(self, pool: ThreadPoolExecutor | None, seconds: float = math.inf) -> bool:
        """Let every lane that is a run come to the end of its piece, where `learner` says all that there is to know of
        it; False where that takes longer. Where lanes are episodes, `learner` stands at the last update already, and
        what has been played since is played again by whoever goes on from it."""
        if self.by_runs:
            self.learner.clock[:, LAST] = 0  # no lane begins another piece
            end = time.perf_counter() + seconds
            while not self.finished and time.perf_counter() < end:
                self.advance(pool)
            self.learner.clock[:, LAST] = self.last
            return self.finished
        return True

    def reopen(self) -> None:
        """Go on after `pause`."""
        if self.by_runs:
            clock = self.learner.clock
            self.finished = not np.any((clock[:, EPISODES] < self.last) & (clock[:, FAILED] < 0))
            self.team[TICKET] = 0

    def run(self, between: Callable[[], bool | None] | None = None, keeper: Keeper | None = None) -> bool:
        """Call the kernels until all episodes are played; `between` is called after each call and stops it by returning
        False. `keeper` keeps `learner` when it wants to, and when training is stopped. Returns whether all were played.
        """
        self.prepare()
        threads = self.threads or 1
        with ThreadPoolExecutor(threads, "pgfast") if threads > 1 else nullcontext() as pool:
            try:
                while not self.finished:
                    failed = self._failed()
                    self.advance(pool)
                    if self.finished or self._failed() > failed:
                        self._check_returns()
                    if between is not None and between() is False:
                        return self._stop(pool, keeper)
                    if keeper is not None and not self.finished and keeper.is_due():
                        self.pause(pool)
                        keeper.keep()
                        self.reopen()
            finally:
                self.settle()
        return True

    def _stop(self, pool: ThreadPoolExecutor | None, keeper: Keeper | None) -> bool:
        """Leave training where it can be taken up again; whether all is played."""
        if self.finished:
            return True
        if self.pause(pool, PATIENCE):
            self.reopen()
            if keeper is not None:
                keeper.keep()
        return self.finished
