"""Classic control: compiled, it is Gymnasium's, state by state."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import pytest
from scipy import stats

from pgfast import Engine, Key, make, make_key
from pgfast.compiler import kernel
from pgfast.drawing import image
from pgfast.environments import find
from pgfast.protocol import step
from pgfast.random import first_number

TRAJECTORIES = 1000  # of an environment as it is; a tenth of that with other parameters
WHOLE, SHORT = 20, 60  # one in so many is played to its end or time limit, the others for so many steps at most
FALSE_ALARM = 1e-6
PI = np.pi


class Case(NamedTuple):
    """An environment with parameters, and what makes Gymnasium's the same."""

    name: str
    high: list[float]  # random states are up to this in each coordinate, from −high or `low` on
    low: list[float] | None = None
    parameters: Mapping[str, Any] = {}
    constructor: Mapping[str, Any] = {}  # arguments of Gymnasium's
    attributes: Mapping[str, Any] = {}  # set on Gymnasium's

    def pair(self) -> tuple[Any, Any]:
        with warnings.catch_warnings(category=DeprecationWarning):  # for CartPole-v0
            warnings.simplefilter("ignore")
            theirs = gymnasium.make(self.name, disable_env_checker=True, **self.constructor)
        for name, value in self.attributes.items():
            assert hasattr(theirs.unwrapped, name)
            setattr(theirs.unwrapped, name, value)
        return make(self.name, **self.constructor, **self.parameters), theirs


CART, VALLEY, LINKS = [2.4, 3.0, 0.2, 3.0], ([0.6, 0.07], [-1.2, -0.07]), [PI, PI, 4 * PI, 9 * PI]
CASES = {
    "CartPole-v1": Case("CartPole-v1", CART),
    "CartPole-v0, Sutton and Barto": Case("CartPole-v0", CART, constructor={"sutton_barto_reward": True}),
    "CartPole-v1, semi-implicit": Case(
        "CartPole-v1", CART, parameters={"semi_implicit": True}, attributes={"kinematics_integrator": "semi-implicit"}
    ),
    "MountainCar-v0": Case("MountainCar-v0", *VALLEY),
    "MountainCar-v0, goal_velocity": Case("MountainCar-v0", *VALLEY, constructor={"goal_velocity": 0.03}),
    "MountainCarContinuous-v0": Case("MountainCarContinuous-v0", *VALLEY),
    "MountainCarContinuous-v0, goal_velocity": Case(
        "MountainCarContinuous-v0", *VALLEY, constructor={"goal_velocity": 0.03}
    ),
    "Acrobot-v1": Case("Acrobot-v1", LINKS),
    "Acrobot-v1, nips": Case("Acrobot-v1", LINKS, parameters={"nips": True}, attributes={"book_or_nips": "nips"}),
    "Pendulum-v1": Case("Pendulum-v1", [PI, 8.0]),
    "Pendulum-v1, g": Case("Pendulum-v1", [PI, 8.0], constructor={"g": 9.81}),
}


@kernel
def play(env, first, key, actions, states, rewards, ends):  # type: ignore[no-untyped-def]
    """The states (t + 1, n) that t actions lead to, beginning with `first`; says how many were taken until the end."""
    state = first
    for t in range(len(actions)):
        for k in range(len(first)):
            states[t, k] = state[k]
        state, rewards[t], ended = step(env, state, actions[t], key)
        ends[t] = ended
        if ended:
            break
    for k in range(len(first)):
        states[t + 1, k] = state[k]
    return t + 1


