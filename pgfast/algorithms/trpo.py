"""Trust region policy optimisation (Schulman, Levine, Moritz, Jordan & Abbeel 2015, sections 4 to 6).

With advantages as of `pgfast.algorithms.ppo`, N steps in a batch, and F the mean of ∇ log π ∇ log πᵀ over them (the
empirical Fisher matrix; averaged over actions it is the curvature of the KL divergence), an update is

    g = (1/N) Σ_t A_t ∇ log π(A_t|S_t),   (F + damping I) x = g,   θ ← θ + 2⁻ᵏ √(2 max_kl / xᵀ(F + damping I)x) x,

x by conjugate gradients, and k the first of 0, 1, … at which the surrogate (1/N) Σ_t π/π_old A_t has become better and
the mean of KL(π_old(·|S_t) ‖ π(·|S_t)) is at most max_kl. v̂ takes one step down ½ Σ_t (A_t + v̂_old(S_t) − v̂(S_t))².
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

from pgfast.algorithms.advantages import check_bootstrap
from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.several import FIXED
from pgfast.errors import PgfastError
from pgfast.settings import Settings

TRIALS = 10  # steps that are tried, each half as long as the one before


class Trpo(NamedTuple):
    """Its numbers, as the kernels read them (of switches, 1 is on)."""

    gamma: float
    lam: float
    max_kl: float
    damping: float
    cg_iterations: int
    trials: int
    normalises: int
    bootstrap: int
    passes: int  # over a batch: one plays it and finds g
    entropy: float = 0.0
    minibatches: int = 1
    in_loop: int = 0
    fits_value: int = 1
    leaves_one_out: int = 0

    def weigh(self, reward, discount):
        """Rewards are weighed when an episode has ended."""
        return reward, 1.0, 1.0


def make_trpo(settings: Settings) -> Trpo:
    """The kernel's form of the user's choices."""
    return Trpo(
        settings.gamma, settings.lam, settings.max_kl, settings.damping, settings.cg_iterations, TRIALS,
        int(settings.normalise_advantages), int(settings.bootstrap), 1 + settings.cg_iterations + TRIALS,
    )  # fmt: skip


def check(settings: Settings) -> None:
    """Raise PgfastError without a bound, where nothing keeps the Fisher matrix from being singular, and where v̂ of a
    last observation means nothing."""
    check_bootstrap(settings)
    if settings.max_kl == 0.0:
        raise PgfastError("max_kl is 0.0: with trpo it bounds every step and must be more than 0, such as 0.01.")
    check_damping(settings)


def check_damping(settings: Settings) -> None:
    """Raise PgfastError where conjugate gradients meet a matrix that is singular."""
    if settings.damping == 0.0:
        raise PgfastError(
            f"damping is 0.0: the Fisher matrix of a softmax policy is singular, so with {settings.algorithm} it must "
            f"be more than 0, such as 0.001."
        )


TRPO = Algorithm(
    "Trust region policy optimisation: natural steps within a bound on the divergence",
    "Schulman et al. 2015",
    make_trpo,
    defaults={"baseline": "value", "entropy": 0.0, "lam": 0.95, "damping": 1e-3, "max_kl": 0.01},
    own=("lam", "bootstrap", "max_kl", "damping", "cg_iterations", "normalise_advantages"),
    fixed={**FIXED, "entropy": (0.0, "the surrogate has no bonus")},
    check=check,
    estimates=False,
)
