"""Policies by name: what each is made of for a given environment.

A new policy is a class in `pgfast.policies` and a line in POLICIES here; a new feature map one in `pgfast.features` and
a line in the function that chooses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pgfast.errors import EnvironmentFault, PgfastError, unknown
from pgfast.features import ActionOneHot, EnvironmentFeatures, Observation, OneHot
from pgfast.kernels.lanes import DOUBLE, PRECISIONS, Field, Precision, lane_fields, make_workspace
from pgfast.kernels.table_tapes import make_table_tape
from pgfast.kernels.tables import make_table, table_fields
from pgfast.kernels.tapes import make_tape
from pgfast.kernels.traces import Sizes, Traces, preference_fields, trace_fields
from pgfast.policies.gaussian import LinearGaussian
from pgfast.policies.linear import LinearSoftmax
from pgfast.policies.state_action import StateActionSoftmax
from pgfast.policies.tabular import TabularSoftmax, row_stride
from pgfast.probe import Traits
from pgfast.settings import Settings

FIRST_TAPE = 128  # steps of a tape at first; it grows when an episode is longer
FAR = 1e30  # a bound of a Box beyond it says that there is none


@dataclass(frozen=True)
class Model:
    """A policy for an environment, and how much room it needs."""

    name: str
    policy: Any
    shape: tuple[int, ...]  # of the parameters of one run
    n_rows: int  # of gradient
    n_prepared: int  # numbers that lanes use, derived from the parameters
    n_values: int  # weights of a learned baseline
    width: int  # features of a lane; 0 for a table
    n_outputs: int  # preferences, or the means of real actions
    n_coefficients: int  # of which a score is made
    n_reals: int = 0  # numbers of an action that is not a whole one
    precision: Precision = DOUBLE  # of what lanes compute

    @property
    def n_parameters(self) -> int:
        return int(np.prod(self.shape))

    @property
    def tabular(self) -> bool:
        return self.width == 0

    @property
    def n_actions(self) -> int:
        """Actions to choose from; 0 where they are real numbers."""
        return 0 if self.n_reals else self.n_outputs

    @property
    def n_states(self) -> int:
        """Rows of a table; 0 without one."""
        return self.shape[0] if self.tabular else 0

    def workspace(self, like: Any, values: int, in_loop: bool) -> np.record:
        """A thread's record of lanes; `values` weights of a learned baseline are used."""
        sizes = Sizes(
            self.width, self.n_prepared, self.n_rows, self.n_parameters, self.n_outputs, self.n_coefficients, values
        )
        fields: list[Field]
        if self.tabular:
            fields = table_fields()
        else:
            fields = (preference_fields if in_loop else trace_fields)(sizes, self.precision)
        return make_workspace(lane_fields(like, self.precision, self.n_reals), fields)

    def memory(self, gamma: float, values: int, in_loop: bool, capacity: int) -> Any:
        """What a thread remembers beside its workspace: a tape of `capacity` steps where one is needed."""
        if self.tabular:
            s, a = self.policy.n_states, self.n_actions
            return make_table_tape(s, a, capacity) if in_loop else make_table(s, a, gamma, capacity)
        return make_tape(self.width, values, self.n_reals, capacity) if in_loop else Traces(values)


def build(env: Any, traits: Traits, settings: Settings) -> Model:
    """The policy that the settings ask for; `auto` is gaussian for real actions, else tabular for discrete observations
    and linear for others. Raises PgfastError for one that the environment's spaces don't allow.

    A table is looked up and added to, with nothing to compute in between: it stays double."""
    name = settings.policy
    real = not traits.n_actions
    if name == "auto":
        name = "gaussian" if real else "tabular" if traits.n_observations is not None else "linear"
    if name not in POLICIES:
        raise unknown("policy", name, ["auto", *POLICIES])
    if real and name != "gaussian":
        raise PgfastError(
            f"policy is {name!r}, but the actions are real numbers, {env.action_space}: choose 'gaussian'."
        )
    if not real and name == "gaussian":
        raise PgfastError(
            f"policy is 'gaussian', but the actions are discrete, {env.action_space}: choose 'tabular', 'linear' or "
            f"'state-action', or make the action space a gymnasium.spaces.Box."
        )
    if settings.std0 is not None and name != "gaussian":
        raise PgfastError(f"std0 is {settings.std0}, but a {name} policy has no standard deviation: leave it out.")
    model = POLICIES[name](env, traits, settings)
    return model if model.tabular else replace(model, precision=PRECISIONS[settings.precision])


