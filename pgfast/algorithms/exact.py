"""Exact algorithms: θ moves along what the sampled ones estimate, computed from the environment's model.

With J the return that is expected (discounted by γ, within the time limit), d(s) = Σ_t γᵗ P(S_t = s), A = Q − V the
advantage and α the step size `lr`, an update is

    exact-pg           θ ← θ + α ∇J; of a table, ∇J(s, a) = d(s) π(a|s) A(s, a)          (Mei et al. 2020a, algorithm 1)
    exact-npg          θ ← θ + α F⁺∇J, with F = (1 − γ) Σ_s d(s) E[∇log π ∇log πᵀ]; of a table F⁺∇J = A / (1 − γ)
                       (Kakade 2001; Agarwal et al. 2021, section 5.3); 1 − γ is left out where γ is 1
    exact-entropy-pg   exact-pg, where a step also pays −τ log π(a|s), τ the setting `entropy`
                       (Mei et al. 2020a, section 4)
    exact-entropy-npg  exact-npg with the same; α = (1 − γ)/τ is soft policy iteration      (Cen et al. 2022, section 2)
    exact-escort-pg    exact-pg of an escort policy, π(a|s) ∝ |θ(s, a)|ᵖ                 (Mei et al. 2020b, section 3)

Agarwal, Kakade, Lee & Mahajan 2021: On the theory of policy gradient methods. JMLR 22(98).
Cen, Cheng, Chen, Wei & Chi 2022: Fast global convergence of natural policy gradient methods with entropy
regularization. Operations Research 70(4).
Mei, Xiao, Szepesvári & Schuurmans 2020a: On the global convergence rates of softmax policy gradient methods. ICML.
Mei, Xiao, Dai, Li, Szepesvári & Schuurmans 2020b: Escaping the gravitational pull of softmax. NeurIPS.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.reinforce import make_reinforce
from pgfast.errors import PgfastError
from pgfast.settings import Settings


class ExactAlgorithm(NamedTuple):
    """What an update is made of."""

    title: str
    source: str
    natural: bool = False  # along F⁺∇J instead of ∇J
    entropy: bool = False  # every step pays −τ log π(a|s)
    policy: str | None = None  # the only kind of policy that it has; None: any


EXACT = {
    "exact-pg": ExactAlgorithm("Exact policy gradient", "Mei et al. 2020a"),
    "exact-npg": ExactAlgorithm("Exact natural gradient", "Kakade 2001; Agarwal et al. 2021", natural=True),
    "exact-entropy-pg": ExactAlgorithm("Exact gradient with an entropy bonus", "Mei et al. 2020a", entropy=True),
    "exact-entropy-npg": ExactAlgorithm(
        "Exact natural gradient with an entropy bonus", "Cen et al. 2022", natural=True, entropy=True
    ),
    "exact-escort-pg": ExactAlgorithm("Exact gradient of an escort policy", "Mei et al. 2020b", policy="escort"),
}
_DEFAULTS = {  # an update counts as an episode, and nothing is estimated
    "baseline": "none",
    "optimizer": "sgd",
    "discount_factor": True,
    "entropy": 0.0,
    "lr": 1.0,
    "batch": 1,
    "episodes": 1_000,
}
_FIXED: dict[str, tuple[Any, str]] = {
    "runs": (1, "nothing is drawn, so all runs would be the same"),
    "baseline": ("none", "a baseline lowers the variance of estimates, and nothing is estimated"),
    "returns": ("to-go", "no episode is played whose returns could be credited"),
    "in_loop": (False, "no episode is played that θ could move in"),
    "optimizer": ("sgd", "its update is a plain step"),
    "max_norm": (None, "its update is a plain step"),
    "discount_factor": (True, "the exact gradient weighs step t by γᵗ"),
    "precision": ("float64", "it computes in double precision"),
}


def exact_algorithms() -> dict[str, Algorithm]:
    """They play by REINFORCE's kernel, where their policies are judged."""
    return {
        name: Algorithm(
            algorithm.title,
            algorithm.source,
            make_reinforce,
            defaults={
                **_DEFAULTS,
                **({"entropy": 0.01} if algorithm.entropy else {}),
                **({"policy": algorithm.policy} if algorithm.policy else {}),
            },
            fixed=_FIXED,
            check=_check,
            estimates=False,
        )
        for name, algorithm in EXACT.items()
    }


def _check(settings: Settings) -> None:
    """Raise PgfastError for a policy, or an entropy bonus, that isn't the algorithm's."""
    name = settings.algorithm
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
