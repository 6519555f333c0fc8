"""Policies by name: what each is made of for a given environment.

A new policy is a class in `pgfast.policies` and a line in POLICIES here; feature maps are in `pgfast.features`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from pgfast.errors import EnvironmentFault, PgfastError, unknown
from pgfast.features import ActionOneHot, EnvironmentFeatures, Products
from pgfast.features.inputs import FAR
from pgfast.kernels.lanes import PRECISIONS, TABLES
from pgfast.models import Model
from pgfast.policies.clocks import Shared, Stationary, Timed
from pgfast.policies.escort import Escort
from pgfast.policies.family import Family, ordered_statistics
from pgfast.policies.gaussian import Clipped, First, LinearGaussian
from pgfast.policies.gaussian_deviation import DeviationGaussian
from pgfast.policies.linear import LinearSoftmax
from pgfast.policies.links import Direct, Tempered
from pgfast.policies.mixed import Mixed
from pgfast.policies.sparse import SparseGaussian, SparseSoftmax
from pgfast.policies.squashed import Squashed
from pgfast.policies.state_action import StateActionSoftmax
from pgfast.policies.tabular import TabularSoftmax, row_stride
from pgfast.probe import Traits
from pgfast.settings import Settings, check_owners, default, owners
from pgfast.state_features import AUTO, in_single, state_features
from pgfast.tables.environment import ObservedTable, TableEnvironment


class Policy(NamedTuple):
    """A line of POLICIES."""

    title: str  # what it is, as `pgfast policies` shows it
    source: str
    make: Callable[[Any, Traits, Settings, Any], Model]  # for an environment, with features of its states
    own: tuple[str, ...] = ()  # settings that not all policies have
    real: bool = False  # are actions real numbers?
    featured: bool = False  # can its features be chosen?

    @property
    def settings(self) -> dict[str, Any]:
        """What it can be told, with defaults."""
        names = (*self.own, *(("features", "bias") if self.featured else ()))
        return {name: default(name) for name in names}


def build(env: Any, traits: Traits, settings: Settings, function: FunctionType | None = None) -> Model:
    """The policy that the settings ask for; `auto` is gaussian for real actions, else tabular for discrete observations
    without features and linear for others. `function` has the features, where settings only have its name. Raises
    PgfastError for a policy that the environment's spaces don't allow.

    What is looked up and added to, with nothing to compute in between, stays double."""
    name = settings.policy
    real = not traits.n_actions
    plain = traits.n_observations is not None and settings.features == AUTO
    if name == "auto":
        name = "gaussian" if real else "tabular" if plain else "linear"
    if name not in POLICIES:
        raise unknown("policy", name, ["auto", *POLICIES])
    policy = POLICIES[name]
    check_owners(OF_POLICIES, name, f"the policy {name!r}", settings)
    if real and not policy.real:
        raise PgfastError(
            f"policy is {name!r}, but the actions are real numbers, {env.action_space}: choose 'gaussian'."
        )
    if policy.real and not real:
        raise PgfastError(
            f"policy is {name!r}, but the actions are discrete, {env.action_space}: choose 'tabular', 'linear' or "
            f"'state-action', or make the action space a gymnasium.spaces.Box."
        )
    if settings.features != AUTO and not policy.featured:
        raise PgfastError(
            f"features is {settings.features!r}, which the policy {name!r} has no use for: choose 'linear'."
        )
    wanted = replace(settings, bias=True) if name == "state-action" else settings  # of its value function
    features = state_features(env, traits, wanted, function)
    if hasattr(features, "n_active"):
        return _sparse(env, traits, settings, features)
    if settings.precision == "float32" and policy.featured:
        features = in_single(features)
    model = policy.make(env, traits, settings, features)
    if not model.tabular:
        return replace(model, precision=PRECISIONS[settings.precision])
    return replace(model, precision=TABLES) if isinstance(env, TableEnvironment | ObservedTable) else model


def _tabular(env: Any, traits: Traits, settings: Settings, features: Any) -> Model:
    return _table("tabular", traits, _softmax_link(settings))


def _softmax_link(settings: Settings) -> Any:
    return Direct() if settings.temperature == 1.0 else Tempered(settings.temperature)


def _escort(env: Any, traits: Traits, settings: Settings, features: Any) -> Model:
    return replace(_table("escort", traits, Escort(settings.escort_power)), theta0=1.0)


def _mixed(env: Any, traits: Traits, settings: Settings, features: Any) -> Model:
    return _table("mixed", traits, Mixed(settings.mixing))


def _timed(env: Any, traits: Traits, settings: Settings, features: Any) -> Model:
    if not traits.limited:
        raise PgfastError(
            f"policy is 'timed', but {traits.label} has no time limit: give max_steps, or choose 'tabular'."
        )
    clock = Timed(traits.max_steps, traits.n_observations or 0)
    return _table("timed", traits, _softmax_link(settings), clock=clock)


def _family(env: Any, traits: Traits, settings: Settings, features: Any) -> Model:
    statistics = ordered_statistics(settings.statistics, traits.n_actions)
    if traits.n_observations is None or settings.features != AUTO:
        return _linear_family(traits, settings, statistics, features)
    clock = Shared(traits.n_observations or 0) if settings.shared else Stationary()
    return _table("exponential-family", traits, Family(statistics), statistics.shape[1], clock)


def _linear_family(traits: Traits, settings: Settings, statistics: np.ndarray, features: Any) -> Model:
    """With η(s) = θ x(s)."""
    if settings.shared:
        raise PgfastError("shared is on, which a table has: with features, choose those that are 'bias'.")
    (a, k), d = statistics.shape, features.n_features
    products = Products(features, statistics.astype(settings.precision), k * d)
    policy = StateActionSoftmax(products, features, a, Direct())
    return Model(
        "exponential-family", policy, (k, d), k * d, k * d, d, a * k * d, a, a, n_inputs=features.n_inputs,
    )  # fmt: skip


def _table(name: str, traits: Traits, link: Any, width: int | None = None, clock: Any = None) -> Model:
    """A table with `width` parameters to a row, by default one for each action."""
    if traits.n_observations is None:
        raise PgfastError(
            f"policy is {name!r}, but the observations are real numbers: choose 'linear', or give observe whole "
            f"numbers and the environment a Discrete observation space."
        )
    n, a = traits.n_observations, traits.n_actions
    clock = clock or Stationary()
    shape = (clock.horizon, n) if isinstance(clock, Timed) else (1,) if isinstance(clock, Shared) else (n,)
    s, d = math.prod(shape), width or a
    if s * max(a, d) >= 2**31:
        raise PgfastError(
            f"A table of {s} observations and {a} actions is too large: it can have up to {2**31 - 1} entries."
        )
    policy = TabularSoftmax(s, a, row_stride(a), traits.first_observation, d, link, clock)
    return Model(name, policy, (*shape, d), s * a, s * (policy.stride + a), s, 0, a, a)


def _linear(env: Any, traits: Traits, settings: Settings, features: Any) -> Model:
    d, a = features.n_features, traits.n_actions
    policy = LinearSoftmax(features, a, _softmax_link(settings))
    return Model("linear", policy, (a, d), (a - 1) * d, (a - 1) * d, d, d, a, a, n_inputs=features.n_inputs)


def _sparse(env: Any, traits: Traits, settings: Settings, features: Any) -> Model:
    """The policy of features of which few are active; raises PgfastError for what it can't be."""
    if settings.policy in ("gaussian-linear-std", "exponential-family"):
        raise PgfastError(
            f"policy is {settings.policy!r}, which features {settings.features!r}, few of which are active, don't go "
            f"with: choose {'linear' if traits.n_actions else 'gaussian'!r}, or others, such as 'fourier'."
        )
    if not traits.n_actions:
        return _sparse_gaussian(env, traits, settings, features)
    d, a = features.n_features, traits.n_actions
    return Model(
        "linear", SparseSoftmax(features, a, _softmax_link(settings)), (d, a), d * a, 0, d, 0, a, a,
        n_active=features.n_active, n_inputs=features.n_inputs,
    )  # fmt: skip


