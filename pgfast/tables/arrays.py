"""Finite MDPs from arrays: transition probabilities and rewards, dense or sparse, rewards random or not.

S states, A actions; row s A + a belongs to state s and action a. N transitions of positive probability are all that is
kept, so an MDP of a hundred thousand states takes what its transitions take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pgfast.errors import PgfastError
from pgfast.tables.outcomes import TOLERANCE, Outcomes, check_finite, check_sums, numbers


class Entries(NamedTuple):
    """The entries of a matrix (S A, S) that may differ from zero, in order of row and column, each once."""

    n_states: int
    n_actions: int
    row: np.ndarray  # int64 (N,)
    column: np.ndarray  # int64 (N,)
    value: np.ndarray  # float64 (N,)

    def positive(self) -> Entries:
        """Those greater than 0."""
        keep = self.value > 0
        return self._replace(row=self.row[keep], column=self.column[keep], value=self.value[keep])

    def place(self, at: Any) -> tuple[int, int, int]:
        """State, action and next state of an entry."""
        s, a = divmod(int(self.row[at]), self.n_actions)
        return s, a, int(self.column[at])

    def check(self, name: str) -> None:
        """Raise PgfastError for an entry that is no finite number."""
        bad = np.flatnonzero(~np.isfinite(self.value))
        if len(bad):
            place = ", ".join(map(str, self.place(bad[0])))
            raise PgfastError(f"{name}[{place}] is {self.value[bad[0]]}: every entry must be a finite number.")


def read_outcomes(p: Any, r: Any, shares: Any = None) -> tuple[int, int, Outcomes]:
    """(S, A, outcomes) of transition probabilities and rewards, checked; none of the outcomes ends an episode. With
    `shares` rewards are random: `r` is several of them, and `shares` the probability of each."""
    chances = _probabilities(p)
    n_states, n_actions = chances.n_states, chances.n_actions
    chances.check("P")
    bad = np.flatnonzero(chances.value < 0)
    if len(bad):
        s, a, following = chances.place(bad[0])
        raise PgfastError(
            f"P[{s}, {a}, {following}] is {chances.value[bad[0]]:g}: the probability of going from state {s} by action "
            f"{a} to state {following} can't be negative."
        )
    chances = chances.positive()
    check_sums(np.bincount(chances.row, chances.value, n_states * n_actions), n_actions)
    if shares is None:
        reward, share = _on_transitions("R", r, chances)[:, None], np.ones((1, 1))
    else:
        reward, share = _random_rewards(r, shares, chances)
    probability, column = np.broadcast_arrays(chances.value[:, None] * share, chances.column[:, None])
    happens = probability > 0
    counts = np.bincount(chances.row, happens.sum(axis=1), n_states * n_actions)
    outcomes = Outcomes(
        offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        probability=probability[happens],
        following=column[happens],
        reward=reward[happens],
        terminated=np.zeros(np.count_nonzero(happens), bool),
    )
    return n_states, n_actions, outcomes


def _probabilities(p: Any) -> Entries:
    if _is_sparse(p):
        rows, n_states = p.shape
        if n_states == 0 or rows == 0 or rows % n_states:
            raise PgfastError(
                f"P has shape {p.shape}: a sparse matrix of transition probabilities has shape (S A, S), its row s A + "
                f"a for state s and action a."
            )
        return _ordered([p], n_states, rows // n_states)
    if _is_sparse_sequence(p):
        n_states = p[0].shape[0]
        for a, matrix in enumerate(p):
            if matrix.shape != (n_states, n_states) or n_states == 0:
                raise PgfastError(
                    f"P[{a}] has shape {matrix.shape}: a sequence of transition matrices has one of shape (S, S) for "
                    f"each action."
                )
        return _ordered(p, n_states, len(p))
    dense = numbers("P", p)
    if dense.ndim != 3 or dense.shape[0] != dense.shape[2] or 0 in dense.shape:
        raise PgfastError(
            f"P has shape {dense.shape}: give transition probabilities of shape (S, A, S), or sparse ones of shape "
            f"(S A, S) or (S, S) for each action."
        )
    n_states, n_actions, _ = dense.shape
    table = dense.reshape(-1, n_states)
    row, column = np.nonzero(table)
    return Entries(n_states, n_actions, row, column, table[row, column])


def _random_rewards(r: Any, shares: Any, chances: Entries) -> tuple[np.ndarray, np.ndarray]:
    """The K rewards that each transition can have, and the probability of each, both (N, K)."""
    if not all(isinstance(parts, Sequence) and len(parts) > 0 for parts in (r, shares)) or len(r) != len(shares):
        raise PgfastError(
            "With reward_probabilities R is a list of several rewards, and there is a probability for each of them."
        )
    reward = [_on_transitions(f"R[{k}]", part, chances) for k, part in enumerate(r)]
    share = np.stack([_share(k, part, chances) for k, part in enumerate(shares)], axis=1)
    sums = share.sum(axis=1)
    bad = np.flatnonzero(np.any(share < 0, axis=1) | (np.abs(sums - 1.0) > TOLERANCE))
    if len(bad):
        s, a, following = chances.place(bad[0])
        raise PgfastError(
            f"The reward_probabilities from state {s} by action {a} to state {following} are "
            f"{', '.join(f'{x:g}' for x in share[bad[0]])}: they can't be negative and must sum to 1."
        )
    return np.stack(reward, axis=1), share


def _share(k: int, given: Any, chances: Entries) -> np.ndarray:
    """The probability of the k-th reward, of each transition that can happen."""
    if isinstance(given, int | float | np.number):
        given = np.full((chances.n_states, chances.n_actions), float(given))
    return _on_transitions(f"reward_probabilities[{k}]", given, chances)


def _on_transitions(name: str, given: Any, chances: Entries) -> np.ndarray:
    """What is given for each action or each transition, for those transitions that can happen, (N,)."""
    if _is_sparse(given) or _is_sparse_sequence(given):
        return _sparse_on_transitions(name, given, chances)
    n_states, n_actions = chances.n_states, chances.n_actions
    dense = numbers(name, given)
    by_action, by_transition = (n_states, n_actions), (n_states, n_actions, n_states)
    if dense.shape not in (by_action, by_transition):
        raise PgfastError(
            f"{name} has shape {dense.shape}: with {n_states} states and {n_actions} actions it must be {by_action} or "
            f"{by_transition}, or sparse as P can be."
        )
    check_finite(name, dense)
    if dense.ndim == 2:
        return np.ascontiguousarray(dense.reshape(-1)[chances.row])
    return np.ascontiguousarray(dense.reshape(-1, n_states)[chances.row, chances.column])


def _sparse_on_transitions(name: str, given: Any, chances: Entries) -> np.ndarray:
    n_states, n_actions = chances.n_states, chances.n_actions
    matrices, shape = ([given], (n_states * n_actions, n_states)) if _is_sparse(given) else (given, (n_states,) * 2)
    if len(matrices) not in (1, n_actions) or any(matrix.shape != shape for matrix in matrices):
        raise PgfastError(
            f"{name} has shape {[matrix.shape for matrix in matrices]}: with {n_states} states and {n_actions} actions "
            f"sparse numbers are one matrix of shape {(n_states * n_actions, n_states)}, or {n_actions} of shape "
            f"{(n_states, n_states)}."
        )
    stored = _ordered(matrices, n_states, n_actions)
    stored.check(name)
    if len(stored.value) == 0:
        return np.zeros(len(chances.value))
    have, want = (part.row * n_states + part.column for part in (stored, chances))
    place = np.minimum(np.searchsorted(have, want), len(have) - 1)
    return np.where(have[place] == want, stored.value[place], 0.0)


def _is_sparse(thing: Any) -> bool:
    """Is it a scipy.sparse matrix? Asked so that scipy need not be loaded."""
    return hasattr(thing, "tocoo")


def _is_sparse_sequence(thing: Any) -> bool:
    return isinstance(thing, Sequence) and len(thing) > 0 and all(map(_is_sparse, thing))


def _ordered(matrices: Sequence[Any], n_states: int, n_actions: int) -> Entries:
    """The stored entries of a sparse matrix, or of one for each action; what is stored twice is summed."""
    parts, step = [matrix.tocoo() for matrix in matrices], len(matrices)
    row = np.concatenate([part.row.astype(np.int64) * step + k for k, part in enumerate(parts)])
    place = row * n_states + np.concatenate([part.col for part in parts])
    value = np.concatenate([np.asarray(part.data, float) for part in parts])
    if np.any(np.diff(place) <= 0):
        place, index = np.unique(place, return_inverse=True)
        value = np.bincount(index, value, len(place))
    return Entries(n_states, n_actions, place // n_states, place % n_states, value)
