"""Gymnasium's environments that have a transition table `P`, read as finite MDPs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pgfast.errors import PgfastError

_HARMLESS = {  # wrappers of Gymnasium's that change neither states nor rewards
    "Autoreset",
    "HumanRendering",
    "OrderEnforcing",
    "PassiveEnvChecker",
    "RecordEpisodeStatistics",
    "RecordVideo",
    "RenderCollection",
    "TimeLimit",
}


class NoTableError(PgfastError):
    """There is no table, or more to the environment than its table."""


def transition_table(env: Any) -> Any:
    """`env.unwrapped.P`, where that is all there is to the environment; raises PgfastError where it isn't."""
    table = getattr(getattr(env, "unwrapped", None), "P", None)
    if not isinstance(table, dict) or not table:
        raise NoTableError(f"{env} has no transition table `P`, so it can't be turned into a TabularMDP.")
    for wrapper in _wrappers(env):
        if type(wrapper).__name__ not in _HARMLESS:
            raise NoTableError(
                f"{env} is wrapped in {type(wrapper).__name__}, and its transition table doesn't show what that does: "
                f"give the environment without it."
            )
    if getattr(env.unwrapped, "fickle_passenger", False):
        raise NoTableError(
            f"{env} has a fickle passenger, whom its transition table leaves out: take pgfast's Taxi-v4 with "
            f"fickle_passenger=True."
        )
    return table


def time_limit(env: Any) -> int | None:
    """Steps after which an episode is truncated, by a wrapper or by the environment's registration."""
    limits = [wrapper._max_episode_steps for wrapper in _wrappers(env) if type(wrapper).__name__ == "TimeLimit"]
    return min(limits) if limits else env.spec.max_episode_steps if env.spec is not None else None


def first_states(env: Any, n_states: int) -> np.ndarray:
    """The distribution of the first state."""
    known = getattr(env.unwrapped, "initial_state_distrib", None)
    if known is not None:
        return np.asarray(known, float)
    seen = {int(env.reset(seed=seed)[0]) for seed in range(32)}
    if len(seen) > 1:
        raise NoTableError(
            f"{env} starts in different states and doesn't say how likely each is (initial_state_distrib)."
        )
    first: np.ndarray = np.eye(n_states)[seen.pop()]
    return first


def _wrappers(env: Any) -> Iterator[Any]:
    """From the outermost to the innermost."""
    while env is not env.unwrapped:
        yield env
        env = env.env
