"""What an environment is like, found by asking it and playing a few steps in plain Python.

Everything that can be wrong with a user's environment and doesn't need compilation to be seen is found here, before any
work is done.
"""

from __future__ import annotations

import dis
import inspect
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from pgfast.bodies import check_bodies
from pgfast.compiler import class_attribute
from pgfast.environments import Source
from pgfast.errors import EnvironmentFault, PgfastError
from pgfast.files import line_in
from pgfast.kernels.actions import Choices, Reals
from pgfast.random import make_key

ENGINE_LIMIT = 100_000  # steps, for an environment that sets no limit of its own
_SIGNATURES = {"reset": ("self, key", 2), "step": ("self, state, action, key", 4)}
_OPTIONAL = {"observe": ("self, state", 2), "features": ("self, observation, action", 3)}


@dataclass(frozen=True)
class Traits:
    """What kernels, policies and reports need to know of an environment."""

    label: str  # what messages call it
    like: Any  # a state that can be stepped from: an int, a float, or a flat tuple of them
    observation: Any  # an example of what the policy sees
    n_observations: int | None  # discrete observations, or None
    first_observation: int  # the smallest of them
    n_actions: int  # discrete actions; 0 where they are real numbers
    first_action: int  # the smallest of them
    max_steps: int  # steps after which an episode is truncated
    limited: bool  # whether the environment says so itself
    paired: bool  # its step draws no random numbers
    optimum: float | None
    action: Any = 0  # an example: an int, a float, or a tuple of floats
    low: tuple[float, ...] = ()  # bounds of real actions, which may be infinite
    high: tuple[float, ...] = ()

    @property
    def actions(self) -> Choices | Reals:
        """What kernels need to know of an action."""
        return Choices(self.first_action) if self.n_actions else Reals(self.action)


def probe(source: Source, max_steps: int | None = None) -> Traits:
    """Look at an environment; raises EnvironmentFault when it doesn't keep the protocol."""
    env, label = source.env, source.label
    if source.foreign is not None:
        seen = source.foreign.blank  # which is what lanes have as a state, too
        spaces = env.observation_space, env.action_space
        return _traits(label, spaces, (seen, seen), max_steps or source.foreign.max_steps)
    _check_methods(type(env), label)
    _check_parameters(env, label)
    check_bodies(type(env))
    spaces = _spaces(env, label)
    traits = _traits(label, spaces, _play(env, label, spaces), max_steps or _own_limit(env, label))
    return replace(traits, paired=not _draws(type(env)), optimum=_optimum(env, label))


def _traits(label: str, spaces: tuple[Any, Any], examples: tuple[Any, Any], limit: int | None) -> Traits:
    """What the spaces, and examples of a state and an observation, say."""
    seen, actions = spaces
    discrete = isinstance(actions, Discrete)
    like, observation = examples
    return Traits(
        label=label,
        like=like,
        observation=observation,
        n_observations=int(seen.n) if isinstance(seen, Discrete) else None,
        first_observation=int(seen.start) if isinstance(seen, Discrete) else 0,
        n_actions=int(actions.n) if discrete else 0,
        first_action=int(actions.start) if discrete else 0,
        max_steps=limit or ENGINE_LIMIT,
        limited=limit is not None,
        paired=True,
        optimum=None,
        action=next(some_actions(actions)),
        low=() if discrete else tuple(actions.low.reshape(-1).tolist()),
        high=() if discrete else tuple(actions.high.reshape(-1).tolist()),
    )


def some_actions(space: Any) -> Iterator[Any]:
    """Actions without end, as `step` takes them: of a Discrete space one after the other, of a Box at random."""
    if isinstance(space, Discrete):
        for t in itertools.count():
            yield int(space.start) + t % int(space.n)
    rng = np.random.default_rng(0)
    while True:
        yield random_action(space, rng)


