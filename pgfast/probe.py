"""What an environment is like, found by asking it and playing a few steps in plain Python.

Everything that can be wrong with a user's environment and doesn't need compilation to be seen is found here, before any
work is done.
"""

from __future__ import annotations

import dis
import inspect
import math
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from pgfast.compiler import class_attribute
from pgfast.environments import Source
from pgfast.errors import EnvironmentFault, PgfastError
from pgfast.random import Key, make_key

ENGINE_LIMIT = 100_000  # steps, for an environment that sets no limit of its own
_SIGNATURES = {"reset": ("self, key", 2), "step": ("self, state, action, key", 4)}
_OPTIONAL = {"observe": ("self, state", 2), "features": ("self, observation, action", 3)}


@dataclass(frozen=True)
class Traits:
    """What kernels, policies and reports need to know of an environment."""

    like: Any  # a state that can be stepped from: an int, a float, or a flat tuple of them
    observation: Any  # an example of what the policy sees
    n_observations: int | None  # discrete observations, or None
    first_observation: int  # the smallest of them
    n_actions: int
    first_action: int
    max_steps: int  # steps after which an episode is truncated
    limited: bool  # whether the environment says so itself
    paired: bool  # its step draws no random numbers
    optimum: float | None


def probe(source: Source, max_steps: int | None = None) -> Traits:
    """Look at an environment; raises EnvironmentFault when it doesn't keep the protocol, PgfastError when it can't be
    served."""
    env, label = source.env, _label(source)
    _check_methods(type(env), label)
    observation_space, action_space = _space(env, "observation_space", label), _space(env, "action_space", label)
    if not hasattr(action_space, "n"):
        raise PgfastError(
            f"{label} has the action space {action_space}: the policies of pgfast {_version()} choose among discrete "
            f"actions (gymnasium.spaces.Discrete)."
        )
    n_actions, first_action = int(action_space.n), int(getattr(action_space, "start", 0))
    like, observation = _play(env, label, first_action, n_actions)
    discrete = hasattr(observation_space, "n")
    if discrete and not isinstance(observation, int):
        raise EnvironmentFault(
            f"{label}: observe gives {observation!r}, where the observation space {observation_space} has whole "
            f"numbers."
        )
    own = getattr(env, "max_steps", None)
    limit = max_steps or own
    return Traits(
        like=like,
        observation=observation,
        n_observations=int(observation_space.n) if discrete else None,
        first_observation=int(getattr(observation_space, "start", 0)) if discrete else 0,
        n_actions=n_actions,
        first_action=first_action,
        max_steps=int(limit) if limit else ENGINE_LIMIT,
        limited=bool(limit),
        paired=not _draws(type(env)),
        optimum=_optimum(env),
    )


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pgfast")
    except PackageNotFoundError:
        return "in this checkout"


def _label(source: Source) -> str:
    name = type(source.env).__name__
    return f"{Path(source.file).name}, {name}" if source.file is not None else name


def _check_methods(cls: type, label: str) -> None:
    for name, (form, count) in {**_SIGNATURES, **_OPTIONAL}.items():
        method = class_attribute(cls, name)
        if method is None:
            if name in _SIGNATURES:
                raise EnvironmentFault(f"{label} has no method {name}: write `def {name}({form})`.")
            continue
        if not isinstance(method, FunctionType):
            raise EnvironmentFault(
                f"{label}: {name} is no plain method: write `def {name}({form})` without a decorator."
            )
        given = inspect.signature(method)
        if len(given.parameters) != count:
            raise EnvironmentFault(f"{label}: {name} is defined as {name}{given}: write `def {name}({form})`.")


def _space(env: Any, name: str, label: str) -> Any:
    try:
        return getattr(env, name)
    except AttributeError as error:
        raise EnvironmentFault(
            f"{label} has no {name}: write it as a property that gives a gymnasium space ({error})."
        ) from error


