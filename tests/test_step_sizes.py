"""Schedules of the step sizes and the bound on the gradient's norm, in every place that moves parameters."""

import numba
import numpy as np
import problems
import pytest
import reference

from pgfast import Engine, PgfastError

VALUE = {"baseline": "value", "lr": 0.02}
EARLY = {"schedule_updates": 1.5}  # so that few updates make a difference
HARMONIC = {"schedule": "inverse", **EARLY}
SLOW = {"schedule": "robbins-monro", "schedule_power": 0.6, **EARLY}
LINEAR = {"schedule": "linear"}
SHORT = {"max_norm": 0.3}
CASES = {  # problem, where lanes are what, settings
    "linear batches": ("linear", "batches", {**VALUE, **LINEAR, **SHORT}),
    "linear runs": ("linear", "runs", {**VALUE, **SLOW, **SHORT}),
    "linear runs, adam": ("linear", "runs", {**VALUE, **LINEAR, **SHORT, "optimizer": "adam"}),
    "linear runs in single precision": ("linear", "runs", {**VALUE, **SLOW, **SHORT, "precision": "float32"}),
    "linear in_loop": ("linear", "in_loop", {**VALUE, **HARMONIC, **SHORT}),
    "family runs": ("linear family", "runs", {**VALUE, **SLOW, **SHORT}),
    "raft runs": ("raft", "runs", {"baseline": "mean", **LINEAR, **SHORT}),
    "tabular batches": ("tabular", "batches", {**VALUE, **HARMONIC, **SHORT}),
    "tabular batches, adam": ("tabular", "batches", {**VALUE, **LINEAR, **SHORT, "optimizer": "adam"}),
    "tabular runs": ("tabular", "runs", {**VALUE, **LINEAR}),
    "tabular in_loop": ("tabular", "in_loop", {**VALUE, **LINEAR, **SHORT}),
    "tiles batches": ("tiles", "batches", {**VALUE, **SLOW, **SHORT}),
    "tiles runs": ("tiles", "runs", {**VALUE, **LINEAR, **SHORT}),
    "tiles in_loop": ("tiles", "in_loop", {**VALUE, **SLOW, **SHORT, "optimizer": "momentum"}),
}


def engine(name, **changes):
    problem, lanes, settings = CASES[name]
    return problems.engine(problem, lanes, **{**settings, **changes})


@pytest.fixture
def plain(monkeypatch):
    """Kernels as plain Python."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):
        yield


def norms(trainers):
    return np.sqrt([np.mean([square for _, square in t.moves]) for t in trainers])


@pytest.mark.parametrize("name", CASES)
def test_against_the_reference(name, plain):
    fresh = engine(name)
    trainers = reference.train(fresh, fresh.settings.episodes)
    fresh.learn(threads=1)
    expected = np.array([t.theta for t in trainers])
    rtol, atol = (1e-4, 1e-5) if "single" in name else (1e-10, 1e-12)
    np.testing.assert_allclose(fresh.theta.reshape(expected.shape), expected, rtol=rtol, atol=atol)
    if fresh.value_weights is not None:
        weights = np.array([t.weights for t in trainers])
        np.testing.assert_allclose(fresh.value_weights, weights, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", ["linear runs", "tabular batches", "tiles in_loop"])
def test_recorded_norms_are_those_before_the_bound(name, plain):
    fresh = engine(name, log_every=engine(name).settings.batch)
    trainers = reference.train(fresh, fresh.settings.episodes)
    curve = fresh.learn(threads=1).curve
    for run, trainer in enumerate(trainers):
        rows = reference.rows(trainer, int(curve.episode[0]), exact_entropy=False)
        np.testing.assert_allclose(curve.gradient_norm[run], rows["gradient_norm"], rtol=1e-9)
    assert max(curve.gradient_norm.ravel()) > fresh.settings.max_norm  # so that the bound is one


@pytest.mark.parametrize("name", ["linear runs, adam", "tabular in_loop"])
def test_episodes_in_several_calls_are_those_of_one(name, plain):
    """Batches are complete at the ends of calls, and step sizes go on falling over the settings' episodes."""
    once, twice = engine(name, episodes=6), engine(name, episodes=6)
    once.learn(threads=1)
    twice.learn(3, threads=1)
    twice.learn(3, threads=1)
    np.testing.assert_array_equal(once.theta, twice.theta)
    with pytest.raises(
        PgfastError, match=r"to 0 over 6 episodes, and these would be episodes 6 to 7: say at the start"
    ):
        twice.learn(1)


def test_compiled_kernels_have_the_same_bits(plain, monkeypatch):
    expected = engine("family runs")
    expected.learn(threads=1)
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
    found = engine("family runs")
    found.learn(threads=1)
    np.testing.assert_array_equal(found.theta, expected.theta)
    np.testing.assert_array_equal(found.value_weights, expected.value_weights)


def test_a_bound_that_no_gradient_reaches_changes_nothing(plain):
    for name in ("linear runs", "tabular batches"):
        free, bounded = engine(name, max_norm=None), engine(name, max_norm=1e6)
        free.learn(threads=1)
        bounded.learn(threads=1)
        np.testing.assert_array_equal(free.theta, bounded.theta)


def test_step_sizes_of_an_agent_that_learns_online(plain):
    """θ moves by α_k δ_k x for a policy that can't choose: its score is 0, so only the value function moves."""
    made = Engine("KArmedBandit", baseline="value", optimizer="sgd", gamma=0.0, lr_value=0.5, max_norm=None, **HARMONIC)
    agent = made.agent("online")
    w = 0.0
    for k in range(5):
        agent.act(0)
        agent.observe(1.0, terminated=True)
        w += 0.5 / (1 + k / 1.5) * (1.0 - w)
        np.testing.assert_allclose(made.value_weights.ravel(), [w], rtol=1e-14)


def test_exact_algorithms_have_schedules():
    settings = {"algorithm": "exact-pg", "lr": 0.5, "episodes": 4, "gamma": 0.9}
    constant, falling = (Engine(problems.random_mdp(), schedule=s, **settings) for s in ("constant", "linear"))
    constant.learn(1)
    falling.learn(1)
    np.testing.assert_array_equal(constant.theta, falling.theta)  # the first step is whole
    begun = falling.theta
    slower = Engine(problems.random_mdp(), **{**settings, "lr": 0.375}, theta0=begun.ravel())
    slower.learn(1)
    falling.learn(1)
    np.testing.assert_array_equal(falling.theta, slower.theta)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": "cosine"}, r"schedule is 'cosine': it must be 'constant', 'linear', 'inverse' or 'rob"),
        ({"schedule_power": 0.5}, r"schedule_power is 0\.5: it must be more than 0\.5\."),
        ({"schedule_power": 1.5}, r"schedule_power is 1\.5: it must be at most 1\."),
        ({"schedule_power": 0.9}, r"which the schedule constant has no use for: leave it out, or choose from robbins"),
        ({"schedule_updates": 9.0, "schedule": "linear"}, r"schedule_updates is 9\.0, which the schedule linear has"),
        ({"schedule_updates": 0.0}, r"schedule_updates is 0\.0: it must be more than 0"),
        ({"max_norm": 0.0}, r"max_norm is 0\.0: it must be more than 0"),
        ({"max_norm": float("nan")}, r"max_norm is nan"),
        ({"max_norm": 1.0, "algorithm": "exact-pg"}, r"with exact-pg its update is a plain step: it must be None"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(PgfastError, match=message):
        Engine("ShortCorridor", **settings)
