"""Environments that do what they must not: pay without measure, leave their space, give things of any type."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from hypothesis import strategies as st

from pgfast import uniform
from pgfast.random import make_key

_REALS = Box(-np.inf, np.inf, (1,), np.float64)
_seen = sorted(uniform(make_key(step=t), 0) for t in range(1, 65))  # when an environment is first looked at
_gap = int(np.argmax(np.diff(_seen)))
SELDOM = _seen[_gap], _seen[_gap + 1]  # numbers that are met no earlier than in training


class Hostile(NamedTuple):
    """Pays what it is told to, and goes where it is told to, out of its space, too; always, or where a number is drawn
    that lies between two others."""

    pay: float = 1.0
    place: int = 1
    above: float = 0.0
    below: float = 1.0
    times: float = 1.0  # what is paid: 0 makes no number of an infinite one

    max_steps = 8

    @property
    def observation_space(self) -> Discrete:
        return Discrete(3)

    @property
    def action_space(self) -> Discrete:
        return Discrete(2)

    def reset(self, key: Any) -> int:
        return 0

    def step(self, state: int, action: int, key: Any) -> tuple[int, float, bool]:
        now = self.above < uniform(key, 0) < self.below
        return self.place if now else 1, self.pay * self.times if now and action == 1 else 0.0, False


class Wild(NamedTuple):
    """The same with real observations, of whatever size; with one action, its policy has no parameters."""

    pay: float = 1.0
    place: float = 1.0
    above: float = 0.0
    below: float = 1.0
    times: float = 1.0  # what is paid and where it goes
    actions: int = 2

    max_steps = 8

    @property
    def observation_space(self) -> Box:
        return _REALS

    @property
    def action_space(self) -> Discrete:
        return Discrete(self.actions)

    def reset(self, key: Any) -> float:
        return 0.0

    def step(self, state: float, action: int, key: Any) -> tuple[float, float, bool]:
        now = self.above < uniform(key, 0) < self.below
        pay = self.pay * self.times if now and action == 0 else 0.0
        return self.place * self.times if now else 0.5, pay, False


class Strange(NamedTuple):
    """Gives what it is told to, of whatever type, once it has been asked for the first step."""

    state: Any = 0
    pay: Any = 0.0
    end: Any = False

    max_steps = 4
    observation_space, action_space = Hostile.observation_space, Hostile.action_space

    def reset(self, key: Any) -> int:
        return 0

    def step(self, state: int, action: int, key: Any) -> tuple[Any, Any, Any]:
        return self.state, self.pay, self.end


class StrangeReal(Strange):
    """The same with real observations."""

    observation_space = Wild.observation_space


class Alien(gymnasium.Env[Any, Any]):
    """One that Gymnasium steps, and that answers what it is told to."""

    observation_space, action_space = Box(-np.inf, np.inf, (2,), np.float64), Discrete(2)

    def __init__(self, state: Any, pay: Any, end: Any) -> None:
        self.answer = state, pay, end, False, {}

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return np.zeros(2), {}

    def step(self, action: Any) -> Any:
        return self.answer


# ---- what they are told

_PAYS = st.sampled_from([1e308, -1e308, float("nan"), float("inf"), -float("inf"), 5e-324, 0.0]) | st.floats()
_NUMBERS = _PAYS.filter(lambda x: x == x)  # no parameter is NaN
_WHEN = st.sampled_from([(0.0, 1.0), SELDOM])
_TIMES = st.sampled_from([0.0, 1.0])
_THINGS = [(0,), (0, 1.0), np.nan, np.zeros(2), np.float32(1.0), 10**400, b"", print]
SPACES = st.sampled_from(
    [*(Discrete(n) for n in (1, 2, 3, 5 * 10**6, 2**30, 2**31, 2**62)), *(Box(-1.0, 1.0, (n,)) for n in (0, 1, 10**5))]
)
ACTIONS = st.sampled_from([*map(Discrete, (1, 2, 2**31)), *(Box(-1.0, 1.0, (n,)) for n in (0, 1, 2))])


def environments() -> Any:
    """Such as kernels can play."""
    places = st.sampled_from([0, 2, 3, -1, 2**31, -(2**62)])
    return st.one_of(
        st.tuples(_NUMBERS, places, _WHEN, _TIMES).map(lambda c: Hostile(c[0], c[1], *c[2], c[3])),
        st.tuples(_NUMBERS, _NUMBERS, _WHEN, _TIMES, st.sampled_from([1, 2])).map(
            lambda c: Wild(c[0], c[1], *c[2], *c[3:])
        ),
    )


def strangers(odd: list[Any]) -> Any:
    """Such as give odd things."""
    thing = st.sampled_from([*_THINGS, *odd])
    return st.one_of(st.builds(kind, thing, thing, thing) for kind in (Strange, StrangeReal))


def answers(odd: list[Any]) -> Any:
    """What `Alien` may be told."""
    thing = st.sampled_from([*_THINGS, *odd])
    state = thing | st.lists(_PAYS, min_size=2, max_size=2).map(np.array)
    return st.tuples(state, st.one_of(thing, _PAYS), st.sampled_from([True, False]) | thing)