def _play(env: Any, label: str, first_action: int, n_actions: int, steps: int = 64) -> tuple[Any, Any]:
    """A start state (ints made floats where a step makes them so), and an observation."""
    state = _call(env, label, "reset", make_key())
    like = _state(state, label, "reset")
    start = like
    for t in range(steps):
        action = first_action + t % n_actions
        result = _call(env, label, "step", state, action, make_key(step=t + 1))
        if not isinstance(result, tuple) or len(result) != 3:
            raise EnvironmentFault(f"{label}: step gives {result!r}: it must be (next state, reward, terminated).")
        state, reward, terminated = result
        like = _widen(like, _state(state, label, "step"), label)
        if isinstance(reward, bool) or not isinstance(reward, int | float | np.number):
            raise EnvironmentFault(f"{label}: step gives the reward {reward!r}: it must be a number.")
        if not math.isfinite(reward):
            raise EnvironmentFault(
                f"{label}: step gives the reward {reward} for action {action}: it must be a finite number."
            )
        if not isinstance(terminated, bool | np.bool_):
            raise EnvironmentFault(f"{label}: step gives {terminated!r} for terminated: it must be True or False.")
        if terminated:
            state = _call(env, label, "reset", make_key(episode=t + 1))
    like = _convert(start, like)
    observation = _call(env, label, "observe", like) if hasattr(env, "observe") else like
    return like, _state(observation, label, "observe")


def _call(env: Any, label: str, name: str, *args: Any) -> Any:
    try:
        return getattr(env, name)(*args)
    except Exception as error:
        line = _line_in(error, type(env))
        raise EnvironmentFault(f"{label}: {name} fails{line}: {type(error).__name__}: {error}") from error


def _line_in(error: Exception, cls: type) -> str:
    """Where in the file of `cls` the error came from."""
    try:
        file = inspect.getfile(cls)
    except (TypeError, OSError):
        return ""
    lines = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f" in line {lines[-1]}" if lines else ""


def _state(value: Any, label: str, method: str) -> Any:
    """A state or observation as Python numbers."""
    if isinstance(value, tuple):
        if not value:
            raise EnvironmentFault(f"{label}: {method} gives an empty tuple: a state has at least one number.")
        return tuple(_number(v, label, method, value) for v in value)
    return _number(value, label, method, value)


def _number(value: Any, label: str, method: str, whole: Any) -> Any:
    if isinstance(value, bool | int | np.integer | np.bool_):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    raise EnvironmentFault(
        f"{label}: {method} gives {whole!r}: a state or observation is a number or a flat tuple of ints and floats."
    )


def _widen(like: Any, seen: Any, label: str) -> Any:
    """`like`, with a float wherever either has one."""
    if isinstance(like, tuple) != isinstance(seen, tuple) or (isinstance(like, tuple) and len(like) != len(seen)):
        raise EnvironmentFault(
            f"{label}: reset gives a state like {like!r} and step one like {seen!r}: they must have one form."
        )
    if isinstance(like, tuple):
        return tuple(float(a) if isinstance(b, float) else a for a, b in zip(like, seen, strict=True))
    return float(like) if isinstance(seen, float) else like


def _convert(value: Any, like: Any) -> Any:
    if isinstance(like, tuple):
        return tuple(type(b)(a) for a, b in zip(value, like, strict=True))
    return type(like)(value)


def _draws(cls: type) -> bool:
    """Does the environment's step look at its key?"""
    step: Any = class_attribute(cls, "step")
    name = list(inspect.signature(step).parameters)[3]
    return any(
        i.argval == name or (isinstance(i.argval, tuple) and name in i.argval) for i in dis.get_instructions(step)
    )


def _optimum(env: Any) -> float | None:
    value = getattr(env, "optimum", None)
    return float(value) if value is not None else None


__all__ = ["ENGINE_LIMIT", "Key", "Traits", "probe"]
