"""Agents in a simulation that owns the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import problems
import pytest
import reference
from gymnasium.spaces import Box, Discrete
from reference_online import OnlineTrainer

from pgfast import Agent, Engine, PgfastError, make_key
from pgfast.random import TRAIN

ONLINE: dict[str, tuple[str, dict[str, Any]]] = {  # name: problem and settings of an agent that learns online
    "linear": ("linear", {"entropy": 0.1}),
    "linear, moments": ("linear", {"optimizer": "adam"}),
    "tabular": ("tabular", {"discount_factor": True, "entropy": 0.1}),
    "tabular, all entries move": ("tabular", {"optimizer": "momentum"}),
    "real actions": ("raft", {"lr": 0.01, "entropy": 0.1}),
    "tiles": ("tiles", {"entropy": 0.1}),
}


def engine(problem: str, **changes: Any) -> Engine:
    return problems.engine(problem, "runs", **{"runs": 1, "baseline": "value", **changes})


def observations(fresh: Engine, rng: np.random.Generator) -> Any:
    """Some observation."""
    n, seen = fresh.traits.n_observations, fresh.traits.observation
    return int(rng.integers(0, n)) if n is not None else tuple(rng.normal(size=len(seen)).tolist())


def drive(agent: Any, fresh: Engine, steps: int, seed: int = 0) -> np.ndarray:
    """A made-up simulation of `steps` steps, whose episodes end in all ways; the actions."""
    rng, actions = np.random.default_rng(seed), []
    for _ in range(steps):
        actions.append(agent.act(observations(fresh, rng)))
        reward, how = float(rng.normal()), int(rng.integers(0, 8))
        last = observations(fresh, rng)
        agent.observe(reward + np.sum(actions[-1]), how == 1, how in (2, 3), last if how == 2 else None)
    return np.array(actions)


@pytest.mark.parametrize("name", ONLINE)
def test_online_as_in_numpy(name: str) -> None:
    problem, settings = ONLINE[name]
    fresh = engine(problem, **settings)
    expected = OnlineTrainer(fresh)
    actions = drive(fresh.agent("online"), fresh, 300)
    np.testing.assert_allclose(actions, drive(expected, fresh, 300), rtol=1e-9, atol=1e-12)
    assert len(np.unique(actions)) > 1
    np.testing.assert_allclose(fresh.theta.reshape(-1), expected.theta, rtol=1e-9)
    assert fresh.value_weights is not None
    np.testing.assert_allclose(fresh.value_weights[0], expected.weights, rtol=1e-9)


def play(agent: Any, like: Engine, episodes: int) -> None:
    """The engine's environment in plain Python, with the numbers that its own training draws."""
    env, seed, limit = like.source.env, like.settings.seed, like.traits.max_steps
    observe = getattr(env, "observe", lambda state: state)
    for episode in range(episodes):
        state, terminated = env.reset(make_key(seed, 0, episode, 0, TRAIN)), False
        for t in range(limit):
            key = make_key(seed, 0, episode, t + 1, TRAIN)
            state, reward, terminated = env.step(state, agent.act(observe(state)), key)
            agent.observe(reward, terminated, t + 1 == limit)
            if terminated:
                break


