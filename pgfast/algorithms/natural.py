"""The natural gradient (Kakade 2001): θ ← θ + α F⁻¹ g.

g is REINFORCE's estimate with any of its baselines, F the Fisher matrix of the same batch (`pgfast.kernels.fisher`). So
no step depends on how the policy is parametrised, and F⁻¹ g estimates advantages: α is a step in units of 1 / returns.

Where F would be too large, as of tiles, the batch is written down, and conjugate gradients make their products with F
in passes over it: TRPO (`pgfast.kernels.trust`) without its trials, g by the returns less a learned value.

Kakade, S. 2001: A natural policy gradient. NeurIPS 14.
"""

from __future__ import annotations

from typing import Any

from pgfast.algorithms.algorithm import Algorithm, check_fixed
from pgfast.algorithms.reinforce import make_reinforce
from pgfast.algorithms.several import FIXED
from pgfast.algorithms.trpo import check_damping, make_trpo
from pgfast.settings import Settings

MATRIX = ("damping", "solver", "max_kl")  # settings of what solves systems
PASSES = "passes"  # a solver


def make_natural(settings: Settings) -> Any:
    """The kernel's form of the user's choices."""
    if settings.solver != PASSES:
        return make_reinforce(settings)
    return make_trpo(settings)._replace(normalises=0, trials=0, passes=1 + settings.cg_iterations)


def check(settings: Settings) -> None:
    """Raise PgfastError for what passes over a batch can't serve."""
    if settings.solver == PASSES:
        check_fixed(f"solver {PASSES!r}", {**FIXED, "entropy": (0.0, "a batch has no bonus")}, settings)
        check_damping(settings)


NATURAL = Algorithm(
    "Natural gradient: along F⁻¹g, with the empirical Fisher matrix of the batch",
    "Kakade 2001",
    make_natural,
    defaults={"optimizer": "sgd", "max_kl": 0.001},
    own=(*MATRIX, "cg_iterations"),
    fixed={"in_loop": (False, "a matrix is of a batch, with θ as it is")},
    check=check,
    refinement="fisher",
    estimates=False,
)
