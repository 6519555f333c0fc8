"""Lanes whose environments are stepped by somebody else, in Python: actions out, observations and rewards in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfast.compiler import LANES
from pgfast.errors import EnvironmentFault
from pgfast.faults import outside
from pgfast.kernels.lanes import TURN
from pgfast.kernels.outside import (
    BAD_REWARD,
    BEGINS,
    CLOSE,
    DECIDE,
    FRESH,
    HIGHEST,
    LOWEST,
    NOT_FINITE,
    OPENED,
    TAKE_IN,
    Desk,
    exchange_in_batches,
    exchange_in_runs,
    make_desk,
)
from pgfast.kernels.plan import AGAIN, FINISHED, TAPE_FULL
from pgfast.training import Job, Worker


@dataclass
class OutsideJob(Job):
    """A job in one thread, whose `environments` (64 at most) are stepped elsewhere; `problem.env` is an `Outside`.

    Lanes are episodes of a batch, or where there are more runs than that, or updates within the episode, runs.
    """

    environments: int = 1

    def __post_init__(self) -> None:
        self.threads = 1
        if self.by_runs is None:
            self.by_runs = self.problem.in_loop or (
                self.runs > self.problem.optimisation.batch and not self.problem.by_batches
            )
        super().__post_init__()
        self.kernel = exchange_in_runs if self.by_runs else exchange_in_batches
        tasks = self.plan.runs * self.plan.copies if self.by_runs else self.plan.batch
        self.plan = self.plan._replace(
            sharing=1, block=self.plan.batch, width=max(1, min(LANES, self.environments, tasks))
        )
        if self.learn:
            self.plan = self.plan._replace(tallied=self.plan.batch)  # whoever stops training need not wait long
        seen = self.problem.traits.observation
        width = len(seen) if isinstance(seen, tuple) else 1
        width = 0 if self.problem.traits.n_observations is not None else width
        self.desk = make_desk(self.environments, width, self.problem.traits.action)

    def _arguments(self, worker: Worker, budget: int) -> tuple[Any, ...]:
        return *super()._arguments(worker, budget)[:-1], self.desk

    def settle(self) -> None:
        """Give every run the parameters and statistics that lanes still hold; the job can't go on after that."""
        if self.by_runs and not self.finished and self.workers:
            self.desk.order[CLOSE] = 1
            self.kernel(*self._arguments(self.workers[0], 0))
        self.finished = True

    def reopen(self) -> None:
        """Go on after `pause`: all environments begin an episode."""
        super().reopen()
        if self.by_runs:
            self.desk.order[OPENED] = 0


class Exchange:
    """The two halves of a turn, in turn: `act` on what the environments show, `observe` what became of it.

    Environment k is row k of every array. `playing` (N, 3) says which run and episode each plays (episode −1: none, its
    action means nothing and what becomes of it is not looked at), and whether that episode is only to begin: then the
    next observation must be its first. When all of a batch's episodes are assigned, environments stand idle until the
    last of them has ended; so a batch is whole, and no short episode is preferred. `opened` counts the times that all
    environments had to begin at once.
    """

    def __init__(self, job: OutsideJob) -> None:
        if not job.workers:
            job.prepare()
        self.job = job
        self.desk: Desk = job.desk
        self.actions: np.ndarray = job.desk.action
        self.playing: np.ndarray = job.desk.playing
        self.finished = False
        traits = job.problem.traits
        order = job.desk.order
        order[LOWEST] = traits.first_observation
        order[HIGHEST] = traits.first_observation + (traits.n_observations or 0) - 1
        self._order: Any = order.data  # quicker than an array, an element at a time
        self._seen = job.desk.whole if traits.n_observations is not None else job.desk.real
        self._call = self._bound()
        self.call(take_in=False, decide=False)

    def _bound(self) -> Callable[[], int]:
        return self.job.kernel.bind(*self.job._arguments(self.job.workers[0], 0))

    @property
    def opened(self) -> int:
        return int(self._order[OPENED])

    def act(self, observations: Any, absent: Any = False) -> np.ndarray:
        """Actions (N,), or (N, K) where they are K real numbers, for observations (N, D), or (N,) where those are whole
        numbers; the array is used again.

        An environment can be `absent`, (N,) of bool, only before the first step of its episode: nothing is asked of the
        policy, and the step to come is none."""
        self.show(observations)
        self.desk.absent[:] = absent
        self.call(take_in=False, decide=True)
        return self.actions

    def observe(self, rewards: Any, terminated: Any, truncated: Any) -> bool:
        """What a step of all environments gave, each (N,); whether any is to begin an episode now."""
        self.receive(rewards, terminated, truncated)
        return self.call(take_in=True, decide=False) == BEGINS

    def show(self, observations: Any) -> None:
        """Lay observations on the desk."""
        self._seen.reshape(np.shape(observations))[...] = observations

    def receive(self, rewards: Any, terminated: Any, truncated: Any) -> None:
        """Lay on the desk what a step gave."""
        desk = self.desk
        desk.reward[:] = rewards
        desk.terminated[:] = terminated
        desk.truncated[:] = truncated

    def call(self, take_in: bool, decide: bool) -> int:
        """Take in what is on the desk, or find actions, or both; FINISHED after the last episode, BEGINS where some
        environment has to begin an episode before actions can be found, else AGAIN."""
        order = self._order
        order[TAKE_IN], order[DECIDE] = take_in, decide
        status = self._call()
        if status <= AGAIN or status == BEGINS:
            self.finished = status == FINISHED
            return status
        if status == TAPE_FULL:
            return self._go_on(decide)
        raise self._fault(status)

    def grow(self) -> None:
        """Tapes twice as long."""
        worker = self.job.workers[0]
        worker.memory = worker.memory.grown(self.job.problem.algorithm.gamma, int(worker.workspace.lanes.control[TURN]))
        self._call = self._bound()

    def _go_on(self, decide: bool) -> int:
        self.grow()
        if self.playing[:, FRESH].any():
            return BEGINS
        return self.call(take_in=False, decide=True) if decide else AGAIN

    def _fault(self, status: int) -> EnvironmentFault:
        traits = self.job.problem.traits
        if status == BAD_REWARD:
            rewards = self.desk.reward[~np.isfinite(self.desk.reward)]
            return EnvironmentFault(f"{traits.label}: step gave the reward {rewards[0]}: it must be a finite number.")
        assert status == NOT_FINITE
        if traits.n_observations is not None:
            return outside(traits)
        largest = np.finfo(self.job.problem.model.precision.real).max
        bad = self.desk.real[~(np.abs(self.desk.real) <= largest).all(axis=1)]
        return EnvironmentFault(
            f"{traits.label}: the observation {bad[0].tolist()} has an entry that is no finite number of the precision "
            f"computed in."
        )
