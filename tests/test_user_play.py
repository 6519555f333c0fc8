"""A user's file at play: everything that may stand in it, and faults that show only then."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from user_files import RESET, RETURN, STEP, Write, changed, writer  # noqa: F401 (a fixture)

from pgfast import Engine, EnvironmentFault, check
from pgfast.environments import find
from pgfast.random import EVALUATE, TRAIN, make_key

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
    weight: float = 1.0

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
        reward = self.weight * self.reward if now else -1.0
        return self.outside if now and self.outside != 0 else 1 + action, reward, False
"""
KINDS = {"batches": {"batch": 64}, "runs": {"batch": 1, "runs": 2}}
REWARD = (
    "my_env.py, Trap: step gave a reward that is not finite, or too large to be squared and added up, in the first {} "
    "episodes of {}: rewards must be finite numbers."
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reward_that_is_not_finite_in_training(trap: str, kind: str) -> None:
    for weight in (0.0, -1.0):  # not a number, and minus infinity
        engine = Engine(
            trap, env_parameters={"reward": np.inf, "weight": weight}, episodes=512, log_every=64, **KINDS[kind]
        )
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
    with pytest.raises(EnvironmentFault, match="too large to be squared"):
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


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One file for the tests that compile whole kernels: these are kept by the file they come from."""
    path = tmp_path_factory.mktemp("trap") / "my_env.py"
    path.write_text(TRAP, "utf-8")
    return str(path)


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


def test_one_action_is_all_there_is_to_learn(write: Write) -> None:
    """A linear policy then has no gradient, not a single row of it."""
    engine = Engine(write(changed("Discrete(2)", "Discrete(1)")), policy="linear", batch=32, max_steps=10)
    assert engine.learn(64).episodes == 64
    assert np.all(engine.theta == 0.0)


class Fading(NamedTuple):
    """A point whose place is no number, with one sign or the other, from the ninth step on."""

    flipped: bool = False

    max_steps = 20

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (2,), np.float64)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 0.0, 0.0

    def step(self, state, action, key):
        x, t = state
        x = x + action - 0.5
        faded = x * 0.0 * (1e308 * t + 1e308 * t)
        return (x if t < 8.0 else -faded if self.flipped else faded, t + 1.0), 1.0, False


@pytest.mark.slow
def test_an_observation_that_is_not_finite() -> None:
    words = "Fading: an observation had an entry that is not finite, or too large to be weighed"
    for env in (Fading(), Fading(flipped=True)):
        with pytest.raises(EnvironmentFault, match=words):
            Engine(env, batch=32, episodes=64).learn()
        with pytest.raises(EnvironmentFault, match=words):
            Engine(env, batch=32).evaluate(64)
        with pytest.raises(EnvironmentFault, match=words):
            Engine(env, batch=32).evaluate(64, deterministic=True)
