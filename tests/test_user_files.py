"""A user's own file: what may stand in it, and what is said when it can't be used: one sentence with the place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pgfast import Engine, EnvironmentFault, PgfastError, check
from pgfast.environments import find
from pgfast.probe import ENGINE_LIMIT, probe
from pgfast.random import EVALUATE, TRAIN, make_key

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


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
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


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One file for the tests that compile whole kernels: these are kept by the file they come from."""
    path = tmp_path_factory.mktemp("trap") / "my_env.py"
    path.write_text(TRAP, "utf-8")
    return str(path)


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


# ---- the file


def test_syntax_error(write: Write) -> None:
    text = changed("def reset(self, key):", "def reset(self, key)")
    assert sentence(write(text)) == f"my_env.py, line {line_of(text, 'def reset')}: syntax error: expected ':'."


def test_syntax_error_in_a_neighbour(write: Write) -> None:
    write("x = = 1\n", "neighbour.py")
    path = write("import neighbour\n" + GOOD)
    assert sentence(path) == "neighbour.py, line 1: syntax error: invalid syntax."


def test_missing_module(write: Write) -> None:
    path = write(changed("import scipy.special", "import scipy.spezial"))
    words = "my_env.py, line 7: the file can't be loaded: ModuleNotFoundError: No module named 'scipy.spezial'"
    assert sentence(path) == words


