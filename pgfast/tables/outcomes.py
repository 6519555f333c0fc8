"""What can follow each state and action, read from transition probabilities and rewards of any form.

S states, A actions; row s A + a belongs to state s and action a. N transitions of positive probability are all that is
kept, so an MDP of a hundred thousand states takes what its transitions take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pgfast.errors import PgfastError

_TOLERANCE = 1e-8  # of a sum of probabilities that should be one


class Outcomes(NamedTuple):
    """What can follow each (state, action): entries offsets[s A + a] … offsets[s A + a + 1] − 1 of the other arrays."""

    offsets: np.ndarray  # int64 (S A + 1,)
    probability: np.ndarray  # float64 (N,)
    following: np.ndarray  # int64 (N,): the next state
    reward: np.ndarray  # float64 (N,)
    terminated: np.ndarray  # bool (N,)

    def rows(self) -> np.ndarray:
        """The row s A + a that each entry belongs to, (N,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


class Entries(NamedTuple):
    """The entries of a matrix (S A, S) that may differ from zero, in order of row and column, each once."""

    row: np.ndarray  # int64 (N,)
    column: np.ndarray  # int64 (N,)
    value: np.ndarray  # float64 (N,)


def read_outcomes(p: Any, r: Any) -> tuple[int, int, Outcomes]:
    """(S, A, outcomes) of transition probabilities and rewards, checked; none of the outcomes ends an episode."""
    n_states, n_actions, chances = _probabilities(p)
    _check_entries("P", chances, n_actions)
    bad = np.flatnonzero(chances.value < 0)
    if len(bad):
        s, a, following = _place(chances, bad[0], n_actions)
        raise PgfastError(
            f"P[{s}, {a}, {following}] is {chances.value[bad[0]]:g}: the probability of going from state {s} by action "
            f"{a} to state {following} can't be negative."
        )
    chances = Entries(*(part[chances.value > 0] for part in chances))
    check_sums(np.bincount(chances.row, chances.value, n_states * n_actions), n_actions)
    counts = np.bincount(chances.row, minlength=n_states * n_actions)
    outcomes = Outcomes(
        offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        probability=chances.value,
        following=chances.column,
        reward=_rewards(r, chances, n_states, n_actions),
        terminated=np.zeros(len(chances.value), bool),
    )
    return n_states, n_actions, outcomes


def check_sums(sums: np.ndarray, n_actions: int) -> None:
    """Raise PgfastError unless the probabilities of every row, summed up, are one."""
    bad = np.flatnonzero(~(np.abs(sums - 1.0) <= _TOLERANCE))
    if len(bad):
        s, a = divmod(int(bad[0]), n_actions)
        raise PgfastError(
            f"The probabilities of what follows state {s} and action {a} sum to {sums[bad[0]]:.10g}: they must sum to "
            f"1."
        )


def distribution(rho0: Any, n_states: int) -> np.ndarray:
    """The distribution of the first state, checked."""
    rho = np.asarray(rho0, float)
    if rho.shape != (n_states,):
        raise PgfastError(f"rho0 has shape {rho.shape}: with {n_states} states it must be ({n_states},).")
    _check_finite("rho0", rho)
    if np.any(rho < 0) or abs(rho.sum() - 1.0) > _TOLERANCE:
        raise PgfastError(f"rho0 sums to {rho.sum():.10g}, smallest entry {rho.min():g}: it must be a distribution.")
    return rho


def terminal_states(outcomes: Outcomes, n_states: int, n_actions: int, given: Any) -> np.ndarray:
    """The states that end an episode, bool (S,): those given, or without these those that no action leaves and that pay
    nothing."""
    if given is None:
        state = outcomes.rows() // n_actions
        stays = outcomes.following == state
        for_good = np.bincount(state[stays & (outcomes.probability == 1.0)], minlength=n_states) == n_actions
        pays = np.bincount(state[stays & (outcomes.reward != 0.0)], minlength=n_states) > 0
        return np.asarray(for_good & ~pays)
    chosen = np.asarray(given)
    chosen = chosen.astype(np.int64) if chosen.size == 0 else chosen  # an empty list has no type of its own
    if chosen.dtype == bool and chosen.shape == (n_states,):
        return chosen
    whole = chosen.dtype.kind in "iu" and chosen.ndim == 1
    if whole and (chosen.size == 0 or (chosen.min() >= 0 and chosen.max() < n_states)):
        ends: np.ndarray = np.zeros(n_states, bool)
        ends[chosen] = True
        return ends
    raise PgfastError(
        f"terminal is {given!r}: give {n_states} truth values, or a list of states from 0 to {n_states - 1}."
    )


def _probabilities(p: Any) -> tuple[int, int, Entries]:
    if _is_sparse(p):
        rows, n_states = p.shape
        if n_states == 0 or rows == 0 or rows % n_states:
            raise PgfastError(
                f"P has shape {p.shape}: a sparse matrix of transition probabilities has shape (S A, S), its row s A + "
                f"a for state s and action a."
            )
        return n_states, rows // n_states, _ordered([p], 1)
    if _is_sparse_sequence(p):
        n_states = p[0].shape[0]
        for a, matrix in enumerate(p):
            if matrix.shape != (n_states, n_states) or n_states == 0:
                raise PgfastError(
                    f"P[{a}] has shape {matrix.shape}: a sequence of transition matrices has one of shape (S, S) for "
                    f"each action."
                )
        return n_states, len(p), _ordered(p, len(p))
    dense = np.asarray(p, float)
    if dense.ndim != 3 or dense.shape[0] != dense.shape[2] or 0 in dense.shape:
        raise PgfastError(
            f"P has shape {dense.shape}: give transition probabilities of shape (S, A, S), or sparse ones of shape "
            f"(S A, S) or (S, S) for each action."
        )
    n_states, n_actions, _ = dense.shape
    table = dense.reshape(-1, n_states)
    row, column = np.nonzero(table)
    return n_states, n_actions, Entries(row, column, table[row, column])


def _rewards(r: Any, chances: Entries, n_states: int, n_actions: int) -> np.ndarray:
    """The reward of each transition that can happen, (N,)."""
    if _is_sparse(r) or _is_sparse_sequence(r):
        return _sparse_rewards(r, chances, n_states, n_actions)
    dense = np.asarray(r, float)
    by_action, by_transition = (n_states, n_actions), (n_states, n_actions, n_states)
    if dense.shape not in (by_action, by_transition):
        raise PgfastError(
            f"R has shape {dense.shape}: with {n_states} states and {n_actions} actions it must be {by_action} or "
            f"{by_transition}, or sparse as P can be."
        )
    _check_finite("R", dense)
    if dense.ndim == 2:
        return np.ascontiguousarray(dense.reshape(-1)[chances.row])
    return np.ascontiguousarray(dense.reshape(-1, n_states)[chances.row, chances.column])


def _sparse_rewards(r: Any, chances: Entries, n_states: int, n_actions: int) -> np.ndarray:
    matrices, shape = ([r], (n_states * n_actions, n_states)) if _is_sparse(r) else (r, (n_states, n_states))
    if len(matrices) not in (1, n_actions) or any(matrix.shape != shape for matrix in matrices):
        raise PgfastError(
            f"R has shape {[matrix.shape for matrix in matrices]}: with {n_states} states and {n_actions} actions "
            f"sparse rewards are one matrix of shape {(n_states * n_actions, n_states)}, or {n_actions} of shape "
            f"{(n_states, n_states)}."
        )
    stored = _ordered(matrices, len(matrices))
    _check_entries("R", stored, n_actions)
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


def _ordered(matrices: Sequence[Any], step: int) -> Entries:
    """The stored entries of sparse matrices, row i of matrix k as row step · i + k; what is stored twice is summed."""
    parts = [matrix.tocoo() for matrix in matrices]
    width = np.int64(parts[0].shape[1])
    row = np.concatenate([part.row.astype(np.int64) * step + k for k, part in enumerate(parts)])
    place = row * width + np.concatenate([part.col for part in parts])
    value = np.concatenate([np.asarray(part.data, float) for part in parts])
    if np.any(np.diff(place) <= 0):
        place, index = np.unique(place, return_inverse=True)
        value = np.bincount(index, value, len(place))
    return Entries(place // width, place % width, value)


def _place(entries: Entries, at: Any, n_actions: int) -> tuple[int, int, int]:
    s, a = divmod(int(entries.row[at]), n_actions)
    return s, a, int(entries.column[at])


def _check_entries(name: str, entries: Entries, n_actions: int) -> None:
    bad = np.flatnonzero(~np.isfinite(entries.value))
    if len(bad):
        place = ", ".join(map(str, _place(entries, bad[0], n_actions)))
        raise PgfastError(f"{name}[{place}] is {entries.value[bad[0]]}: every entry must be a finite number.")


def _check_finite(name: str, array: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = ", ".join(str(int(i)) for i in bad[0])
        raise PgfastError(f"{name}[{place}] is {array[tuple(bad[0])]}: every entry must be a finite number.")
