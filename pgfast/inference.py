"""A policy's preferences and probabilities in NumPy, for a few observations at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from pgfast.errors import PgfastError
from pgfast.models import Model
from pgfast.probe import Traits


def softmax(h: np.ndarray) -> np.ndarray:
    """Along the last axis; safe for any finite preferences."""
    largest = np.finfo(float).max
    h = np.clip(h, -largest, largest)
    with np.errstate(over="ignore"):
        e = np.exp(h - h.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def preferences(model: Model, env: Any, traits: Traits, theta: np.ndarray, obs: Any) -> np.ndarray:
    """h(s, ·) for each observation, (…, A); raises PgfastError for an observation outside the space."""
    if traits.n_observations is not None:
        index = np.asarray(obs)
        if index.dtype.kind not in "iu":
            raise PgfastError(f"The observation {obs!r} is no whole number: it must be one of {traits.n_observations}.")
        row = index - traits.first_observation
        if np.any((row < 0) | (row >= traits.n_observations)):
            last = traits.first_observation + traits.n_observations - 1
            raise PgfastError(f"The observation {obs!r} is not from {traits.first_observation} to {last}.")
        if model.name == "tabular":
            return np.asarray(theta[row])
        if model.name == "linear":
            return np.asarray(theta.T[row])
    x = np.asarray(obs, float)
    if traits.n_observations is None:
        size = len(traits.observation) if isinstance(traits.observation, tuple) else 1
        x = x[..., None] if size == 1 and (x.ndim == 0 or x.shape[-1] != 1) else x
        if x.shape[-1] != size:
            raise PgfastError(f"The observation {obs!r} has {x.shape[-1]} numbers: this environment's have {size}.")
        if not np.all(np.isfinite(x)):
            raise PgfastError(f"The observation {obs!r} has an entry that is not finite.")
    if model.name == "linear":
        if model.policy.features.bias:
            x = np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1)
        return np.asarray(x @ theta.T)
    return _state_action(model, env, traits, theta, obs, x)


def _state_action(model: Model, env: Any, traits: Traits, theta: np.ndarray, obs: Any, x: np.ndarray) -> np.ndarray:
    if model.policy.features.constant:
        shape = np.shape(obs) if traits.n_observations is not None else x.shape[:-1]
        return np.broadcast_to(theta, (*shape, len(theta)))
    actions = range(traits.first_action, traits.first_action + traits.n_actions)
    single = traits.n_observations is not None
    flat = np.asarray(obs).reshape(-1) if single else x.reshape(-1, x.shape[-1])
    scalar = not single and not isinstance(traits.observation, tuple)
    rows = [
        [
            np.dot(theta, env.features(int(o) if single else (float(o[0]) if scalar else tuple(map(float, o))), a))
            for a in actions
        ]
        for o in flat
    ]
    shape = np.shape(obs) if single else x.shape[:-1]
    return np.array(rows).reshape(*shape, traits.n_actions)