def _state_action(env: Any, traits: Traits, settings: Settings, value_features: Any) -> Model:
    a = traits.n_actions
    if hasattr(env, "features"):
        shape = _feature_example(env, traits)
        features: Any = EnvironmentFeatures(shape, len(shape), traits.first_action)
    else:
        features = ActionOneHot(a)
    d = features.n_features
    policy = StateActionSoftmax(features, value_features, a, _softmax_link(settings))
    return Model("state-action", policy, (d,), d, d, value_features.n_features, a * d, a, a)


def _gaussian(env: Any, traits: Traits, settings: Settings, features: Any) -> Model:
    k, d = len(traits.low), features.n_features
    policy = LinearGaussian(features, _first_gaussian(env, traits, settings))
    p = k * (d + 1)
    return Model("gaussian", policy, (k, d + 1), p, k * d + 2 * k + 1, d, d, k, 2 * k, k, n_inputs=features.n_inputs)


def _gaussian_linear_std(env: Any, traits: Traits, settings: Settings, features: Any) -> Model:
    k, d = len(traits.low), features.n_features
    policy = DeviationGaussian(features, _first_gaussian(env, traits, settings))
    p = 2 * k * d
    return Model("gaussian-linear-std", policy, (k, 2, d), p, p, d, d, k, 2 * k, k, n_inputs=features.n_inputs)


