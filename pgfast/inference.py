"""What a policy makes of observations that its user has: probabilities in NumPy, actions by a kernel."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import cache
from threading import Lock
from typing import Any

import numpy as np

from pgfast.errors import PgfastError
from pgfast.features import EnvironmentFeatures, Observation, OneHot, Products
from pgfast.features.normalised import Normalised
from pgfast.kernels.learner import Learner
from pgfast.kernels.predictions import COUNT, DETERMINISTIC, HIGHEST, LOADED, LOWEST, NUMBER, ORDER, RUN, TIME, predict
from pgfast.kernels.scaling import scale_of
from pgfast.models import Model
from pgfast.probe import Traits
from pgfast.results import Gaussian
from pgfast.state_features import state_map, values_at

ROOM = 1024  # observations that a call of the kernel takes


def scales(model: Model, learner: Learner) -> tuple[np.ndarray, np.ndarray]:
    """Running mean and 1 / running deviation of every run's observations, each (runs, K)."""
    width, at = model.n_scaled, learner.observed_at
    found = [[scale_of(learner.runs, run, at, width, k) for k in range(width)] for run in range(len(learner.runs))]
    both = np.array(found)
    return both[..., 0], both[..., 1]


def frozen(model: Model, learner: Learner, run: int) -> Model:
    """The model for a run's observations: with the running mean and deviation that they have now."""
    if not model.n_scaled:
        return model
    mean, inverse = (numbers[run].astype(model.precision.real) for numbers in scales(model, learner))
    moving = state_map(model.policy)
    fixed = Normalised(moving.shape, moving.n_features, moving.bias, mean, inverse, moving.clip)
    features = model.policy.features
    inner = features._replace(of_state=fixed) if isinstance(features, Products) else fixed
    return replace(model, policy=model.policy._replace(features=inner))


def softmax(h: np.ndarray) -> np.ndarray:
    """Along the last axis; safe for any finite preferences."""
    largest = np.finfo(float).max
    h = np.clip(h, -largest, largest)
    with np.errstate(over="ignore"):
        e = np.exp(h - h.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def checked(traits: Traits, obs: Any) -> np.ndarray:
    """One observation or an array of them: whole numbers (…), or floats (…, D); raises PgfastError for one outside the
    space."""
    try:
        given = np.asarray(obs, None if traits.n_observations is not None else float)
    except (TypeError, ValueError, OverflowError):
        raise PgfastError(f"The observation {obs!r} is no number or array of numbers.") from None
    if traits.n_observations is not None:
        if given.dtype.kind not in "iu":
            raise PgfastError(f"The observation {obs!r} is no whole number: it must be one of {traits.n_observations}.")
        last = traits.first_observation + traits.n_observations - 1
        if np.any((given < traits.first_observation) | (given > last)):
            raise PgfastError(f"The observation {obs!r} is not from {traits.first_observation} to {last}.")
        return given
    size = len(traits.observation) if isinstance(traits.observation, tuple) else 1
    x = given[..., None] if size == 1 and (given.ndim == 0 or given.shape[-1] != 1) else given
    if x.shape[-1] != size:
        raise PgfastError(f"The observation {obs!r} has {x.shape[-1]} numbers: this environment's have {size}.")
    if not np.all(np.isfinite(x)):
        raise PgfastError(f"The observation {obs!r} has an entry that is not finite.")
    if isinstance(traits.observation, tuple):
        whole = [k for k, element in enumerate(traits.observation) if not isinstance(element, float)]
        if np.any(x[..., whole] != np.floor(x[..., whole])):
            raise PgfastError(f"The observation {obs!r} has a fraction where this environment's have a whole number.")
    return x


def preferences(model: Model, env: Any, traits: Traits, theta: np.ndarray, obs: Any, time: int = 0) -> np.ndarray:
    """h(s, ·) for each observation, (…, A), `time` steps into an episode; raises PgfastError for an observation outside
    the space."""
    policy = model.policy
    if model.tabular:
        seen = checked(traits, obs) - traits.first_observation
        rows = theta.reshape(model.n_states, -1)[policy.clock.rows_of(seen, time)]
    else:
        rows = linear_part(model, env, traits, theta, obs)
    return np.asarray(policy.link.preferences(rows))


def linear_part(model: Model, env: Any, traits: Traits, theta: np.ndarray, obs: Any) -> np.ndarray:
    """θ_aᵀ x(s) or θᵀ x(s, a) for each observation, (…, A): what the link of a linear policy makes preferences of."""
    if model.name == "state-action":
        return _state_action(model, env, traits, theta, checked(traits, obs))
    features = getattr(model.policy, "features", None)
    if isinstance(features, Products):
        return np.asarray(_products(model, traits, theta, obs) @ features.statistics.T)
    return _products(model, traits, theta.T if model.sparse else theta, obs)


def _products(model: Model, traits: Traits, weights: np.ndarray, obs: Any) -> np.ndarray:
    """x(s) · w for each row w of the weights, (…, rows)."""
    x, features = checked(traits, obs), state_map(model.policy)
    if features is None or isinstance(features, OneHot):
        return np.asarray(weights.T[x - traits.first_observation])
    if isinstance(features, Observation):
        if features.bias:
            x = np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1)
        return np.asarray(x @ weights.T)
    shape = x.shape if traits.n_observations is not None else x.shape[:-1]
    rows = x.reshape(-1) if traits.n_observations is not None else x.reshape(-1, x.shape[-1])
    found = values_at(features, traits, rows, model.workspace(traits.observation, 0, True))
    products = weights.T[found].sum(axis=1) if model.sparse else found @ weights.T
    return np.asarray(products).reshape(*shape, len(weights))


