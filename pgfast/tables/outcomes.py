"""What can follow each state and action: the form that all finite MDPs are brought into.

S states, A actions, N outcomes; row s A + a belongs to state s and action a. Two outcomes may have the same next state
and different rewards: this is how a reward is random.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from pgfast.errors import PgfastError

TOLERANCE = 1e-8  # of a sum of probabilities that should be one


class Outcomes(NamedTuple):
    """What can follow each (state, action): entries offsets[s A + a] … offsets[s A + a + 1] − 1 of the other arrays."""

    offsets: np.ndarray  # int64 (S A + 1,)
    probability: np.ndarray  # float64 (N,)
    following: np.ndarray  # int64 (N,): the next state
    reward: np.ndarray  # float64 (N,)
    terminated: np.ndarray  # bool (N,): does the episode end with it?

    @classmethod
    def stacked(
        cls, probability: ArrayLike, following: ArrayLike, reward: ArrayLike, terminated: ArrayLike = False
    ) -> Self:
        """From arrays (S, A, K), or such as broadcast to it: up to K outcomes of each (state, action), those of
        probability 0 left out."""
        p, following, reward, terminated = np.broadcast_arrays(probability, following, reward, terminated)
        if p.ndim != 3 or 0 in p.shape:
            raise PgfastError(f"The outcomes have shape {p.shape}: it must be (states, actions, outcomes).")
        happens = p != 0
        return cls(
            offsets=np.concatenate(([0], np.cumsum(happens.sum(axis=2)))).astype(np.int64),
            probability=p[happens].astype(float),
            following=whole(following[happens]),
            reward=reward[happens].astype(float),
            terminated=terminated[happens].astype(bool),
        )

    @classmethod
    def listed(cls, table: Any) -> Self:
        """From lists table[s][a] of (probability, next state, reward, terminated), in lists or in dicts by number, as
        Gymnasium's `P` is; outcomes of probability 0 are left out. Raises PgfastError with the state and the action
        that differs from this form."""
        states = _numbered(table, "state")
        rows = [row for s, actions in enumerate(states) for row in _actions(states, s, actions)]
        rows = [[outcome for outcome in row if outcome[0] != 0] for row in rows]
        flat = [outcome for row in rows for outcome in row]
        return cls(
            offsets=np.cumsum([0, *map(len, rows)], dtype=np.int64),
            probability=np.array([o[0] for o in flat], float),
            following=np.array([o[1] for o in flat], np.int64),
            reward=np.array([o[2] for o in flat], float),
            terminated=np.array([o[3] for o in flat], bool),
        )

    def rows(self) -> np.ndarray:
        """The row s A + a that each entry belongs to, (N,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def check(self, n_states: int) -> int:
        """The number of actions; raises PgfastError for arrays that don't belong together, and for what is no
        probability, state or reward, with its state and action."""
        self._check_form()
        n_rows = len(self.offsets) - 1
        if n_rows < 1 or n_rows % n_states:
            raise PgfastError(f"There are outcomes of {n_rows} states and actions, and rho0 has {n_states} states.")
        n_actions = n_rows // n_states
        wrong = (
            ("probability", ~(self.probability >= 0), "no probability"),
            ("next state", (self.following < 0) | (self.following >= n_states), f"not from 0 to {n_states - 1}"),
            ("reward", ~np.isfinite(self.reward), "no finite number"),
        )
        for (what, bad, why), values in zip(wrong, (self.probability, self.following, self.reward), strict=True):
            if bad.any():
                at = int(np.argmax(bad))
                s, a = divmod(int(self.rows()[at]), n_actions)
                raise PgfastError(f"State {s} and action {a} have an outcome whose {what} is {values[at]:g}: {why}.")
        check_sums(np.bincount(self.rows(), self.probability, n_rows), n_actions)
        return n_actions

    def _check_form(self) -> None:
        offsets, n = self.offsets, self.probability.size
        kinds = "".join(array.dtype.kind for array in self)
        flat = all(array.ndim == 1 for array in self) and all(len(array) == n for array in self[1:])
        if not (
            flat
            and kinds == "ififb"
            and len(offsets)
            and (offsets[0], offsets[-1]) == (0, n)
            and np.all(offsets[1:] >= offsets[:-1])
        ):
            raise PgfastError(
                f"The outcomes' arrays don't belong together: probability, following (int), reward and terminated "
                f"(bool) must have one length, here {n}, and offsets be ints that rise from 0 to it."
            )


def _numbered(parts: Any, what: str) -> list[Any]:
    """The values of a list, or of a dict whose keys are 0, 1, 2, …"""
    if isinstance(parts, Sequence | np.ndarray):
        return list(parts)
    if not isinstance(parts, Mapping):
        raise PgfastError(f"The table has {_short(parts)} where a list of {what}s should be, or a dict by number.")
    missing = [k for k in range(len(parts)) if k not in parts]
    if missing:
        raise PgfastError(f"The table has no {what} {missing[0]}: its {len(parts)} {what}s are numbered from 0.")
    return [parts[k] for k in range(len(parts))]


def _actions(states: Any, s: int, actions: Any) -> list[Any]:
    """What follows each action in a state."""
    rows = _numbered(actions, "action")
    if len(rows) != len(states[0]):
        raise PgfastError(f"State {s} has {len(rows)} actions and state 0 has {len(states[0])}: all have the same.")
    for a, row in enumerate(rows):
        for outcome in _numbered(row, "outcome"):
            if not _is_outcome(outcome):
                raise PgfastError(
                    f"State {s} and action {a} have the outcome {outcome!r}: an outcome is (probability, next state, "
                    f"reward, terminated), the next state a whole number."
                )
    return rows


def _is_outcome(thing: Any) -> bool:
    if not isinstance(thing, tuple | list) or len(thing) != 4:
        return False
    return all(isinstance(x, int | float | np.number | np.bool_) for x in thing) and float(thing[1]).is_integer()


def check_sums(sums: np.ndarray, n_actions: int) -> None:
    """Raise PgfastError unless the probabilities of every row, summed up, are one."""
    bad = np.flatnonzero(~(np.abs(sums - 1.0) <= TOLERANCE))
    if len(bad):
        s, a = divmod(int(bad[0]), n_actions)
        raise PgfastError(
            f"The probabilities of what follows state {s} and action {a} sum to {sums[bad[0]]:.10g}: they must sum to "
            f"1."
        )


def numbers(name: str, given: Any) -> np.ndarray:
    """As an array of floats; raises PgfastError for what is none."""
    try:
        return np.asarray(given, float)
    except (TypeError, ValueError):
        raise PgfastError(f"{name} is {_short(given)}: it must be an array of numbers.") from None


def _short(thing: Any) -> str:
    text = " ".join(repr(thing).split())
    return text if len(text) <= 60 else f"{text[:60]}…"


def whole(following: Any) -> np.ndarray:
    """Numbers of next states; raises PgfastError for one with a fraction."""
    given = numbers("following", following)
    bad = given[~np.isfinite(given) | (given != np.floor(given))]
    if len(bad):
        raise PgfastError(f"A next state is {bad[0]:g}: it must be a whole number.")
    return given.astype(np.int64)


def check_finite(name: str, array: np.ndarray) -> None:
    """Raise PgfastError for the first entry that is no finite number."""
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = ", ".join(str(int(i)) for i in bad[0])
        raise PgfastError(f"{name}[{place}] is {array[tuple(bad[0])]}: every entry must be a finite number.")


def distribution(rho0: Any, n_states: int | None = None) -> np.ndarray:
    """The distribution of the first state, checked; (S,), of `n_states` states where these are known."""
    rho = numbers("rho0", rho0)
    if rho.ndim != 1 or len(rho) == 0 or n_states not in (None, len(rho)):
        known = (
            f"with {n_states} states it must be ({n_states},)" if n_states else "it must have a number for each state"
        )
        raise PgfastError(f"rho0 has shape {rho.shape}: {known}.")
    check_finite("rho0", rho)
    if np.any(rho < 0):
        raise PgfastError(
            f"rho0[{int(np.argmin(rho))}] is {rho.min():g}: the probability of a first state can't be negative."
        )
    if abs(rho.sum() - 1.0) > TOLERANCE:
        raise PgfastError(f"rho0 sums to {rho.sum():.10g}: the probabilities of the first state must sum to 1.")
    return rho


def seen_states(given: Any, n_states: int) -> np.ndarray:
    """What is seen of each state, checked, int64 (S,)."""
    seen = np.asarray(given)
    if seen.shape != (n_states,) or seen.dtype.kind not in "iu":
        raise PgfastError(
            f"observations have shape {seen.shape}: give a whole number for each of the {n_states} states."
        )
    if seen.min() < 0:
        s = int(np.argmin(seen))
        raise PgfastError(f"observations[{s}] is {seen[s]}: what is seen of a state is numbered from 0.")
    return seen.astype(np.int64)


def terminal_states(outcomes: Outcomes, n_states: int, n_actions: int, given: Any) -> np.ndarray:
    """The states that end an episode, bool (S,): those given, or without these those that no action leaves and that pay
    nothing. Raises PgfastError where one that is given pays something."""
    state = outcomes.rows() // n_actions
    pays = np.bincount(state[outcomes.reward != 0.0], minlength=n_states) > 0
    if given is None:
        left = np.bincount(state[outcomes.following != state], minlength=n_states) > 0
        return np.asarray(~left & ~pays)
    ends = _chosen(given, n_states)
    if np.any(ends & pays):
        at = int(np.argmax(ends[state] & (outcomes.reward != 0.0)))
        s, a = divmod(int(outcomes.rows()[at]), n_actions)
        raise PgfastError(
            f"The terminal state {s} pays {outcomes.reward[at]:g} for action {a}, but an episode ends on entering it: "
            f"pay on the way in, or leave {s} out of `terminal`."
        )
    return ends


def _chosen(given: Any, n_states: int) -> np.ndarray:
    """Truth values or numbers of states, as truth values."""
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
