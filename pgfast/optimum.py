"""The best mean return that a stationary policy of a finite MDP can reach within its time limit.

A policy that knows the time can do better than one that doesn't (Puterman 1994, section 4.4); backward induction gives
that bound. A stationary policy that is greedy for some discount often reaches it, and then nothing is left to search.
Otherwise the best stationary policy is looked for by exchanging one state's action at a time.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from pgfast.tables import TabularMDP

LONGEST = 10_000  # steps to look ahead where there is no limit
_DISCOUNTS = (1.0, 0.9999, 0.999, 0.99, 0.95, 0.9)
_SEARCHED = 400  # state–action pairs up to which single actions are exchanged
_SAME = 1e-9


def best_return(mdp: TabularMDP, horizon: int | None) -> float:
    """The largest expected undiscounted return of a stationary policy over `horizon` steps (None: until the end)."""
    steps, reward, start = _transitions(mdp), mdp.R.reshape(-1), mdp.rho0
    shape = (mdp.n_states, mdp.n_actions)
    length = horizon or LONGEST
    bound = float(start @ _backward(steps, reward, shape, length)[0])
    best, policy = -np.inf, np.zeros(mdp.n_states, np.int64)
    for gamma in _DISCOUNTS:
        candidate = _greedy(steps, reward, shape, gamma)
        value = _play(steps, reward, start, candidate, shape, length)
        if value > best:
            best, policy = value, candidate
        if best >= bound - _SAME * max(1.0, abs(bound)):
            return best
    if mdp.n_states * mdp.n_actions <= _SEARCHED:
        return _exchange(steps, reward, start, policy, shape, length)
    return best


def _transitions(mdp: TabularMDP) -> sparse.csr_matrix:
    """Probabilities of going on from each (state, action), (S A, S)."""
    o = mdp.outcomes
    rows = np.repeat(np.arange(mdp.n_states * mdp.n_actions), np.diff(o.offsets))
    keep = ~o.terminated
    shape = (mdp.n_states * mdp.n_actions, mdp.n_states)
    return sparse.csr_matrix((o.probability[keep], (rows[keep], o.following[keep])), shape=shape)


def _backward(
    steps: sparse.csr_matrix, reward: np.ndarray, shape: tuple[int, int], length: int, gamma: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """(V, Q) of the best policy with `length` steps to go, stopping early when V no longer changes."""
    v = np.zeros(shape[0])
    q = reward.reshape(shape)
    for _ in range(length):
        q = (reward + gamma * (steps @ v)).reshape(shape)
        new = q.max(axis=1)
        if np.max(np.abs(new - v)) <= 1e-13 * max(1.0, float(np.max(np.abs(new)))):
            return new, q
        v = new
    return v, q


def _greedy(steps: sparse.csr_matrix, reward: np.ndarray, shape: tuple[int, int], gamma: float) -> np.ndarray:
    _, q = _backward(steps, reward, shape, LONGEST, gamma)
    return np.asarray(np.argmax(q >= q.max(axis=1, keepdims=True) - 1e-12 * (1.0 + np.abs(q).max()), axis=1))


def _play(
    steps: sparse.csr_matrix,
    reward: np.ndarray,
    start: np.ndarray,
    policy: np.ndarray,
    shape: tuple[int, int],
    length: int,
) -> float:
    """Expected return of a deterministic stationary policy."""
    rows = np.arange(shape[0]) * shape[1] + policy
    p, r = steps[rows], reward[rows]
    v = np.zeros(shape[0])
    for _ in range(length):
        new = r + p @ v
        if np.array_equal(new, v):
            break
        v = new
    return float(start @ v)


def _exchange(
    steps: sparse.csr_matrix,
    reward: np.ndarray,
    start: np.ndarray,
    policy: np.ndarray,
    shape: tuple[int, int],
    length: int,
) -> float:
    """Exchange single actions as long as one helps."""
    best = _play(steps, reward, start, policy, shape, length)
    improved = True
    while improved:
        improved = False
        for s in range(shape[0]):
            for a in range(shape[1]):
                other = policy.copy()
                other[s] = a
                value = _play(steps, reward, start, other, shape, length)
                if value > best + _SAME:
                    best, policy, improved = value, other, True
    return best
