"""The episodic natural actor–critic (Peters & Schaal 2008): θ ← θ + α w, w from a regression of returns on scores.

The returns of a batch's episodes are regressed on their sums of scores and a constant (`pgfast.kernels.episodic`),
which takes the place of a baseline.

Peters, J. & Schaal, S. 2008: Reinforcement learning of motor skills with policy gradients. Neural Networks 21(4).
"""

from __future__ import annotations

from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.natural import MATRIX, PASSES
from pgfast.algorithms.reinforce import make_reinforce
from pgfast.errors import PgfastError
from pgfast.settings import Settings


def check(settings: Settings) -> None:
    """Raise PgfastError for a regression without sums of products."""
    if settings.solver == PASSES:
        raise PgfastError(f"solver is {PASSES!r}, which enac's regression doesn't have: choose cholesky or cg.")


ENAC = Algorithm(
    "Episodic natural actor–critic: along the regression of returns on sums of scores",
    "Peters & Schaal 2008, table 5",
    make_reinforce,
    defaults={
        "optimizer": "sgd",
        "max_kl": 0.01,
        "damping": 1.0,
        "baseline": "none",
        "returns": "whole",
        "discount_factor": True,
        "entropy": 0.0,
    },
    own=MATRIX,
    fixed={
        "in_loop": (False, "a regression is of a batch, with θ as it is"),
        "baseline": ("none", "the regression's constant is in its place"),
        "returns": ("whole", "the return of an episode is regressed on the sum of its scores"),
        "entropy": (0.0, "the regression is of returns alone"),
    },
    check=check,
    refinement="regression",
    estimates=False,
)
