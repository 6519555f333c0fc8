"""Single precision: what it means, that it is as repeatable as double, and what it costs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import problems
import pytest
import reference
from gymnasium.spaces import Box, Discrete
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from pgfast import Engine, check, uniform
from pgfast.compiler import fma, kernel, wide
from pgfast.kernels.trace_updates import remainder

SINGLE = [name for name in problems.SHORT if "single" in name]
FALSE_ALARM = 1e-6  # of a statistical test; seeds are fixed, so it happens always or never
floats = st.floats(-1e30, 1e30)


# ---- the numbers


def mixtures(x, k, c):
    """Float32s beside Python's numbers."""
    total = 0.0
    for j in range(3):
        total += x * j
    return (
        2 * x - 0.1, k * x, x / k, x**2, 1 / 3 * x, max(x, 0), min(k, x), x if c else 0, 0.5 if c else x, -x, abs(x),
        fma(0.1, x, k), total, x % 3, x // 2,
    )  # fmt: skip


@kernel
def store_mixtures(x, k, c, out):
    (
        out[0], out[1], out[2], out[3], out[4], out[5], out[6], out[7], out[8], out[9], out[10], out[11], out[12],
        out[13], out[14],
    ) = mixtures(x[0], k, c)  # fmt: skip


@given(st.floats(-1e6, 1e6), st.integers(1, 1000), st.booleans())
def test_a_float32_beside_pythons_numbers_is_what_numpy_makes_of_it(x, k, c):
    x = np.array([x], np.float32)
    got, expected = np.zeros(15), np.zeros(15)
    store_mixtures(x, k, c, got)
    store_mixtures.function(x, k, c, expected)
    np.testing.assert_array_equal(got, expected)
    assert all(number == np.float32(number) for number in got)


def test_other_peoples_compiled_functions_stay_as_they_were():
    @njit
    def own(x):
        return x * 3 + 0.1

    assert isinstance(own(np.float32(1.0)), float)
    assert own(np.float32(1.0)) == 3.1


@given(floats, floats, floats)
def test_fma_of_float32s_rounds_once(x, y, z):
    x, y, z = np.float32(x), np.float32(y), np.float32(z)
    with np.errstate(over="ignore"):
        got, out = fma(x, y, z), np.zeros(1, np.float32)
        store_fma(np.array([x, y, z]), out)
        assert got == out[0]
        assert isinstance(got, np.float32)


@kernel
def store_fma(x, out):
    out[0] = fma(x[0], x[1], x[2])


@given(st.floats(-1e30, 1e30).filter(lambda x: abs(x) > 1e-20 or x == 0.0))
def test_two_float32s_hold_a_parameter(x):
    high = np.float32(x)
    low = np.float32(remainder(x, high))
    total = wide(high) + wide(low)
    assert abs(total - x) <= 2.0**-47 * abs(x)
    assert np.float32(total) == high
    assert np.float32(remainder(total, np.float32(total))) == low


# ---- repeatable


@pytest.mark.parametrize("name", SINGLE)
def test_kernels_do_what_the_reference_does(name):
    """…which plays the same episodes and counts in double: what is left is the error of single precision."""
    engine = problems.short_engine(name)
    trainers = reference.train(problems.short_engine(name), engine.settings.episodes)
    engine.learn()
    for run, trainer in enumerate(trainers):
        np.testing.assert_allclose(engine.theta[run].reshape(-1), trainer.theta, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("problem", "schedule", "settings"),
    [
        ("cartpole", "batches", {"batch": 400, "episodes": 1000, "baseline": "mean"}),
        ("corridor", "runs", {"runs": 70, "episodes": 30, "baseline": "mean", "optimizer": "rmsprop"}),
    ],
)
def test_nothing_depends_on_how_the_work_is_done(problem, schedule, settings):
    at_once, in_parts, alone = (problems.engine(problem, schedule, precision="float32", **settings) for _ in range(3))
    count, batch = settings["episodes"], at_once.settings.batch
    at_once.learn(count)
    in_parts.learn(2 * batch)
    in_parts.evaluate(100)
    in_parts.learn(count - 2 * batch)
    alone.learn(count, threads=1)
    assert at_once.digest() == in_parts.digest() == alone.digest()


def test_a_table_stays_double():
    digests = set()
    for precision in ("float64", "float32"):
        engine = problems.engine("tabular", "batches", precision=precision)
        engine.learn()
        digests.add(engine.digest())
    assert len(digests) == 1


