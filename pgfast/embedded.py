"""How an agent learns: at every step, when a batch of episodes is complete, or not at all."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pgfast.errors import EnvironmentFault, PgfastError
from pgfast.inference import Inbox, blank, real_action, with_features
from pgfast.kernels.learner import EPISODES, FAILED, make_log, make_room
from pgfast.kernels.online import (
    ABANDON,
    ACT,
    HIGHEST,
    LOWEST,
    NUMBERS,
    ORDER,
    REWARD,
    TASK,
    TERMINATE,
    TRUNCATE,
    WAITING,
    work_online,
)
from pgfast.kernels.outside import Outside
from pgfast.outside import Exchange, OutsideJob

if TYPE_CHECKING:
    from pgfast.engine import Engine

LONGEST = 2**32 - 1  # steps of an episode: it is the simulation that truncates
MOST_UPDATES = 2**30  # of one agent
TAPE = 2  # steps that are looked at online: the one before, and this one


class Part:
    """How an agent acts and learns; this one doesn't learn."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._traits, self._reals = engine.traits, engine.model.n_reals
        self._clock: Any = engine._learner.clock[0].data  # quicker than an array, an element at a time
        self._failed = self._clock[FAILED]
        self._time = np.zeros(1, np.int64)  # steps of the episode so far

    def act(self, observation: Any) -> Any:
        """An action."""
        return self.engine.predict(observation, time=int(self._time[0]))

    def observe(self, reward: float, terminated: bool, truncated: bool, observation: Any) -> None:
        """What became of it."""
        self._time[0] = 0 if terminated or truncated else self._time[0] + 1

    def state(self) -> dict[str, np.ndarray]:
        """All that it remembers, as arrays that can be written into."""
        return {"drawn": self.engine._ready_to_predict().drawn, "time": self._time}

    def make_room_for(self, saved: dict[str, np.ndarray]) -> None:
        """Make its arrays as long as those that were saved."""

    def _learned(self) -> None:
        """The policy may have changed, or failed to."""
        self.engine._forget()
        failed = self._clock[FAILED]
        if self._failed != failed:
            self._failed = failed
            warnings.warn(
                f"θ or w would have stopped being finite in episode {failed}: the agent keeps the last that were and "
                f"goes on without learning; take a smaller lr or lr_value.",
                RuntimeWarning,
                stacklevel=4,
            )


class Online(Part):
    """The one-step actor–critic (`pgfast.kernels.online`)."""

    def __init__(self, engine: Engine) -> None:
        if engine.settings.baseline != "value":
            raise PgfastError(
                f"baseline is {engine.settings.baseline!r}: an agent that learns online needs a learned value "
                f"function, so make the engine with baseline='value'."
            )
        super().__init__(engine)
        problem, model, traits = engine._problem, engine.model, engine.traits
        self._inbox = inbox = Inbox(traits, 1)
        like = traits.observation
        order, numbers = np.zeros(ORDER, np.int64), np.zeros(NUMBERS)
        self._out = np.zeros((1, model.n_reals) if model.n_reals else 1, float if model.n_reals else np.int64)
        order[LOWEST], order[HIGHEST] = inbox.lowest, inbox.highest
        workspace = model.workspace(like, problem.values, True)
        memory = model.memory(problem.algorithm.gamma, problem.values, True, TAPE)
        self._state = {"order": order, "numbers": numbers}
        self._state |= arrays("workspace", workspace) | arrays("memory", memory)
        self._call = work_online.bind(
            with_features(model, engine.source.env, traits), like, model.policy, traits.actions,
            problem.algorithm, problem.optimisation, engine._learner, workspace, memory,
            make_room(model.n_parameters, problem.values, model.n_outputs, model.n_states),
            np.uint64(problem.seed & 0xFFFFFFFF), np.uint64(problem.seed >> 32),
            inbox.real, inbox.whole, inbox.places, order, numbers, self._out,
        )  # fmt: skip
        self._order: Any = order.data
        self._numbers: Any = numbers.data
        self._first_action = traits.first_action

    def act(self, observation: Any) -> Any:
        """Learn from the step before, and draw."""
        action = self._work(ACT, observation)
        return real_action(self._out, self._traits) if self._reals else action + self._first_action

    def observe(self, reward: float, terminated: bool, truncated: bool, observation: Any) -> None:
        """Nothing is learned before what follows is known."""
        self._numbers[REWARD] = reward
        if terminated or (truncated and observation is None):
            self._order[TASK] = TERMINATE if terminated else ABANDON
            self._call()
            self._learned()
        elif truncated:
            self._work(TRUNCATE, observation)

    def state(self) -> dict[str, np.ndarray]:
        return self._state

    def _work(self, task: int, observation: Any) -> int:
        inbox, order = self._inbox, self._order
        learns = order[WAITING]
        order[TASK] = task
        action = self._call() if inbox.put(observation) else -1
        if action < 0:  # in another form, or wrong
            inbox.put_checked(observation)
            action = self._call()
            if action < 0:
                raise PgfastError(f"The observation {observation!r} is too large for single precision.")
        if learns:
            self._learned()
        return action