def random_action(space: Any, rng: np.random.Generator) -> Any:
    """An action as `step` takes it: any of a Discrete space, or a random point of a Box."""
    if isinstance(space, Discrete):
        return int(space.start) + int(rng.integers(int(space.n)))
    numbers = random_reals(space, rng, 1)[:, 0].tolist()
    return tuple(numbers) if len(numbers) > 1 else numbers[0]


def random_reals(space: Any, rng: np.random.Generator, size: int) -> np.ndarray:
    """Random points of a Box of K numbers, (K, size): uniform between finite bounds, else normal numbers, clipped."""
    low, high = space.low.reshape(-1, 1).astype(float), space.high.reshape(-1, 1).astype(float)
    bounded = np.isfinite(low) & np.isfinite(high)
    least, width = np.where(bounded, low, 0.0), np.where(bounded, high - low, 0.0)
    shape = (len(low), size)
    return np.clip(np.where(bounded, least + width * rng.random(shape), rng.normal(size=shape)), low, high)


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


def _check_parameters(env: Any, label: str) -> None:
    for name, value in env._asdict().items():
        numeric = isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
        if not (
            value is None or numeric or _is_number(value) or (isinstance(value, tuple) and all(map(_is_number, value)))
        ):
            raise EnvironmentFault(
                f"{label}: the parameter {name} is {value!r}: it must be a number, a tuple of numbers or a NumPy array "
                f"of numbers."
            )
        if not all(map(_fits, value if isinstance(value, tuple) else (value,))):
            raise EnvironmentFault(f"{label}: the parameter {name} is a whole number that doesn't fit 64 bits.")


def _fits(value: Any) -> bool:
    """Into 64 bits, if it is a whole number."""
    return not isinstance(value, int | np.integer) or -(2**63) <= int(value) < 2**63


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating)


def _spaces(env: Any, label: str) -> tuple[Any, Any]:
    """What can be observed, and what can be done."""
    seen, actions = (_space(env, name, label) for name in ("observation_space", "action_space"))
    if not isinstance(seen, Discrete | Box) or (isinstance(seen, Box) and len(seen.shape) > 1):
        raise EnvironmentFault(
            f"{label} has the observation space {seen}: it must be gymnasium.spaces.Discrete, or a Box of shape () or "
            f"(n,)."
        )
    real = isinstance(actions, Box) and actions.low.dtype.kind == "f" and actions.low.ndim <= 1 and actions.low.size
    if not real and not isinstance(actions, Discrete):
        raise EnvironmentFault(
            f"{label} has the action space {actions}: it must be gymnasium.spaces.Discrete, or a Box of floats of "
            f"shape () or (n,)."
        )
    return seen, actions


def _space(env: Any, name: str, label: str) -> Any:
    form = f"write `{name}` as a property that gives a gymnasium space"
    if class_attribute(type(env), name) is None and name not in env._fields:
        raise EnvironmentFault(f"{label} has no {name}: {form}.")
    try:
        space = getattr(env, name)
    except PgfastError:  # about a parameter
        raise
    except Exception as error:
        raise _fails(error, env, label, name) from error
    if callable(space):
        raise EnvironmentFault(f"{label}: {name} is a method: {form}, with @property above it.")
    return space


def _own_limit(env: Any, label: str) -> int | None:
    limit = getattr(env, "max_steps", None)
    if limit is None or (isinstance(limit, int | np.integer) and not isinstance(limit, bool) and 1 <= limit < 2**32):
        return None if limit is None else int(limit)
    raise EnvironmentFault(f"{label}: max_steps is {limit!r}: it must be a whole number of at least 1, or None.")


