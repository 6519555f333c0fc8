"""A user's file that is as it should be, and what tests do with it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgfast import Engine, EnvironmentFault

GOOD = """\
import random
import secrets
import time
from typing import NamedTuple

import numpy as np
import scipy.special
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from pgfast import uniform

HISTORY = []


class Walker:
    def at_end(self, state):
        return state > 7


WALKER = Walker()


def half(x):
    return x / 2


class Corridor(NamedTuple):
    length: int = 8

    max_steps = 100

    @property
    def observation_space(self):
        return Discrete(self.length + 1)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 0

    def step(self, state, action, key):
        right = action if uniform(key, 0) >= 0.1 else 1 - action
        state = max(state + 2 * right - 1, 0)
        return state, -1.0, state >= self.length
"""
Write = Callable[..., str]
RESET = "        return 0\n"
STEP = "        right = action if uniform(key, 0) >= 0.1 else 1 - action\n"
RETURN = "        return state, -1.0, state >= self.length\n"


@pytest.fixture(name="write")
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Writes a file and returns its path; what it and its neighbours leave in sys is undone."""
    monkeypatch.setattr(sys, "path", sys.path.copy())

    def write(text: str, name: str = "my_env.py") -> str:
        (tmp_path / name).write_text(text, "utf-8")
        return str(tmp_path / name)

    known = set(sys.modules)
    yield write
    for module in set(sys.modules) - known:
        if str(getattr(sys.modules[module], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[module]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def line_of(text: str, words: str) -> int:
    """The only line with these words."""
    lines = [n for n, line in enumerate(text.splitlines(), 1) if words in line]
    assert len(lines) == 1, words
    return lines[0]


def sentence(path: str) -> str:
    """What is said of a file that can't be used."""
    with pytest.raises(EnvironmentFault) as caught:
        Engine(path, batch=64, episodes=64).learn()
    assert caught.value.exit_code == 2
    return str(caught.value)
