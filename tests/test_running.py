"""Running normalisation: its definition, where it is kept, and when it stands still."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numba
import numpy as np
import problems
import pytest
import reference
from gymnasium.spaces import Box, Discrete
from test_outside import Simulation, job_of, play

from pgfast import Engine, PgfastError
from pgfast.kernels.predictions import predict
from pgfast.outside import Exchange

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "linear": ("linear", {"runs": 1, "baseline": "value", "entropy": 0.1, "optimizer": "adam", "theta0": 0.1}),
    "glider": ("glider", {"baseline": "mean"}),
    "raft": ("raft", {"runs": 1, "baseline": "value", "lr": 0.003}),
    "linear family": ("linear family", {"runs": 1, "baseline": "value"}),
    "single precision": ("linear", {"runs": 1, "theta0": 0.1, "precision": "float32"}),
    "one episode a batch": ("glider", {"baseline": "none", "batch": 1, "episodes": 5, "lr": 0.001}),
}


def engine(problem: str, **changes: Any) -> Engine:
    given = {"features": "running", "feature_parameters": {"clip": 2.0}, **changes}
    return problems.engine(problem, "batches", **given)


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):  # compiled code doesn't warn of x / 0 in a lane that is idle
        yield


class Trainer(reference.Trainer):
    """Its features are counted from the mean and the deviation of all that was observed in earlier batches."""

    def __init__(self, engine: Engine, run: int) -> None:
        super().__init__(engine, run)
        self.seen: list[np.ndarray] = []
        self.mean_seen: Any = 0.0
        self.std_seen: Any = 1.0
        self.features.v = self.v  # called for every step as often as for any other

    def v(self, observation: Any, t: int = 0) -> np.ndarray:
        self.seen.append(np.atleast_1d(observation))
        clip = self.settings.feature_parameters["clip"]
        return np.append(np.clip((self.seen[-1] - self.mean_seen) / self.std_seen, -clip, clip), 1.0)

    def update(self, batch: Any, done: int) -> None:
        super().update(batch, done)
        self.mean_seen, self.std_seen = np.mean(self.seen, axis=0), np.std(self.seen, axis=0)


@pytest.mark.parametrize("case", sorted(CASES))
def test_it_is_its_definition(case: str, uncompiled: None) -> None:
    problem, changes = CASES[case]
    trained = engine(problem, **changes)
    trained.learn(threads=1)
    rtol, atol = (1e-4, 1e-5) if case == "single precision" else (1e-9, 1e-11)
    for run in range(trained.settings.runs):
        trainer = Trainer(engine(problem, **changes), run).train(trained.settings.episodes)
        np.testing.assert_allclose(trained.theta[run].reshape(-1), trainer.theta, rtol=rtol, atol=atol)
        mean, std = trained.scale or ((), ())
        np.testing.assert_allclose(mean[run], trainer.mean_seen, rtol=rtol, atol=atol)
        np.testing.assert_allclose(std[run], trainer.std_seen, rtol=rtol)


@pytest.mark.parametrize("algorithm", ["a2c", "natural", "pgpe", "ppo"])
def test_it_serves_what_learns_in_batches(algorithm: str, uncompiled: None) -> None:
    """The first batch is as good as that of any algorithm: all see the same observations with the same θ, but PGPE."""
    trained = engine("glider", algorithm=algorithm, runs=1, gamma=0.9, batch=16, episodes=16, lr=0.001, baseline=None)
    plain = engine("glider", runs=1, batch=16, episodes=16, lr=0.001)
    for one in (trained, plain):
        one.learn(threads=1)
    assert trained.scale is not None
    assert plain.scale is not None
    if algorithm != "pgpe":
        np.testing.assert_array_equal(trained.scale, plain.scale)
    assert np.all(trained.scale[1] > 0.05)
    assert np.any(trained.theta != engine("glider", runs=1).theta)


def test_compiled_as_in_python_and_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {"baseline": "mean", "batch": 300, "episodes": 600, "lr": 0.001}  # in two blocks
    one, two, small, plain = (engine("glider", **choices) for choices in (many, many, {}, {}))
    one.learn(threads=1)
    two.learn(threads=2)
    np.testing.assert_array_equal(two._learner.runs, one._learner.runs)
    small.learn(threads=1)
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):
        plain.learn(threads=1)
    np.testing.assert_array_equal(plain._learner.runs, small._learner.runs)


def test_it_is_kept_with_the_policy_and_stands_still_when_that_only_plays(tmp_path: Path, uncompiled: None) -> None:
    together, apart = engine("glider"), engine("glider")
    together.learn(34, threads=1)
    apart.learn(17, threads=1)
    apart.save(tmp_path / "run")
    again = Engine.load(tmp_path / "run", env=problems.Glider())
    np.testing.assert_array_equal(again.scale, apart.scale)
    again.evaluate(5, threads=1)
    np.testing.assert_array_equal(again.scale, apart.scale)
    again.learn(17, threads=1)
    np.testing.assert_array_equal(again.theta, together.theta)
    np.testing.assert_array_equal(again.scale, together.scale)


def test_what_is_predicted_is_what_is_played(uncompiled: None) -> None:
    trained = engine("glider", lr=0.001)
    trained.learn(threads=1)
    trained._ready_to_predict()._call = lambda: int(predict.function(*trained._ready_to_predict()._kept))
    mean, std = trained.scale or ((), ())
    seen = (0.3, 0.1)
    for run, (k, d) in enumerate(trained.theta[:, 0, :2] / std):
        expected = k * (seen[0] - mean[run, 0]) + d * (seen[1] - mean[run, 1]) + trained.theta[run, 0, 2] + 0.5
        assert trained.distribution(seen, run=run).mean == pytest.approx(expected, rel=1e-12)
        assert trained.predict(seen, run=run, deterministic=True) == pytest.approx(expected, rel=1e-12)


def test_it_is_the_same_where_somebody_else_steps(uncompiled: None) -> None:
    """An environment that is away for a step observes nothing then."""
    inside, outside = (engine("raft", runs=1, baseline="mean") for _ in range(2))
    exchange = Exchange(job_of(outside, environments=32, episodes=38))
    play(exchange, Simulation(outside, exchange), absences=True)
    inside.learn(threads=1)
    np.testing.assert_array_equal(outside.scale, inside.scale)
    np.testing.assert_array_equal(outside.theta, inside.theta)


def test_numbers_that_never_change(uncompiled: None) -> None:
    """They are counted from their mean, and divided by nothing."""
    theta = np.outer([0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 50.0]).ravel()  # it stays where it is
    still = engine("linear", runs=1, env=problems.Drift(spread=0.0, noise=0.0), theta0=theta)
    still.learn(threads=1)
    assert still.scale is not None
    np.testing.assert_array_equal(still.scale[1][:, :3], 1.0)
    assert np.all(np.isfinite(still.theta))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "updates within the episode": ({"in_loop": True}, "θ moves at every step of an episode: take 'normalised'"),
    "at every step": ({"algorithm": "actor-critic"}, "θ moves at every step of an episode: take 'normalised'"),
    "a table": ({"env": "FrozenLake-v1"}, "the observations are discrete: take 'one-hot' or 'aggregation'"),
    "no width": ({"feature_parameters": {"clip": 0}}, "clip is 0: it must be a positive number"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_is_refused(case: str) -> None:
    settings, words = REFUSED[case]
    with pytest.raises(PgfastError, match=words):
        Engine(**{"env": "CartPole-v1", "features": "running", **settings})


def test_agents_learn_from_episodes() -> None:
    made = Engine.for_spaces(Box(-1.0, 1.0, (2,)), Discrete(2), features="running")
    with pytest.raises(PgfastError, match="choose learn='episode', or 'normalised'"):
        made.agent("online")