def _play(env: Any, label: str, spaces: tuple[Any, Any], steps: int = 64) -> tuple[Any, Any]:
    """A start state (ints made floats where a step makes them so), and an observation."""
    seen, actions = spaces
    state = call_method(env, label, "reset", make_key())
    start = like = _state(state, label, "reset")
    _observe(env, label, seen, state, "reset")
    for t, action in zip(range(steps), some_actions(actions), strict=False):
        result = call_method(env, label, "step", state, action, make_key(step=t + 1))
        if not isinstance(result, tuple) or len(result) != 3:
            raise EnvironmentFault(f"{label}: step gives {result!r}: it must be (next state, reward, terminated).")
        state, reward, terminated = result
        like = _widen(like, _state(state, label, "step"), label)
        _observe(env, label, seen, state, "step")
        _check_reward(reward, action, label)
        if not isinstance(terminated, bool | np.bool_):
            raise EnvironmentFault(f"{label}: step gives {terminated!r} for terminated: it must be True or False.")
        if terminated:
            state = call_method(env, label, "reset", make_key(episode=t + 1))
    like = _convert(start, like)
    return like, _observe(env, label, seen, like, "reset")


def _check_reward(reward: Any, action: Any, label: str) -> None:
    if isinstance(reward, bool | np.bool_) or not _is_number(reward):
        raise EnvironmentFault(f"{label}: step gives the reward {reward!r}: it must be a number.")
    if not _fits(reward):
        raise EnvironmentFault(f"{label}: step gives a reward that doesn't fit 64 bits.")
    if not math.isfinite(reward):
        raise EnvironmentFault(
            f"{label}: step gives the reward {reward} for action {action}: it must be a finite number."
        )


def _observe(env: Any, label: str, space: Any, state: Any, giver: str) -> Any:
    """What the policy sees of a state, as Python numbers; it must be in its space."""
    if hasattr(env, "observe"):
        giver, state = "observe", call_method(env, label, "observe", state)
    observation = _state(state, label, giver)
    if not _fits_space(observation, space):
        what = "the observation" if giver == "observe" else "a state, which is the observation,"
        raise EnvironmentFault(f"{label}: {giver} gives {what} {observation!r}: it must be in {space}.")
    return observation


def _fits_space(observation: Any, space: Any) -> bool:
    """Is it of the form of the observation space, and where that is discrete, in it?"""
    if isinstance(space, Discrete):
        return isinstance(observation, int) and int(space.start) <= observation < int(space.start) + int(space.n)
    size = len(observation) if isinstance(observation, tuple) else 1
    return size == math.prod(space.shape) and (isinstance(observation, tuple) or size == 1)


def call_method(env: Any, label: str, name: str, *args: Any) -> Any:
    """What a method gives in plain Python; what it raises becomes an EnvironmentFault with the line."""
    try:
        return getattr(env, name)(*args)
    except Exception as error:
        raise _fails(error, env, label, name) from error


def _fails(error: Exception, env: Any, label: str, name: str) -> EnvironmentFault:
    """What a method or property raised, with the line of the environment's file that it came from."""
    try:
        line = line_in(error, inspect.getfile(type(env)))
    except (TypeError, OSError):
        line = ""
    file, comma, cls = label.partition(", ")
    place = f"{file}{line}, {cls}" if comma else label
    return EnvironmentFault(f"{place}.{name} fails with {type(error).__name__}: {error}")


def _state(value: Any, label: str, method: str) -> Any:
    """A state or observation as Python numbers."""
    if isinstance(value, tuple):
        if not value:
            raise EnvironmentFault(f"{label}: {method} gives an empty tuple: a state has at least one number.")
        return tuple(_number(v, label, method, value) for v in value)
    return _number(value, label, method, value)


def _number(value: Any, label: str, method: str, whole: Any) -> Any:
    if not _fits(value):
        raise EnvironmentFault(f"{label}: {method} gives a whole number that doesn't fit 64 bits.")
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


def _optimum(env: Any, label: str) -> float | None:
    try:
        value = getattr(env, "optimum", None)
        return None if value is None else float(value)
    except Exception as error:
        raise EnvironmentFault(
            f"{label}: optimum must be a number or None ({type(error).__name__}: {error})."
        ) from error


__all__ = ["ENGINE_LIMIT", "Traits", "call_method", "probe", "random_reals", "some_actions"]
