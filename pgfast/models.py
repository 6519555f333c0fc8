"""Policies by name: what each is made of for a given environment.

A new policy is a class in `pgfast.policies` and a line in POLICIES here; a new feature map one in `pgfast.features` and
a line in the function that chooses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pgfast.errors import EnvironmentFault, PgfastError, unknown
from pgfast.features import ActionOneHot, EnvironmentFeatures, Observation, OneHot
from pgfast.kernels.lanes import DOUBLE, PRECISIONS, Field, Precision, lane_fields, make_workspace
from pgfast.kernels.table_tapes import make_table_tape
from pgfast.kernels.tables import make_table, table_fields
from pgfast.kernels.tapes import make_tape, tape_fields
from pgfast.kernels.traces import Traces, trace_fields
from pgfast.policies.linear import LinearSoftmax
from pgfast.policies.state_action import StateActionSoftmax
from pgfast.policies.tabular import TabularSoftmax, row_stride
from pgfast.probe import Traits

FIRST_TAPE = 128  # steps of a tape at first; it grows when an episode is longer


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
    precision: Precision = DOUBLE  # of what lanes compute

    @property
    def n_parameters(self) -> int:
        return int(np.prod(self.shape))

    @property
    def tabular(self) -> bool:
        return self.width == 0

    @property
    def n_actions(self) -> int:
        return int(self.policy.n_actions)

    @property
    def n_states(self) -> int:
        """Rows of a table; 0 without one."""
        return self.shape[0] if self.tabular else 0

    def workspace(self, like: Any, values: int, in_loop: bool) -> np.record:
        """A thread's record of lanes; `values` weights of a learned baseline are used."""
        fields: list[Field]
        if self.tabular:
            fields = table_fields()
        elif in_loop:
            fields = tape_fields(self.width, self.n_rows, values, self.n_actions, self.precision)
        else:
            fields = trace_fields(self.width, self.n_rows, self.n_parameters, values, self.n_actions, self.precision)
        return make_workspace(lane_fields(like, self.precision), fields)

    def memory(self, gamma: float, values: int, in_loop: bool, capacity: int) -> Any:
        """What a thread remembers beside its workspace: a tape of `capacity` steps where one is needed."""
        if self.tabular:
            s, a = self.policy.n_states, self.n_actions
            return make_table_tape(s, a, capacity) if in_loop else make_table(s, a, gamma, capacity)
        return make_tape(self.width, values, capacity) if in_loop else Traces(values)


def build(name: str, env: Any, traits: Traits, bias: bool, precision: str = "float64") -> Model:
    """The policy of that name for an environment; `auto` is tabular for discrete observations and linear for others.

    A table is looked up and added to, with nothing to compute in between: it stays double."""
    if name == "auto":
        name = "tabular" if traits.n_observations is not None else "linear"
    if name not in POLICIES:
        raise unknown("policy", name, ["auto", *POLICIES])
    model = POLICIES[name](env, traits, bias)
    return model if model.tabular else replace(model, precision=PRECISIONS[precision])


def _tabular(env: Any, traits: Traits, bias: bool) -> Model:
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
    return Model("tabular", policy, (s, a), s * a, s * (policy.stride + a), s, 0)


def _linear(env: Any, traits: Traits, bias: bool) -> Model:
    features, d = _state_features(traits, bias)
    a = traits.n_actions
    return Model("linear", LinearSoftmax(features, a), (a, d), (a - 1) * d, (a - 1) * d, d, d)


def _state_action(env: Any, traits: Traits, bias: bool) -> Model:
    a = traits.n_actions
    if hasattr(env, "features"):
        shape = _feature_example(env, traits)
        features: Any = EnvironmentFeatures(shape, len(shape), traits.first_action)
    else:
        features = ActionOneHot(a)
    d = features.n_features
    value_features, n_values = _state_features(traits, True)
    return Model("state-action", StateActionSoftmax(features, value_features, a), (d,), d, d, n_values, a * d)


POLICIES: dict[str, Callable[[Any, Traits, bool], Model]] = {
    "tabular": _tabular,
    "linear": _linear,
    "state-action": _state_action,
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
