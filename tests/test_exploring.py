"""The all-action gradient, PGPE and the gradient bandit against their definitions, number by number, uncompiled."""

from __future__ import annotations

import numba
import numpy as np
import problems
import pytest
from reference import Trainer
from reference_exploring import ExpectedTrainer, PgpeTrainer, gradient_bandit

from pgfast import Engine, training

EXPECTED = {
    "linear batches": ("linear", "batches", {"entropy": 0.1, "optimizer": "adam"}),
    "linear runs": ("linear", "runs", {"discount_factor": True}),
    "features batches": ("features", "batches", {"discount_factor": True}),
    "features runs": ("features", "runs", {"entropy": 0.1}),
    "tabular batches": ("tabular", "batches", {"entropy": 0.1, "discount_factor": True}),
    "tabular runs": ("tabular", "runs", {"optimizer": "adam"}),
    "tabular batches, rows listed": ("tabular", "batches", {"discount_factor": True}),
    "tiles batches": ("tiles", "batches", {"entropy": 0.1}),
    "tiles runs": ("tiles", "runs", {"discount_factor": True, "optimizer": "momentum"}),
    "tiles runs, rows listed": ("tiles", "runs", {}),
}
PAIRS = {"baseline": "mean", "batch": 8, "episodes": 22}
PGPE = {
    "linear batches": ("linear", "batches", {"batch": 18, "baseline": "mean", "optimizer": "adam"}),
    "linear runs": ("linear", "runs", PAIRS),
    "features runs": ("features", "runs", {**PAIRS, "sigma0": 0.5}),
    "glider batches": ("glider", "batches", {"batch": 18, "lr_sigma": 0.01}),
    "raft runs": ("raft", "runs", {**PAIRS, "lr": 0.01, "lr_sigma": 0.01}),
}


def short_engine(algorithm, name):
    problem, schedule, changes = {"expected": EXPECTED, "pgpe": PGPE}[algorithm][name]
    return problems.engine(problem, schedule, algorithm=algorithm, **changes)


def uncompiled(engine, monkeypatch):
    """The engine, trained by the kernels as plain Python."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):  # as compiled code, of lanes that are idle
        engine.learn(threads=1)
    return engine


@pytest.mark.parametrize("name", EXPECTED)
def test_expected_is_its_definition(name, monkeypatch):
    if "listed" in name:
        monkeypatch.setattr(training, "LISTS_FROM", 0)
    engine = uncompiled(short_engine("expected", name), monkeypatch)
    for run in range(engine.settings.runs):
        trainer = ExpectedTrainer(short_engine("expected", name), run).train(engine.settings.episodes)
        np.testing.assert_allclose(engine.theta[run].reshape(-1), trainer.theta, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(engine.value_weights[run], trainer.weights, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", PGPE)
def test_pgpe_is_its_definition(name, monkeypatch):
    engine = uncompiled(short_engine("pgpe", name), monkeypatch)
    for run in range(engine.settings.runs):
        trainer = PgpeTrainer(short_engine("pgpe", name), run).train(engine.settings.episodes)
        np.testing.assert_allclose(engine.theta[run].reshape(-1), trainer.theta, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(engine.value_weights[run], trainer.rho, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("baseline", ["mean", "none"])
def test_gradient_bandit_is_the_books_update(baseline, monkeypatch):
    choices = {"env_parameters": {"mean": 4.0}, "baseline": baseline, "episodes": 12, "runs": 2, "lr": 0.4}
    engine = Engine("KArmedBandit", algorithm="gradient-bandit", **choices)
    pulls = [[], []]
    for run in range(2):
        trainer = Trainer(engine, run)
        for k in range(12):
            e = trainer.play(k)
            pulls[run].append((e.actions[0], e.rewards[0]))
            trainer.theta = gradient_bandit(pulls[run], np.zeros(10), 0.4, baseline == "mean")
    uncompiled(engine, monkeypatch)
    for run in range(2):
        found = gradient_bandit(pulls[run], np.zeros(10), 0.4, baseline == "mean")
        np.testing.assert_allclose(engine.theta[run, 0], found, rtol=1e-12, atol=1e-13)
