"""The table behind a class: every state that its methods can reach, and what can follow each action, with exact
probabilities.

The methods run in plain Python, again and again. What they draw is no number but a `Chance`, uniform on an interval:
when it is compared with a number, or made a whole number, each of the possible answers is followed in turn, with its
probability. That covers steps whose outcomes are finitely many; a step that computes with the number itself has no
table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, NoReturn

import numpy as np

import pgfast.random
from pgfast.compiler import compiled_functions
from pgfast.environments import Source
from pgfast.errors import PgfastError
from pgfast.probe import Traits
from pgfast.random import make_key
from pgfast.tables import Outcomes, TabularMDP

MOST_STATES = 100_000
INSTEAD = (  # of exact numbers
    "what there is are estimates from episodes, as of `pgfast train` and `pgfast evaluate`, and finite differences of "
    "mean returns, as of `pgfast gradcheck`"
)
_MOST_BRANCHES = 100_000  # of one step


class _WithoutATableError(Exception):
    """A number that is drawn is used in a way that has infinitely many outcomes."""


class _Draws:
    """One way through a method: which answer was taken at each decision, and how likely the way is."""

    def __init__(self, path: list[int]) -> None:
        self.path, self.at, self.probability = path, 0, 1.0
        self.others: list[list[int]] = []  # the ways not taken
        self.intervals: dict[int, list[float]] = {}
        self.integers: dict[int, int] = {}

    def decide(self, chances: list[float]) -> int:
        """Which of several answers is given, of these probabilities."""
        if self.at == len(self.path):
            taken = [k for k, p in enumerate(chances) if p > 0.0]
            self.others += [[*self.path, k] for k in taken[1:]]
            self.path.append(taken[0])
        answer = self.path[self.at]
        self.at += 1
        self.probability *= chances[answer]
        return answer

    def uniform(self, key: Any, i: int) -> Chance:
        return Chance(self, self.intervals.setdefault(int(i), [0.0, 1.0]), 1.0, 0.0)

    def randint(self, key: Any, i: int, n: int) -> int:
        if i not in self.integers:
            self.integers[i] = self.decide([1.0 / n] * int(n))
        return self.integers[i]

    def normal(self, key: Any, i: int) -> NoReturn:
        raise _WithoutATableError


class Chance:
    """scale · u + offset, u uniform on an interval that shrinks with every answer."""

    __array_ufunc__ = None  # NumPy's numbers leave comparisons and arithmetic to this class
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, draws: _Draws, interval: list[float], scale: float, offset: float) -> None:
        self._draws, self._interval, self._scale, self._offset = draws, interval, scale, offset

    def _below(self, bound: Any) -> bool:
        """Is it less than a number?"""
        if isinstance(bound, Chance):
            raise _WithoutATableError
        low, high = self._interval
        cut = min(max((float(bound) - self._offset) / self._scale, low), high)
        under = (cut - low) / (high - low)
        lower = self._draws.decide([1.0 - under, under]) == 1
        self._interval[:] = [low, cut] if lower else [cut, high]
        return lower == (self._scale > 0)

    def __lt__(self, other: Any) -> bool:
        return self._below(other)

    __le__ = __lt__

    def __gt__(self, other: Any) -> bool:
        return not self._below(other)

    __ge__ = __gt__

    def __mul__(self, factor: Any) -> Chance:
        if isinstance(factor, Chance) or factor == 0:
            raise _WithoutATableError
        return Chance(self._draws, self._interval, self._scale * float(factor), self._offset * float(factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Chance:
        return self.__mul__(1.0 / divisor)

    def __add__(self, term: Any) -> Chance:
        if isinstance(term, Chance):
            raise _WithoutATableError
        return Chance(self._draws, self._interval, self._scale, self._offset + float(term))

    __radd__ = __add__

    def __neg__(self) -> Chance:
        return self.__mul__(-1.0)

    def __sub__(self, term: Any) -> Chance:
        return self.__add__(-term)

    def __rsub__(self, term: Any) -> Chance:
        return self.__neg__().__add__(term)

    def __floor__(self) -> int:
        ends = sorted(self._scale * u + self._offset for u in self._interval)
        whole = list(range(math.floor(ends[0]), math.ceil(ends[1])))
        parts = [max(0.0, min(ends[1], k + 1) - max(ends[0], k)) / (ends[1] - ends[0]) for k in whole]
        answer = whole[self._draws.decide(parts)]
        cuts = sorted((x - self._offset) / self._scale for x in (answer, answer + 1))
        self._interval[:] = [max(self._interval[0], cuts[0]), min(self._interval[1], cuts[1])]
        return answer

    def __int__(self) -> int:
        if min(self._scale * u + self._offset for u in self._interval) < 0:
            raise _WithoutATableError  # rounds towards zero
        return self.__floor__()

    def _no_table(self, *_: Any) -> NoReturn:
        raise _WithoutATableError

    __float__ = __bool__ = __eq__ = __ne__ = __pow__ = __rtruediv__ = __mod__ = __floordiv__ = _no_table


class Enumeration(NamedTuple):
    """A table, and what its numbers of states stand for."""

    mdp: TabularMDP
    states: tuple[Any, ...]  # by number
    observations: tuple[Any, ...]  # what a policy sees of each


def enumerated(env: Any, traits: Traits, most: int = MOST_STATES) -> Enumeration:
    """The table of an environment with finitely many states and outcomes.

    Raises PgfastError where there is none: when it has more than `most` states, draws numbers that it computes with, or
    takes real actions.
    """
    name = type(env).__name__
    if not traits.n_actions:
        raise PgfastError(f"{name} has no table: its actions are real numbers, {env.action_space}; {INSTEAD}.")
    actions = range(traits.first_action, traits.first_action + traits.n_actions)
    found = _States(name, most)
    rows: dict[tuple[int, int], list[tuple[float, int, float, bool]]] = {}
    key = make_key()
    with _drawing(type(env)) as follow:
        try:
            first = [(p, found.number(s, False)) for s, p in follow(partial(env.reset, key))]
            while found.waiting:
                k = found.waiting.pop(0)
                for a, action in enumerate(actions):
                    ways = follow(partial(env.step, found.states[k], action, key))
                    rows[k, a] = [(p, found.number(s, done), float(r), bool(done)) for (s, r, done), p in ways]
        except _WithoutATableError:
            raise PgfastError(
                f"{name} has no table: it computes with the random numbers that it draws, so infinitely many states "
                f"or rewards can follow; {INSTEAD}."
            ) from None
    states = found.states
    outcomes = _as_outcomes(
        [rows.get((k, a), [(1.0, k, 0.0, True)]) for k in range(len(states)) for a in range(traits.n_actions)]
    )
    rho0 = np.bincount([s for _, s in first], [p for p, _ in first], len(states))
    limit = traits.max_steps if traits.limited else None
    mdp = TabularMDP.from_outcomes(outcomes, rho0, max_steps=limit, name=name)
    seen = tuple(env.observe(state) if hasattr(env, "observe") else state for state in states)
    return Enumeration(mdp, tuple(states), seen)


class _States:
    """States by number, and those whose actions are still to be tried."""

    def __init__(self, name: str, most: int) -> None:
        self.name, self.most = name, most
        self.states: list[Any] = []
        self.waiting: list[int] = []
        self._numbers: dict[Any, int] = {}
        self._going: set[int] = set()

    def number(self, state: Any, done: Any) -> int:
        """The state's number; if the episode goes on there, its actions are tried."""
        plain = tuple(map(_plain, state)) if isinstance(state, tuple) else _plain(state)
        k = self._numbers.setdefault(plain, len(self.states))
        if k == len(self.states):
            self.states.append(plain)
            if k == self.most:
                raise PgfastError(f"{self.name} has more than {self.most:,} states: too many to make a table of it.")
        if not done and k not in self._going:
            self._going.add(k)
            self.waiting.append(k)
        return k


