"""Gymnasium environments that pgfast can't compile: where to get them, how many, and what their spaces are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pgfast.compiler import LANES
from pgfast.errors import EnvironmentFault, PgfastError
from pgfast.kernels.outside import Outside

MOST_NUMBERS = 512  # of an observation: a kernel has code for each of them
_WRAP = "wrap it in gymnasium.wrappers.FlattenObservation, or TransformObservation for features of your own"


@dataclass(frozen=True)
class Foreign:
    """Environments that Gymnasium steps, one or many at a time."""

    label: str  # what messages call them
    observation_space: Any
    action_space: Any
    max_steps: int | None  # of their own, if they say so
    make: Callable[[int | None], Any] | None = None  # another one of them, with this time limit or its own
    given: Any = None  # the user's own Env or VectorEnv, used as it is
    spec: Any = None  # Gymnasium's, if that is what they are made by

    @property
    def playable(self) -> bool:
        """Can pgfast have them stepped? Not where somebody's simulation owns the loop."""
        return self.make is not None or self.given is not None

    @property
    def most(self) -> int | None:
        """How many there can be, if there is a limit."""
        if self.given is None:
            return None
        return int(getattr(self.given, "num_envs", 1))

    @property
    def blank(self) -> Any:
        """Something of an observation's form, as kernels have it."""
        from gymnasium.spaces import Discrete

        space = self.observation_space
        if isinstance(space, Discrete):
            return int(space.start)
        return (0.0,) * space.shape[0] if space.shape else 0.0

    def stand_in(self) -> Outside:
        """What stands for them in kernels."""
        return Outside(self.blank)


def from_spec(spec: Any, env: Any, label: str) -> Foreign:
    """Environments that Gymnasium makes by a spec, of which `env` is one; it is closed."""
    import gymnasium

    def make(max_steps: int | None) -> Any:
        more: dict[str, Any] = {} if max_steps is None else {"max_episode_steps": max_steps}
        return gymnasium.make(spec, **more)

    found = Foreign(label, env.observation_space, env.action_space, _limit(env), make, spec=spec)
    env.close()
    return checked(found)


def from_maker(make: Callable[[], Any], label: str | None = None) -> Foreign:
    """Environments that a function or a class makes."""

    def limited(max_steps: int | None) -> Any:
        return make()

    try:
        env = make()
    except Exception as error:  # whatever it raises: it is not ours
        raise PluginFault(f"{label or make} can't make an environment: {type(error).__name__}: {error}") from error
    if not hasattr(env, "unwrapped"):
        raise PgfastError(f"{label or make} gives {env!r}: it must give a Gymnasium environment.")
    if hasattr(env, "num_envs"):
        return from_object(env)
    label = label or _name(env)
    found = Foreign(label, env.observation_space, env.action_space, _limit(env), limited)
    env.close()
    return checked(found)


def from_object(env: Any) -> Foreign:
    """A Gymnasium environment, or a vector of them, that exists already."""
    many, label = hasattr(env, "num_envs"), _name(env)
    spaces = (
        (env.single_observation_space, env.single_action_space) if many else (env.observation_space, env.action_space)
    )
    if many and env.num_envs > LANES:
        raise PgfastError(f"{label} is a vector of {env.num_envs} environments: pgfast steps up to {LANES} together.")
    return checked(Foreign(label, *spaces, _limit(env), given=env))


def _name(env: Any) -> str:
    """What messages call an environment; a vector goes by the first of its own, if it shows them."""
    env = next(iter(getattr(env, "envs", ())), env)
    return env.spec.id if env.spec is not None else type(env.unwrapped).__name__


def _limit(env: Any) -> int | None:
    """The time limit that an environment says it has."""
    spec = getattr(env, "spec", None)
    limit = getattr(spec, "max_episode_steps", None)
    return None if limit is None else int(limit)


def checked(foreign: Foreign) -> Foreign:
    """The same; raises PgfastError for spaces that pgfast has no policy for."""
    from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

    label, seen, actions = foreign.label, foreign.observation_space, foreign.action_space
    if isinstance(seen, Dict | Tuple | MultiDiscrete | MultiBinary):
        raise PgfastError(f"{label} observes {_in_words(seen)}: {_WRAP}.")
    if isinstance(seen, Box) and len(seen.shape) > 1:
        raise PgfastError(
            f"{label} observes {'x'.join(map(str, seen.shape))} numbers, an image: a linear policy can make little of "
            f"its pixels; {_WRAP}."
        )
    if not isinstance(seen, Box | Discrete) or seen.shape == (0,):
        raise PgfastError(
            f"{label} has the observation space {seen}: wrap it in gymnasium.wrappers.TransformObservation, to give a "
            f"Discrete space or a Box."
        )
    if isinstance(seen, Box) and seen.low.size > MOST_NUMBERS:
        raise PgfastError(
            f"{label} observes {seen.low.size} numbers: kernels are compiled for up to {MOST_NUMBERS}; wrap it in "
            f"gymnasium.wrappers.TransformObservation, to give those that matter."
        )
    real = isinstance(actions, Box) and actions.low.dtype.kind == "f" and actions.low.ndim < 2 and actions.low.size > 0
    if not real and not isinstance(actions, Discrete):
        raise PgfastError(
            f"{label} has the action space {actions}: wrap it in gymnasium.wrappers.TransformAction, to take actions "
            f"of a Discrete space, or of a Box of floats of shape () or (n,)."
        )
    return foreign


def _in_words(space: Any) -> str:
    return " ".join(str(space).split())


class PluginFault(EnvironmentFault):
    """A Gymnasium environment raised something; the exception is the cause."""

    @property
    def details(self) -> str:
        """Its own traceback, from where pgfast called it on."""
        import traceback

        cause = self.__cause__
        if cause is None:
            return ""
        trace = cause.__traceback__
        inner = trace.tb_next if trace is not None and trace.tb_next is not None else trace
        return "".join(traceback.format_exception(type(cause), cause, inner)).rstrip()