class Episodes(Part):
    """As `Engine.learn`: what is estimated from a batch of episodes moves θ when they have ended."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._open(self._clock[EPISODES])

    def _open(self, first: int) -> None:
        """Work of which `first` is the first episode."""
        engine, traits = self.engine, self.engine.traits
        seen = blank(traits)
        problem = replace(
            engine._problem,
            env=with_features(engine.model, engine.source.env, traits) or Outside(seen),
            traits=replace(traits, like=seen, observation=seen, max_steps=LONGEST),
        )
        learner = engine._learner._replace(log=make_log(1, 1))
        job = OutsideJob(problem, learner, 1, first, first + MOST_UPDATES * engine.settings.batch, environments=1)
        self._first = np.array([first])
        self._exchange = Exchange(job)
        desk = self._exchange.desk
        self._inbox = Inbox(traits, 1, (desk.real, desk.whole))
        self._reward: Any = desk.reward.data
        self._terminated: Any = desk.terminated.data
        self._truncated: Any = desk.truncated.data
        self._told = np.zeros(1, np.int64)  # 1 while a step waits to be taken in
        self._tells: Any = self._told.data

    def act(self, observation: Any) -> Any:
        """Take in the step before, and draw."""
        if self._exchange.finished:
            return self.engine.predict(observation)
        if not self._inbox.put(observation):
            self._inbox.put_checked(observation)
        told, self._tells[0] = self._tells[0], 0
        try:
            self._exchange.call(take_in=told == 1, decide=True)
        except EnvironmentFault:
            self._inbox.put_checked(observation)  # says what is wrong with it
            raise
        action = self._exchange.actions
        return real_action(action, self._traits) if self._reals else int(action[0])

    def observe(self, reward: float, terminated: bool, truncated: bool, observation: Any) -> None:
        """The end of an episode is taken in at once."""
        if self._exchange.finished:
            return
        self._reward[0], self._terminated[0], self._truncated[0] = reward, bool(terminated), bool(truncated)
        if terminated or truncated:
            self._exchange.call(take_in=True, decide=False)
            self._learned()
        else:
            self._tells[0] = 1

    def state(self) -> dict[str, np.ndarray]:
        job = self._exchange.job
        worker = job.workers[0]
        found = {"first": self._first, "told": self._told, "team": job.team} | arrays("desk", job.desk)
        for name in ("workspace", "memory", "accounts"):
            found |= arrays(name, getattr(worker, name))
        return found

    def make_room_for(self, saved: dict[str, np.ndarray]) -> None:
        self._open(int(saved.get("first", self._first)[0]))
        tape = saved.get("memory.reward", np.zeros(0))
        while self.state().get("memory.reward", tape).size < tape.size:
            self._exchange.grow()


def arrays(name: str, thing: Any) -> dict[str, np.ndarray]:
    """The arrays in records and tuples, by their path; views, not copies."""
    return dict(_arrays(name, thing))


def _arrays(name: str, thing: Any) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(thing, np.ndarray):
        yield name, thing
    elif isinstance(thing, np.void):
        for field in thing.dtype.names or ():
            yield from _arrays(f"{name}.{field}", thing[field])
    elif hasattr(thing, "_fields"):
        for field, value in zip(thing._fields, thing, strict=True):
            yield from _arrays(f"{name}.{field}", value)
