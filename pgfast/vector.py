"""Playing Gymnasium's vector environments: autoreset, seeds and faults, but neither policy nor learning.

Autoreset as Gymnasium 1.x defines it (`AutoresetMode`): an environment whose episode has ended begins the next one when
it is next stepped, that step being no step of an episode (NEXT_STEP); at once, with the final
observation in ``infos["final_obs"]`` (SAME_STEP); or when it is told to (DISABLED).
"""

from __future__ import annotations

import hashlib
import multiprocessing
import signal
import struct
import time
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space, create_empty_array

from pgfast.errors import EnvironmentFault, PgfastError
from pgfast.foreign import Foreign, PluginFault
from pgfast.kernels.outside import BEGINS, EPISODE, FRESH, RUN
from pgfast.kernels.plan import AGAIN, FINISHED
from pgfast.outside import Exchange, OutsideJob
from pgfast.probe import Traits, random_reals
from pgfast.training import CALL_SECONDS, Job, Worker

NEXT_STEP, SAME_STEP, DISABLED = "NextStep", "SameStep", "Disabled"
COUNT = 8  # environments, where the user doesn't say
_SEEDS = 2**30  # for each stream


class Row(VectorEnv[Any, Any, Any]):
    """Environments stepped one after the other. Autoreset is disabled; one whose episode has ended rests until it is
    reset: it is not stepped, and its row stays as it is."""

    def __init__(self, makers: list[Callable[[], Any]]) -> None:
        self.envs = [make() for make in makers]
        self.num_envs = len(self.envs)
        self.metadata = {**self.envs[0].metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space = self.envs[0].observation_space
        self.single_action_space = self.envs[0].action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._seen: Any = create_empty_array(self.single_observation_space, self.num_envs)
        self._rewards = np.zeros(self.num_envs)
        self._terminated, self._truncated = np.zeros((2, self.num_envs), bool)
        self._awake: list[int] = []

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Any:
        """First observations, of those in ``options["reset_mask"]`` or of all."""
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        seeds = seed if isinstance(seed, list) else [None if seed is None else seed + k for k in range(self.num_envs)]
        for k in np.flatnonzero(mask).tolist():
            answer = self.envs[k].reset(seed=seeds[k])
            if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], dict):
                raise TypeError(f"reset gave {answer!r}, where Gymnasium has (observation, info)")
            self._seen[k] = answer[0]
            self._terminated[k] = self._truncated[k] = False
        self._awake = np.flatnonzero(mask | ~(self._terminated | self._truncated)).tolist()
        return self._seen, {}

    def step(self, actions: Any) -> Any:
        """Those that are awake."""
        for k in self._awake:
            self._seen[k], self._rewards[k], self._terminated[k], self._truncated[k], _ = self.envs[k].step(actions[k])
        self._awake = [k for k in self._awake if not (self._terminated[k] or self._truncated[k])]
        return self._seen, self._rewards, self._terminated, self._truncated, {}

    def rest(self) -> None:
        """All are to be reset before they are stepped again."""
        self._terminated[:] = True
        self._awake = []

    def close_extras(self, **kwargs: Any) -> None:
        for env in self.envs:
            env.close()


def gather(foreign: Foreign, count: int, max_steps: int | None, asynchronous: bool) -> Any:
    """A vector of `count` environments, or the one that was given."""
    if foreign.given is not None:
        given = foreign.given
        return given if hasattr(given, "num_envs") else Row([lambda: given])
    make = foreign.make
    assert make is not None
    if asynchronous:
        return AsyncVectorEnv([lambda: _undisturbed(make, max_steps)] * count, autoreset_mode=AutoresetMode.DISABLED)
    if (
        foreign.spec is not None
        and foreign.spec.vector_entry_point is not None
        and not foreign.spec.additional_wrappers
    ):
        more: dict[str, Any] = {} if max_steps is None else {"max_episode_steps": max_steps}
        return gymnasium.make_vec(foreign.spec, count, "vector_entry_point", **more)
    return Row([lambda: make(max_steps)] * count)


def _undisturbed(make: Callable[[int | None], Any], max_steps: int | None) -> Any:
    """An environment in a process that Ctrl-C leaves alone, though it is sent to all: the engine ends them."""
    if multiprocessing.parent_process() is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return make(max_steps)


def autoreset_mode(envs: Any) -> str:
    """When an environment of a vector begins its next episode."""
    mode = envs.metadata.get("autoreset_mode", NEXT_STEP)
    return str(getattr(mode, "value", mode))


