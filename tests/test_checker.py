"""The checker: accepts what comes with pgfast, and sees what is wrong with an environment that compiles and runs."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np
import problems
import pytest
from gymnasium.spaces import Box, Discrete

from pgfast import PgfastError, TabularMDP, check, uniform
from pgfast.checker import COMPARED, TURNS, Report

NAMES = ["protocol", "purity", "compilation", "play", "agreement", "observations", "rewards"]


def failed(report: Report) -> dict[str, str]:
    return {c.name: c.message for c in report.checks if not c.ok}


@pytest.mark.parametrize("env", ["CartPole-v1", "ShortCorridor", "CliffWalking-v1", "Garnet"])
def test_bundled_environments(env: str) -> None:
    report = check(env)
    assert report.ok, report
    assert [c.name for c in report.checks] == NAMES
    assert report.checks[4].message == f"{COMPARED * TURNS:,} steps, compiled and in Python, are the same bit for bit"
    assert report.facts["vectorised"] or env in ("CliffWalking-v1", "Garnet")  # look-ups depend on the processor
    assert report.facts["ns_per_step"] > 0.0


@pytest.mark.parametrize(("env", "precision"), [(problems.Glider(), "float64"), (problems.Raft(), "float32")])
def test_real_actions(env: NamedTuple, precision: str) -> None:
    report = check(env, precision=precision)
    assert report.ok, report
    assert report.checks[4].message == f"{COMPARED * TURNS:,} steps, compiled and in Python, are the same bit for bit"
    assert report.facts["vectorised"]
    assert report.facts["actions"].startswith("Box(")


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
        t = 2**62 * (t + 1) if self.flaw == 3 else t + 1
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
    assert [c.name for c in report.checks] == NAMES[:4]


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