def random_actions(space: Any, length: int, random: np.random.Generator) -> np.ndarray:
    """Each kept for one to twenty steps, so that something happens."""
    runs = random.integers(1, 21, length)
    if isinstance(space, gymnasium.spaces.Discrete):
        return np.repeat(random.integers(space.n, size=length), runs)[:length]
    return np.repeat(random.uniform(1.2 * space.low, 1.2 * space.high, length), runs)[:length]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_dynamics_are_gymnasiums(name: str) -> None:
    """Each state of a compiled trajectory is handed to Gymnasium's environment, which makes the same step; half the
    trajectories begin where Gymnasium's do, the others anywhere."""
    case = CASES[name]
    ours, theirs = case.pair()
    inner, random, ended = theirs.unwrapped, np.random.default_rng(0), set()
    n, limit = len(case.high), ours.max_steps
    assert limit == theirs.spec.max_episode_steps
    states, rewards, ends = np.empty((limit + 1, n)), np.empty(limit), np.empty(limit, bool)
    following, paid = np.empty((limit, n)), np.empty(limit)
    for trajectory in range(TRAJECTORIES if name == case.name else TRAJECTORIES // 10):
        theirs.reset(seed=trajectory)
        first = inner.state if trajectory % 2 else random.uniform(case.low or -np.array(case.high), case.high)
        steps = limit if trajectory % WHOLE == 0 else min(limit, SHORT)
        actions = random_actions(theirs.action_space, steps, random)
        length = play(ours, tuple(map(float, first)), make_key(), actions, states, rewards, ends)
        for t in range(length):
            inner.state = states[t].copy()
            action = int(actions[t]) if actions.dtype.kind == "i" else actions[t : t + 1]
            _, paid[t], terminated, truncated, _ = theirs.step(action)
            following[t] = inner.state
            assert terminated == ends[t]
            assert truncated == (t + 1 == limit)
        ended.add(bool(terminated))
        np.testing.assert_allclose(states[1 : length + 1], following[:length], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(rewards[:length], paid[:length], rtol=1e-12, atol=1e-12)
    assert True in ended or case.name == "Pendulum-v1"
    assert False in ended or "CartPole" in case.name


@pytest.mark.parametrize("name", ["MountainCarContinuous-v0", "Pendulum-v1"])
def test_dynamics_with_actions_in_single_precision(name: str) -> None:
    """Gymnasium computes with them in single precision, and so what it gives is that near only."""
    ours, theirs = CASES[name].pair()
    theirs.action_space.seed(0)
    inner = theirs.unwrapped
    for trajectory in range(10):
        theirs.reset(seed=trajectory)
        for _ in range(100):
            state, action = tuple(map(float, inner.state)), theirs.action_space.sample()
            _, paid, _, _, _ = theirs.step(action)
            state, reward, _ = ours.step(state, float(action[0]), make_key())
            np.testing.assert_allclose(state, inner.state, rtol=0, atol=2e-7)
            assert reward == pytest.approx(float(paid), abs=1e-8)


@pytest.mark.parametrize("name", ["Acrobot-v1", "Pendulum-v1"])
def test_observations_are_gymnasiums(name: str) -> None:
    """Up to their single precision."""
    ours, theirs = CASES[name].pair()
    high = np.array(CASES[name].high)
    for state in np.random.default_rng(0).uniform(-high, high, (100, len(high))):
        theirs.unwrapped.state = state
        expected = theirs.unwrapped._get_ob() if name == "Acrobot-v1" else theirs.unwrapped._get_obs()
        np.testing.assert_allclose(ours.observe(tuple(state)), expected, rtol=2**-24, atol=2**-24)


STARTS = {  # (first, length) of the interval that each coordinate is uniform in
    "CartPole-v1": [(-0.05, 0.1)] * 4,
    "MountainCar-v0": [(-0.6, 0.2), None],
    "MountainCarContinuous-v0": [(-0.6, 0.2), None],
    "Acrobot-v1": [(-0.1, 0.2)] * 4,
    "Pendulum-v1": [(-PI, 2 * PI), (-1.0, 2.0)],
}


@pytest.mark.parametrize("name", STARTS)
def test_first_states_are_spread_as_gymnasiums(name: str) -> None:
    """Gymnasium's are uniform in the same intervals; coordinates without one begin at 0."""
    ours, theirs = CASES[name].pair()
    samples = [[ours.reset(make_key(episode=k)) for k in range(3000)]]
    samples.append([theirs.reset(seed=k) and theirs.unwrapped.state for k in range(3000)])
    for sample in map(np.array, samples):
        for x, interval in zip(sample.T, STARTS[name], strict=True):
            assert not x.any() if interval is None else stats.kstest(x, "uniform", interval).pvalue > FALSE_ALARM


@kernel
def pushed(env, state, velocity, ended):  # type: ignore[no-untyped-def]
    """What a push of the links leads to, in many episodes."""
    zero = np.uint64(0)
    for episode in range(len(velocity)):
        counter = zero, np.uint64(episode), zero, zero, zero, zero
        following, _, ended[episode] = step(env, state, 2, Key(*counter, first_number(1.0, *counter)))
        velocity[episode] = following[3]


NEARLY_UP = 1.88, 0.2, 0.5, 1.0


def pushed_often(n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    velocity, ended = np.empty(n), np.empty(n, bool)
    pushed(make("Acrobot-v1", torque_noise_max=noise), NEARLY_UP, velocity, ended)
    return velocity, ended


def chance_of_being_alike(*samples: tuple[np.ndarray, np.ndarray]) -> float:
    """How fast the second link is, in a hundred bins, and whether it is up."""
    edges = np.quantile(np.concatenate([velocity for velocity, _ in samples]), np.linspace(0, 1, 101)[1:-1])
    table = np.array([np.bincount(2 * np.digitize(v, edges) + ended, minlength=200) for v, ended in samples])
    return stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue


class Drawn(NamedTuple):
    """Stands for Gymnasium's generator: a number of which the share that is less is known."""

    share: float

    def uniform(self, low: float, high: float) -> float:
        return low + self.share * (high - low)


def test_torque_noise_is_gymnasiums() -> None:
    """As much of it: one percent more would be seen. What its step leads to is smooth in the number that it draws; so
    a million steps lie between a few."""
    theirs = gymnasium.make("Acrobot-v1", disable_env_checker=True).unwrapped
    theirs.torque_noise_max = 0.5
    theirs.reset(seed=0)
    shares, states, up = np.linspace(0, 1, 2001), np.empty((2001, 4)), np.empty(2001, bool)
    for k, share in enumerate(shares):
        theirs.state, theirs.np_random = np.array(NEARLY_UP), Drawn(share)
        up[k] = theirs.step(2)[2]
        states[k] = theirs.state
    drawn = np.random.default_rng(0).random(10**6)
    first, second, _, velocity = (np.interp(drawn, shares, x) for x in states.T)
    ended = high_enough(first, second)
    np.testing.assert_array_equal(high_enough(*states[:, :2].T), up)
    assert 0.1 < ended.mean() < 0.9
    assert chance_of_being_alike(pushed_often(10**6, 0.5), (velocity, ended)) > FALSE_ALARM
    assert chance_of_being_alike(pushed_often(10**6, 0.505), (velocity, ended)) < FALSE_ALARM


def high_enough(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Is the tip a link's length above where the first hangs, for these angles?"""
    return -np.cos(first) - np.cos(first + second) > 1.0


@pytest.mark.parametrize("name", STARTS)
def test_pictures_follow_the_state(name: str) -> None:
    env = make(name)
    pictures = [image(env.draw(tuple(np.multiply(share, CASES[name].high))), side=80) for share in (0.0, 0.1, 0.5)]
    assert all(len(np.unique(picture.reshape(-1, 3), axis=0)) > 3 for picture in pictures)
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])


@pytest.mark.parametrize("name", ["CartPole-v0", "CartPole-v1"])
def test_ids_of_one_class_are_told_apart(name: str) -> None:
    """By the parameters that an object is saved with."""
    env = make(name, gravity=5.0)
    source = find(env)
    assert make(source.name, **source.parameters) == env


def test_best_return_of_cartpole() -> None:
    assert make("CartPole-v0").optimum == 200.0
    assert make("CartPole-v1").optimum == 500.0
    assert make("CartPole-v1", sutton_barto_reward=True).optimum == 0.0


def test_acrobots_preset_reaches_gymnasiums_threshold() -> None:
    engine = Engine("Acrobot-v1")
    engine.learn()
    threshold = gymnasium.spec("Acrobot-v1").reward_threshold
    assert threshold is not None
    assert engine.evaluate(2000).mean > threshold
