"""The engine as a library: what goes in, what comes out, what is kept."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Discrete

import pgfast
from pgfast import Engine, PgfastError, TabularMDP

LAKE = {"episodes": 512, "batch": 64, "evaluation_episodes": 200}


def lake(**choices: object) -> Engine:
    return Engine("FrozenLake-v1", **{**LAKE, **choices})


# ---- doors


def test_the_same_environment_by_every_door() -> None:
    table = TabularMDP.from_gymnasium(gymnasium.make("FrozenLake-v1"))
    doors = ["FrozenLake-v1", pgfast.make("FrozenLake-v1"), gymnasium.make("FrozenLake-v1"), table]
    settings = {**LAKE, "lr": 0.1, "entropy": 0.0}
    digests = set()
    for door in doors:
        engine = Engine(door, **settings)
        engine.learn()
        digests.add(engine.digest())
    assert len(digests) == 1


def test_parameters_reach_the_environment() -> None:
    assert Engine("FrozenLake-v1", env_parameters={"is_slippery": False}).optimum == pytest.approx(1.0)
    assert pgfast.make("ShortCorridor", length=6).length == 6
    assert pgfast.make("ShortCorridor", length="6") == pgfast.make("ShortCorridor", length=6)
    assert pgfast.make("FrozenLake-v1", map_name="8x8").n_states == 64


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ("Frozen", "did you mean 'FrozenLake-v1'"),
        (3, "3 is no environment"),
    ],
)
def test_no_environment(env: object, words: str) -> None:
    with pytest.raises(PgfastError, match=words):
        Engine(env)


# ---- finite MDPs


def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    p = rng.dirichlet(np.ones(3), size=(3, 2))
    return p, rng.normal(size=(3, 2)), np.array([0.5, 0.5, 0.0])


def test_rewards_of_transitions_average_to_those_of_actions() -> None:
    p, r, rho = arrays()
    by_transition = r[:, :, None] + np.zeros_like(p)
    assert np.allclose(TabularMDP(p, by_transition, rho).R, r, atol=1e-15)
    assert np.allclose(TabularMDP(p, r, rho).P, p, atol=0)


def test_terminal_states() -> None:
    p, r, rho = arrays()
    p[2] = [0.0, 0.0, 1.0]
    r[2] = 0.0
    found = TabularMDP(p, r, rho)
    assert np.array_equal(found.outcomes.terminated, found.outcomes.following == 2)
    r[2, 1] = 1.0  # it pays: no end
    assert not TabularMDP(p, r, rho).outcomes.terminated.any()
    r[2] = 0.0
    assert np.array_equal(TabularMDP(p, r, rho, terminal=[2]).continuation()[:, :, 2], np.zeros((3, 2)))


def change(array: np.ndarray, index: tuple[int, ...], value: float) -> np.ndarray:
    out = array.copy()
    out[index] = value
    return out


BAD_ARRAYS = {
    "sum": (lambda p, r, rho: (change(p, (1, 0, 2), 0.9), r, rho), "state 1 and action 0 sum to"),
    "negative": (lambda p, r, rho: (change(p, (2, 1, 0), -0.1), r, rho), r"P\[2, 1, 0\] is -0.1"),
    "not a number": (lambda p, r, rho: (change(p, (0, 0, 0), np.nan), r, rho), r"P\[0, 0, 0\] is nan"),
    "reward": (lambda p, r, rho: (p, change(r, (1, 1), np.inf), rho), r"R\[1, 1\] is inf"),
    "shape of P": (lambda p, r, rho: (p[:, :, :2], r, rho), r"shape \(S, A, S\)"),
    "shape of R": (lambda p, r, rho: (p, r[:2], rho), r"must be \(3, 2\) or \(3, 2, 3\)"),
    "shape of rho0": (lambda p, r, rho: (p, r, rho[:2]), r"it must be \(3,\)"),
    "word": (lambda p, r, rho: ("abc", r, rho), "P is 'abc': it must be an array of numbers"),
    "rows of different lengths": (lambda p, r, rho: (p, [[1.0], [1.0, 2.0]], rho), "R is .* an array of numbers"),
    "start": (lambda p, r, rho: (p, r, rho / 2), "rho0 sums to 0.5"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_bad_arrays(name: str) -> None:
    spoil, words = BAD_ARRAYS[name]
    with pytest.raises(PgfastError, match=words):
        TabularMDP(*spoil(*arrays()))


def test_a_policy_for_arrays_reaches_the_optimum() -> None:
    """Two states, one right action in each: 10 steps pay at most 10."""
    p = np.zeros((2, 2, 2))
    p[:, :, :] = [[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]
    engine = Engine(TabularMDP(p, np.eye(2), np.array([1.0, 0.0]), max_steps=10), lr=0.1, batch=64, episodes=12800)
    engine.learn()
    assert engine.optimum == pytest.approx(10.0)
    assert engine.evaluate(episodes=1000).mean > 9.8
    assert engine.predict([0, 1], deterministic=True).tolist() == [0, 1]


# ---- learning


def test_learning_in_parts_is_learning_at_once() -> None:
    whole, parts = lake(), lake()
    whole.learn()
    for _ in range(4):
        parts.learn(episodes=128)
    assert parts.digest() == whole.digest()


def test_a_run_does_not_depend_on_the_others() -> None:
    many, few = lake(runs=3), lake(runs=1)
    many.learn()
    few.learn()
    assert np.array_equal(many.theta[0], few.theta[0])
    assert not np.array_equal(many.theta[0], many.theta[1])


def test_curve_and_counts() -> None:
    engine = lake(runs=3, log_every=128)
    training = engine.learn()
    curve = training.curve
    assert curve.episode.tolist() == [128, 256, 384, 512]
    assert curve.mean_return.shape == curve.seconds.shape == (3, 4)
    assert np.all(np.diff(curve.steps, axis=1) > 0)
    assert curve.steps[:, -1].sum() == training.steps
    assert training.episodes == 512
    assert not training.stopped
    assert training.failed == ()
    assert engine.theta.shape == (3, 16, 4)


def test_callback_sees_progress_and_can_stop() -> None:
    seen: list[pgfast.Progress] = []
    engine = lake()

    def callback(progress: pgfast.Progress) -> bool:
        seen.append(progress)
        return progress.episodes < 10_000

    training = engine.learn(episodes=10**9, callback=callback)
    assert training.stopped
    assert 10_000 <= training.episodes < 10**9
    assert seen[-1].total == 10**9
    assert seen[-1].episodes == training.episodes
    assert all(a.episodes <= b.episodes and a.steps <= b.steps for a, b in pairwise(seen))


def test_an_error_in_the_callback_leaves_an_engine_that_works() -> None:
    engine = Engine("ShortCorridor", runs=3)

    def callback(progress: pgfast.Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.learn(episodes=10**8, callback=callback)
    before = engine.learn(episodes=64).curve.episode[-1]
    assert before > 64
    assert np.all(np.isfinite(engine.theta))


def test_leave_one_out_with_a_batch_of_one_is_refused() -> None:
    with pytest.raises(PgfastError, match="take a batch of at least 2"):
        lake(baseline="batch", batch=1)


def test_what_is_compiled_is_not_stepped_side_by_side() -> None:
    with pytest.raises(PgfastError, match="not stepped by Gymnasium: vector_envs=4 says nothing here, leave it out"):
        lake(vector_envs=4)


def test_divergence_is_told_and_keeps_the_last_good_policy() -> None:
    engine = Engine("CartPole-v1", optimizer="sgd", lr=1e308, batch=32, runs=2)
    training = engine.learn(episodes=1000)
    assert [run for run, _ in training.failed] == [0, 1]
    assert all(1 <= episode <= 1000 for _, episode in training.failed)
    assert np.all(np.isfinite(engine.theta))


# ---- evaluation and prediction


def test_evaluation_changes_nothing_and_repeats_nothing() -> None:
    engine, other = lake(), lake()
    engine.learn(episodes=256)
    other.learn(episodes=256)
    first, second = engine.evaluate(), engine.evaluate()
    assert first.mean != second.mean or first.mean_length != second.mean_length
    assert other.evaluate().mean == first.mean
    engine.learn(episodes=256)
    other.learn(episodes=256)
    assert engine.digest() == other.digest()


def test_interval_covers_the_truth() -> None:
    """θ₀ = 0 on the corridor: J(1/2) = −12; 60 intervals of 95 % miss it 11 times or more with probability 2e-4."""
    engine = Engine("ShortCorridor")
    misses = 0
    for _ in range(60):
        low, high = engine.evaluate(episodes=2000).ci95
        misses += not low <= -12.0 <= high
    assert misses <= 10


def test_predict() -> None:
    engine = lake(theta0=np.tile([0.0, 0.0, 50.0, 0.0], 16).tolist())
    assert engine.predict(3) == 2
    assert engine.predict(np.arange(16), deterministic=True).tolist() == [2] * 16
    assert engine.probabilities([[0, 1], [2, 3]]).shape == (2, 2, 4)
    assert np.allclose(engine.probabilities(0).sum(), 1.0)
    drawn = lake().predict(np.zeros(4000, int))
    counts = np.bincount(drawn, minlength=4)
    assert np.all(np.abs(counts - 1000) < 140)  # five standard deviations
    for wrong in (16, -1, 0.5):
        with pytest.raises(PgfastError, match=str(wrong)):
            engine.predict(wrong)


def test_predict_for_real_observations() -> None:
    engine = Engine("CartPole-v1")
    assert engine.predict(np.zeros(4)) in (0, 1)
    assert engine.predict(np.zeros((5, 4))).shape == (5,)
    with pytest.raises(PgfastError, match="has 3 numbers: this environment's have 4"):
        engine.predict(np.zeros(3))
    with pytest.raises(PgfastError, match="not finite"):
        engine.predict([0.0, np.nan, 0.0, 0.0])


# ---- on disk


def test_saved_and_loaded_goes_on_as_if_never_stopped(tmp_path: Path) -> None:
    engine, whole = lake(runs=2, baseline="value"), lake(runs=2, baseline="value")
    engine.learn(episodes=256)
    score = engine.evaluate()
    engine.save(tmp_path / "run")
    loaded = Engine.load(tmp_path / "run")
    assert loaded.digest() == engine.digest()
    assert loaded.evaluate().mean == engine.evaluate().mean
    loaded.learn(episodes=256)
    whole.learn(episodes=256)
    assert whole.evaluate().mean == score.mean
    whole.learn(episodes=256)
    assert loaded.digest() == whole.digest()


def test_arrays_are_saved_too(tmp_path: Path) -> None:
    engine = Engine(TabularMDP(*arrays(), max_steps=20), **LAKE)
    engine.learn()
    engine.save(tmp_path / "run")
    assert (tmp_path / "run" / "environment.safetensors").exists()
    loaded = Engine.load(tmp_path / "run")
    assert np.array_equal(loaded.theta, engine.theta)
    assert loaded.evaluate().mean == engine.evaluate().mean


class Lottery(NamedTuple):
    """One step: the price of the ticket that is chosen."""

    prices: np.ndarray = np.array([1.0, 2.0])

    observation_space = Discrete(1)
    action_space = Discrete(2)

    def reset(self, key):  # type: ignore[no-untyped-def]
        return 0

    def step(self, state, action, key):  # type: ignore[no-untyped-def]
        return 0, self.prices[action], True


def test_parameters_that_are_arrays_are_saved_too(tmp_path: Path) -> None:
    engine = Engine(Lottery(np.array([3.0, 5.0])), batch=16, episodes=64)
    engine.learn()
    assert 3.0 < engine.evaluate(episodes=1000).mean < 5.0
    engine.save(tmp_path)
    assert Engine.load(tmp_path, trust=True).source.env.prices.tolist() == [3.0, 5.0]


def spoil(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.toml", None, "no file"),
        ("config.toml", b"env = 'Frozen", "can't be read"),
        ("config.toml", b"env = 'FrozenLake-v1'\nruns = 3\n", "doesn't fit config.toml"),
        ("policy.safetensors", None, "no file"),
        ("policy.safetensors", b"", "can't be read"),
        ("policy.safetensors", b"\xff" * 100, "can't be read"),
    ],
)
def test_damaged_folder(name: str, content: bytes | None, words: str, tmp_path: Path) -> None:
    lake().save(tmp_path)
    spoil(tmp_path / name, content)
    with pytest.raises(PgfastError, match=words):
        Engine.load(tmp_path)


# ---- optima


@pytest.mark.parametrize(
    ("env", "parameters", "truth"),
    [
        ("FrozenLake-v1", {}, 0.7402),
        ("FrozenLake-v1", {"is_slippery": False}, 1.0),
        ("FrozenLake8x8-v1", {}, 0.8936),
        ("CliffWalking-v1", {}, -13.0),
        ("Taxi-v4", {}, 7.93),
        ("Garnet", {}, 87.0412),
        ("ShortCorridor", {}, -(6 + 4 * np.sqrt(2))),
        ("CartPole-v1", {}, 500.0),
    ],
)
def test_optimum(env: str, parameters: dict[str, object], truth: float) -> None:
    assert Engine(env, env_parameters=parameters).optimum == pytest.approx(truth, abs=5e-5)


def test_optimum_of_a_table_is_that_of_policies_that_can_tell_its_states_apart() -> None:
    assert Engine("FrozenLake-v1", policy="linear").optimum == Engine("FrozenLake-v1").optimum
    assert Engine("FrozenLake-v1", policy="state-action").optimum is None


def test_optimum_is_unknown_for_another_corridor() -> None:
    assert Engine("ShortCorridor", env_parameters={"length": 7}).optimum is None