def _tabular(env: Any, traits: Traits, settings: Settings) -> Model:
    if traits.n_observations is None:
        raise PgfastError(
            "policy is 'tabular', but the observations are real numbers: choose 'linear', or give observe whole "
            "numbers and the environment a Discrete observation space."
        )
    s, a = traits.n_observations, traits.n_actions
    if s * a >= 2**31:
        raise PgfastError(
            f"A table of {s} observations and {a} actions is too large: it can have up to {2**31 - 1} entries."
        )
    policy = TabularSoftmax(s, a, row_stride(a), traits.first_observation)
    return Model("tabular", policy, (s, a), s * a, s * (policy.stride + a), s, 0, a, a)


def _linear(env: Any, traits: Traits, settings: Settings) -> Model:
    features, d = _state_features(traits, settings.bias)
    a = traits.n_actions
    return Model("linear", LinearSoftmax(features, a), (a, d), (a - 1) * d, (a - 1) * d, d, d, a, a)


def _state_action(env: Any, traits: Traits, settings: Settings) -> Model:
    a = traits.n_actions
    if hasattr(env, "features"):
        shape = _feature_example(env, traits)
        features: Any = EnvironmentFeatures(shape, len(shape), traits.first_action)
    else:
        features = ActionOneHot(a)
    d = features.n_features
    value_features, n_values = _state_features(traits, True)
    return Model("state-action", StateActionSoftmax(features, value_features, a), (d,), d, d, n_values, a * d, a, a)


def _gaussian(env: Any, traits: Traits, settings: Settings) -> Model:
    features, d = _state_features(traits, settings.bias)
    largest = float(np.finfo(settings.precision).max)
    low, high = np.clip(traits.low, -largest, largest), np.clip(traits.high, -largest, largest)
    bounded = (low > -FAR) & (high < FAR)
    middle = np.where(bounded, 0.5 * low + 0.5 * high, np.clip(0.0, low, high))
    half = np.where(bounded & (low < high), 0.5 * high - 0.5 * low, math.sqrt(3.0))
    std0 = _first_deviations(env, settings.std0, half / math.sqrt(3.0))  # of a uniform number between the bounds
    k = len(std0)
    entropy0 = float(np.log(std0).sum()) + k / 2 * math.log(2 * math.pi * math.e)
    policy = LinearGaussian(features, _numbers(low), _numbers(high), _numbers(middle), _numbers(std0), entropy0)
    p = k * (d + 1)
    return Model("gaussian", policy, (k, d + 1), p, k * d + 2 * k + 1, d, d, k, 2 * k, k)


def _numbers(array: np.ndarray) -> tuple[float, ...]:
    """Python's own numbers, beside which a float32 stays one."""
    return tuple(array.tolist())


def _first_deviations(env: Any, given: Any, default: np.ndarray) -> np.ndarray:
    """The standard deviations that a gaussian policy begins with: one for each number of an action."""
    if given is None:
        return default
    std0 = np.array(given, float) if isinstance(given, list) else np.full(len(default), given)
    if len(std0) != len(default) or not np.all((std0 > 1.0 / FAR) & (std0 < FAR)):
        raise PgfastError(
            f"std0 is {given}: it must be a positive number, or one for each of the {len(default)} numbers of an "
            f"action in {env.action_space}."
        )
    return std0


POLICIES: dict[str, Callable[[Any, Traits, Settings], Model]] = {
    "tabular": _tabular,
    "linear": _linear,
    "state-action": _state_action,
    "gaussian": _gaussian,
}


def _state_features(traits: Traits, bias: bool) -> tuple[Any, int]:
    if traits.n_observations is not None:
        return OneHot(traits.n_observations, traits.first_observation), traits.n_observations
    seen = traits.observation
    shape = tuple(float(x) for x in seen) if isinstance(seen, tuple) else float(seen)
    d = (len(shape) if isinstance(shape, tuple) else 1) + int(bias)
    return Observation(shape, d, int(bias)), d


def _feature_example(env: Any, traits: Traits) -> tuple[float, ...]:
    lengths = set()
    for action in range(traits.first_action, traits.first_action + traits.n_actions):
        x = env.features(traits.observation, action)
        if not isinstance(x, tuple) or not x:
            raise EnvironmentFault(f"{type(env).__name__}: features gives {x!r}: it must be a tuple of numbers.")
        lengths.add(len(x))
    if len(lengths) > 1:
        raise EnvironmentFault(
            f"{type(env).__name__}: features gives tuples of different lengths for different actions."
        )
    return (0.0,) * lengths.pop()
