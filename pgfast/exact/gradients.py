"""Derivatives of J by the parameters of softmax policies (Sutton et al. 2000; Kakade 2001).

A policy's preferences h are functions of θ. As ∂J/∂h is the gradient of a table's softmax, ∇J = (∂h/∂θ)ᵀ ∂J/∂h; where
preferences are linear, h = X θ with X of shape (S A, D), that is Xᵀ ∂J/∂h. The Fisher matrix is
F = Σ_s d(s) Σ_a π(a|s) ∇log π ∇log πᵀ, the natural gradient F⁺ ∇J.
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
from pgfast.inference import checked, linear_part, softmax
from pgfast.policies.escort import Escort
from pgfast.probe import Traits
from pgfast.tables import TabularMDP

_MOST = 3000  # parameters up to which a matrix of them is made
_STEP = 1e-3  # of the differences that the Hessian is made of; their error is of the fourth order


@dataclass(frozen=True, eq=False)
class Tangent:
    """What turns gradients by preferences into gradients by parameters: ∂h/∂θ at some θ, sparse (S A, D), or
    (H S A, D) of a policy that knows the time."""

    features: Any
    shape: tuple[int, ...]  # (S, A) or (H, S, A)

    @property
    def n_parameters(self) -> int:
        """D."""
        return int(self.features.shape[1])

    def gradient(self, found: Evaluation) -> np.ndarray:
        """∇J, (D,), of an evaluation of this policy."""
        return self.chained(found.gradient)

    def chained(self, by_preference: np.ndarray) -> np.ndarray:
        """What is a gradient by the preferences h, of the tangent's shape, by the parameters, (D,)."""
        return np.asarray(self.features.T @ by_preference.reshape(-1))

    def fisher(self, found: Evaluation) -> np.ndarray:
        """F, (D, D), of an evaluation of this policy, weighted by its occupancy."""
        if self.n_parameters > _MOST:
            raise PgfastError(
                f"A Fisher matrix of {self.n_parameters:,} parameters would be too large: it can have up to {_MOST:,}."
            )
        pi = found.policy.reshape(-1, self.shape[-1])
        timed = found.policy.ndim == 3 and found.occupancy_t is not None
        d = np.ravel(found.occupancy_t if timed else found.occupancy)  # type: ignore[arg-type]
        mean = sparse.block_diag([row[None, :] for row in pi]) @ self.features  # (S, D)
        inner = self.features.T @ sparse.diags((d[:, None] * pi).reshape(-1)) @ self.features
        return np.asarray((inner - mean.T @ sparse.diags(d) @ mean).todense())

    def natural_gradient(self, found: Evaluation) -> np.ndarray:
        """F⁺ ∇J, (D,): of the directions with the same effect the shortest."""
        return np.asarray(linalg.pinvh(self.fisher(found), rtol=1e-12) @ self.gradient(found))


def scores(tangent: Tangent, pi: np.ndarray) -> np.ndarray:
    """∇ log π(a|s), (S, A, D), of the policy with these probabilities."""
    x = tangent.features.toarray().reshape(*tangent.shape, -1)
    return np.asarray(x - np.einsum("...a,...ad->...d", pi, x)[..., None, :])


@dataclass(frozen=True, eq=False)
class SoftmaxPolicy(Tangent):
    """π(a|s) ∝ exp((X θ)(s, a)); X is `features`."""

    def probabilities(self, theta: np.ndarray) -> np.ndarray:
        """π, of the policy's shape, of θ (D,)."""
        return softmax((self.features @ np.ravel(theta)).reshape(self.shape))

    def at(self, theta: np.ndarray) -> Tangent:
        """∂h/∂θ, which is X everywhere."""
        return self

    def scores(self, theta: np.ndarray) -> np.ndarray:
        """∇ log π(a|s), (S, A, D)."""
        return scores(self, self.probabilities(theta))


