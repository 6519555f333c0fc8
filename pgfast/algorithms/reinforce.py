"""REINFORCE (Williams 1992; Sutton & Barto 2018, sections 13.3 and 13.4), every choice a switch.

One episode's estimate of ∇J is Σ_t w_t (X_t − b_t) ∇ log π(A_t|S_t) with
    X_t   the return-to-go G_t = Σ_{k≥t} γ^{k−t} R_{k+1}, or the whole return G_0;
    w_t   γᵗ, as the gradient of the discounted objective has it, or 1;
    b_t   the baseline: 0; the running mean of the X_t of all steps of earlier batches; the mean G_0 of the other
          episodes of the batch; a learned v̂(S_t, w), fitted to G_t by stochastic gradient descent; or the constants
          of least variance, one or one for each parameter (`pgfast.kernels.optimal_baseline`).
A batch averages its episodes' estimates, with θ fixed; or θ moves at every step of every episode of the batch once they
have ended, as the book's pseudocode has it (`in_loop`).
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

from pgfast.algorithms.advantages import OWN, Advantages, check_advantages, make_advantages, wanted
from pgfast.algorithms.algorithm import Algorithm
from pgfast.settings import Settings

NONE, MEAN, BATCH, VALUE, OPTIMAL = 0, 1, 2, 3, 4
BASELINES = {"none": NONE, "mean": MEAN, "batch": BATCH, "value": VALUE, "optimal": OPTIMAL, "optimal-scalar": OPTIMAL}


class Reinforce(NamedTuple):
    """The switches of REINFORCE, as the kernels read them (1 is on)."""

    gamma: float
    entropy: float  # β: adds β Σ_t w_t H(π(·|S_t)) to the objective, the policy's entropy at the states visited
    baseline: int
    whole_return: int
    discount_factor: int
    in_loop: int
    fits_value: int
    leaves_one_out: int
    subtracts: float  # 1 when b_t is known at step t: the running mean or v̂
    adds_to_score: int  # a baseline or an entropy bonus goes to the gradient at each step
    decay: float  # of the trace: γ when returns start at each step, 1 when they start with the episode

    def weigh(self, reward, discount):
        """What a reward contributes to each earlier score, w_t, and what the score enters the trace with."""
        weight = discount if self.discount_factor == 1 else 1.0
        return (0.0, weight, weight) if self.whole_return == 1 else (reward * weight, weight, 1.0)


def make_reinforce(settings: Settings) -> Reinforce | Advantages:
    """The kernel's form of the user's choices."""
    kind, gamma = BASELINES[settings.baseline], settings.gamma
    whole_return = settings.returns == "whole"
    plain = Reinforce(
        gamma=gamma,
        entropy=settings.entropy,
        baseline=kind,
        whole_return=int(whole_return),
        discount_factor=int(settings.discount_factor),
        in_loop=int(settings.in_loop),
        fits_value=int(kind == VALUE),
        leaves_one_out=int(kind == BATCH),
        subtracts=float(kind in (MEAN, VALUE)),
        adds_to_score=int(kind in (MEAN, VALUE) or settings.entropy != 0.0),
        decay=1.0 if whole_return or settings.discount_factor else gamma,
    )
    return make_advantages(settings, plain) if wanted(settings) else plain


REINFORCE = Algorithm(
    "REINFORCE: the score meets the return, or what it exceeds a baseline by",
    "Williams 1992; Sutton & Barto 2018, sections 13.3 and 13.4",
    make_reinforce,
    own=OWN,
    check=check_advantages,
)
