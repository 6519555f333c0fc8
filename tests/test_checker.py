"""The checker: accepts what comes with pgfast, and sees what is wrong with an environment that compiles and runs."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import problems
import pytest
from gymnasium.spaces import Box, Discrete

from pgfast import PgfastError, TabularMDP, check, uniform
from pgfast.checker import Report
from pgfast.collection import FAMILIES
from pgfast.environments import listed
from pgfast.sample import COMPARED, TURNS

NAMES = ["protocol", "spaces", "purity", "independence", "compilation", "play", "agreement", "states", "observations"]
NAMES += ["rewards", "termination", "truncation", "speed"]


def failed(report: Report) -> dict[str, str]:
    return {c.name: c.message for c in report.checks if not c.ok}


def said(report: Report) -> dict[str, str]:
    return {c.name: c.message for c in report.checks}


@pytest.mark.slow
@pytest.mark.parametrize("env", listed())
def test_bundled_environments(env: str) -> None:
    report = check(env)
    assert report.ok, report
    assert [c.name for c in report.checks] == NAMES
    exact = f"{COMPARED * TURNS:,} steps, compiled and in Python, are the same bit for bit"
    assert said(report)["agreement"] == exact
    vectors = env in FAMILIES["Gymnasium, classic control"]  # where the processor has vectors of floats
    assert report.facts["vectorised"] or (report.facts["in_the_way"] and not vectors)
    assert report.facts["ns_per_step"] > 0.0


@pytest.mark.parametrize(("env", "precision"), [(problems.Glider(), "float64"), (problems.Raft(), "float32")])
def test_real_actions(env: NamedTuple, precision: str) -> None:
    report = check(env, precision=precision)
    assert report.ok, report
    exact = f"{COMPARED * TURNS:,} steps, compiled and in Python, are the same bit for bit"
    assert said(report)["agreement"] == exact
    assert report.facts["vectorised"]
    assert report.facts["actions"].startswith("Box(")


@pytest.mark.parametrize("env", ["CartPole-v1", "ShortCorridor"])
def test_environments_that_are_vector_code(env: str) -> None:
    report = check(env)
    assert report.facts["vectorised"]
    assert report.facts["in_the_way"] == []
    assert said(report)["speed"].endswith(" ns a step, in vector code")


def test_facts_of_the_corridor() -> None:
    facts = check("ShortCorridor", length=5).facts
    assert facts["states"] == "int"
    assert facts["observations"] == "Discrete(1)"
    assert facts["actions"] == "Discrete(2)"
    assert facts["max_steps"] == 20_000
    assert facts["ends_by_itself"] == 1.0
    assert 17.5 < facts["mean_length"] < 22.5  # a fair walk from 0 to 4 takes 20 steps; the standard error is 0.4


def test_an_object_or_arrays() -> None:
    p = np.array([[[0.5, 0.5], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    report = check(TabularMDP(p, np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([1.0, 0.0]), max_steps=5))
    assert report.ok, report
    assert 0.5 < report.facts["ends_by_itself"] <= 1.0


def test_unknown_environment() -> None:
    with pytest.raises(PgfastError, match="There is no environment"):
        check("Nowhere-v1")


class Flawed(NamedTuple):
    """A walk over floats with a flaw to choose; without one it never ends by itself."""

    flaw: int = 0

    max_steps = 50

    @property
    def observation_space(self):
        return Box(-1.0, 1.0, (1,), np.float64)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 0.0, 0

    def step(self, state, action, key):
        x, t = state
        rare = uniform(key, 2) < 0.001
        x = 0.5 * x + (0.5 if action == 1 else -0.5) * uniform(key, 1)
        x = x + 2.0 if self.flaw == 1 and rare else x
        reward = math.nan if self.flaw == 2 and rare else -x * x
        t = 2**62 * (t + 2) % 5 if self.flaw == 3 else t + 1  # a product beyond 64 bits
        return (x, t), reward, self.flaw == 4

    def observe(self, state):
        return state[0]


FLAWS = {
    1: ("observations", r"the observation -?\d.\d+ is outside Box\(-1.0, 1.0, \(1,\), float64\).$"),
    2: ("rewards", r"step gives the reward nan: it must be a finite number.$"),
    3: ("agreement", r"for the state .* and action [01], step gives .* in Python and .* compiled.$"),
}


def test_an_environment_without_a_flaw() -> None:
    report = check(Flawed())
    assert report.ok, report
    assert report.facts["ends_by_itself"] == 0.0
    assert report.facts["mean_length"] == 50.0
    assert check(Flawed(4)).facts["ends_by_itself"] == 1.0


@pytest.mark.parametrize("flaw", FLAWS)
def test_flaws_are_seen(flaw: int) -> None:
    name, words = FLAWS[flaw]
    report = check(Flawed(flaw))
    assert list(failed(report)) == [name]
    assert re.match("test_checker.py, Flawed: " + words, failed(report)[name])
    assert [c.name for c in report.checks] == NAMES


COUNT = [0]


class Remembers(NamedTuple):
    """Not a function of its arguments: it counts its calls in Python, and changes a field."""

    table: np.ndarray
    counts: int = 0

    @property
    def observation_space(self):
        return Discrete(2)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 0

    def step(self, state, action, key):
        if self.counts == 1:
            COUNT[0] += 1
            return COUNT[0] % 2, 0.0, False
        self.table[action] += 1.0
        return action, 0.0, False


def test_impure_methods() -> None:
    message = failed(check(Remembers(np.zeros(2), 1)))["purity"]
    assert message.startswith("test_checker.py, Remembers: step gives (")
    assert message.endswith("for the same arguments: it must depend on nothing else.")
    message = failed(check(Remembers(np.zeros(2))))["purity"]
    assert message == (
        "test_checker.py, Remembers: reset, step or observe changes the field table: it must stay the same."
    )


class Wanders(NamedTuple):
    """Fails in Python where compiled code has a number: in states that play reaches late."""

    @property
    def observation_space(self):
        return Box(-math.inf, math.inf, (), np.float64)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 0.0

    def step(self, state, action, key):
        return state + 1.0 + 0.0 * (1.0 / (100.0 - state)), 0.0, False


def test_errors_that_only_python_raises() -> None:
    report = check(Wanders())
    assert list(failed(report)) == ["play"]
    assert "Wanders.step fails with ZeroDivisionError" in failed(report)["play"]
    assert [c.name for c in report.checks] == NAMES[:6]


def test_a_protocol_that_is_not_kept() -> None:
    class Nothing(NamedTuple):
        def reset(self, key):
            return 0

    report = check(Nothing())
    assert not report.ok
    assert report.facts == {}
    assert failed(report) == {
        "protocol": "test_checker.py, Nothing has no method step: write `def step(self, state, action, key)`."
    }


class Slow(NamedTuple):
    """A walk with something in it that stands in the way of vector code, or something else that is wrong."""

    what: int = 0

    max_steps = 50

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (2,), np.float64)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 0.0, uniform(key, 0)


class Calls(Slow):
    def step(self, state, action, key):
        x, y = state
        return (math.sin(x) + action, y), 0.0, x > 3


class Loops(Slow):
    def step(self, state, action, key):
        x, y = state
        while x > 1.0:
            x = 0.5 * x
        return (x + action, y), 0.0, x > 3


class Divides(Slow):
    def step(self, state, action, key):
        x, y = state
        return (x, y + action // (2 + self.what)), 0.0, x > 3


class Raises(Slow):
    def step(self, state, action, key):
        x, y = state
        if x > 1e9:
            raise ValueError(x)
        return (x + action, y), 0.0, x > 3


class Builds(Slow):
    def step(self, state, action, key):
        both = np.zeros(2)
        both[action] = state[0]
        return (both[0] + 1.0, both[1]), 0.0, both[1] > 3


OBSTACLES = {  # and the words of the line where each stands
    Calls: ("a call of sin in line {} (pgfast.sin is none)", "math.sin(x)"),
    Loops: ("a loop in line {}", "while x > 1.0"),
    Divides: ("a division of whole numbers in line {}", "action // (2"),
    Raises: ("an exception in line {}", "raise ValueError(x)"),
    Builds: ("an array or list that it makes in line {}", "both = np.zeros(2)"),
}


@pytest.mark.parametrize("cls", OBSTACLES)
def test_what_stands_in_the_way_of_vector_code(cls: type) -> None:
    report = check(cls())
    assert report.ok, report
    words, place = OBSTACLES[cls]
    line = next(k for k, text in enumerate(Path(__file__).read_text("utf-8").splitlines(), 1) if place in text)
    assert report.facts["in_the_way"][0] == words.format(line)
    assert words.format(line) in said(report)["speed"]
    assert cls in (Calls, Divides) or not report.facts["vectorised"]


class Wrong(Slow):
    """Each of its flaws is seen by another check."""

    max_steps = None

    @property
    def observation_space(self):
        low = 1.0 if self.what == 1 else -np.inf
        return (
            Box(np.array([low, -np.inf]), np.array([0.0, np.inf]))
            if self.what == 1
            else Slow.observation_space.fget(self)
        )

    def step(self, state, action, key):
        x, y = state
        dice = uniform(key, 0) if self.what != 2 else 0.01 * np.int64(key.k0 & np.uint64(63))
        y = y + dice
        x = math.nan if self.what == 3 and dice < 0.01 else 0.0
        return (x, y), 0.0, dice < (0.0 if self.what == 4 else 0.1)

    def observe(self, state):
        return 0.0, 0.0


WRONG = {
    2: (
        "independence",
        "what step gives depends on the seed of the key but not on the run and the episode and the step: ",
    ),
    3: ("states", r"step or reset gives the state \(nan, .*\): no number of a state may be NaN."),
    4: (
        "termination",
        "no episode ended in [0-9,]* steps of random play and there is no max_steps: set it, or each will ",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_else_can_be_wrong(what: int) -> None:
    report = check(Wrong(what))
    name, words = WRONG[what]
    assert list(failed(report)) == [name]
    assert re.match("test_checker.py, Wrong: " + words, failed(report)[name])


def test_nothing_else_is_wrong() -> None:
    report = check(Wrong())
    assert report.ok, report
    assert (
        said(report)["independence"]
        == "reset gave something else for 100% of other keys, step gave something else for 100% of other keys"
    )


def test_the_observation_at_the_end() -> None:
    class Beyond(Wrong):
        def observe(self, state):
            return 0.0, math.inf if state[0] == 0.0 else 0.0

        def reset(self, key):
            return 1.0, 0.0

        def step(self, state, action, key):
            return (0.0, 0.0), 0.0, True

        @property
        def observation_space(self):
            return Box(-1.0, 1.0, (2,), np.float64)

    message = failed(check(Beyond()))["observations"]
    assert message.endswith("the observation [0.0, inf] at an episode's end is outside Box(-1.0, 1.0, (2,), float64).")


def test_observations_with_nan() -> None:
    class Unseen(Wrong):
        def observe(self, state):
            return math.nan if state[1] > 0.9 else 0.0, 0.0

    message = failed(check(Unseen()))["observations"]
    assert message.endswith(
        "the observation [nan, 0.0] is outside Box(-inf, inf, (2,), float64), as NaN is in no space."
    )