@dataclass(frozen=True, eq=False)
class LinkedPolicy:
    """π(a|s) ∝ exp(h(s, a)) with h(s, ·) a function, `link`, of the row (X θ)(s, ·) (`pgfast.policies.links`)."""

    rows: Any  # X, sparse (S K, D), for rows of K numbers
    link: Any
    shape: tuple[int, ...]

    @property
    def n_parameters(self) -> int:
        """D."""
        return int(self.rows.shape[1])

    def probabilities(self, theta: np.ndarray) -> np.ndarray:
        """π, of the policy's shape, of θ (D,)."""
        return softmax(self.link.preferences(self._rows(theta)))

    def at(self, theta: np.ndarray) -> Tangent:
        """∂h/∂θ at θ: gradients and Fisher matrices of evaluations at θ."""
        each = self.link.derivatives(self._rows(theta))  # (…, A, K)
        each = each.reshape(-1, *each.shape[-2:])
        n, a, k = each.shape
        blocks = sparse.bsr_matrix((each, np.arange(n), np.arange(n + 1)), shape=(n * a, n * k))
        return Tangent((blocks @ self.rows).tocsr(), self.shape)

    def scores(self, theta: np.ndarray) -> np.ndarray:
        """∇ log π(a|s), (S, A, D)."""
        return scores(self.at(theta), self.probabilities(theta))

    def _rows(self, theta: np.ndarray) -> np.ndarray:
        return np.asarray((self.rows @ np.ravel(theta)).reshape(*self.shape[:-1], -1))


def table_policy(n_states: int, n_actions: int) -> SoftmaxPolicy:
    """The softmax of a table of preferences θ (S, A)."""
    return SoftmaxPolicy(sparse.identity(n_states * n_actions, format="csr"), (n_states, n_actions))


def escort_policy(n_states: int, n_actions: int, power: float = 2.0) -> LinkedPolicy:
    """π(a|s) ∝ |θ(s, a)|ᵖ, of a table θ (S, A)."""
    return LinkedPolicy(sparse.identity(n_states * n_actions, format="csr"), Escort(power), (n_states, n_actions))


def observed_policy(
    model: Any, env: Any, traits: Traits, observations: tuple[Any, ...]
) -> SoftmaxPolicy | LinkedPolicy:
    """The policy of an engine, `model`, on states with these observations."""
    seen = checked(traits, np.asarray(observations))
    link = model.policy.link
    if model.tabular:
        time = np.arange(model.horizon)[:, None] if model.horizon else 0
        row = np.asarray(model.policy.clock.rows_of(seen - traits.first_observation, time))
        k = model.shape[-1]
        column = (row.reshape(-1, 1) * k + np.arange(k)).reshape(-1)
        entries = (np.ones(len(column)), (np.arange(len(column)), column))
        x, shape = sparse.csr_matrix(entries, (len(column), model.n_parameters)), (*row.shape, model.n_actions)
    else:
        basis = np.eye(model.n_parameters).reshape(-1, *model.shape)
        columns = [sparse.csc_matrix(linear_part(model, env, traits, e, seen).reshape(-1, 1)) for e in basis]
        x, shape = sparse.hstack(columns).tocsr(), (len(observations), model.n_actions)
    policy = LinkedPolicy(x, link, shape)
    if link.linear:
        return SoftmaxPolicy(policy.at(np.zeros(model.n_parameters)).features, shape)
    return policy


def gradient_of(
    mdp: TabularMDP | Model, policy: SoftmaxPolicy | LinkedPolicy, theta: np.ndarray, **case: Any
) -> np.ndarray:
    """∇J at θ, (D,); `case` as the settings of `evaluate`."""
    return policy.at(theta).gradient(evaluate(mdp, policy.probabilities(theta), **case))


def slope(f: Callable[[np.ndarray], Any], theta: np.ndarray, direction: np.ndarray, step: float) -> Any:
    """The derivative of f at θ in a direction, by central differences of the fourth order."""
    near, far = (f(theta + k * step * direction) - f(theta - k * step * direction) for k in (1, 2))
    return (8 * near - far) / (12 * step)


def hessian(
    mdp: TabularMDP | Model, policy: SoftmaxPolicy | LinkedPolicy, theta: np.ndarray, **case: Any
) -> np.ndarray:
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