EPISODES: dict[str, tuple[str, dict[str, Any]]] = {
    "learned baseline": ("linear", {"baseline": "value", "discount_factor": True, "entropy": 0.1, "optimizer": "adam"}),
    "leave one out": ("stones", {"baseline": "batch", "optimizer": "momentum"}),
    "real actions": ("raft", {"baseline": "value"}),
    "in the loop": ("linear", {"baseline": "value", "in_loop": True}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EPISODES)
def test_episodes_as_in_numpy(name: str) -> None:
    """What an engine estimates from the same episodes: 17 in batches of 5, of which the last is not complete."""
    problem, settings = EPISODES[name]
    fresh = engine(problem, batch=5, **settings)
    expected = reference.Trainer(fresh, 0).train(15)
    before = fresh.theta
    play(fresh.agent("episode"), fresh, 17)
    assert np.any(fresh.theta != before)
    np.testing.assert_allclose(fresh.theta.reshape(-1), expected.theta, rtol=1e-9)
    if fresh.value_weights is not None:
        np.testing.assert_allclose(fresh.value_weights[0], expected.weights, rtol=1e-9)


@pytest.mark.slow
def test_engine_and_agent_in_turn() -> None:
    """One goes on where the other has stopped."""
    alone, embedded = (engine("stones", batch=5) for _ in range(2))
    play(embedded.agent(), embedded, 10)
    embedded.learn(5)
    alone.learn(15)
    np.testing.assert_allclose(embedded.theta, alone.theta, rtol=1e-12)


SAVED: dict[str, tuple[Any, str]] = {
    "online linear": ("online", "linear"),
    "online tabular": ("online", "tabular"),
    "episodes linear": ("episode", "linear"),
    "episodes tabular": ("episode", "tabular"),
    "acting": (None, "tabular"),
}


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("between", [False, True], ids=["after a step", "between an action and its reward"])
def test_saved_in_the_middle(name: str, between: bool, tmp_path: Path) -> None:
    """Going on is not stopping."""
    learn, problem = SAVED[name]
    fresh, other = engine(problem), engine(problem)
    agent, whole = fresh.agent(learn), other.agent(learn)
    np.testing.assert_array_equal(drive(agent, fresh, 101), drive(whole, other, 101))
    if between:
        assert agent.act(observations(fresh, np.random.default_rng(1))) in range(-1, 3)
        whole.act(observations(fresh, np.random.default_rng(1)))
    agent.save(tmp_path)
    again = Agent.load(tmp_path, env=problems.PROBLEMS[problem]["env"])
    if between:
        again.observe(0.5)
        whole.observe(0.5)
    np.testing.assert_array_equal(drive(again, fresh, 101, seed=1), drive(whole, other, 101, seed=1))
    np.testing.assert_array_equal(again.engine.theta, other.theta)


def test_engine_and_agent_share_what_is_learned(tmp_path: Path) -> None:
    fresh = engine("linear")
    agent, seen = fresh.agent("online"), np.random.default_rng(2).normal(size=(500, 4))
    before = fresh.predict(seen, deterministic=True)
    for _ in range(3):
        drive(agent, fresh, 100)
        likeliest = fresh.probabilities(seen).argmax(axis=-1) - 1
        np.testing.assert_array_equal(fresh.predict(seen, deterministic=True), likeliest)
    assert np.any(before != likeliest)
    agent.save(tmp_path)
    fresh.save(tmp_path)  # by itself: no agent
    np.testing.assert_array_equal(Engine.load(tmp_path, env=problems.Drift()).theta, fresh.theta)
    with pytest.raises(PgfastError, match="There is no file"):
        Agent.load(tmp_path)


def test_calls_in_the_wrong_order() -> None:
    agent = engine("tabular").agent("online")
    with pytest.raises(PgfastError, match="observe was called without an action before it: call act"):
        agent.observe(1.0)
    agent.act(0)
    with pytest.raises(PgfastError, match="act was called twice: tell observe"):
        agent.act(0)
    agent.observe(1.0)
    with pytest.raises(PgfastError, match="observe was called without"):
        agent.observe(1.0)


@pytest.mark.parametrize("reward", [np.nan, np.inf, -np.inf, None, "1"])
def test_rewards_that_are_none(reward: Any) -> None:
    agent = engine("tabular").agent("online")
    agent.act(0)
    with pytest.raises(PgfastError, match=f"The reward is {reward!r}: it must be a finite number"):
        agent.observe(reward)
    agent.observe(1)
    agent.act(0)


@pytest.mark.parametrize("learn", ["online", "episode"])
@pytest.mark.parametrize(
    ("problem", "wrong", "words"),
    [
        ("linear", (0.0, 0.0, 0.0), "has 3 numbers: this environment's have 4"),
        ("linear", (0.0, np.nan, 0.0, 0.0), "has an entry that is not finite"),
        ("linear", "north", "is no number"),
        ("linear", np.zeros((2, 4)), "one observation at a time"),
        ("tabular", 5, "is not from 0 to 4"),
        ("tabular", 0.5, "is no whole number"),
        ("tabular", [0, 1], "one observation at a time"),
        ("tabular", None, "is no"),
    ],
)
def test_wrong_observations(problem: str, wrong: Any, words: str, learn: Any) -> None:
    """Nothing has happened: the agent goes on as one that has not been asked."""
    fresh, other = engine(problem), engine(problem)
    agent, whole = fresh.agent(learn), other.agent(learn)
    np.testing.assert_array_equal(drive(agent, fresh, 20), drive(whole, other, 20))
    with pytest.raises(PgfastError, match=words):
        agent.act(wrong)
    right = observations(fresh, np.random.default_rng(0))
    assert agent.act(right) == whole.act(right)
    whole.observe(1.0, truncated=True, observation=right)
    if learn == "online" and wrong is not None:
        with pytest.raises(PgfastError, match=words):
            agent.observe(1.0, truncated=True, observation=wrong)
    agent.observe(1.0, truncated=True, observation=right)
    np.testing.assert_array_equal(drive(agent, fresh, 20), drive(whole, other, 20))
    np.testing.assert_array_equal(fresh.theta, other.theta)


def test_what_an_agent_needs() -> None:
    with pytest.raises(PgfastError, match="runs is 3: an agent has one policy, so make the engine with runs=1"):
        engine("tabular", runs=3).agent()
    with pytest.raises(PgfastError, match="baseline is 'mean': an agent that learns online needs a learned value"):
        engine("tabular", baseline="mean").agent("online")
    with pytest.raises(PgfastError, match="There is no way to learn 'onlne'"):
        engine("tabular").agent("onlne")  # type: ignore[arg-type]


@pytest.mark.parametrize("learn", ["online", "episode"])
def test_steps_that_are_too_large(learn: Any, tmp_path: Path) -> None:
    """It says so once, keeps what it has learned, and goes on."""
    fresh = engine("linear", lr=10.0, batch=1)
    agent = fresh.agent(learn)
    drive(agent, fresh, 20)
    agent.act(observations(fresh, np.random.default_rng(0)))
    with pytest.warns(RuntimeWarning, match="the agent keeps the last that were"):
        agent.observe(1e308, terminated=True)
    before = fresh.theta
    assert np.isfinite(before).all()
    drive(agent, fresh, 20)
    np.testing.assert_array_equal(fresh.theta, before)
    agent.save(tmp_path)
    drive(Agent.load(tmp_path, env=problems.Drift()), fresh, 20)


@pytest.mark.parametrize("learn", ["online", "episode"])
def test_long_episodes(learn: Any, tmp_path: Path) -> None:
    """Of more steps than tapes have room for at first; saved in the middle."""
    fresh, other = (engine("tabular", batch=1) for _ in range(2))
    agents = fresh.agent(learn), other.agent(learn)
    before = fresh.theta
    for t in range(1000):
        assert agents[0].act(t % 5) == agents[1].act(t % 5)
        for agent in agents:
            agent.observe(0.01 * (t % 3))
    agents[0].save(tmp_path)
    again = Agent.load(tmp_path, env=problems.PROBLEMS["tabular"]["env"])
    for agent in (again, agents[1]):
        agent.act(0)
        agent.observe(1.0, terminated=True)
    assert np.any(other.theta != before)
    np.testing.assert_array_equal(again.engine.theta, other.theta)


def test_spaces_are_enough(tmp_path: Path) -> None:
    """For an agent; and so are they for a saved one."""
    spaces = Box(0.0, np.inf, (4,), np.float32), Discrete(3, start=1)
    fresh = Engine.for_spaces(*spaces, gamma=0.9, optimizer="sgd", seed=5)
    expected = OnlineTrainer(fresh)
    agent = fresh.agent("online")
    np.testing.assert_array_equal(drive(agent, fresh, 50), drive(expected, fresh, 50))
    np.testing.assert_allclose(fresh.theta.reshape(-1), expected.theta, rtol=1e-9)
    agent.save(tmp_path)
    again = Agent.load(tmp_path)
    np.testing.assert_array_equal(drive(again, fresh, 50, seed=1), drive(agent, fresh, 50, seed=1))
    known = Engine.load(tmp_path).source.foreign
    assert known is not None
    assert known.action_space == spaces[1]
    table = Engine.for_spaces(Discrete(3, start=7), Discrete(2), batch=1)
    assert table.model.tabular
    agent = table.agent()
    for seen in (7, 8, 9):
        agent.act(seen)
        agent.observe(1.0, seen == 9)
    assert np.all(np.any(table.theta[0] != 0.0, axis=1))
    assert Engine.for_spaces(Box(-1.0, 1.0, ()), Discrete(2)).predict(0.5) in (0, 1)


def test_spaces_are_no_environment() -> None:
    known = Engine.for_spaces(Discrete(3), Discrete(2))
    for ask in (known.learn, known.evaluate, known.compile):
        with pytest.raises(PgfastError, match="can't play it: it learns by its agent"):
            ask()
    assert known.optimum is None
    with pytest.raises(PgfastError, match=r"must be gymnasium\.spaces\.Discrete or Box"):
        Engine.for_spaces(3, Discrete(2))
    with pytest.raises(PgfastError, match="takes observation_space and action_space"):
        Engine("spaces")
