"""The state features that settings ask for, made for an environment; and their values at observations."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete

from pgfast.compiler import LANES, store_column
from pgfast.errors import PgfastError
from pgfast.features.catalogue import FEATURES, make_map
from pgfast.features.function import from_function
from pgfast.features.inputs import Inputs
from pgfast.features.observation import Observation, OneHot
from pgfast.files import load_function
from pgfast.foreign import Foreign
from pgfast.probe import Traits, random_action
from pgfast.protocol import activate, write
from pgfast.random import make_key
from pgfast.settings import Settings

AUTO = "auto"


def state_features(env: Any, traits: Traits, settings: Settings, function: FunctionType | None = None) -> Any:
    """The feature map x(s); by default one feature for each discrete observation, or the numbers of a real one.
    `function` is the user's own, where settings only have its name."""
    if settings.features == AUTO:
        if settings.feature_parameters:
            raise PgfastError(
                f"feature_parameters has {', '.join(settings.feature_parameters)}, but no features are chosen: give "
                f"features too, one of {', '.join(FEATURES)}."
            )
        if traits.n_observations is not None:
            return OneHot(traits.n_observations, traits.first_observation)
        shape = _as_floats(traits.observation)
        return Observation(shape, _size(shape) + int(settings.bias), int(settings.bias))
    inputs = _inputs(env, traits, settings)
    if settings.features not in FEATURES:
        function = function or _from_file(settings.features)
    if function is not None:
        if settings.feature_parameters:
            raise PgfastError(f"{settings.features} is a function: it has no feature parameters.")
        return from_function(function, inputs)
    return make_map(settings.features, inputs, settings.feature_parameters)


def state_map(policy: Any) -> Any:
    """The map x(s) of a policy, or None."""
    features = getattr(policy, "features", None)
    return getattr(features, "of_state", features)


def plain(parameters: Any) -> Any:
    """Feature parameters as a configuration file can have them."""
    if not isinstance(parameters, dict):
        return parameters
    lists = {k: v.tolist() if isinstance(v, np.ndarray | np.generic) else v for k, v in parameters.items()}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in lists.items() if v is not None}


def _from_file(name: str) -> FunctionType | None:
    """The function that ``my_features.py:function`` names, if it is such a name."""
    file, colon, function = name.partition(":")
    if name.endswith("()"):
        raise PgfastError(
            f"The features {name} were a function of the program that saved them: give it again, as "
            f"Engine.load(…, features=…)."
        )
    if not file.endswith(".py") or not colon:
        return None
    path = Path(file).expanduser()
    if not path.is_file():
        raise PgfastError(f"There is no file {file!r} to take features from.")
    found = load_function(path.resolve(), function)
    if found is None:
        raise PgfastError(f"{path.name} has no function {function!r} for features.")
    return found


def _inputs(env: Any, traits: Traits, settings: Settings) -> Inputs:
    space = env.observation_space
    if isinstance(space, Discrete):
        low = np.array([float(space.start)])
        high = low + float(space.n) - 1.0
    else:
        low, high = (np.asarray(bound, float).reshape(-1) for bound in (space.low, space.high))
    outputs = traits.n_actions or len(traits.low)
    return Inputs(
        label=traits.label,
        shape=_as_floats(traits.observation),
        low=low,
        high=high,
        discrete=traits.n_observations or 0,
        bias=settings.bias,
        bytes_each=8 * (outputs + 1) * (3 * settings.runs + 8),  # θ, its moments, sums of a batch and room for a step
        bytes_in_lanes=8 * LANES * (os.cpu_count() or 1) * (4 * outputs + 5),  # x, θ, traces and sums, and those of v̂
        played=partial(_random_play, env, traits),
    )


def _random_play(env: Any, traits: Traits, steps: int) -> np.ndarray:
    """Observations of so many steps of random actions, (steps, k), in plain Python; always the same ones."""
    if isinstance(env, Foreign):
        raise PgfastError(
            f"{traits.label} is stepped by somebody else and can't be played beforehand: give the feature parameters "
            f"mean and std (-F mean=… -F std=…)."
        )
    rng, state, t, episode = np.random.default_rng(0), None, 0, 0
    found: list[np.ndarray] = []
    while len(found) < steps:
        if state is None:
            state, t = env.reset(make_key(episode=episode)), 0
        found.append(np.ravel(env.observe(state) if hasattr(env, "observe") else state))
        t += 1
        state, _, terminated = env.step(state, random_action(env.action_space, rng), make_key(episode=episode, step=t))
        if terminated or t >= traits.max_steps:
            state, episode = None, episode + 1
    return np.array(found, float)


def _as_floats(observation: Any) -> Any:
    return tuple(map(float, observation)) if isinstance(observation, tuple) else float(observation)


def _size(shape: Any) -> int:
    return len(shape) if isinstance(shape, tuple) else 1


def in_single(features: Any) -> Any:
    """The same map with its arrays of floats in single precision."""
    arrays = {
        name: value.astype(np.float32)
        for name, value in features._asdict().items()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
    }
    return features._replace(**arrays)


def values_at(features: Any, traits: Traits, observations: np.ndarray, workspace: np.record) -> np.ndarray:
    """x of observations, (N, k) or discrete ones (N,): (N, D); or which features are active, (N, T). A workspace is
    needed to work in: lanes of what is observed."""
    sparse = hasattr(features, "n_active")
    rows = workspace.memory.active if sparse else workspace.memory.x[: features.n_features]
    find = activate if sparse else write
    like, found = traits.observation, np.zeros((len(observations), len(rows)), rows.dtype)
    for first in range(0, len(observations), LANES):
        some = observations[first : first + LANES].tolist()
        for i, seen in enumerate(some):
            value = tuple(seen) if isinstance(like, tuple) else seen[0] if isinstance(seen, list) else seen
            store_column(workspace.lanes.state, workspace.lanes.state_int, i, value, like)
        find(features, None, len(some), like, workspace, rows)
        found[first : first + len(some)] = rows[:, : len(some)].T
    return found
