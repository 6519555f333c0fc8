"""Episodes as data: what was observed and done, what it paid, and how probable the actions were."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pgfast.errors import PgfastError

if TYPE_CHECKING:
    from pgfast.engine import Engine

TOGETHER = 1024  # episodes that are played side by side
_TOLERANCE = 1e-6  # of the sum of probabilities


@dataclass(frozen=True, eq=False)
class Recording:
    """Whole episodes, one after the other: N steps.

    Raises PgfastError for arrays that don't fit each other, and for numbers that can't be.
    """

    observations: Any  # (N,) whole numbers, or (N, D) numbers
    actions: Any  # (N,) whole numbers
    rewards: Any  # (N,)
    ends: Any  # (N,) bool: the last step of an episode
    probabilities: Any  # of the action taken, (N,), or of all actions, (N, A), under the policy that took it
    starts: np.ndarray = field(init=False)  # (E,): the first step of each episode

    def __post_init__(self) -> None:
        types = {"observations": None, "actions": None, "rewards": float, "ends": None, "probabilities": float}
        for name, of_type in types.items():
            object.__setattr__(self, name, _array(name, getattr(self, name), of_type))
        n = len(self.actions)
        for name in types:
            if len(getattr(self, name)) != n:
                raise PgfastError(
                    f"There are {n:,} actions and {len(getattr(self, name)):,} {name}: one for each step."
                )
        if n == 0:
            raise PgfastError("Nothing is recorded: there must be an episode at least.")
        if self.actions.dtype.kind not in "iu" or self.actions.ndim != 1:
            raise PgfastError("The actions recorded must be whole numbers, one for each step.")
        if self.ends.dtype.kind != "b" and not np.isin(self.ends, (0, 1)).all():
            raise PgfastError("ends must have truth values: True at the last step of each episode.")
        if not self.ends[-1]:
            raise PgfastError("The last episode recorded has no end: leave it out, or say that its last step is one.")
        if not np.isfinite(self.rewards).all() or self.rewards.ndim != 1:
            raise PgfastError("The rewards recorded must be finite numbers, one for each step.")
        self._check_probabilities()
        last = np.flatnonzero(self.ends)
        object.__setattr__(self, "starts", np.concatenate([[0], last[:-1] + 1]))

    def _check_probabilities(self) -> None:
        p = self.probabilities
        if not ((p >= 0.0) & (p <= 1.0 + _TOLERANCE)).all():
            worst = p[~((p >= 0.0) & (p <= 1.0 + _TOLERANCE))][0]
            raise PgfastError(f"A probability of the behaviour policy is {worst:g}: it must be from 0 to 1.")
        if p.ndim > 1 and np.abs(p.sum(axis=1) - 1.0).max() > _TOLERANCE:
            raise PgfastError("The behaviour policy's probabilities of all actions must add up to 1 at each step.")

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each episode, (E,)."""
        return np.diff(self.starts, append=len(self.actions))


def _array(name: str, given: Any, of_type: Any) -> np.ndarray:
    try:
        array = np.asarray(given, of_type)
    except (TypeError, ValueError):
        raise PgfastError(f"{name} is no array of numbers.") from None
    if array.ndim == 0:
        raise PgfastError(f"{name} is {given!r}: there must be one for each step.")
    return array


def record(behaviour: Engine, episodes: int, *, on: Engine | None = None, seed: int = 0, run: int = 0) -> Recording:
    """Episodes of the policy that an engine has, with its probabilities of all actions; played in the environment of
    another, `on`, if given.

    Raises PgfastError for real actions, and for an environment that Gymnasium steps."""
    from pgfast.players import Players

    played = on or behaviour
    _check_spaces(behaviour, played, episodes)
    together = min(TOGETHER, episodes)
    players = Players(played.source.env, played.traits, together, played.traits.max_steps)
    parts, seeds = [], {p: (seed + p) % 2**64 for p in range(together)}
    for first in range(0, episodes, together):
        players.begin(np.arange(together) < episodes - first, seeds)
        parts += _play(players, behaviour, min(together, episodes - first), run)
        seeds = {}
    return Recording(*(np.concatenate([episode[k] for episode in parts]) for k in range(5)))


def _check_spaces(behaviour: Engine, played: Engine, episodes: int) -> None:
    traits = played.traits
    if played.source.foreign is not None:
        raise PgfastError(f"{traits.label} is stepped by Gymnasium: record its episodes there, as pgfast.Recording.")
    if behaviour.model.n_reals:
        raise PgfastError(
            f"Actions in {behaviour.source.env.action_space} have densities: episodes are recorded with the "
            f"probabilities of discrete actions."
        )
    for name in ("observation_space", "action_space"):
        ours, theirs = getattr(played.source.env, name), getattr(behaviour.source.env, name)
        if ours != theirs:
            raise PgfastError(f"The behaviour policy has the {name.replace('_', ' ')} {theirs}, not {ours}.")
    if episodes < 1:
        raise PgfastError(f"episodes is {episodes}: it must be at least 1.")


def _play(players: Any, behaviour: Engine, count: int, run: int) -> list[list[np.ndarray]]:
    """One episode of each of the first `count` players, which have begun: five arrays each."""
    steps: list[tuple[np.ndarray, ...]] = []
    going = np.arange(count)
    actions = np.full(players.count, players.traits.first_action)
    while len(going):
        seen, time = players.observations()[going], len(steps)
        chosen = np.asarray(behaviour.predict(seen, run=run, time=time))
        probabilities = behaviour.probabilities(seen, run=run, time=time)
        actions[going] = chosen
        players.step(actions)
        reward, terminated, truncated = (outcome[going] for outcome in players.outcomes())
        ended = terminated | truncated
        steps.append((going, seen, chosen, reward, ended, probabilities))
        going = going[~ended]
    owner = np.concatenate([step[0] for step in steps])
    order = np.argsort(owner, kind="stable")
    bounds = np.cumsum(np.bincount(owner))[:-1]
    columns = [np.split(np.concatenate([step[k] for step in steps])[order], bounds) for k in range(1, 6)]
    return [list(episode) for episode in zip(*columns, strict=True)]