def gaussian(model: Model, traits: Traits, theta: np.ndarray, obs: Any) -> Gaussian:
    """Means and standard deviations of real actions for each observation, (…, K), or (…) where an action is a float;
    raises PgfastError for an observation outside the space."""
    first, linear = model.policy.first, theta.ndim == 3  # log σ too
    rows = theta.T if model.sparse else theta
    weights, log_std = (rows[:, 0], rows[:, 1]) if linear else (rows[:, :-1], rows[:, -1])
    mean = np.array(first.middle) + _products(model, traits, weights, obs)
    deviation = _products(model, traits, log_std, obs) if linear else log_std
    std = np.broadcast_to(np.array(first.std0) * np.exp(deviation), mean.shape)
    if isinstance(traits.action, tuple):
        return Gaussian(mean, std.copy())
    mean, std = mean[..., 0], std[..., 0]
    return Gaussian(float(mean), float(std)) if mean.ndim == 0 else Gaussian(mean, std.copy())


def _state_action(model: Model, env: Any, traits: Traits, theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    discrete = traits.n_observations is not None
    shape = x.shape if discrete else x.shape[:-1]
    if model.policy.features.constant:
        return np.broadcast_to(theta, (*shape, len(theta)))
    actions = range(traits.first_action, traits.first_action + traits.n_actions)
    seen: list[Any] = x.reshape(-1).tolist()
    if isinstance(traits.observation, tuple):
        seen = [tuple(o) for o in x.reshape(-1, x.shape[-1]).tolist()]
    rows = [[np.dot(theta, env.features(o, a)) for a in actions] for o in seen]
    return np.array(rows).reshape(*shape, traits.n_actions)


class Inbox:
    """Where a kernel finds what is observed: one observation at a time, or up to `rows`; floats in `real` (rows, D),
    whole numbers in `whole` (rows,)."""

    def __init__(self, traits: Traits, rows: int, arrays: tuple[np.ndarray, np.ndarray] | None = None) -> None:
        self.traits = traits
        like = traits.observation
        elements = like if isinstance(like, tuple) else (like,)
        self.discrete = traits.n_observations is not None
        width, count = (0, rows) if self.discrete else (len(elements), 0)
        made: tuple[np.ndarray, np.ndarray] = arrays or (np.zeros((rows, width)), np.zeros(count, np.int64))
        self.real, self.whole = made
        self.places = _places(elements)
        self.lowest = traits.first_observation
        self.highest = self.lowest + (traits.n_observations or 0) - 1
        self._first: Any = self.whole.data  # quicker than an array, an element at a time
        self._numbers = self.real.data
        self._pack = struct.Struct(f"{width}d").pack_into

    def put(self, obs: Any) -> bool:
        """Take one observation; False for many, and for what is none."""
        try:
            if self.discrete and type(obs) is not bool:
                self._first[0] = obs
            elif type(obs) is tuple or type(obs) is list:
                self._pack(self._numbers, 0, *obs)
            elif type(obs) is np.ndarray and obs.ndim == 1:
                self._pack(self._numbers, 0, *obs.tolist())
            elif type(obs) is float:
                self._pack(self._numbers, 0, obs)
            else:
                return False
        except (struct.error, TypeError, ValueError, OverflowError):
            return False
        return True

    def put_checked(self, obs: Any) -> None:
        """Take one observation in whatever form; raises PgfastError for many, and for one outside the space."""
        x = checked(self.traits, obs)
        if (x.shape if self.discrete else x.shape[:-1]) != ():
            raise PgfastError(f"An agent acts on one observation at a time: {obs!r} are several.")
        self.put(int(x) if self.discrete else x)


class Predictor:
    """Actions for one observation at a time, or many: a kernel with its arguments, ready for the next call.

    It holds what it has read of the parameters: `forget` after they have changed.
    """

    def __init__(self, model: Model, env: Any, traits: Traits, learner: Learner, seed: int) -> None:
        self.traits = traits
        like = traits.observation
        self._inbox = inbox = Inbox(traits, ROOM)
        order = np.zeros(ORDER, np.int64)
        order[LOWEST], order[HIGHEST] = inbox.lowest, inbox.highest
        self._actions = np.zeros((ROOM, model.n_reals) if model.n_reals else ROOM, float if model.n_reals else int)
        self._reals = model.n_reals
        self._kept = (
            with_features(model, env, traits),
            like, model.policy, traits.actions, learner, model.workspace(like, 0, True), model.memory(1.0, 0, True, 1),
            np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32),
            inbox.real, inbox.whole, inbox.places, order, self._actions,
        )  # fmt: skip
        self.preparation = predict.prepare(*self._kept)
        self._call = predict.bind(*self._kept)
        self.drawn = order[NUMBER : NUMBER + 1]  # observations for which an action has been drawn
        self._order: Any = order.data
        self._lock = Lock()

    def forget(self) -> None:
        """Read the parameters anew when next called."""
        self._order[LOADED] = 0

    def predict(self, obs: Any, deterministic: bool, run: int, time: int = 0) -> Any:
        """An action, or an array of actions for an array of observations, `time` steps into an episode."""
        with self._lock:
            order = self._order
            order[TIME] = time
            if not self._inbox.put(obs):
                return self._predict_many(obs, deterministic, run)
            order[COUNT], order[RUN], order[DETERMINISTIC] = 1, run, deterministic
            action = self._call()
            if action < 0:
                return self._predict_many(obs, deterministic, run)
            if not deterministic:
                order[NUMBER] += 1
            return real_action(self._actions, self.traits) if self._reals else action + self.traits.first_action

    def _predict_many(self, obs: Any, deterministic: bool, run: int) -> Any:
        x = checked(self.traits, obs)
        inbox = self._inbox
        shape = x.shape if inbox.discrete else x.shape[:-1]
        given, room = (x.reshape(-1), inbox.whole) if inbox.discrete else (x.reshape(-1, x.shape[-1]), inbox.real)
        actions = np.empty((len(given), *self._actions.shape[1:]), self._actions.dtype)
        order = self._order
        for first in range(0, len(given), ROOM):
            part = given[first : first + ROOM]
            room[: len(part)] = part
            order[COUNT], order[RUN], order[DETERMINISTIC] = len(part), run, deterministic
            if self._call() < 0:
                raise PgfastError("An observation has an entry that is too large for single precision.")
            actions[first : first + ROOM] = self._actions[: len(part)]
            if not deterministic:
                order[NUMBER] += len(part)
        if not self._reals:
            actions += self.traits.first_action
            return int(actions[0]) if shape == () else actions.reshape(shape)
        if isinstance(self.traits.action, tuple):
            return actions.reshape(*shape, self._reals)
        return float(actions[0, 0]) if shape == () else actions.reshape(shape)