@cache
def _line(seed: int, run: int) -> tuple[int, int]:
    """Slope and offset of a run's seeds."""
    digest = hashlib.blake2b(struct.pack("=QQ", seed, run), digest_size=8).digest()
    slope, offset = struct.unpack("=II", digest)
    return slope | 1, offset


def reset_seed(seed: int, run: int, episode: int, stream: int) -> int:
    """The seed of an episode's reset, from 0 to 2³¹ − 1: different for up to 2³⁰ episodes of a run, and for streams
    0 and 1, training and evaluation."""
    slope, offset = _line(seed, run)
    return stream * _SEEDS + (slope * episode + offset) % _SEEDS


class Player:
    """Plays what an exchange asks for in a vector of environments."""

    def __init__(self, exchange: Exchange, envs: Any, label: str) -> None:
        self.exchange, self.envs, self.label = exchange, envs, label
        plan, problem = exchange.job.plan, exchange.job.problem
        self.seed, self.stream, self.max_steps = problem.seed, plan.stream, int(plan.max_steps)
        self.mode = autoreset_mode(envs)
        self._rests = isinstance(envs, Row)  # those without work cost nothing
        self._takes_lists = isinstance(envs.unwrapped, (Row, SyncVectorEnv, AsyncVectorEnv))
        self._ended = np.zeros(envs.num_envs, bool)  # by themselves, in the last step
        self._opened = 0
        self._begins = True
        self._seen: Any = None
        if isinstance(envs, Row):
            envs.rest()

    def play(self, seconds: float) -> bool:
        """For about so long; whether all is played."""
        exchange, end = self.exchange, time.perf_counter() + seconds
        while not exchange.finished and time.perf_counter() < end:
            if self._begins:
                self._begin()
                exchange.call(take_in=False, decide=True)
                self._begins = False
            seen, rewards, terminated, truncated, infos = asked(self.label, self.envs.step, self._actions())
            self._seen = seen
            self._ended = np.logical_or(terminated, truncated)
            exchange.show(self._final(seen, infos))
            exchange.receive(rewards, terminated, truncated)
            self._begins = exchange.call(take_in=True, decide=True) == BEGINS
            if self.mode == DISABLED and not self._rests:
                self._reset(self._ended & (exchange.playing[:, EPISODE] < 0))
        return exchange.finished

    def _actions(self) -> np.ndarray:
        """As the environments' action space has them."""
        space = self.envs.single_action_space
        return self.exchange.actions if isinstance(space, Discrete) else as_reals(space, self.exchange.actions)

    def _begin(self) -> None:
        """First observations where an episode begins, or absence where they come with the next step."""
        exchange = self.exchange
        fresh, absent = exchange.playing[:, FRESH] == 1, exchange.desk.absent
        was_absent = absent == 1
        absent[:] = 0
        if exchange.opened != self._opened and not self._rests:
            self._opened = exchange.opened
            self._seen, _ = asked(self.label, self.envs.reset, seed=self._seeds(fresh))
        elif self.mode == DISABLED:
            self._reset(fresh)
        else:
            self._check_limit(fresh & ~self._ended & ~was_absent)
            if self.mode == NEXT_STEP:
                absent[:] = self._ended
        exchange.show(self._seen)

    def _reset(self, mask: np.ndarray) -> None:
        if mask.any():
            self._seen, _ = asked(self.label, self.envs.reset, seed=self._seeds(mask), options={"reset_mask": mask})

    def _seeds(self, fresh: np.ndarray) -> Any:
        """Of the episodes that begin; the first of them for vectors that can't take one for each."""
        runs, episodes = self.exchange.playing[:, RUN].tolist(), self.exchange.playing[:, EPISODE].tolist()
        seeds = [
            reset_seed(self.seed, run, episode, self.stream) if begins else None
            for run, episode, begins in zip(runs, episodes, fresh.tolist(), strict=True)
        ]
        return seeds if self._takes_lists else next((s for s in seeds if s is not None), None)

    def _final(self, seen: Any, infos: dict[str, Any]) -> Any:
        """What was observed last in each episode that has ended, not what came after it."""
        if self.mode != SAME_STEP or not self._ended.any():
            return seen
        seen, final = np.array(seen), infos.get("final_obs")
        if final is None:
            raise EnvironmentFault(f"{self.label} resets in the same step, but infos has no final_obs.")
        for k in np.flatnonzero(self._ended):
            seen[k] = final[k]
        return seen

    def _check_limit(self, cut: np.ndarray) -> None:
        """One that resets by itself can't be cut short."""
        if cut.any():
            raise EnvironmentFault(
                f"{self.label}: an episode has lasted {self.max_steps:,} steps, and none of a vector that resets by "
                f"itself can be told to begin another: give it a time limit, or AutoresetMode.DISABLED."
            )


