"""Values and policies of finite MDPs, as the textbooks compute them. S states, A actions."""

from __future__ import annotations

import itertools

import numpy as np


def values(mdp, policy, gamma=1.0):
    """V of a policy (S, A), by the linear equations; 0 where nothing follows."""
    going_on = np.einsum("sa,sat->st", policy, mdp.continuation())
    paid = np.sum(policy * mdp.R, axis=1)
    met = reachable(going_on, mdp.rho0 > 0)
    v = np.zeros(len(paid))
    v[met] = np.linalg.solve(np.eye(met.sum()) - gamma * going_on[np.ix_(met, met)], paid[met])
    return v


def reachable(p, start):
    """The states that are met with positive probability, bool (S,)."""
    met = start
    while True:
        more = met | (p[met].sum(axis=0) > 0)
        if np.array_equal(more, met):
            return met
        met = more


def uniform(mdp):
    """The policy that chooses at random."""
    return np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions)


def always(mdp, action):
    """The policy that knows one action only."""
    policy = np.zeros((mdp.n_states, mdp.n_actions))
    policy[:, action] = 1.0
    return policy


def best_values(mdp, gamma=1.0, steps=100_000):
    """(V, Q) by value iteration."""
    p, v = mdp.continuation(), np.zeros(mdp.n_states)
    for _ in range(steps):
        q = mdp.R + gamma * p @ v
        new = q.max(axis=1)
        if np.max(np.abs(new - v)) <= 1e-14 * max(1.0, np.abs(new).max()):
            break
        v = new
    return v, q


def gain(p, r):
    """The best mean reward a step, and the best actions, by relative value iteration; P (S, A, S), R (S, A)."""
    h = np.zeros(len(r))
    for _ in range(100_000):
        q = r + p @ h
        change = q.max(axis=1) - h
        if np.ptp(change) <= 1e-12:
            break
        h = q.max(axis=1) - q[0].max()
    return change.mean(), q.argmax(axis=1)


def best_stationary_return(mdp, steps):
    """The largest expected return in so many steps of any deterministic policy that doesn't know the time."""
    p, rows = mdp.continuation(), np.arange(mdp.n_states)
    found = -np.inf
    for policy in itertools.product(range(mdp.n_actions), repeat=mdp.n_states):
        v = np.zeros(mdp.n_states)
        for _ in range(steps):
            v = mdp.R[rows, policy] + p[rows, policy] @ v
        found = max(found, mdp.rho0 @ v)
    return found
