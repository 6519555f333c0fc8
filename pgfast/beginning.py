"""What training begins with: the problem that settings describe, the first parameters of every run, and what lanes
derive from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pgfast.algorithms.catalogue import algorithm_of
from pgfast.algorithms.exact import EXACT
from pgfast.environments import Source
from pgfast.errors import PgfastError
from pgfast.kernels.averages import AVERAGES
from pgfast.kernels.learner import DESCENT, Learner, Optimisation, derive, make_learner, make_room, span_first
from pgfast.kernels.statistics import N_STATS
from pgfast.kernels.step_rules import step_rule
from pgfast.kernels.step_sizes import Bounded, Unbounded, step_schedule
from pgfast.memories import carried
from pgfast.models import Model
from pgfast.parameters import in_precision
from pgfast.policies.tabular import spread
from pgfast.presets import preset
from pgfast.probe import Traits
from pgfast.problem import Problem
from pgfast.refinements import refinement_of
from pgfast.room import check_memory
from pgfast.settings import Settings

LARGE = 256  # numbers from which on code is loaded sooner than Python has made them


def optimisation_of(settings: Settings, batch: int, refinement: Any) -> Optimisation:
    """Step rule, step sizes and episodes per update, and what is made of a gradient."""
    s, line = settings, algorithm_of(settings)
    return Optimisation(
        step_rule(s.optimizer, s.momentum, s.beta2, s.epsilon),
        s.lr,
        getattr(s, line.rate),
        batch,
        step_schedule(s.schedule, s.episodes, s.schedule_updates, s.schedule_power),
        Unbounded() if s.max_norm is None else Bounded(s.max_norm),
        refinement,
        AVERAGES if line.averages else DESCENT,
    )


def problem_of(settings: Settings, source: Source, traits: Traits, model: Model) -> Problem:
    """What kernels are to play and learn; raises PgfastError where the algorithm can't serve the model."""
    algorithm = algorithm_of(settings)
    batch = settings.batch
    if settings.algorithm in EXACT:  # whose updates are no batches: it says what kernel plays
        batch = preset(source.name)["batch"]
    refinement = refinement_of(settings, traits, model)
    env = source.foreign.stand_in() if source.foreign else source.env
    problem = Problem(
        env=in_precision(env, model.precision.real),
        traits=traits,
        model=model,
        algorithm=algorithm.make(settings),
        optimisation=optimisation_of(settings, batch, refinement.form),
        seed=settings.seed,
        values=algorithm.weights(settings, model, source.env, traits),
        refinement=refinement,
        sigma0=settings.sigma0,
        greedy=algorithm.greedy,
    )
    if model.n_scaled and (problem.in_loop or problem.at_once):
        raise PgfastError(
            f"features is {settings.features!r}, whose mean and deviation move when a batch is complete, but θ moves "
            f"at every step of an episode: take 'normalised', or learn in batches, with reinforce or a2c."
        )
    return problem


def new_learner(model: Model, settings: Settings, problem: Problem) -> Learner:
    """A learner that has seen nothing. Raises PgfastError where this machine's memory can't hold it."""
    values, kept, more = problem.values, problem.refinement.kept, carried(problem)
    numbers = 3 * model.n_parameters + 3 * values + model.n_prepared + kept + more[0] + N_STATS
    what = f"{settings.runs:,} runs of {model.n_parameters:,} parameters each"
    check_memory(settings.runs * numbers * 8, what, "take fewer runs, or fewer features")
    observed = 1 + 2 * model.n_scaled if model.n_scaled else 0
    learner = make_learner(_first_theta(model, settings), model.n_prepared, values, 1, kept, observed, more)
    alike = model.tabular and not isinstance(settings.theta0, list)
    derive_lanes(model, learner, values, compiled=model.n_prepared > LARGE and not alike, alike=alike)
    prepared = slice(learner.prepared_at, learner.decays_at)
    learner.runs[1:, prepared] = learner.runs[0, prepared]  # all runs start alike
    return learner


def derive_all(model: Model, learner: Learner) -> None:
    """What lanes use, from θ of every run."""
    width = learner.runs.shape[1]
    for run in range(len(learner.runs)):
        one = learner.runs[run : run + 1]
        alone = learner._replace(runs=one, flat=one.reshape(-1))
        derive_lanes(model, alone, learner.n_weights, compiled=len(learner.runs) * width > LARGE)


def derive_lanes(model: Model, learner: Learner, values: int, *, compiled: bool, alike: bool = False) -> None:
    """What lanes use, from θ of the first run; `alike` where a table has the same number everywhere."""
    room = make_room(model.n_parameters, values, model.n_outputs)
    if alike:
        span_first(room, model.shape[-1])
    with np.errstate(over="ignore"):  # differences of preferences that overflow are clipped
        (derive if compiled else derive.function)(model.policy, learner, room)
    if alike:
        spread(model.policy, learner)


def _first_theta(model: Model, settings: Settings) -> np.ndarray:
    theta = np.asarray(model.theta0 if settings.theta0 is None else settings.theta0, float)
    if theta.ndim == 0:
        return np.full((settings.runs, model.n_parameters), float(theta))
    if model.horizon and theta.size * model.horizon == model.n_parameters:
        theta = np.tile(theta, model.horizon)  # of one step: every step begins with it
    if theta.size != model.n_parameters:
        raise PgfastError(
            f"theta0 has {theta.size} numbers: the {model.name} policy has {model.n_parameters} parameters, of shape "
            f"{model.shape}."
        )
    return np.tile(theta.reshape(1, -1), (settings.runs, 1))
