"""An agent in somebody's own simulation: it is shown an observation, acts, is told what became of it, and learns."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from pgfast import storage
from pgfast.errors import PgfastError, unknown
from pgfast.inference import Inbox, with_features
from pgfast.kernels.learner import FAILED, make_room
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

if TYPE_CHECKING:
    from pgfast.engine import Engine

Learning = Literal["online", "episode"] | None


class Agent:
    """A policy that acts, one step after the other, where the loop is not the engine's; made by `Engine.agent`.

    Call `act` and `observe` in turn. What is learned is the engine's: its `theta`, `predict`, `evaluate` and `save`
    have it at once.
    """

    def __init__(self, engine: Engine, learn: Learning) -> None:
        if learn not in LEARNING:
            raise unknown("way to learn", str(learn), [name for name in LEARNING if name is not None])
        if engine.settings.runs != 1:
            raise PgfastError(
                f"runs is {engine.settings.runs}: an agent has one policy, so make the engine with runs=1."
            )
        self.engine = engine
        self.learn = learn
        self._waiting = False  # for the reward of an action
        self._part: Part = LEARNING[learn](engine)

    def act(self, observation: Any) -> Any:
        """An action for an observation, drawn from the policy: as `Engine.predict` gives it.

        Raises PgfastError for an observation outside the space, and for a second call before `observe`; nothing has
        happened then."""
        if self._waiting:
            raise PgfastError("act was called twice: tell observe what became of the last action first.")
        action = self._part.act(observation)
        self._waiting = True
        return action

    def observe(
        self, reward: float, terminated: bool = False, truncated: bool = False, observation: Any = None
    ) -> None:
        """What became of the last action: its reward, and whether the episode has ended with it.

        `terminated`: the task is over, nothing follows. `truncated`: only the episode is; what would have followed is
        worth what the value function says of `observation`, the one it ended with. Without it an agent that learns
        online learns nothing from the last step. Raises PgfastError for a reward that is no finite number, and for a
        call without an action before it; nothing has happened then."""
        if not self._waiting:
            raise PgfastError("observe was called without an action before it: call act(observation) first.")
        try:
            finite = isfinite(reward)
        except TypeError:
            finite = False
        if not finite:
            raise PgfastError(f"The reward is {reward!r}: it must be a finite number.")
        self._part.observe(reward, terminated, truncated, observation)
        self._waiting = False

    def save(self, path: str | Path) -> None:
        """Write the engine into a folder, as `Engine.save` does, and what the agent remembers of its episode: at any
        moment, also between an action and its reward."""
        self.engine.save(path)
        storage.save_agent(Path(path), self._part.state(), self.learn, self._waiting)

    @classmethod
    def load(cls, path: str | Path, *, env: Any = None) -> Self:
        """The agent that was saved in a folder, with its engine: it goes on as if nothing had happened. `env` as for
        `Engine.load`."""
        from pgfast.engine import Engine

        saved, learn, waiting = storage.load_agent(Path(path))
        agent = cls(Engine.load(path, env=env), learn)  # type: ignore[arg-type]
        agent._part.make_room_for(saved)
        for name, array in agent._part.state().items():
            given = saved.get(name)
            if given is None or given.shape != array.shape or given.dtype != array.dtype:
                raise PgfastError(
                    f"{Path(path) / storage.AGENT} is of another version of pgfast: load the engine and give it a new "
                    f"agent."
                )
            array[...] = given
        agent._waiting = waiting
        return agent

    def __repr__(self) -> str:
        return f"Agent({self.engine!r}, learn={self.learn!r})"


class Part:
    """How an agent acts and learns; this one doesn't learn."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def act(self, observation: Any) -> Any:
        """An action."""
        return self.engine.predict(observation)

    def observe(self, reward: float, terminated: bool, truncated: bool, observation: Any) -> None:
        """What became of it."""

    def state(self) -> dict[str, np.ndarray]:
        """All that it remembers, as arrays that can be written into."""
        return {"drawn": self.engine._ready_to_predict().drawn}

    def make_room_for(self, saved: dict[str, np.ndarray]) -> None:
        """Make its arrays as long as those that were saved."""


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
        self._first_action = traits.first_action
        self._inbox = inbox = Inbox(traits, 1)
        like = traits.observation
        order, numbers = np.zeros(ORDER, np.int64), np.zeros(NUMBERS)
        order[LOWEST], order[HIGHEST] = inbox.lowest, inbox.highest
        workspace = model.workspace(like, problem.values, True)
        memory = model.memory(problem.algorithm.gamma, problem.values, True, 2)
        self._state = {"order": order, "numbers": numbers, **arrays("lanes", workspace), **arrays("memory", memory)}
        self._call = work_online.bind(
            with_features(model, engine.source.env), like, model.policy, problem.algorithm, problem.optimisation,
            engine._learner, workspace, memory,
            make_room(model.n_parameters, problem.values, model.n_actions, model.n_states),
            np.uint64(problem.seed & 0xFFFFFFFF), np.uint64(problem.seed >> 32),
            inbox.real, inbox.whole, inbox.places, order, numbers,
        )  # fmt: skip
        self._order: Any = order.data  # quicker than arrays, an element at a time
        self._numbers: Any = numbers.data
        self._clock: Any = engine._learner.clock[0].data
        self._failed = self._clock[FAILED]

    def act(self, observation: Any) -> Any:
        """Learn from the step before, and draw."""
        return self._work(ACT, observation) + self._first_action

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
        if learns:
            self._learned()
        return action

    def _learned(self) -> None:
        self.engine._forget()
        if self._failed != self._clock[FAILED]:
            self._failed = self._clock[FAILED]
            warnings.warn(
                f"θ or w would have stopped being finite in episode {self._failed}: the agent keeps the last that were "
                f"and goes on without learning; take a smaller lr or lr_value.",
                RuntimeWarning,
                stacklevel=4,
            )


LEARNING: dict[str | None, type[Part]] = {"online": Online, None: Part}


def arrays(name: str, thing: Any) -> dict[str, np.ndarray]:
    """The arrays in records and tuples, by their path; views, not copies."""
    return dict(_arrays(name, thing))


def _arrays(name: str, thing: Any) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(thing, np.ndarray):
        yield name, thing
    elif isinstance(thing, np.void):
        for field in thing.dtype.names or ():
            yield from _arrays(f"{name}.{field}", thing[field])
    elif isinstance(thing, tuple):
        for field, value in zip(thing._fields, thing, strict=True):  # type: ignore[attr-defined]
            yield from _arrays(f"{name}.{field}", value)
