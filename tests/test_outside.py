"""Lanes whose environments are stepped in Python learn what they learn where the kernels step them, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from problems import COMMON, PROBLEMS

from pgfast import Engine, EnvironmentFault
from pgfast.kernels.learner import EPISODES, make_log
from pgfast.kernels.outside import EPISODE, FRESH, Outside
from pgfast.outside import Exchange, OutsideJob
from pgfast.random import TRAIN, make_key


def job_of(engine: Engine, *, environments: int, episodes: int, **changes) -> OutsideJob:
    """A job that learns in that engine's place, of an environment that is stepped elsewhere."""
    seen = engine.traits.observation
    problem = replace(engine._problem, env=Outside(seen), traits=replace(engine.traits, like=seen))
    learner = engine._learner._replace(log=make_log(engine.settings.runs, 1))
    return OutsideJob(problem, learner, engine.settings.runs, 0, episodes, environments=environments, **changes)


class Simulation:
    """The engine's environment in plain Python, one for each seat, with the keys that the kernels would use."""

    def __init__(self, like: Engine, exchange: Exchange, stream: int = TRAIN) -> None:
        self.env, self.traits, self.seed = like.source.env, like.traits, like.settings.seed
        self.exchange, self.stream = exchange, stream
        n = len(exchange.playing)
        self.states, self.clocks = [like.traits.like] * n, [0] * n

    def key(self, k: int):
        run, episode, _ = self.exchange.playing[k].tolist()
        return make_key(self.seed, run, episode, self.clocks[k], self.stream)

    def begin(self) -> None:
        for k in np.flatnonzero(self.exchange.playing[:, FRESH]):
            self.clocks[k] = 0
            self.states[k] = self.env.reset(self.key(k))

    def observations(self):
        observe = getattr(self.env, "observe", lambda state: state)
        return np.array([observe(s) for s in self.states])

    def taken(self, action):
        """As the environment has it: an int, a float or a tuple of floats."""
        numbers = np.ravel(action).tolist()
        return tuple(numbers) if len(numbers) > 1 else numbers[0]

    def step(self, actions):
        n = len(self.states)
        rewards, terminated, truncated = np.zeros(n), np.zeros(n, bool), np.zeros(n, bool)
        for k in np.flatnonzero(self.exchange.playing[:, EPISODE] >= 0):
            self.clocks[k] += 1
            self.states[k], rewards[k], terminated[k] = self.env.step(
                self.states[k], self.taken(actions[k]), self.key(k)
            )
            truncated[k] = self.clocks[k] >= self.traits.max_steps
        return rewards, terminated, truncated


def play(exchange: Exchange, simulation: Simulation, absences: bool = False) -> None:
    """To the end; with `absences` an environment is away for a step before each of its episodes."""
    waited = np.zeros(len(exchange.playing), bool)
    while not exchange.finished:
        fresh = exchange.playing[:, FRESH] == 1
        simulation.begin()
        absent = fresh & ~waited if absences else np.zeros_like(fresh)
        waited = fresh
        actions = exchange.act(simulation.observations(), absent)
        gone = [(simulation.states[k], simulation.clocks[k]) for k in np.flatnonzero(absent)]
        result = simulation.step(actions)
        for k, (state, clock) in zip(np.flatnonzero(absent), gone, strict=True):
            simulation.states[k], simulation.clocks[k] = state, clock
            result[0][k], result[1][k], result[2][k] = 7.0, True, True  # not looked at
        exchange.observe(*result)


CASES = {  # problem, settings, batch, runs and episodes; the compiled schedule has at most 32 lanes
    "linear runs": ("linear", {"baseline": "value", "returns": "whole"}, 3, 5, 8),
    "tabular batches": ("stones", {"baseline": "batch", "entropy": 0.1}, 17, 2, 40),
    "tabular in the loop": ("stones", {"baseline": "value", "in_loop": True}, 3, 3, 8),
    "real actions": ("raft", {"baseline": "value", "entropy": 0.1, "optimizer": "adam"}, 17, 2, 40),
}


@pytest.mark.slow
@pytest.mark.parametrize("absences", [False, True], ids=["present", "absent"])
@pytest.mark.parametrize("name", CASES)
def test_same_parameters_as_compiled(name: str, absences: bool) -> None:
    problem, settings, batch, runs, episodes = CASES[name]
    settings = {**settings, "batch": batch, "runs": runs, "episodes": episodes}
    choices = {**COMMON, **PROBLEMS[problem], **settings}
    compiled, outside = Engine(**choices), Engine(**choices)
    start = compiled.theta
    job = job_of(outside, environments=32, episodes=episodes)
    exchange = Exchange(job)
    play(exchange, Simulation(outside, exchange), absences)
    job.settle()
    compiled.learn(threads=1)
    assert not np.array_equal(compiled.theta, start)
    np.testing.assert_array_equal(outside.theta, compiled.theta)


@pytest.fixture(scope="module")
def alone() -> Exchange:
    """One environment at a time, as a simulation would have it."""
    return Exchange(job_of(Engine(**{**COMMON, **PROBLEMS["linear"], "batch": 3}), environments=1, episodes=10**9))


@pytest.mark.slow
def test_one_environment_takes_numbers(alone: Exchange) -> None:
    """An update after every third episode, however they end."""
    theta = alone.job.learner.runs[0, :15]
    before = theta.copy()
    for episode in range(6):
        assert alone.playing.tolist() == [[0, episode, 1]]
        for t in range(4):
            (action,) = alone.act((0.1 * t, 0.2, 0.3, float(episode)))
            assert action in (-1, 0, 1)
            begins = alone.observe(1.0 + t, t == 3 and episode % 2 == 0, t == 3 and episode % 2 == 1)
            assert begins == (t == 3)
        assert np.array_equal(theta, before) == (episode % 3 != 2)
        before = theta.copy()
    assert alone.job.learner.clock[0, EPISODES] == 6


@pytest.mark.slow
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_named(alone: Exchange, bad: float) -> None:
    with pytest.raises(
        EnvironmentFault, match=rf"Drift: the observation \[0.0, {bad}, 0.0, 0.0\] has an entry that is no"
    ):
        alone.act((0.0, bad, 0.0, 0.0))
    alone.act((0.0, 0.0, 0.0, 0.0))
    with pytest.raises(EnvironmentFault, match=f"Drift: step gave the reward {bad}: it must be a finite number"):
        alone.observe(bad, False, False)