def asked(label: str, method: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What an environment answers; what it raises becomes a PluginFault."""
    try:
        return method(*args, **options)
    except Exception as error:  # whatever it raises: it is not ours
        at = traceback.extract_tb(error.__traceback__)[-1]
        raise PluginFault(
            f"{label}: {method.__name__} raised {type(error).__name__}: {error} ({Path(at.filename).name}, line "
            f"{at.lineno})"
        ) from error


@dataclass
class PlayedJob(OutsideJob):
    """A job whose environments Gymnasium steps; `gathered` gives them when the first step is to be made."""

    gathered: Callable[[], Any] = lambda: None
    player: Player | None = None

    def _call(self, worker: Worker) -> int:
        if self.player is None:
            self.player = Player(Exchange(self), self.gathered(), self.problem.traits.label)
        return FINISHED if self.player.play(CALL_SECONDS) else AGAIN

    def reopen(self) -> None:
        super().reopen()
        if self.by_runs:
            self.player = None


def as_reals(space: Any, rows: np.ndarray) -> np.ndarray:
    """Actions (N, K) in a Box of K numbers, of its dtype and shape."""
    return rows.astype(space.dtype).reshape(len(rows), *space.shape)


def drawer(envs: Any) -> Callable[[], np.ndarray]:
    """Draws actions for all environments of a vector, the same ones each time."""
    random, space, size = np.random.default_rng(0), envs.single_action_space, envs.num_envs
    if isinstance(space, Discrete):
        return lambda: int(space.start) + random.integers(int(space.n), size=size)
    return lambda: as_reals(space, random_reals(space, random, size).T)


class Played:
    """The environments that an engine's jobs are played in: made when first needed, closed with it unless they were
    given."""

    def __init__(self, foreign: Foreign, count: int | None, max_steps: int | None, asynchronous: bool) -> None:
        if foreign.most is not None and count is not None and count != foreign.most:
            raise PgfastError(
                f"vector_envs is {count}, but {foreign.label} was given as {foreign.most}: give an id, or a function "
                f"that makes one, for as many as you like."
            )
        self.foreign, self.max_steps, self.asynchronous = foreign, max_steps, asynchronous
        self.count = foreign.most or count or COUNT
        self._end: Any = None

    @cached_property
    def envs(self) -> Any:
        """The vector."""
        try:
            envs = gather(self.foreign, self.count, self.max_steps, self.asynchronous)
        except Exception as error:  # whatever a constructor raises: it is not ours
            raise PluginFault(f"{self.foreign.label} can't be made: {type(error).__name__}: {error}") from error
        if self.foreign.given is None:
            self._end = weakref.finalize(self, envs.close)
        return envs

    def close(self) -> None:
        """End those that have been made; others are made when needed."""
        if self._end is not None:
            self._end()
            self._end = None
            del self.envs

    def job(self, *args: Any, **choices: Any) -> Job:
        """As `pgfast.training.Job`. Raises PgfastError where θ is to move at every step."""
        job = PlayedJob(*args, **{**choices, "environments": self.count, "gathered": lambda: self.envs})
        if job.learn and job.problem.at_once:
            raise PgfastError(
                f"θ moves at every step of this algorithm, which it can't where Gymnasium steps {self.foreign.label}: "
                f"choose another, or let an agent learn online, engine.agent()."
            )
        return job

    def notice(self, traits: Traits) -> str:
        """One line: that they are not compiled, and how fast they are."""
        made, speed = self.speed()
        limit = "" if traits.limited else f"; without a time limit, episodes are cut after {traits.max_steps:,} steps"
        return (
            f"{self.foreign.label} is stepped by Gymnasium, not compiled: about {speed:,.0f} steps/s, going by "
            f"{made:,} random ones{limit}"
        )

    def speed(self, steps: int = 400, seconds: float = 1.0) -> tuple[int, float]:
        """How many steps were made at random, at most about so many and for about so long, and how many a second."""
        envs, label = self.envs, self.foreign.label
        draw = drawer(envs)
        asked(label, envs.reset, seed=0)
        made, start = 0, time.perf_counter()
        while made < steps and time.perf_counter() - start < seconds:
            _, _, terminated, truncated, _ = asked(label, envs.step, draw())
            made += envs.num_envs
            ended = np.logical_or(terminated, truncated)
            if ended.any() and autoreset_mode(envs) == DISABLED:
                asked(label, envs.reset, options={"reset_mask": ended})
        return made, made / (time.perf_counter() - start)
