"""Finite Markov decision processes given by arrays, and the environment that plays them.

Notation: S states, A actions, P[s, a, s′] transition probabilities, R rewards, rho0 the distribution of the first
state.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pgfast.compiler import as_float
from pgfast.errors import PgfastError
from pgfast.random import floor_index, uniform

_1, _2, _3 = np.uint64(1), np.uint64(2), np.uint64(3)
_TOLERANCE = 1e-8  # of a sum of probabilities that should be one


class Outcomes(NamedTuple):
    """What can follow each (state, action): entries offsets[s A + a] … offsets[s A + a + 1] − 1 of the other arrays."""

    offsets: np.ndarray  # int64 (S A + 1,)
    probability: np.ndarray  # float64 (N,)
    following: np.ndarray  # int64 (N,): the next state
    reward: np.ndarray  # float64 (N,)
    terminated: np.ndarray  # bool (N,)


class TabularMDP:
    """A finite MDP: ``TabularMDP(P, R, rho0)``.

    Parameters
    ----------
    P : (S, A, S) array
        Transition probabilities; every row P[s, a] sums to one.
    R : (S, A) or (S, A, S) array
        Expected reward of an action, or of a transition.
    rho0 : (S,) array
        Distribution of the first state.
    terminal : array of bool (S,) or of states, optional
        States that end the episode when entered. By default those that no action leaves and that pay nothing.
    max_steps : int, optional
        Steps after which an episode is truncated.
    name : str
        What to call it.

    Raises
    ------
    PgfastError
        When shapes don't match, an entry is negative or not finite, or a row doesn't sum to one: the message names the
        state and the action.
    """

    def __init__(
        self,
        P: ArrayLike,  # noqa: N803
        R: ArrayLike,  # noqa: N803
        rho0: ArrayLike,
        *,
        terminal: ArrayLike | None = None,
        max_steps: int | None = None,
        name: str = "TabularMDP",
    ) -> None:
        p, r = np.asarray(P, float), np.asarray(R, float)
        if p.ndim != 3 or p.shape[0] != p.shape[2] or 0 in p.shape:
            raise PgfastError(f"P has shape {p.shape}: give transition probabilities of shape (S, A, S).")
        s, a, _ = p.shape
        if r.shape not in ((s, a), (s, a, s)):
            raise PgfastError(f"R has shape {r.shape}: with P of shape {p.shape} it must be {(s, a)} or {(s, a, s)}.")
        _check_finite("P", p)
        _check_finite("R", r)
        _check_rows(p)
        rewards = np.broadcast_to(r[:, :, None], p.shape) if r.ndim == 2 else r
        ends = _terminal_states(p, rewards, terminal)
        state, action, following = np.nonzero(p)
        counts = np.bincount(state * a + action, minlength=s * a)
        self._outcomes = Outcomes(
            offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            probability=p[state, action, following],
            following=following.astype(np.int64),
            reward=np.ascontiguousarray(rewards[state, action, following]),
            terminated=ends[following],
        )
        self._set(s, a, rho0, max_steps, name)

    def _set(self, n_states: int, n_actions: int, rho0: ArrayLike, max_steps: int | None, name: str) -> None:
        self.n_states, self.n_actions = n_states, n_actions
        self.rho0 = _distribution(rho0, n_states)
        if max_steps is not None and max_steps < 1:
            raise PgfastError(f"max_steps is {max_steps}: it must be at least 1, or None for no limit.")
        self.max_steps = max_steps
        self.name = name

    @classmethod
    def from_outcomes(
        cls, outcomes: Outcomes, n_states: int, n_actions: int, rho0: ArrayLike, max_steps: int | None, name: str
    ) -> TabularMDP:
        """From a list of outcomes for each (state, action); probabilities are checked as in the constructor."""
        mdp = cls.__new__(cls)
        sums = np.add.reduceat(outcomes.probability, outcomes.offsets[:-1])
        _check_sums(sums.reshape(n_states, n_actions))
        mdp._outcomes = outcomes
        mdp._set(n_states, n_actions, rho0, max_steps, name)
        return mdp

    @classmethod
    def from_gymnasium(cls, env: Any) -> TabularMDP:
        """From a Gymnasium environment with a transition table ``env.unwrapped.P``, its time limit included."""
        table = getattr(env.unwrapped, "P", None)
        if not isinstance(table, dict):
            raise PgfastError(f"{env} has no transition table `P`, so it can't be turned into a TabularMDP.")
        n_states, n_actions = len(table), len(table[0])
        rows = [table[s][a] for s in range(n_states) for a in range(n_actions)]
        flat = [outcome for row in rows for outcome in row]
        outcomes = Outcomes(
            offsets=np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64),
            probability=np.array([o[0] for o in flat], float),
            following=np.array([o[1] for o in flat], np.int64),
            reward=np.array([o[2] for o in flat], float),
            terminated=np.array([bool(o[3]) for o in flat]),
        )
        spec = env.spec
        max_steps = spec.max_episode_steps if spec is not None else None
        name = spec.id if spec is not None else type(env.unwrapped).__name__
        return cls.from_outcomes(outcomes, n_states, n_actions, _first_states(env, n_states), max_steps, name)

    @property
    def outcomes(self) -> Outcomes:
        """What can follow each (state, action)."""
        return self._outcomes

    @property
    def P(self) -> np.ndarray:  # noqa: N802
        """Transition probabilities, (S, A, S); an outcome that ends the episode counts as a transition too."""
        p = np.zeros((self.n_states * self.n_actions, self.n_states))
        o = self._outcomes
        np.add.at(p, (self._rows(), o.following), o.probability)
        return p.reshape(self.n_states, self.n_actions, self.n_states)

    @property
    def R(self) -> np.ndarray:  # noqa: N802
        """Expected rewards, (S, A)."""
        r = np.zeros(self.n_states * self.n_actions)
        np.add.at(r, self._rows(), self._outcomes.probability * self._outcomes.reward)
        return r.reshape(self.n_states, self.n_actions)

    def continuation(self) -> np.ndarray:
        """Probabilities of going on from s by a to s′, (S, A, S): without the outcomes that end the episode."""
        p = np.zeros((self.n_states * self.n_actions, self.n_states))
        o = self._outcomes
        np.add.at(p, (self._rows(), o.following), np.where(o.terminated, 0.0, o.probability))
        return p.reshape(self.n_states, self.n_actions, self.n_states)

    def _rows(self) -> np.ndarray:
        return np.repeat(np.arange(self.n_states * self.n_actions), np.diff(self._outcomes.offsets))

    def environment(self) -> TableEnvironment:
        """The environment that plays this MDP."""
        if self.n_states >= 2**30:
            raise PgfastError(f"{self.name} has {self.n_states} states: a table can have up to {2**30 - 1}.")
        o = self._outcomes
        chance, other = alias_table(o.offsets, o.probability)
        width = chance.shape[1]
        code = _pad(o.offsets, 2 * o.following + o.terminated, width)
        reward = _pad(o.offsets, o.reward, width)
        entries = np.empty((*chance.shape, ENTRY), np.int64)
        entries[:, :, 0] = chance.view(np.int64)
        entries[:, :, 1] = code | np.take_along_axis(code, other, axis=1) << 32
        entries[:, :, 2] = reward.view(np.int64)
        entries[:, :, 3] = np.take_along_axis(reward, other, axis=1).view(np.int64)
        first_chance, first_other = alias_table(np.array([0, self.n_states]), self.rho0)
        return TableEnvironment(
            n_states=self.n_states,
            n_actions=self.n_actions,
            width=width,
            limit=self.max_steps or 0,
            entries=entries.reshape(-1),
            first_chance=first_chance.reshape(-1),
            first_other=first_other.reshape(-1),
        )

    def __repr__(self) -> str:
        return f"{self.name}({self.n_states} states, {self.n_actions} actions)"


ENTRY = 4  # words of an entry: its chance of being kept, both codes, both rewards


class TableEnvironment(NamedTuple):
    """Plays a TabularMDP; for each (state, action) a row of `width` entries, taken with probability 1/width each, and
    then kept or exchanged for another (the alias method, Walker 1977).

    An entry is four words next to each other in memory: the chance that it is kept (the bits of a float), the codes of
    what follows if kept (low half) and if not (high half), and the rewards of both (bits of floats). A code is
    2 · state + 1 if the episode ends with it."""

    n_states: int
    n_actions: int
    width: int
    limit: int  # steps after which an episode is truncated; 0: never
    entries: np.ndarray  # int64 (S A width ENTRY,)
    first_chance: np.ndarray  # float64 (S,)
    first_other: np.ndarray  # int64 (S,)

    @property
    def max_steps(self):
        return self.limit or None

    @property
    def observation_space(self):
        from gymnasium.spaces import Discrete

        return Discrete(self.n_states)

    @property
    def action_space(self):
        from gymnasium.spaces import Discrete

        return Discrete(self.n_actions)

    def reset(self, key):
        u = uniform(key, 0)
        column = floor_index(u, self.n_states)
        return column if u * self.n_states - column < self.first_chance[column] else self.first_other[column]

    def step(self, state, action, key):
        u = uniform(key, 0)
        column = floor_index(u, self.width)
        entry = np.uint64(((state * self.n_actions + action) * self.width + column) * ENTRY)  # unsigned: no wrap-around
        kept = u * self.width - column < as_float(self.entries[entry])
        codes = self.entries[entry + _1]
        reward, other = as_float(self.entries[entry + _2]), as_float(self.entries[entry + _3])
        code = (codes & 0xFFFFFFFF) if kept else (codes >> 32)
        return code >> 1, (reward if kept else other), (code & 1) == 1


def alias_table(offsets: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vose's alias tables (1991) of several distributions, row i over entries offsets[i] … offsets[i + 1] − 1.

    Returns (chance, other), both (rows, width) with width the most entries of a row: column j is kept with probability
    chance[i, j], otherwise column other[i, j] is taken.
    """
    counts = np.diff(offsets)
    width = int(counts.max())
    chance = np.ones((len(counts), width))
    other = np.tile(np.arange(width), (len(counts), 1))
    for i, n in enumerate(counts):
        p = probability[offsets[i] : offsets[i + 1]]
        scaled = np.zeros(width)
        scaled[:n] = p / p.sum() * width
        if np.all(scaled == 1.0):
            continue
        small = [j for j in range(width) if scaled[j] < 1.0]
        large = [j for j in range(width) if scaled[j] >= 1.0]
        while small and large:
            j, k = small.pop(), large[-1]
            chance[i, j], other[i, j] = scaled[j], k
            scaled[k] -= 1.0 - scaled[j]
            if scaled[k] < 1.0:
                small.append(large.pop())
        for j in small:  # left over by rounding: a real column is kept, a padding one stands for a real one
            if j >= n:
                chance[i, j], other[i, j] = 0.0, int(np.argmax(p))
    return chance, other