def real_action(out: np.ndarray, traits: Traits) -> Any:
    """The first row of `out` (…, K) as an action: a float, or an array where it has several numbers."""
    return out[0].copy() if isinstance(traits.action, tuple) else float(out[0, 0])


def _places(elements: tuple[Any, ...]) -> np.ndarray:
    """Where each number of an observation goes: row r of the floats, or −1 − row r of the ints."""
    floats, ints, places = 0, 0, []
    for element in elements:
        if isinstance(element, float):
            places.append(floats)
            floats += 1
        else:
            places.append(-1 - ints)
            ints += 1
    return np.array(places, np.int64)


def with_features(model: Model, env: Any, traits: Traits) -> Any:
    """What stands for an environment where observations come from outside: what has the policy's features, or None."""
    if not isinstance(getattr(model.policy, "features", None), EnvironmentFeatures):
        return None
    cls: Any = type(env)
    return _observed(cls, blank(traits))(*env)


def blank(traits: Traits) -> Any:
    """Some observation: the first of discrete ones, else zeros, also where some of the numbers are whole."""
    seen = traits.observation
    if traits.n_observations is not None:
        return traits.first_observation
    return (0.0,) * len(seen) if isinstance(seen, tuple) else 0.0


@cache
def _observed(cls: Any, nothing: Any) -> Any:
    """The same environment, but all there is of it is what is observed."""

    def reset(self: Any, key: Any) -> Any:
        return nothing

    def step(self: Any, state: Any, action: Any, key: Any) -> Any:
        return nothing, 0.0, False

    def observe(self: Any, state: Any) -> Any:
        return state

    names = {"reset": reset, "step": step, "observe": observe}
    own = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__slots__": ()}
    return type(cls.__name__, (cls,), {**names, **own})
