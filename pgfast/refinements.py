"""What is made of a gradient before θ moves: for each kind, its form in kernels and the room that it needs.

A new refinement is a class in `pgfast.kernels` and a line in REFINEMENTS here; an algorithm names the one it has, and
so may a baseline.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from pgfast.algorithms.catalogue import algorithm_of
from pgfast.algorithms.natural import PASSES
from pgfast.compiler import LANES
from pgfast.errors import PgfastError
from pgfast.kernels.episodic import Regression, TabularRegression
from pgfast.kernels.fisher import Fisher, TabularFisher
from pgfast.kernels.learner import Learner, Unrefined
from pgfast.kernels.linear_systems import room_for, size
from pgfast.kernels.optimal_baseline import OptimalBaseline, TabularOptimalBaseline
from pgfast.kernels.step_baselines import StepBaselines, TabularStepBaselines
from pgfast.models import Model
from pgfast.probe import Traits
from pgfast.settings import Settings

MOST_ROWS = 1024  # of a matrix: its factors take a third of a second
MOST_SUMS = 2**20  # numbers of baselines by time step that an account has room for
SMALLEST_DISCOUNT = 1e-100  # below which time steps have no baselines of their own


class Refinement(NamedTuple):
    """A refinement's form in kernels, and its room in numbers."""

    form: Any = Unrefined()
    moments: int = 0  # summed up beside the gradient
    kept: int = 0  # from batch to batch
    scratch: int = 0  # of an update
    lanes: tuple[int, ...] = (0, LANES)  # shape of what lanes sum up by themselves

    def singular(self, learner: Learner) -> tuple[int, ...]:
        """Runs in which a matrix was singular, so that it was damped more than the settings say."""
        if not hasattr(self.form, "conjugate"):
            return ()
        return tuple(np.flatnonzero(learner.runs[:, learner.kept_at]).tolist())

    @property
    def plain(self) -> bool:
        """Is nothing refined?"""
        return isinstance(self.form, Unrefined)


UNREFINED = Refinement()


def refinement_of(settings: Settings, traits: Traits, model: Model) -> Refinement:
    """The one that an algorithm and its baseline have; raises PgfastError where a policy can't have it."""
    kind = settings.baseline if settings.baseline in REFINEMENTS else algorithm_of(settings).refinement
    if kind is None or settings.solver == PASSES:
        return UNREFINED
    what = f"baseline is {kind!r}" if kind == settings.baseline else f"algorithm is {settings.algorithm!r}"
    if model.sparse or settings.in_loop or (model.tabular and not hasattr(model.policy.link, "cool")):
        how = "in_loop" if settings.in_loop else f"features {settings.features!r}" if model.sparse else model.name
        less = f", or solver {PASSES!r}" if kind == "fisher" else ""
        raise PgfastError(
            f"{what}, which needs sums over a batch that {how} doesn't have: take a tabular policy, or a linear one of "
            f"few features{less}."
        )
    return REFINEMENTS[kind](settings, traits, model)


def _matrix(settings: Settings, n: int) -> None:
    """Raise PgfastError for a matrix too large to be factored at every update."""
    if n > MOST_ROWS:
        way = f"solver {PASSES!r}" if settings.algorithm == "natural" else "reinforce"
        raise PgfastError(
            f"{settings.algorithm} needs a matrix of {n} × {n} numbers, {8 * size(n) / 2**20:,.0f} MiB for every block "
            f"of episodes, to be factored at every update; it can have up to {MOST_ROWS} rows: choose {way}, or "
            f"fewer features."
        )


def _solver(settings: Settings) -> tuple[float, float, int]:
    return settings.damping, settings.max_kl, int(settings.solver == "cg")


def _fisher(settings: Settings, traits: Traits, model: Model) -> Refinement:
    n = model.n_rows
    if model.tabular:
        return Refinement(TabularFisher(settings.damping, settings.max_kl))
    _matrix(settings, n)
    return Refinement(Fisher(*_solver(settings)), size(n), 1, n + room_for(n), (size(n) + n, LANES))


def _regression(settings: Settings, traits: Traits, model: Model) -> Refinement:
    if model.tabular:
        s, a = model.n_states, model.n_actions
        n = s * (a - 1)
        _matrix(settings, n)
        return Refinement(TabularRegression(s, a, *_solver(settings)), 2 * n + size(n) + s * a + s, 1, n + room_for(n))
    n = model.n_rows
    _matrix(settings, n)
    return Refinement(Regression(*_solver(settings)), n + size(n), 1, n + room_for(n))


def _optimal(settings: Settings, traits: Traits, model: Model) -> Refinement:
    p, scalar = model.n_parameters, int(settings.baseline == "optimal-scalar")
    if model.tabular:
        return Refinement(TabularOptimalBaseline(scalar), 4 * p + model.n_states, 2 * p)
    return Refinement(OptimalBaseline(model.policy, scalar), 3 * p, 2 * p)


def _step_baselines(settings: Settings, traits: Traits, model: Model) -> Refinement:
    rows = 1 if model.tabular else model.n_rows
    longest = math.log(SMALLEST_DISCOUNT) / math.log(settings.gamma) if 0.0 < settings.gamma < 1.0 else math.inf
    steps = settings.horizon or traits.max_steps if settings.gamma > 0.0 else 1
    horizon = max(1, int(min(steps, longest, MOST_SUMS // (5 * rows), MOST_SUMS // (LANES * (rows + 1)))))
    if model.tabular:
        return Refinement(TabularStepBaselines(horizon), 3 * horizon + model.n_parameters, 3 * horizon)
    shape = (LANES, horizon * (rows + 1))
    return Refinement(StepBaselines(horizon), 5 * horizon * rows, 2 * horizon * rows, lanes=shape)


REFINEMENTS: dict[str, Callable[[Settings, Traits, Model], Refinement]] = {
    "fisher": _fisher,
    "regression": _regression,
    "optimal": _optimal,
    "optimal-scalar": _optimal,
    "step baselines": _step_baselines,
}