def _pad(offsets: np.ndarray, values: np.ndarray, width: int) -> np.ndarray:
    """Rows of different lengths as one array, (rows, width), padded with each row's first value."""
    counts = np.diff(offsets)
    index = offsets[:-1, None] + np.minimum(np.arange(width), counts[:, None] - 1)
    return np.ascontiguousarray(values[index])


def _check_finite(name: str, array: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = ", ".join(str(int(i)) for i in bad[0])
        raise PgfastError(f"{name}[{place}] is {array[tuple(bad[0])]}: every entry must be a finite number.")


def _check_rows(p: np.ndarray) -> None:
    bad = np.argwhere(p < 0)
    if len(bad):
        s, a, following = (int(i) for i in bad[0])
        raise PgfastError(
            f"P[{s}, {a}, {following}] is {p[s, a, following]:g}: the probability of going from state {s} by action "
            f"{a} to state {following} can't be negative."
        )
    _check_sums(p.sum(axis=2))


def _check_sums(sums: np.ndarray) -> None:
    bad = np.argwhere(np.abs(sums - 1.0) > _TOLERANCE)
    if len(bad):
        s, a = (int(i) for i in bad[0])
        raise PgfastError(
            f"The probabilities of what follows state {s} and action {a} sum to {sums[s, a]:.10g}: they must sum to 1."
        )


def _distribution(rho0: ArrayLike, n_states: int) -> np.ndarray:
    rho = np.asarray(rho0, float)
    if rho.shape != (n_states,):
        raise PgfastError(f"rho0 has shape {rho.shape}: with {n_states} states it must be ({n_states},).")
    _check_finite("rho0", rho)
    if np.any(rho < 0) or abs(rho.sum() - 1.0) > _TOLERANCE:
        raise PgfastError(f"rho0 sums to {rho.sum():.10g}, smallest entry {rho.min():g}: it must be a distribution.")
    return rho


def _terminal_states(p: np.ndarray, rewards: np.ndarray, terminal: ArrayLike | None) -> np.ndarray:
    n = p.shape[0]
    if terminal is None:
        stays = np.all(p[np.arange(n), :, np.arange(n)] == 1.0, axis=1)
        pays = np.any(rewards[np.arange(n), :, np.arange(n)] != 0.0, axis=1)
        return np.asarray(stays & ~pays)
    given = np.asarray(terminal)
    given = given.astype(np.int64) if given.size == 0 else given  # an empty list has no type of its own
    if given.dtype == bool and given.shape == (n,):
        return given
    if given.dtype.kind in "iu" and given.ndim == 1 and (given.size == 0 or (given.min() >= 0 and given.max() < n)):
        ends: np.ndarray = np.zeros(n, bool)
        ends[given] = True
        return ends
    raise PgfastError(f"terminal is {terminal!r}: give {n} truth values, or a list of states from 0 to {n - 1}.")


def _first_states(env: Any, n_states: int) -> np.ndarray:
    """The distribution of the first state of a Gymnasium environment with a table."""
    known = getattr(env.unwrapped, "initial_state_distrib", None)
    if known is not None:
        weights: np.ndarray = np.asarray(known, float)
        return np.asarray(weights / weights.sum())
    seen = {int(env.reset(seed=seed)[0]) for seed in range(32)}
    if len(seen) > 1:
        raise PgfastError(
            f"{env} starts in different states and doesn't say how likely each is (initial_state_distrib)."
        )
    first: np.ndarray = np.eye(n_states)[seen.pop()]
    return first
