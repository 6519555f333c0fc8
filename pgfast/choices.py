"""Choices of a run that only names can say, and those that don't go together."""

from __future__ import annotations

from pgfast.algorithms.reinforce import BASELINES
from pgfast.errors import PgfastError, unknown
from pgfast.kernels.step_rules import RULES
from pgfast.settings import Settings

ALGORITHMS = {"reinforce": "REINFORCE (Williams 1992; Sutton & Barto 2018, section 13.3)"}


def check(settings: Settings) -> None:
    """Raise PgfastError for the first that can't be served."""
    if settings.algorithm not in ALGORITHMS:
        raise unknown("algorithm", settings.algorithm, ALGORITHMS)
    if settings.baseline not in BASELINES:
        raise unknown("baseline", settings.baseline, BASELINES)
    if settings.optimizer not in RULES:
        raise unknown("optimizer", settings.optimizer, RULES)
    if settings.baseline == "batch" and settings.batch == 1:
        raise PgfastError(
            "baseline is 'batch' and batch is 1: an episode has no others to compare it with and the gradient would be "
            "the plain one; take a batch of at least 2, or another baseline."
        )
    apart = settings.log_every
    if apart is not None and apart % settings.batch:
        raise PgfastError(
            f"log_every is {apart} and batch {settings.batch}: points of the curve are at updates, so it must be "
            f"a multiple of batch, such as {-(-apart // settings.batch) * settings.batch}."
        )
