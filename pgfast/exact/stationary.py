"""The best mean return that a stationary policy of a finite MDP can reach within its time limit.

A policy that knows the time can do better than one that doesn't (Puterman 1994, section 4.4); backward induction gives
that bound. A stationary policy that is greedy for some discount often reaches it, and then nothing is left to search.
Otherwise the best stationary policy is looked for by exchanging one state's action at a time. Where states look the
same to the policy, a value counts only if telling them apart could not improve it: a policy that draws its actions may
do better than all that don't.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfast.tables import TabularMDP

LONGEST = 10_000  # steps to look ahead where there is no limit
_DISCOUNTS = (1.0, 0.9999, 0.999, 0.99, 0.95, 0.9)
_FEW_DISCOUNTS = (1.0, 0.99)  # where each takes a while
_SEARCHED = 400  # state–action pairs up to which single actions are exchanged
_DENSE = 200  # states up to which many steps are taken by multiplying matrices
_FAR = 10**8  # products of a probability and a value up to which greedy policies look beyond the time limit
_MOST = 6 * 10**8  # products after which the search ends: some seconds
_SAME = 1e-9


def best_return(mdp: TabularMDP, horizon: int | None) -> float | None:
    """The largest expected undiscounted return of a stationary policy over `horizon` steps (None: until the end) that
    the search finds; None where the MDP is so large that the search had to be cut short, or where states look the same
    and a better policy may exist."""
    search = _Search(mdp, horizon or LONGEST)
    try:
        certain = search.run()
    except _TooLongError:
        return None
    return search.found if certain or mdp.observations is None else None


class _TooLongError(Exception):
    """The search has taken all the work that it may."""


@dataclass
class _Search:
    """Values of an MDP's policies over `length` steps. S states, A actions."""

    mdp: TabularMDP
    length: int
    found: float | None = None  # the best value so far
    work: int = 0  # products so far

    def __post_init__(self) -> None:
        self.shape = (self.mdp.n_states, self.mdp.n_actions)
        self.steps = self.mdp.sparse_transitions(continuing=True)  # (S A, S)
        self.reward = self.mdp.R.reshape(-1)
        self.small = self.steps.nnz * LONGEST <= _FAR
        self.endless = not np.any(self.mdp.outcomes.terminated)
        self.seen = np.arange(self.shape[0]) if self.mdp.observations is None else self.mdp.observations

    def run(self) -> bool:
        """Try policies until nothing is left to find; is it certain that none is better?"""
        v, q = self.backward(self.length)
        bound = float(self.mdp.rho0 @ v)
        best: np.ndarray = np.zeros(self.seen.max() + 1, np.int64)
        ahead = LONGEST if self.small else self.length
        for gamma in _DISCOUNTS if self.small else _FEW_DISCOUNTS:
            ahead_q = q if gamma == 1.0 and ahead == self.length else self.backward(ahead, gamma)[1]
            policy = _greedy(ahead_q if self.mdp.observations is None else self.merged(ahead_q))
            if self.improves(policy, 0.0):
                best = policy
            if self.found is not None and self.found >= bound - _SAME * max(1.0, abs(bound)):
                self.found = bound
                return True
        if len(best) * self.shape[1] <= _SEARCHED:
            self.exchange(best)
        return False

    def improves(self, policy: np.ndarray, margin: float) -> bool:
        """Is it better than all before?"""
        value = self.play(policy)
        better = self.found is None or value > self.found + margin
        if better:
            self.found = value
        return better

    def product(self, matrix: Any, v: np.ndarray) -> np.ndarray:
        """matrix @ v, counted as work."""
        self.work += matrix.nnz
        if self.work > _MOST:
            raise _TooLongError
        result: np.ndarray = matrix @ v
        return result

    def backward(self, length: int, gamma: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """(V, Q) of the best policy with `length` steps to go. Once no step changes V any more the rest is left out; or
        if episodes never end, once one changes it by the same in all states (Puterman 1994, section 8.5)."""
        v = np.zeros(self.shape[0])
        q = self.reward.reshape(self.shape)
        for t in range(1, length + 1):
            q = (self.reward + gamma * self.product(self.steps, v)).reshape(self.shape)
            new = q.max(axis=1)
            same = new[0] - v[0] if self.endless else 0.0
            if np.max(np.abs(new - v - same)) <= 1e-13 * max(1.0, float(np.max(np.abs(new)))):
                rest = same * np.sum(gamma ** np.arange(1, length - t + 1))
                return new + rest, q + rest
            v = new
        return v, q

    def merged(self, q: np.ndarray) -> np.ndarray:
        """What the actions lack in all states that look the same, (O, A): on the way of the policy that is greedy."""
        step = self.steps[np.arange(self.shape[0]) * self.shape[1] + _greedy(q)].T
        state, visits = self.mdp.rho0, self.mdp.rho0
        for _ in range(self.length):
            state = self.product(step, state)
            if not state.any():
                break
            visits = visits + state
        lack = visits[:, None] * (q - q.max(axis=1, keepdims=True))
        return np.stack([np.bincount(self.seen, column) for column in lack.T], axis=1)

    def play(self, policy: np.ndarray) -> float:
        """Expected return of a deterministic stationary policy, (O,) actions by what is seen."""
        rows = np.arange(self.shape[0]) * self.shape[1] + policy[self.seen]
        p, r = self.steps[rows], self.reward[rows]
        if self.shape[0] <= _DENSE:
            return float(self.mdp.rho0 @ _ahead(p.toarray(), r, self.length))
        v = np.zeros(self.shape[0])
        for _ in range(self.length):
            new = r + self.product(p, v)
            if np.array_equal(new, v):
                break
            v = new
        return float(self.mdp.rho0 @ v)

    def exchange(self, best: np.ndarray) -> None:
        """Exchange single actions of the best policy as long as one helps."""
        improved = True
        while improved:
            improved = False
            for s in range(len(best)):
                for a in range(self.shape[1]):
                    policy = best.copy()
                    policy[s] = a
                    if self.improves(policy, _SAME):
                        best, improved = policy, True


def _ahead(p: np.ndarray, r: np.ndarray, length: int) -> np.ndarray:
    """Expected rewards of `length` steps with transitions p and rewards r, Σ_t pᵗ r: each bit of the length doubles the
    steps so far, and may add one."""
    v, power = np.zeros(len(r)), np.eye(len(r))
    for bit in f"{length:b}":
        v, power = v + power @ v, power @ power
        if bit == "1":
            v, power = r + p @ v, p @ power
    return v


def _greedy(q: np.ndarray) -> np.ndarray:
    """The best action of each state; of nearly equal ones the first."""
    return np.asarray(np.argmax(q >= q.max(axis=1, keepdims=True) - 1e-12 * (1.0 + np.abs(q).max()), axis=1))