FILES = {
    "empty": ("", "my_env.py has no environment: write a class that derives from typing.NamedTuple, with methods reset "
              "and step."),
    "plain class": (changed("class Corridor(NamedTuple)", "class Corridor"),
                    "my_env.py, Corridor is no NamedTuple: write `class Corridor(NamedTuple):`, with "
                    "typing.NamedTuple."),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_no_environment(write: Write, name: str) -> None:
    text, words = FILES[name]
    assert sentence(write(text)) == words


def test_two_environments(write: Write) -> None:
    path = write(GOOD + GOOD[GOOD.index("class Corridor") :].replace("class Corridor", "class Hall"))
    with pytest.raises(PgfastError, match=r"^my_env.py has 2 environments: say which, as my_env.py:Corridor.$"):
        Engine(path)
    assert type(find(f"{path}:Hall").env).__name__ == "Hall"
    with pytest.raises(PgfastError, match=r"There is no environment 'Halle' of my_env.py \(did you mean 'Hall'\?\)"):
        find(f"{path}:Halle")


# ---- the protocol

PROTOCOL = {
    "no step": ("def step(self, state, action, key)", "def walk(self, state, action, key)",
                "Corridor has no method step: write `def step(self, state, action, key)`."),
    "no reset": ("def reset(self, key)", "def start(self, key)",
                 "Corridor has no method reset: write `def reset(self, key)`."),
    "no key": ("def step(self, state, action, key)", "def step(self, state, action)",
               "Corridor: step is defined as step(self, state, action): write `def step(self, state, action, key)`."),
    "decorated": ("    def reset(self, key)", "    @staticmethod\n    def reset(key)",
                  "Corridor: reset is no plain method: write `def reset(self, key)` without a decorator."),
    "no space": ("    @property\n    def observation_space(self)", "    def seen(self)",
                 "Corridor has no observation_space: write `observation_space` as a property that gives a gymnasium "
                 "space."),
    "space without property": ("    @property\n    def action_space(self)", "    def action_space(self)",
                               "Corridor: action_space is a method: write `action_space` as a property that gives a "
                               "gymnasium space, with @property above it."),
    "space of pairs": ("Discrete(self.length + 1)", "MultiDiscrete([2, 3])",
                       "Corridor has the observation space MultiDiscrete([2 3]): it must be gymnasium.spaces.Discrete, "
                       "or a Box of shape () or (n,)."),
    "pairs of actions": ("Discrete(2)", "MultiDiscrete([2, 3])",
                         "Corridor has the action space MultiDiscrete([2 3]): it must be gymnasium.spaces.Discrete."),
    "max_steps": ("max_steps = 100", "max_steps = -1",
                  "Corridor: max_steps is -1: it must be a whole number of at least 1, or None."),
    "optimum": ("max_steps = 100", "optimum = 'high'",
                "Corridor: optimum must be a number or None (ValueError: could not convert string to float: 'high')."),
    "parameter": ("length: int = 8", "length: int = 8\n    names: tuple = ('left', 'right')",
                  "Corridor: the parameter names is ('left', 'right'): it must be a number, a tuple of numbers or a "
                  "NumPy array of numbers."),
    "list for a state": (RESET, "        return [0, 0]\n",
                         "Corridor: reset gives [0, 0]: a state or observation is a number or a flat tuple of ints and "
                         "floats."),
    "empty state": (RESET, "        return ()\n",
                    "Corridor: reset gives an empty tuple: a state has at least one number."),
    "nested state": (RESET, "        return (0, (1, 2))\n",
                     "Corridor: reset gives (0, (1, 2)): a state or observation is a number or a flat tuple of ints "
                     "and floats."),
    "two values": (RETURN, "        return state, -1.0\n",
                   "Corridor: step gives (0, -1.0): it must be (next state, reward, terminated)."),
    "gymnasium's five": (RETURN, "        return state, -1.0, False, False, {}\n",
                         "Corridor: step gives (0, -1.0, False, False, {}): it must be (next state, reward, "
                         "terminated)."),
    "no reward": (RETURN, "        return state, None, False\n",
                  "Corridor: step gives the reward None: it must be a number."),
    "text for a reward": (RETURN, "        return state, '-1', False\n",
                          "Corridor: step gives the reward '-1': it must be a number."),
    "reward that is not a number": (RETURN, "        return state, np.nan, False\n",
                                    "Corridor: step gives the reward nan for action 0: it must be a finite number."),
    "int for terminated": (RETURN, "        return state, -1.0, 0\n",
                           "Corridor: step gives 0 for terminated: it must be True or False."),
    "other form": (RETURN, "        return (state, 0), -1.0, False\n",
                   "Corridor: reset gives a state like 0 and step one like (0, 0): they must have one form."),
    "state outside": (RETURN, "        return state + 9, -1.0, False\n",
                      "Corridor: step gives a state, which is the observation, 9: it must be in Discrete(9)."),
    "float observed": (RETURN, "        return state / 2, -1.0, False\n",
                       "Corridor: step gives a state, which is the observation, 0.0: it must be in Discrete(9)."),
    "observation outside": (RETURN, RETURN + "\n    def observe(self, state):\n        return -1\n",
                            "Corridor: observe gives the observation -1: it must be in Discrete(9)."),
    "observation of other size": ("Discrete(self.length + 1)", "Box(0.0, 1.0, (2,))",
                                  "Corridor: reset gives a state, which is the observation, 0: it must be in "
                                  "Box(0.0, 1.0, (2,), float32)."),
}  # fmt: skip


@pytest.mark.parametrize("name", PROTOCOL)
def test_protocol(write: Write, name: str) -> None:
    old, new, words = PROTOCOL[name]
    assert sentence(write(changed(old, new))) == f"my_env.py, {words}"


def test_actions_that_are_numbers(write: Write) -> None:
    path = write(changed("return Discrete(2)", "return Box(-1.0, 1.0, (1,))"))
    with pytest.raises(PgfastError, match="choose among discrete actions") as caught:
        Engine(path)
    assert not isinstance(caught.value, EnvironmentFault)


ERRORS = {
    "division": ("step", STEP + "        odd = 1 // (state - state)\n", "1 // (state",
                 "ZeroDivisionError: integer division or modulo by zero"),
    "index": ("step", STEP + "        odd = (1, 2)[state + 2]\n", "(1, 2)[", "IndexError: tuple index out of range"),
    "attribute": ("step", STEP + "        odd = self.size\n", "self.size",
                  "AttributeError: 'Corridor' object has no attribute 'size'"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_error_in_python(write: Write, name: str) -> None:
    method, body, words, error = ERRORS[name]
    text = changed(STEP, body)
    line = line_of(text, words)
    assert sentence(write(text)) == f"my_env.py, line {line}, Corridor.{method} fails with {error}"


def test_error_in_a_space(write: Write) -> None:
    text = changed("Discrete(self.length + 1)", "Discrete(self.size)")
    expected = (
        f"my_env.py, line {line_of(text, 'self.size')}, Corridor.observation_space fails with AttributeError: "
        f"'Corridor' object has no attribute 'size'"
    )
    assert sentence(write(text)) == expected


# ---- bodies

KEYS = (
    "is not a function of the key, so no episode could be repeated: draw with pgfast.uniform(key, i), normal(key, i) "
    "or randint(key, i, n)."
)
NAMES = {
    "random": ("        odd = random.random()\n", f"random.random {KEYS}"),
    "randint": ("        odd = random.randint(0, 1)\n", f"random.randint {KEYS}"),
    "numpy": ("        odd = np.random.rand()\n", f"np.random.rand {KEYS}"),
    "generator": ("        odd = np.random.default_rng(0).random()\n", f"np.random.default_rng {KEYS}"),
    "secrets": ("        odd = secrets.randbelow(2)\n", f"secrets.randbelow {KEYS}"),
    "undefined": ("        odd = state if state < 99 else far(state)\n", "far is not defined."),
    "print": ("        print(state)\n", "print can't be compiled; to see what happens, call the methods from Python."),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_must_not_be_used(write: Write, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    body, words = NAMES[name]
    text = changed(STEP, STEP + body)
    line = line_of(text, body.strip())
    assert sentence(write(text)) == f"my_env.py, line {line}, Corridor.step: {words}"
    assert capsys.readouterr().out == ""  # nothing of it has run


def test_randomness_in_a_helper(write: Write) -> None:
    text = changed("    return x / 2\n", "    return x * random.gauss(0.0, 1.0)\n")
    text = text.replace(RETURN, RETURN.replace("-1.0", "half(-1.0)"))
    assert sentence(write(text)) == f"my_env.py, line {line_of(text, 'gauss')}, half: random.gauss {KEYS}"


ADVICE = "use numbers, tuples, min, max, abs, and the functions of math and pgfast"
BODIES = {
    "dict of lists": ("        d = {1: [1, 2], 2: [3]}\n", "{1: ", "list(int) as value is forbidden"),
    "format": ("        s = f'{state:.3f}'\n", "s = f", "format spec in f-strings not supported yet"),
    "except": ("        try:\n            odd = 1 // state\n        except ZeroDivisionError:\n            odd = 0\n",
               "except Zero", "it catches exceptions of some class"),
    "global list": ("        HISTORY.append(state)\n", "HISTORY.app",
                    "HISTORY is a global that can change; make it a tuple or a field"),
    "text": ("        odd = int(str(state))\n", "int(str", "numba has no int(str)"),
    "library": ("        odd = scipy.special.erf(0.5)\n", "erf(", "numba has no scipy.special.erf"),
    "clock": ("        odd = time.time()\n", "time.time()", "numba has no time.time"),
    "object": ("        odd = WALKER.at_end(state)\n", "WALKER.at",
               "WALKER is of a type that numba doesn't know, Walker"),
    "method of a number": ("        odd = state.bit_length()\n", "bit_length", "numba finds no .bit_length on int"),
    "clip": ("        odd = np.clip(state, 0, 7)\n", "np.clip", "numba has no clip(int, int, int)"),
    "index": ("        odd = (1, 2.0, 3)[action]\n", "(1, 2.0",
              "(int, float, int) has entries of different types, so its index must be a constant"),
    "forms": ("        if state > 99:\n            return (state, 0), -1.0, True\n", "(state, 0)",
              "it returns values of different forms, ((int, int), float, bool), (int, float, bool)"),
    "generator": ("        odd = sum(i for i in range(3))\n", "sum(i", "The use of yield in a closure is unsupported"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_cannot_be_compiled(write: Write, name: str) -> None:
    body, words, reason = BODIES[name]
    text = changed(STEP, STEP + body)
    line = line_of(text, words)
    assert sentence(write(text)) == f"my_env.py, line {line}, Corridor.step can't be compiled: {reason}; {ADVICE}."


def test_the_innermost_line_is_named(write: Write) -> None:
    """In a helper, in a helper method, in a neighbour; and numba's own words are kept for --debug."""
    reason = f"Corridor.step can't be compiled: numba has no int(str); {ADVICE}."
    helper = changed("    return x / 2\n", "    return int(str(x))\n").replace(
        STEP, STEP + "        odd = half(state)\n"
    )
    assert sentence(write(helper)) == f"my_env.py, line {line_of(helper, 'int(str')}, {reason}"

    method = GOOD.replace(STEP, STEP + "        odd = self.odd(state)\n")
    method += "\n    def odd(self, state):\n        return int(str(state))\n"
    assert sentence(write(method)) == f"my_env.py, line {line_of(method, 'int(str')}, {reason}"

    write("def whole(x):\n    return int(str(x))\n", "rounding.py")
    near = "from rounding import whole\n" + GOOD.replace(STEP, STEP + "        odd = whole(state)\n")
    with pytest.raises(EnvironmentFault) as caught:
        Engine(write(near)).learn()
    assert str(caught.value) == f"rounding.py, line 2, {reason}"
    assert type(caught.value.__cause__).__module__.startswith("numba")


FORMS = {
    "reward": ("        return state, -1.0 if state < 99 else None, False\n",
               "step gives (int, float or None, bool): it must give (int, float, bool)"),
    "state": ("        return state + 0.5 if state > 99 else state, -1.0, state >= self.length\n",
              "step gives (float, float, bool): it must give (int, float, bool)"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms_that_only_compilation_shows(write: Write, name: str) -> None:
    new, words = FORMS[name]
    path = write(changed(RETURN, new))
    assert sentence(path) == f"my_env.py, Corridor: compiled, {words} on every path."


def test_an_error_that_is_ours_stays_ours(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(write(GOOD), batch=64, episodes=64)

    def prepare(*args: object) -> None:
        raise RuntimeError("not the user's fault")

    monkeypatch.setattr("pgfast.compiler.Kernel.is_ready", lambda *args: False)
    monkeypatch.setattr("pgfast.compiler.Kernel.prepare", prepare)
    with pytest.raises(RuntimeError, match="not the user's fault"):
        engine.learn()


# ---- what shows only while it is played

TRAP = """\
from typing import NamedTuple

from gymnasium.spaces import Discrete
from pgfast import uniform


class Trap(NamedTuple):
    reward: float = -1.0
    outside: int = 0
    fails: bool = False
    rare: float = 0.001

    max_steps = 20

    @property
    def observation_space(self):
        return Discrete(3, start=1)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 1

    def step(self, state, action, key):
        now = uniform(key, 0) < self.rare
        assert not (now and self.fails), "the trap"
        return self.outside if now and self.outside != 0 else 1 + action, self.reward if now else -1.0, False
"""
KINDS = {"batches": {"batch": 64}, "runs": {"batch": 1, "runs": 2}}
REWARD = (
    "my_env.py, Trap: step gave a reward that is not finite, or too large to be added to others, in the first {} "
    "episodes of {}: rewards must be finite numbers."
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reward_that_is_not_finite_in_training(trap: str, kind: str) -> None:
    for reward in (np.nan, -np.inf):
        engine = Engine(trap, env_parameters={"reward": reward}, episodes=512, log_every=64, **KINDS[kind])
        with pytest.raises(EnvironmentFault) as caught:
            engine.learn()
        first = next(n for n in range(64, 513, 64) if str(caught.value) == REWARD.format(n, "training"))
        assert np.all(np.isfinite(engine.theta))  # the last good policy
        draws = (
            make_key(0, run, episode, t, TRAIN).first
            for run in range(engine.settings.runs)
            for episode in range(first - 64, first)
            for t in range(1, 21)
        )
        assert min(draws) < 0.001  # it was there


@pytest.mark.parametrize("kind", KINDS)
def test_a_reward_that_is_not_finite_in_an_evaluation(trap: str, kind: str) -> None:
    engine = Engine(trap, env_parameters={"reward": np.inf}, **KINDS[kind])
    with pytest.raises(EnvironmentFault) as caught:
        engine.evaluate(400)
    assert str(caught.value) == REWARD.format(400, "an evaluation")


def test_rewards_whose_sum_overflows(trap: str) -> None:
    engine = Engine(trap, env_parameters={"reward": 1e308, "rare": 0.9}, **KINDS["batches"])
    with pytest.raises(EnvironmentFault, match="too large to be added"):
        engine.evaluate(64)


@pytest.mark.parametrize("kind", KINDS)
def test_an_observation_outside_its_space(trap: str, kind: str) -> None:
    for outside in (-1, 4, 2**62):
        engine = Engine(trap, env_parameters={"outside": outside}, episodes=512, **KINDS[kind])
        with pytest.raises(EnvironmentFault) as caught:
            engine.learn()
        assert str(caught.value) == (
            "my_env.py, Trap: an observation is outside its space: with 3 observations they must be from 1 to 3."
        )


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_in_compiled_code(trap: str, kind: str) -> None:
    engine = Engine(trap, env_parameters={"fails": True}, episodes=512, **KINDS[kind])
    with pytest.raises(EnvironmentFault) as caught:
        engine.learn(threads=2)
    assert str(caught.value) == "my_env.py, Trap: reset, step or observe raised AssertionError: the trap"


# ---- what may stand in a file

RICH = """\
import math
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Discrete
from neighbour import bounce
from pgfast import normal, randint, uniform

SCALE = (1.0, 0.5)


def squared(x):
    return x * x


class Rich(NamedTuple):
    '''A state of an int and a float, observed as one of 3 to 7; actions 5 and 6.'''

    costs: np.ndarray = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    links: np.ndarray = np.array([[1, 2, 3, 4, 4], [0, 0, 1, 2, 3]])
    noise: float = 0.1
    offsets: tuple = (0, 1)
    loud: bool = True

    FIRST = 3
    STEPS = (1, 0)

    @property
    def observation_space(self):
        return Discrete(5, start=3)

    @property
    def action_space(self):
        return Discrete(2, start=5)

    @property
    def width(self):
        return len(self.costs)

    def cost(self, place, x):
        return -self.costs[place] - squared(x) * (SCALE[1] if self.loud else SCALE[0])

    def reset(self, key):
        return randint(key, 0, 2), 0.0

    def step(self, state, action, key):
        place, x = state
        place = self.links[action - 5, place] if uniform(key, 0) < 0.9 else bounce(place, self.width)
        x = 0.5 * x + self.noise * normal(key, 0) + math.floor(uniform(key, 1))
        return (place, x), self.cost(place, x) + self.offsets[0], place == 4 and uniform(key, 2) < 0.3

    def observe(self, state):
        return state[0] + self.FIRST - self.STEPS[1]
"""
NEIGHBOUR = "def bounce(place, width):\n    return min(place + 1, width - 1)\n"


def test_everything_that_may_stand_in_a_file(write: Write) -> None:
    write(NEIGHBOUR, "neighbour.py")
    report = check(write(RICH))
    assert report.ok, report
    assert [c.message for c in report.checks if c.name == "agreement"] == [
        "2,048 steps, compiled and in Python, are the same bit for bit"
    ]
    assert report.facts["states"] == "(int, float)"


def test_the_engine_plays_a_file_as_python_does(write: Write) -> None:
    """Returns of evaluation episodes, action by action, from the numbers that the same keys give."""
    write(NEIGHBOUR, "neighbour.py")
    path = write(RICH)
    engine = Engine(path, max_steps=50, batch=64, episodes=64, seed=7)
    engine.learn()
    env, episodes = find(path).env, 10
    returns, lengths = [], []
    for episode in range(episodes):
        state, total, t, terminated = env.reset(make_key(7, 0, episode, 0, EVALUATE)), 0.0, 0, False
        while not terminated and t < 50:
            action = engine.predict(env.observe(state), deterministic=True)
            assert action in (5, 6)
            state, reward, terminated = env.step(state, action, make_key(7, 0, episode, t + 1, EVALUATE))
            total, t = total + reward, t + 1
        returns.append(total)
        lengths.append(t)
    outcome = engine.evaluate(episodes, deterministic=True)
    assert outcome.mean == pytest.approx(np.mean(returns), rel=1e-12)
    assert outcome.mean_length == np.mean(lengths)


def test_no_limit_of_its_own(write: Write) -> None:
    traits = probe(find(write(changed("    max_steps = 100\n\n", ""))))
    assert (traits.max_steps, traits.limited) == (ENGINE_LIMIT, False)
    traits = probe(find(write(changed("max_steps = 100", "max_steps = None"))), max_steps=30)
    assert (traits.max_steps, traits.limited) == (30, True)


REAL = {
    "one number": ("        return 0.0\n", "Box(-1.0, 1.0, ())", ""),
    "a tuple of one": ("        return (0.0,)\n", "Box(-1.0, 1.0, (1,))", "        (state,) = state\n"),
    "several": ("        return 0, 0.0, 0\n", "Box(-np.inf, np.inf, (3,))", "        n, state, end = state\n"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_observations(write: Write, name: str) -> None:
    start, space, unpack = REAL[name]
    after = {"one number": "x", "a tuple of one": "(x,)", "several": "(n + 1, x, n % 5)"}[name]
    body = f"{unpack}        x = 0.5 * state + 0.5 * (uniform(key, 1) - action)\n"
    text = changed(RESET, start).replace("Discrete(self.length + 1)", space).replace(STEP, body)
    text = text.replace("        state = max(state + 2 * right - 1, 0)\n", "")
    text = text.replace(RETURN, f"        return {after}, -x * x, abs(x) > 0.9\n")
    report = check(write(text))
    assert report.ok, report
    assert report.facts["vectorised"]


def test_arrays_made_in_a_body(write: Write) -> None:
    """Slow, but it works: in step, in a helper and in a helper method."""
    text = changed("    return x / 2\n", "    y = np.zeros(3)\n    y[0] = x\n    return y.sum() / 2\n")
    text = text.replace(STEP, STEP + "        pair = [state, self.twice(state)]\n")
    text = text.replace(RETURN, RETURN.replace("-1.0", "half(-1.0) - 0.001 * pair[1]"))
    text += "\n    def twice(self, state):\n        return np.array([state, state]).sum()\n"
    report = check(write(text))
    assert report.ok, report
    assert report.facts["vectorised"] is False


def test_parameters(write: Write) -> None:
    path = write(GOOD)
    assert find(path, {"length": "5"}).env.length == 5
    with pytest.raises(PgfastError, match=r"^Corridor.length is 'x': it must be a whole number.$"):
        find(path, {"length": "x"})
    with pytest.raises(PgfastError, match=r"There is no parameter 'lenght' of Corridor \(did you mean 'length'\?\)"):
        find(path, {"lenght": "5"})


def test_an_edited_file_is_read_again(write: Write) -> None:
    assert find(write(GOOD)).env.length == 8
    assert find(write(changed("length: int = 8", "length: int = 9"))).env.length == 9
