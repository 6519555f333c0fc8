"""What a learner begins with: the first parameters of every run, and what lanes derive from them."""

from __future__ import annotations

import numpy as np

from pgfast.errors import PgfastError
from pgfast.kernels.learner import Learner, derive, make_learner, make_room, span_first
from pgfast.models import Model
from pgfast.policies.tabular import spread
from pgfast.settings import Settings

LARGE = 256  # numbers from which on code is loaded sooner than Python has made them


def new_learner(model: Model, settings: Settings, values: int, kept: int = 0) -> Learner:
    """A learner that has seen nothing, with `values` weights of a learned baseline, that keeps `kept` numbers from batch
    to batch."""
    learner = make_learner(_first_theta(model, settings), model.n_prepared, values, 1, kept)
    alike = model.tabular and not isinstance(settings.theta0, list)
    derive_lanes(model, learner, values, compiled=model.n_prepared > LARGE and not alike, alike=alike)
    prepared = slice(learner.prepared_at, learner.decays_at)
    learner.runs[1:, prepared] = learner.runs[0, prepared]  # all runs start alike
    return learner


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
