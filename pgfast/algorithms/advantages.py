"""Advantages: what meets the score where a learned v̂ foretells rewards as well as being their baseline.

With δ_t = R_{t+1} + γ v̂(S_{t+1}) − v̂(S_t), and v̂ of an episode's last observation 0 unless `bootstrap` is on and the
time limit ended it, the score of step t meets

    A_t = Σ_k (γλ)ᵏ δ_{t+k}      generalised advantage estimation, GAE(λ)     (Schulman et al. 2016, equation 16)
    A_t = Σ_{k<n} γᵏ δ_{t+k}     the advantage of n steps                     (Mnih et al. 2016, section 4)

λ = 1 is the return minus v̂(S_t), so REINFORCE with a baseline; λ = 0, or one step, is the one-step actor–critic. The
critic moves along A_t ∇v̂(S_t): towards the λ-return, or that of n steps (Sutton & Barto 2018, section 12.1 and 7.1).

Soft: every step pays τ H(π(·|S_t)) more, to what came before it as well, and with the gradient of H at the step itself
that is ∇ of the return in which a step pays −τ log π(A_t|S_t) more (Mei et al. 2020, section 4).

Mnih et al. 2016: Asynchronous methods for deep reinforcement learning. ICML.
Schulman, Moritz, Levine, Jordan & Abbeel 2016: High-dimensional continuous control using generalized advantage
estimation. ICLR.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.errors import PgfastError
from pgfast.settings import Settings, default

OWN = ("lam", "n_steps", "bootstrap", "soft")


class Advantages(NamedTuple):
    """What kernels read of REINFORCE with advantages; the first of it as of `pgfast.algorithms.reinforce.Reinforce`."""

    gamma: float
    entropy: float
    baseline: int
    whole_return: int  # 0
    discount_factor: int
    in_loop: int  # 0
    fits_value: int
    leaves_one_out: int
    subtracts: float
    adds_to_score: int
    decay: float  # of the trace: γλ, or λ where each step has its weight γᵗ
    kept: float  # of the trace, what v̂(S_t) is owed for: (1 − λ) γ, or 1 − λ
    fade: float  # γλ: the decay of the critic's trace, which has no weights,
    value_kept: float  # and (1 − λ) γ
    n_steps: int  # 0: all
    fall: float  # what a score weighs when it leaves the last n steps: γⁿ, or 1
    value_fall: float  # γⁿ
    bootstrap: int
    soft: float  # τ, 0 where entropy isn't paid

    def weigh(self, reward, discount):
        """As of `Reinforce`, with returns-to-go."""
        weight = discount if self.discount_factor == 1 else 1.0
        return reward * weight, weight, 1.0


def wanted(settings: Settings) -> bool:
    """Do the settings ask for anything that returns and baselines are not?"""
    return settings.lam != 1.0 or settings.n_steps is not None or settings.bootstrap or settings.soft


def make_advantages(settings: Settings, reinforce: Any) -> Advantages:
    """The kernel's form of the user's choices; `reinforce` is that without them."""
    gamma, lam, n = settings.gamma, settings.lam, settings.n_steps or 0
    step = 1.0 if settings.discount_factor else gamma  # what a later step's weight has in it
    more = {
        "decay": step * lam,
        "kept": step * (1.0 - lam),
        "fade": gamma * lam,
        "value_kept": gamma * (1.0 - lam),
        "n_steps": n,
        "fall": step**n,
        "value_fall": gamma**n,
        "bootstrap": int(settings.bootstrap),
        "soft": settings.entropy if settings.soft else 0.0,
    }
    return Advantages(**{**reinforce._asdict(), **more})


def check_bootstrap(settings: Settings) -> None:
    """Raise PgfastError where v̂ of a last observation means nothing."""
    if settings.bootstrap and settings.policy == "timed":
        raise PgfastError(
            "bootstrap is on, but a timed policy knows when time is over, and nothing is paid after that: leave it out."
        )


def check_advantages(settings: Settings) -> None:
    """Raise PgfastError for settings that don't go together."""
    if settings.n_steps is not None and settings.lam != 1.0:
        raise PgfastError(
            f"n_steps is {settings.n_steps} and lam {settings.lam}: both say how far rewards count before v̂ takes "
            f"their place; leave one of them out."
        )
    given = {"lam": settings.lam != 1.0, "n_steps": settings.n_steps is not None, "bootstrap": settings.bootstrap}
    for name, asked in given.items():
        if asked and settings.baseline != "value":
            raise PgfastError(
                f"{name} is {getattr(settings, name)}, which takes a learned v̂, and baseline is {settings.baseline!r}: "
                f"choose 'value', or leave {name} out."
            )
    check_bootstrap(settings)
    if settings.soft and settings.entropy == 0.0:
        raise PgfastError("soft is on and entropy 0, so that nothing is paid: give entropy, or leave soft out.")
    for name, other in (("returns", "to-go"), ("in_loop", False)):
        if wanted(settings) and getattr(settings, name) != other:
            first = next(s for s in OWN if getattr(settings, s) != default(s))
            raise PgfastError(
                f"{name} is {getattr(settings, name)!r}, with which {first} means nothing here: leave one of them out."
            )
