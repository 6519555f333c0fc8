"""Policy gradients with parameter-based exploration, symmetric sampling (Sehnke et al. 2010).

What explores is θ, not the action: an episode is played with θ = μ ± ε, ε_r ~ N(0, σ_r²), by the preferred actions, or
means, of that policy; its return R is all that is learned from. Episodes 2k and 2k + 1 share ε, with opposite signs.
With σ = σ₀ exp ρ, an episode's estimates of the gradients of E_ε[J(μ + ε)] are

    ∇_μ: (R − b) (θ − μ)/σ²                    of a pair together (R⁺ − R⁻)/2 · ε/σ², from which b has fallen out;
    ∇_ρ: (R − b) ((θ − μ)²/σ² − 1)             of a pair together ((R⁺ + R⁻)/2 − b) (ε²/σ² − 1)

and a batch takes the mean. b is the mean return of earlier batches. In the paper ∇_μ and ∇_σ are multiplied by σ², as
it would have a step size for each parameter; here the step rule has them as they are, and ρ keeps σ positive.

μ stands where θ does and ρ, with its moments, where weights of a baseline do: predictions, and what is saved, are μ's.

Sehnke, Osendorfer, Rückstieß, Graves, Peters & Schmidhuber 2010: Parameter-exploring policy gradients. Neural
Networks 23.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any

from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.reinforce import Reinforce, make_reinforce
from pgfast.errors import PgfastError
from pgfast.settings import Settings

_MOST = 2**17  # normal numbers that an episode has to draw from
_POLICIES = ("linear", "state-action", "gaussian")


class Pgpe(Reinforce):
    """REINFORCE's switches, of which those of time say nothing here."""

    def credits(self, lengths, episodes):
        """How many returns the running mean takes in: one for each episode."""
        return episodes


def make_pgpe(settings: Settings) -> Pgpe:
    """The kernel's form of the user's choices."""
    return Pgpe(*make_reinforce(settings)._replace(fits_value=1))


def weights_of(settings: Settings, model: Any, env: Any, traits: Any) -> int:
    """Of ρ, one for each number of θ that is explored; raises PgfastError for a policy of which there can't be one in
    each lane."""
    if model.name not in _POLICIES or model.width == 0:
        what = f"features {settings.features!r}" if model.sparse else f"policy {model.name!r}"
        raise PgfastError(
            f"pgpe plays every episode with a θ of its own, and has none for the {what}: choose policy 'linear' with "
            f"dense features, such as 'one-hot' of a discrete observation, or 'gaussian'."
        )
    if model.n_rows > _MOST:
        raise PgfastError(
            f"pgpe can explore up to {_MOST} parameters, and there are {model.n_rows}: take fewer features."
        )
    return int(model.n_rows)


def _check(settings: Settings) -> None:
    """Raise PgfastError for batches that would part pairs."""
    if settings.batch % 2:
        raise PgfastError(
            f"batch is {settings.batch}, but pgpe plays episodes in pairs: take an even number, such as "
            f"{settings.batch + 1}."
        )
    if settings.baseline not in ("none", "mean"):
        raise PgfastError(f"baseline is {settings.baseline!r}: with pgpe it must be 'none' or 'mean'.")


PGPE = Algorithm(
    "PGPE: exploration in parameters, by symmetric pairs of episodes",
    "Sehnke et al. 2010",
    make_pgpe,
    defaults={"baseline": "mean", "gamma": 1.0, "discount_factor": False, "entropy": 0.0},
    own=("sigma0", "lr_sigma"),
    fixed={
        "returns": ("to-go", "an episode's whole return is all that counts"),
        "discount_factor": (False, "an episode's whole return is all that counts"),
        "in_loop": (False, "an episode's whole return is all that counts"),
        "entropy": (0.0, "the preferred actions are played"),
        "temperature": (1.0, "the preferred actions are played"),
        "precision": ("float64", "parameters of every lane are computed in double precision"),
    },
    check=_check,
    estimates=False,
    weights=weights_of,
    rate="lr_sigma",
    greedy=True,
)