def _sparse_gaussian(env: Any, traits: Traits, settings: Settings, features: Any) -> Model:
    k, rows = len(traits.low), features.n_features + 1
    policy = SparseGaussian(features, _first_gaussian(env, traits, settings))
    return Model(
        "gaussian", policy, (rows, k), rows * k, 2 * k + 1, rows, 0, k, 2 * k, k,
        n_active=features.n_active, n_inputs=features.n_inputs,
    )  # fmt: skip


def _first_gaussian(env: Any, traits: Traits, settings: Settings) -> First:
    """Around the middle of the Box, as wide as a uniform number between its bounds unless said otherwise."""
    largest = float(np.finfo(settings.precision).max)
    low, high = np.clip(traits.low, -largest, largest), np.clip(traits.high, -largest, largest)
    bounded = (low > -FAR) & (high < FAR)
    middle = np.where(bounded, 0.5 * low + 0.5 * high, np.clip(0.0, low, high))
    half = np.where(bounded & (low < high), 0.5 * high - 0.5 * low, math.sqrt(3.0))
    std0 = _first_deviations(env, settings.std0, half / math.sqrt(3.0))  # of a uniform number between the bounds
    if settings.squash:
        if not np.all(bounded & (low < high)):
            raise PgfastError(
                f"squash is on, but not all actions in {env.action_space} have two bounds: leave it out, or give the "
                f"Box bounds."
            )
        middle, std0 = 0.0 * middle, std0 / half
    k = len(std0)
    entropy0 = float(np.log(std0).sum()) + k / 2 * math.log(2 * math.pi * math.e)
    box = Squashed() if settings.squash else Clipped()
    return First(box, _numbers(low), _numbers(high), _numbers(middle), _numbers(std0), entropy0)


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


POLICIES = {
    "tabular": Policy(
        "A softmax of preferences, one for each observation and action: π(a|s) ∝ exp(θ[s, a]/τ)",
        "Sutton & Barto (2018), section 13.1",
        _tabular,
        own=("temperature",),
    ),
    "linear": Policy(
        "A softmax of preferences linear in features of the observation: π(a|s) ∝ exp(θ_aᵀ x(s)/τ)",
        "Sutton & Barto (2018), section 13.1",
        _linear,
        own=("temperature",),
        featured=True,
    ),
    "state-action": Policy(
        "A softmax of preferences linear in features of observation and action: π(a|s) ∝ exp(θᵀ x(s, a)/τ)",
        "Sutton & Barto (2018), section 13.1",
        _state_action,
        own=("temperature",),
    ),
    "escort": Policy(
        "Powers of the parameters of a table: π(a|s) ∝ |θ[s, a]|ᵖ",
        "Mei, Xiao, Dai, Li, Szepesvári & Schuurmans (2020), Escaping the gravitational pull of softmax, NeurIPS",
        _escort,
        own=("escort_power",),
    ),
    "mixed": Policy(
        "A table's softmax, mixed with random actions: π(a|s) = (1 − ε) softmax(θ[s])_a + ε/A",
        "Sutton & Barto (2018), section 5.4",
        _mixed,
        own=("mixing",),
    ),
    "exponential-family": Policy(
        "For actions in an order, by statistics T of them: π(a|s) ∝ exp(θ[s]ᵀ T(a)), or exp((θ x(s))ᵀ T(a))",
        "Wainwright & Jordan (2008), Graphical models, exponential families, and variational inference, section 3",
        _family,
        own=("statistics", "shared"),
        featured=True,
    ),
    "timed": Policy(
        "A table for every step of an episode: π_t(a|s) ∝ exp(θ[t, s, a]/τ)",
        "Puterman (1994), Markov decision processes, chapter 4",
        _timed,
        own=("temperature",),
    ),
    "gaussian": Policy(
        "Real actions, normal around a mean linear in features: a ~ N(m + w x(s), σ²)",
        "Williams (1992), section 6; Sutton & Barto (2018), section 13.7",
        _gaussian,
        own=("std0", "squash"),
        real=True,
        featured=True,
    ),
    "gaussian-linear-std": Policy(
        "The same with log σ linear in features, too",
        "Sutton & Barto (2018), section 13.7",
        _gaussian_linear_std,
        own=("std0", "squash"),
        real=True,
        featured=True,
    ),
}
OF_POLICIES = owners(POLICIES)  # settings that not all have


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
