"""Uphill by exact gradients: the updates of `pgfast.algorithms.exact`, on any finite MDP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from pgfast.algorithms.exact import EXACT
from pgfast.errors import PgfastError, unknown
from pgfast.exact.evaluation import Evaluation, evaluate
from pgfast.exact.gradients import escort_policy, table_policy
from pgfast.exact.model import Model, model_of
from pgfast.tables import TabularMDP

_HARDLY = 1e-280  # visits to a state where there are none


class Ascent:
    """Updates of an exact algorithm.

    Parameters
    ----------
    mdp : TabularMDP
        What is learned.
    algorithm : str
        A name in `pgfast.algorithms.exact.EXACT`.
    lr : float
        The step size α.
    entropy : float
        τ, of the algorithms that have an entropy bonus.
    policy
        Whose θ moves: `table_policy`, as it is by default (of exact-escort-pg `escort_policy`), or `observed_policy`
        of an engine.
    **case
        `gamma`, `setting` and `horizon`, as `evaluate` takes them.

    Raises PgfastError for an unknown algorithm, and for an entropy of a policy that knows the time.
    """

    def __init__(
        self,
        mdp: TabularMDP | Model,
        algorithm: str,
        *,
        lr: float,
        entropy: float = 0.0,
        policy: Any = None,
        **case: Any,
    ) -> None:
        if algorithm not in EXACT:
            raise unknown("exact algorithm", algorithm, EXACT)
        self.model = model_of(mdp)
        self.algorithm = EXACT[algorithm]
        kind = escort_policy if self.algorithm.policy == "escort" else table_policy
        self.policy: Any = policy or kind(*self.model.shape)
        self.lr, self.entropy, self.case = lr, entropy if self.algorithm.entropy else 0.0, case
        if self.entropy and len(self.policy.shape) == 3:
            raise PgfastError(f"{algorithm} needs a policy that doesn't know the time: choose tabular, or exact-npg.")

    def evaluate(self, theta: np.ndarray) -> Evaluation:
        """What the policy with parameters θ (D,) is worth, entropy included."""
        policy, model = self.policy.probabilities(theta), self.model
        if self.entropy:
            model = replace(model, reward=model.reward - self.entropy * np.log(np.maximum(policy, _HARDLY)))
        return evaluate(model, policy, **self.case)

    def gradient(self, theta: np.ndarray, found: Evaluation) -> np.ndarray:
        """∇J at θ, (D,). `found` is what `evaluate` gave."""
        return np.asarray(self.policy.at(theta).gradient(found))

    def step(self, theta: np.ndarray, found: Evaluation, scale: float = 1.0) -> np.ndarray:
        """θ after one update, (D,), its step size times `scale`; not finite where it went too far."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            along = self._natural_gradient(theta, found) if self.algorithm.natural else self.gradient(theta, found)
            return np.asarray(theta + self.lr * scale * along)

    def path(self, theta: Any = None) -> Iterator[tuple[np.ndarray, Evaluation]]:
        """(θ, what it is worth) from a first θ on, an update between each two; without end. It is a number
        or (D,); by default 0, or 1 of exact-escort-pg."""
        if theta is None:
            theta = 1.0 if self.algorithm.policy == "escort" else 0.0
        at = np.array(np.broadcast_to(np.asarray(theta, float), (self.policy.n_parameters,)))
        while True:
            found = self.evaluate(at)
            yield at, found
            at = self.step(at, found)

    def _natural_gradient(self, theta: np.ndarray, found: Evaluation) -> np.ndarray:
        """F⁺∇J, (D,). For a table it is the mean advantage over the visits to what looks the same, up to what adds the
        same to all preferences of a row and changes no probability; the advantage also where nothing is visited, as
        policy iteration has it."""
        scale = 1.0 - found.gamma if found.gamma < 1.0 else 1.0
        if not self._is_table:
            return np.asarray(self.policy.at(theta).natural_gradient(found) / scale)
        advantage, visits = _advantage_and_visits(found)
        share = self.policy.chained(np.broadcast_to(visits[..., None], advantage.shape))
        along = np.asarray(self.policy.chained(advantage))
        where = share > 0.0  # a row that is of no state stays
        return np.asarray(np.divide(along, scale * share, out=np.zeros_like(along), where=where))

    @cached_property
    def _is_table(self) -> bool:
        """Is each preference one parameter, shared only between states that share them all?"""
        x = getattr(self.policy, "features", None)  # of preferences that are linear in θ
        if x is None:
            return False
        x = x.tocsr(copy=True)
        x.eliminate_zeros()
        if np.any(np.diff(x.indptr) != 1) or np.any(x.data != 1.0):
            return False
        rows = np.unique(x.indices.reshape(-1, self.policy.shape[-1]), axis=0)
        return len(np.unique(rows)) == rows.size


def _advantage_and_visits(found: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """Σ_t d_t(s) A_t(s, a), (S, A), and Σ_t d_t(s), (S,), with d_t(s) = γᵗ P(S_t = s) or next to nothing; each step by
    itself, (H, S, A) and (H, S), where the policy knows the time."""
    if found.Q_t is None or found.V_t is None or found.occupancy_t is None:
        visits = np.maximum(found.occupancy, _HARDLY)
        return visits[:, None] * np.nan_to_num(found.advantage), visits
    visits = np.maximum(found.occupancy_t, _HARDLY)
    weighted = visits[:, :, None] * (found.Q_t - found.V_t[:-1, :, None])
    return (weighted, visits) if found.policy.ndim == 3 else (weighted.sum(axis=0), visits.sum(axis=0))
