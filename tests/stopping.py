"""What trainings are compared by that were stopped, and how they come to have many calls."""

from __future__ import annotations

import pytest

from pgfast import Engine, training

NAMES = ("episode", "steps", "mean_return", "std_return", "entropy", "gradient_norm")


def shorten_calls(monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    """From now on."""
    whole = training.Job._arguments
    monkeypatch.setattr(training.Job, "_arguments", lambda job, worker, budget: whole(job, worker, min(budget, turns)))


def numbers(trained: Engine, outcome: object) -> tuple[object, ...]:
    """Everything that a training gives, times aside."""
    curve = [getattr(outcome.curve, name).tolist() for name in NAMES]
    weights = trained.value_weights
    return trained.digest(), None if weights is None else weights.tolist(), repr(curve), outcome.steps, outcome.failed
