"""Derivatives of J by the parameters of softmax policies (Sutton et al. 2000; Kakade 2001).

A policy's preferences are linear in θ, h = X θ, with X of shape (S A, D). As ∂J/∂h is the gradient of a table's
softmax, ∇J = Xᵀ ∂J/∂h. The Fisher matrix is F = Σ_s d(s) Σ_a π(a|s) ∇log π ∇log πᵀ, the natural gradient F⁺ ∇J.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import linalg, sparse

from pgfast.errors import PgfastError
from pgfast.exact.evaluation import Evaluation, evaluate
from pgfast.exact.model import Model, model_of
from pgfast.inference import checked, preferences, softmax
from pgfast.tables import TabularMDP

_MOST = 3000  # parameters up to which a matrix of them is made
_STEP = 1e-3  # of the differences that the Hessian is made of; their error is of the fourth order


@dataclass(frozen=True, eq=False)
class SoftmaxPolicy:
    """π(a|s) ∝ exp((X θ)(s, a)); X is `features`, sparse (S A, D)."""

    features: Any
    shape: tuple[int, int]  # (S, A)

    @property
    def n_parameters(self) -> int:
        """D."""
        return int(self.features.shape[1])

    def probabilities(self, theta: np.ndarray) -> np.ndarray:
        """π, (S, A), of θ (D,)."""
        return softmax((self.features @ np.ravel(theta)).reshape(self.shape))

    def at(self, theta: np.ndarray) -> SoftmaxPolicy:
        """∂h/∂θ at θ, which is X everywhere: gradients and Fisher matrices of evaluations at θ."""
        return self

    def scores(self, theta: np.ndarray) -> np.ndarray:
        """∇ log π(a|s), (S, A, D)."""
        x = self.features.toarray().reshape(*self.shape, -1)
        return np.asarray(x - np.einsum("sa,sad->sd", self.probabilities(theta), x)[:, None, :])

    def gradient(self, found: Evaluation) -> np.ndarray:
        """∇J, (D,), of an evaluation of this policy."""
        return self.chained(found.gradient)

    def chained(self, by_preference: np.ndarray) -> np.ndarray:
        """What is a gradient by the preferences h (S, A), by the parameters, (D,)."""
        return np.asarray(self.features.T @ by_preference.reshape(-1))

    def fisher(self, found: Evaluation) -> np.ndarray:
        """F, (D, D), of an evaluation of this policy, weighted by its occupancy."""
        if self.n_parameters > _MOST:
            raise PgfastError(
                f"A Fisher matrix of {self.n_parameters:,} parameters would be too large: it can have up to {_MOST:,}."
            )
        pi, d = found.policy, found.occupancy
        mean = sparse.block_diag([row[None, :] for row in pi]) @ self.features  # (S, D)
        inner = self.features.T @ sparse.diags((d[:, None] * pi).reshape(-1)) @ self.features
        return np.asarray((inner - mean.T @ sparse.diags(d) @ mean).todense())

    def natural_gradient(self, found: Evaluation) -> np.ndarray:
        """F⁺ ∇J, (D,): of the directions with the same effect the shortest."""
        return np.asarray(linalg.pinvh(self.fisher(found), rtol=1e-12) @ self.gradient(found))


def table_policy(n_states: int, n_actions: int) -> SoftmaxPolicy:
    """The softmax of a table of preferences θ (S, A)."""
    return SoftmaxPolicy(sparse.identity(n_states * n_actions, format="csr"), (n_states, n_actions))


def observed_policy(model: Any, env: Any, traits: Any, observations: tuple[Any, ...]) -> SoftmaxPolicy:
    """The policy of an engine, `model`, on states with these observations."""
    n_states, n_actions = len(observations), model.n_actions
    if model.tabular:
        rows = checked(traits, np.asarray(observations)) - traits.first_observation
        column = (rows[:, None] * n_actions + np.arange(n_actions)).reshape(-1)
        at = (np.arange(len(column)), column)
        x = sparse.csr_matrix((np.ones(len(column)), at), (len(column), model.n_parameters))
        return SoftmaxPolicy(x, (n_states, n_actions))
    seen = np.asarray(observations)
    basis = np.eye(model.n_parameters).reshape(-1, *model.shape)
    columns = [sparse.csc_matrix(preferences(model, env, traits, e, seen).reshape(-1, 1)) for e in basis]
    return SoftmaxPolicy(sparse.hstack(columns).tocsr(), (n_states, n_actions))


def gradient_of(mdp: TabularMDP | Model, policy: SoftmaxPolicy, theta: np.ndarray, **case: Any) -> np.ndarray:
    """∇J at θ, (D,); `case` as the settings of `evaluate`."""
    return policy.gradient(evaluate(mdp, policy.probabilities(theta), **case))


def slope(f: Callable[[np.ndarray], Any], theta: np.ndarray, direction: np.ndarray, step: float) -> Any:
    """The derivative of f at θ in a direction, by central differences of the fourth order."""
    near, far = (f(theta + k * step * direction) - f(theta - k * step * direction) for k in (1, 2))
    return (8 * near - far) / (12 * step)


def hessian(mdp: TabularMDP | Model, policy: SoftmaxPolicy, theta: np.ndarray, **case: Any) -> np.ndarray:
    """The Hessian of J at θ, (D, D), from differences of exact gradients of the fourth order; for small problems."""
    theta = np.ravel(np.asarray(theta, float))
    if len(theta) > _MOST // 10:
        raise PgfastError(
            f"A Hessian takes four gradients for each of {len(theta):,} parameters: it can have up to {_MOST // 10}."
        )
    model = model_of(mdp)
    gradient = partial(gradient_of, model, policy, **case)
    h = np.array([slope(gradient, theta, unit, _STEP) for unit in np.eye(len(theta))])
    return np.asarray((h + h.T) / 2)
