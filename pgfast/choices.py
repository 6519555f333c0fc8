"""Choices of a run that only names can say, and those that don't go together."""

from __future__ import annotations

from pgfast.algorithms.exact import EXACT
from pgfast.algorithms.reinforce import BASELINES
from pgfast.errors import PgfastError, unknown
from pgfast.kernels.step_rules import RULES
from pgfast.settings import Settings

ALGORITHMS = {
    "reinforce": "REINFORCE (Williams 1992; Sutton & Barto 2018, section 13.3)",
    **{name: algorithm.title for name, algorithm in EXACT.items()},
}
_EXACTLY = {  # what an exact algorithm has to have, and why
    "runs": (1, "nothing is drawn, so all runs would be the same"),
    "baseline": ("none", "a baseline lowers the variance of estimates, and nothing is estimated"),
    "returns": ("to-go", "no episode is played whose returns could be credited"),
    "in_loop": (False, "no episode is played that θ could move in"),
    "optimizer": ("sgd", "its update is a plain step"),
    "discount_factor": (True, "the exact gradient weighs step t by γᵗ"),
    "precision": ("float64", "it computes in double precision"),
}


def check(settings: Settings) -> None:
    """Raise PgfastError for the first that can't be served."""
    if settings.algorithm not in ALGORITHMS:
        raise unknown("algorithm", settings.algorithm, ALGORITHMS)
    if settings.algorithm in EXACT:
        _check_exact(settings)
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


def _check_exact(settings: Settings) -> None:
    """Raise PgfastError for what says nothing to an algorithm that computes with the environment's model."""
    name = settings.algorithm
    for choice, (allowed, why) in _EXACTLY.items():
        given = getattr(settings, choice)
        if given != allowed:
            raise PgfastError(f"{choice} is {given!r}, but with {name} {why}: it must be {allowed!r}, or be left out.")
    kind = EXACT[name].policy
    if kind is not None and settings.policy != kind:
        raise PgfastError(
            f"policy is {settings.policy!r}: with {name} it is {kind!r}; leave it out, or choose exact-pg."
        )
    if EXACT[name].entropy != (settings.entropy > 0.0):
        other = (
            name.replace("exact-entropy", "exact") if EXACT[name].entropy else name.replace("exact", "exact-entropy")
        )
        instead = f", or choose {other}" if other in EXACT else ""
        must = "more than 0" if EXACT[name].entropy else "0"
        raise PgfastError(f"entropy is {settings.entropy}: with {name} it must be {must}{instead}.")