def _plain(x: Any) -> Any:
    """A number of Python's."""
    if isinstance(x, Chance):
        raise _WithoutATableError
    return x.item() if hasattr(x, "item") else x


def _as_outcomes(rows: list[list[tuple[float, int, float, bool]]]) -> Outcomes:
    """Lists of (probability, next state, reward, terminated), one for each (state, action)."""
    flat = [outcome for row in rows for outcome in row]
    return Outcomes(
        offsets=np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64),
        probability=np.array([o[0] for o in flat]),
        following=np.array([o[1] for o in flat], np.int64),
        reward=np.array([o[2] for o in flat]),
        terminated=np.array([o[3] for o in flat]),
    )


Follow = Callable[[Callable[[], Any]], Iterator[tuple[Any, float]]]


@contextmanager
def _drawing(cls: type) -> Iterator[Follow]:
    """Within it, pgfast's random numbers are chances for the methods of `cls`; gives a function that follows every way
    through a call: (result, probability) of each."""
    drawn = {getattr(pgfast.random, kind): kind for kind in ("uniform", "randint", "normal")}
    spaces = [vars(pgfast), vars(pgfast.random), *(f.__globals__ for f in compiled_functions(cls))]
    held = [
        (space, name, drawn[value])
        for space in spaces
        for name, value in list(space.items())
        if callable(value) and getattr(value, "__hash__", None) and value in drawn
    ]
    kept = [(space, name, space[name]) for space, name, _ in held]

    def follow(call: Callable[[], Any]) -> Iterator[tuple[Any, float]]:
        waiting: list[list[int]] = [[]]
        for _ in range(_MOST_BRANCHES):
            if not waiting:
                return
            draws = _Draws(waiting.pop())
            for space, name, kind in held:
                space[name] = getattr(draws, kind)
            result = call()
            waiting += draws.others
            yield result, draws.probability
        raise _WithoutATableError

    try:
        yield follow
    finally:
        for space, name, value in kept:
            space[name] = value


def table_behind(source: Source, traits: Traits) -> Enumeration:
    """The table of an environment: its own, or the one that its methods have. Raises PgfastError where there is
    none."""
    if source.foreign is not None:
        raise PgfastError(f"{source.label} is stepped by Gymnasium: its probabilities are not known; {INSTEAD}.")
    if source.table is None:
        return enumerated(source.env, traits)
    states = tuple(range(source.table.n_states))
    seen = tuple(int(source.env.observe(s)) for s in states) if hasattr(source.env, "observe") else states
    return Enumeration(source.table, states, seen)
