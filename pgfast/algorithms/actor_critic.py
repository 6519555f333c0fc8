"""Actor–critic with eligibility traces, θ and w moving at every step (Sutton & Barto 2018, sections 13.5 and 13.6).

    δ = R − R̄ + γ v̂(S′, w) − v̂(S, w),   R̄ ← R̄ + α^R̄ δ
    zʷ ← γλʷ zʷ + ∇v̂(S, w),              w ← w + αʷ δ zʷ
    z ← γλ z + I ∇ log π(A|S, θ),         θ ← θ + α (δ z + I β ∇H(π(·|S, θ)))

with v̂(S′) = 0 where the episode has terminated; the next action is drawn from the θ after the update. Episodic tasks
(p. 332) have R̄ = 0, and I = γᵗ or 1; continuing ones (p. 333) γ = I = 1. With λ = λʷ = 0 it is the one-step
actor–critic. Replacing traces (section 12.6), of tables and features that are 1 where they are active: the rows of
both traces that belong to S begin anew, z there is I ∇ log π(A|S, θ) alone.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import math
from typing import Any, NamedTuple

from pgfast.algorithms.algorithm import Algorithm
from pgfast.errors import PgfastError
from pgfast.settings import Settings

TOLERANCE = 2.0**-53  # what is left of a row's trace when it may be dropped
FOREVER = 2**40


class ActorCritic(NamedTuple):
    """The settings, as the kernels read them (1 is on)."""

    gamma: float
    entropy: float  # β
    discount_factor: int  # I = γᵗ
    decay: float  # γλ
    decay_value: float  # γλʷ
    lr_average: float  # α^R̄; 0 of episodic tasks
    continues: int  # a truncated episode is followed by another that begins where it ended
    replacing: int
    window: int  # steps for which a trace of a table, or of sparse features, is kept
    in_loop: int = 0
    fits_value: int = 1
    leaves_one_out: int = 0

    def weigh(self, reward, discount):
        """Nothing is credited later; I, twice: the score's weight, and with what it enters the trace."""
        weight = discount if self.discount_factor == 1 else 1.0
        return 0.0, weight, weight


def make_actor_critic(settings: Settings) -> ActorCritic:
    """The kernel's form of the user's choices."""
    return _make(settings, settings.gamma, lr_average=0.0)


def make_continuing(settings: Settings) -> ActorCritic:
    """As `make_actor_critic`, of continuing tasks."""
    return _make(settings, 1.0, settings.lr_average)._replace(continues=1)


def _make(settings: Settings, gamma: float, lr_average: float) -> ActorCritic:
    decays = gamma * settings.lam, gamma * settings.lam_value
    return ActorCritic(
        gamma=gamma,
        entropy=settings.entropy,
        discount_factor=int(settings.discount_factor),
        decay=decays[0],
        decay_value=decays[1],
        lr_average=lr_average,
        continues=0,
        replacing=int(settings.replacing),
        window=max(map(steps_left, decays)),
    )


def steps_left(decay: float) -> int:
    """After how many steps decayᵏ is last at least TOLERANCE."""
    if decay < TOLERANCE:
        return 0
    return FOREVER if decay == 1.0 else min(FOREVER, int(math.log(TOLERANCE) / math.log(decay)))


def weights_of_critic(settings: Settings, model: Any, env: Any, traits: Any) -> int:
    """Those of v̂. Raises PgfastError for traces, or a step rule, that the policy's features don't have."""
    by_rows = model.tabular or model.sparse
    if settings.replacing and not by_rows:
        raise PgfastError(
            f"replacing is on, but features of the {model.name} policy are not just 0 or 1: leave it out, or choose a "
            f"tabular policy or features='tiles'."
        )
    if by_rows and settings.optimizer != "sgd":
        raise PgfastError(
            f"optimizer is {settings.optimizer!r}, but of a table or of tiles a step moves only the rows that have a "
            f"trace: it must be 'sgd', or be left out."
        )
    return int(model.n_values)


_ALONE = "θ moves at every step"
_DEFAULTS = {"baseline": "value", "batch": 1, "optimizer": "sgd", "lam": 0.8, "lam_value": 0.8}
_FIXED = {
    "baseline": ("value", "v̂ is learned beside the policy"),
    "batch": (1, _ALONE),
    "returns": ("to-go", "δ stands for the return"),
    "in_loop": (False, _ALONE + " anyway"),
}
ACTOR_CRITIC = Algorithm(
    "Actor–critic: θ and v̂ move at every step, by one-step errors that traces credit to earlier steps",
    "Sutton & Barto 2018, section 13.5",
    make_actor_critic,
    defaults=_DEFAULTS,
    own=("lam", "lam_value", "replacing"),
    fixed=_FIXED,
    weights=weights_of_critic,
    estimates=False,
)
ACTOR_CRITIC_CONTINUING = Algorithm(
    "Actor–critic for tasks that don't end: what counts is the reward per step, learned on the way",
    "Sutton & Barto 2018, section 13.6",
    make_continuing,
    defaults={**_DEFAULTS, "gamma": 1.0, "discount_factor": False},
    own=("lam", "lam_value", "replacing", "lr_average"),
    fixed={
        **_FIXED,
        "gamma": (1.0, "rewards are compared with their mean instead of being discounted"),
        "discount_factor": (False, "nothing is discounted"),
    },
    weights=weights_of_critic,
    estimates=False,
)
