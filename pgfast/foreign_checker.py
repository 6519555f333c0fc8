"""What can be checked of environments that Gymnasium steps: they are played twice from the same seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Discrete

from pgfast.environments import Source
from pgfast.errors import EnvironmentFault
from pgfast.probe import probe
from pgfast.vector import DISABLED, Played, asked, autoreset_mode, drawer

TURNS, SECONDS = 1000, 1.0  # of play, whichever is over first
COPIES = 2  # environments, where it is for us to say


class Play(NamedTuple):
    """What T turns of N environments gave, each (T, N, …)."""

    seen: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


class ForeignExamination:
    """Each method makes one check: it returns what was seen, or raises EnvironmentFault."""

    def __init__(self, source: Source) -> None:
        assert source.foreign is not None
        self.source, self.foreign, self.label = source, source.foreign, source.foreign.label
        self.facts: dict[str, Any] = {}
        self._play: Play | None = None

    def steps(self) -> list[tuple[str, Callable[[], str], bool]]:
        """Names, methods, and whether the next ones depend on them."""
        return [
            ("spaces", self.spaces, True),
            ("play", self.play, True),
            ("repetition", self.repetition, False),
            ("observations", self.observations, False),
            ("rewards", self.rewards, False),
            ("ends", self.ends, False),
            ("speed", self.speed, False),
        ]

    def spaces(self) -> str:
        traits = probe(self.source)
        self._limited = traits.limited
        self.facts |= {
            "observations": " ".join(str(self.foreign.observation_space).split()),
            "actions": str(self.foreign.action_space),
            "max_steps": traits.max_steps if traits.limited else None,
        }
        return "there are policies for them"

    def play(self) -> str:
        self.played = Played(self.foreign, None if self.foreign.most else COPIES, None, False)
        start = time.perf_counter()
        self._play = self._random_play(TURNS)
        seconds, count = time.perf_counter() - start, self._play.rewards.size
        self.facts |= {
            "autoreset_mode": autoreset_mode(self.played.envs),
            "steps_per_second": round(count / seconds),
        }
        return f"{count:,} steps at random"

    def _random_play(self, turns: int) -> Play:
        envs, end = self.played.envs, time.perf_counter() + SECONDS
        made: list[Any] = []
        draw = drawer(envs)
        asked(self.label, envs.reset, seed=0)
        while len(made) < turns and (turns < TURNS or time.perf_counter() < end):
            seen, rewards, terminated, truncated, _ = asked(self.label, envs.step, draw())
            made.append(tuple(np.array(x) for x in (seen, rewards, terminated, truncated)))
            ended = np.logical_or(terminated, truncated)
            if ended.any() and autoreset_mode(envs) == DISABLED:
                asked(self.label, envs.reset, options={"reset_mask": ended})
        return Play(*map(np.array, zip(*made, strict=True)))

    def repetition(self) -> str:
        first = self._known()
        again = self._random_play(len(first.rewards))
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, again, strict=True)):
            raise EnvironmentFault(
                f"{self.label}: the same seed and the same actions give something else the second time, so a training "
                f"can't be repeated: draw all that is random from self.np_random."
            )
        return "the same seed and the same actions give the same"

    def observations(self) -> str:
        space, seen = self.foreign.observation_space, self._known().seen
        if isinstance(space, Discrete):
            first, count = int(space.start), int(space.n)
            bad = (seen < first) | (seen >= first + count)
        else:
            bad = ~((seen >= space.low) & (seen <= space.high) & np.isfinite(seen))
        if bad.any():
            turn, k = np.argwhere(bad)[0][:2]
            raise EnvironmentFault(f"{self.label}: the observation {seen[turn, k].tolist()} is outside {space}.")
        return "all finite, and in the observation space"

    def rewards(self) -> str:
        rewards = self._known().rewards
        if not np.all(np.isfinite(rewards)):
            bad = rewards[~np.isfinite(rewards)][0]
            raise EnvironmentFault(f"{self.label}: step gives the reward {bad}: it must be a finite number.")
        return f"all finite, from {rewards.min():g} to {rewards.max():g}"

    def ends(self) -> str:
        play = self._known()
        terminated, truncated = int(play.terminated.sum()), int((play.truncated & ~play.terminated).sum())
        if terminated + truncated == 0:
            steps = f"no episode ended in {len(play.rewards):,} steps of each"
            if not self._limited:
                raise EnvironmentFault(
                    f"{self.label}: {steps}, and there is no time limit: give one where it is registered "
                    f"(max_episode_steps), or to training (max_steps)."
                )
            return steps
        return f"{terminated:,} episodes terminated, {truncated:,} truncated"

    def speed(self) -> str:
        return f"about {self.facts['steps_per_second']:,} steps/s, {self.played.count} side by side"

    def _known(self) -> Play:
        assert self._play is not None
        return self._play
