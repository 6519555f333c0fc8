"""Proximal policy optimisation (Schulman, Wolski, Dhariwal, Radford & Klimov 2017, algorithm 1).

A batch of episodes is played with θ_old and gone over `epochs` times: θ goes up the gradient of

    Σ_t min(r_t A_t, clip(r_t, 1 − ε, 1 + ε) A_t) + β H(π(·|S_t; θ)),   r_t = π(A_t|S_t; θ) / π(A_t|S_t; θ_old),

divided by the number of episodes (equation 7), in `minibatches` steps an epoch, and v̂ down that of ½ Σ_t (A_t +
v̂_old(S_t) − v̂(S_t))². The A_t are advantages by GAE(λ) (Schulman, Moritz, Levine, Jordan & Abbeel 2016, equation 16),

    A_t = Σ_l (γλ)ˡ δ_{t+l},   δ_t = R_{t+1} + γ v̂(S_{t+1}) − v̂(S_t),

with v̂ = 0 after an episode's last step; where `bootstrap` is on and the time limit ended it, v̂ of what is observed
last. Normalised, their mean over the batch is 0 and their standard deviation 1.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

from pgfast.algorithms.advantages import check_bootstrap
from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.several import FIXED
from pgfast.settings import Settings


class Ppo(NamedTuple):
    """Its numbers, as the kernels read them (of switches, 1 is on)."""

    gamma: float
    lam: float
    entropy: float
    clip: float  # ε
    minibatches: int
    normalises: int
    bootstrap: int
    passes: int  # over a batch: one plays it and makes the first step
    in_loop: int = 0
    fits_value: int = 1
    leaves_one_out: int = 0

    def weigh(self, reward, discount):
        """Rewards are weighed when an episode has ended."""
        return reward, 1.0, 1.0


def make_ppo(settings: Settings) -> Ppo:
    """The kernel's form of the user's choices."""
    return Ppo(
        settings.gamma, settings.lam, settings.entropy, settings.clip, settings.minibatches,
        int(settings.normalise_advantages), int(settings.bootstrap), settings.epochs * settings.minibatches,
    )  # fmt: skip


PPO = Algorithm(
    "Proximal policy optimisation: several epochs over a batch, with a clipped ratio",
    "Schulman et al. 2017",
    make_ppo,
    defaults={"baseline": "value", "lam": 0.95, "epochs": 4},
    own=("lam", "bootstrap", "clip", "epochs", "minibatches", "normalise_advantages"),
    fixed=FIXED,
    check=check_bootstrap,
    estimates=False,
)
