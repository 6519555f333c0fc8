"""Choices of a run that only names can say, and those that don't go together."""

from __future__ import annotations

import numpy as np

from pgfast.algorithms.algorithm import check_fixed
from pgfast.algorithms.catalogue import OF_ALGORITHMS, algorithm_of
from pgfast.algorithms.reinforce import BASELINES
from pgfast.errors import PgfastError, unknown
from pgfast.kernels.step_rules import RULES
from pgfast.settings import Settings, check_owners

MOST_EPISODES = 2**53  # up to there floats count exactly
OF_SCHEDULES = {"schedule_updates": ["inverse", "robbins-monro"], "schedule_power": ["robbins-monro"]}


def check(settings: Settings) -> None:
    """Raise PgfastError for the first that can't be served."""
    _check_algorithm(settings)
    if settings.baseline not in BASELINES:
        raise unknown("baseline", settings.baseline, BASELINES)
    if settings.optimizer not in RULES:
        raise unknown("optimizer", settings.optimizer, RULES)
    if settings.baseline == "batch" and settings.batch == 1:
        raise PgfastError(
            "baseline is 'batch' and batch is 1: an episode has no others to compare it with and the gradient would be "
            "the plain one; take a batch of at least 2, or another baseline."
        )
    check_owners(OF_SCHEDULES, settings.schedule, f"the schedule {settings.schedule}", settings)
    apart = settings.log_every
    if apart is not None and apart % settings.batch:
        raise PgfastError(
            f"log_every is {apart} and batch {settings.batch}: points of the curve are at updates, so it must be "
            f"a multiple of batch, such as {-(-apart // settings.batch) * settings.batch}."
        )


def check_count(count: int, first: int = 0) -> None:
    """Raise PgfastError for so many episodes after `first`, where they can't be counted."""
    if not (isinstance(count, int | np.integer) and 1 <= count and first + count <= MOST_EPISODES):
        raise PgfastError(f"episodes is {count}: it must be at least 1, and with those before it at most 2⁵³.")


def check_episodes(settings: Settings, first: int, count: int) -> None:
    """Raise PgfastError for episodes that can't be counted, or would have a step size of 0."""
    check_count(count, first)
    if settings.schedule == "linear" and first + count > settings.episodes:
        raise PgfastError(
            f"schedule is 'linear', to 0 over {settings.episodes} episodes, and these would be episodes {first} to "
            f"{first + count}: say at the start how many there are to be, by the setting episodes."
        )


def _check_algorithm(settings: Settings) -> None:
    """Raise PgfastError for a setting that the algorithm doesn't have, or has as something else."""
    name, algorithm = settings.algorithm, algorithm_of(settings)
    check_owners(OF_ALGORITHMS, name, name, settings)
    check_fixed(name, algorithm.fixed, settings)
    algorithm.check(settings)