def test_it_is_saved(tmp_path: Path):
    engine = problems.short_engine("cartpole batches in single precision")
    engine.learn()
    engine.save(tmp_path)
    loaded = Engine.load(tmp_path)
    assert loaded.settings.precision == "float32"
    assert loaded.digest() == engine.digest()
    assert loaded.evaluate(50).by_run.tolist() == engine.evaluate(50).by_run.tolist()
    assert loaded.predict((0.1, 0.2, 0.3, 0.4)) in (0, 1)


def test_an_unknown_precision_is_refused():
    with pytest.raises(Exception, match="precision is 'float16': it must be 'float64' or 'float32'"):
        Engine("CartPole-v1", precision="float16")


# ---- a user's environment


class Spring(NamedTuple):
    """Helpers, arrays, ints and floats mixed, numbers beyond the first."""

    stiffness: float = 0.3
    mass: tuple[float, float] = (1.0, 2.5)
    table: np.ndarray = np.array([0.1, 0.2, 0.7])

    max_steps = 20

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (2,), np.float64)

    @property
    def action_space(self):
        return Discrete(3)

    def reset(self, key):
        return uniform(key, 0) - 0.5, 0.1 * uniform(key, 3), 0

    def push(self, x, t):
        return -self.stiffness * x / self.mass[t % 2] if t > 3 else 0

    def step(self, state, action, key):
        x, v, t = state
        v = v + self.push(x, t) + self.table[action] * (uniform(key, 0) - uniform(key, 5)) + 0.01 * t
        x = max(x + v / 3, -2)
        return (x, v, t + 1), -(x**2) - t / 7, abs(x) > 1.9

    def observe(self, state):
        return state[0], state[1]


def test_a_users_environment_is_the_same_compiled_and_in_python():
    report = check(Spring(), precision="float32")
    assert report.ok, report.checks
    assert any("bit for bit" in c.message for c in report.checks if c.name == "agreement")


# ---- what it costs


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_gradient_of_the_corridor(precision):
    """dJ/dθ_right of J(p) = (2p − 4)/(p(1 − p)) with p the sigmoid of θ_right − θ_left, from 16 batches of 8,000."""
    runs, theta = 16, [0.2, -0.1]
    engine = Engine(
        "ShortCorridor", policy="state-action", batch=8000, runs=runs, baseline="mean", optimizer="sgd", lr=1.0,
        gamma=1.0, theta0=theta, seed=5, precision=precision,
    )  # fmt: skip
    engine.learn(8000)
    found = (engine.theta - np.array(theta))[:, 1]
    p = 1.0 / (1.0 + math.exp(theta[0] - theta[1]))
    slope = 2.0 / (p * (1 - p)) - (2 * p - 4) * (1 - 2 * p) / (p * (1 - p)) ** 2
    z = (found.mean() - slope * p * (1 - p)) / (found.std(ddof=1) / math.sqrt(runs))
    assert abs(z) < 7.5  # Student's t with 15 degrees of freedom: twice 1e-6


# ---- what no result depends on


class Lottery(NamedTuple):
    """An episode ends by chance, late, and pays only then."""

    chance: float = 0.02

    max_steps = 400

    @property
    def observation_space(self):
        return Discrete(2)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 0, 0

    def step(self, state, action, key):
        t = state[0] + 1
        over = (t > 97) & (uniform(key, 0) < self.chance)
        return (t, action), 1.0 if over else 0.0, over

    def observe(self, state):
        return state[1]


def test_threads_don_t_matter_where_discounts_become_negligible():
    """In single precision γᵗ does so at the step at which most of these episodes pay."""
    found = set()
    for threads in (1, 2, 3):
        engine = Engine(
            Lottery(), policy="linear", precision="float32", runs=16, batch=1, gamma=0.5, discount_factor=True,
            baseline="none", optimizer="sgd", lr=1.0, seed=3,
        )  # fmt: skip
        engine.learn(3, threads=threads)
        assert np.any(engine.theta != 0.0)
        found.add(engine.digest())
    assert len(found) == 1


def test_a_tape_that_grows_loses_no_step(monkeypatch):
    """Four steps share a block of random numbers, and no kernel returns between them."""
    found = set()
    for first in (4, 2**14):
        monkeypatch.setattr("pgfast.training.FIRST_TAPE", first)
        engine = Engine("ShortCorridor", in_loop=True, batch=24, precision="float32", runs=3, lr=2.0**-12)
        engine.learn(72)
        found.add(engine.digest())
    assert len(found) == 1
