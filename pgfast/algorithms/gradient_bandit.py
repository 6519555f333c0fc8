"""The gradient bandit algorithm (Sutton & Barto 2018, section 2.8, equation 2.12).

For every arm b, H(b) ← H(b) + α (R_t − R̄_t) (1{b = A_t} − π(b)), with R̄_t the mean of the rewards before R_t, and
R̄_1 = R_1: so the first pull moves nothing. (The book's own figures have R_t in R̄_t, as its footnote says.) It is
REINFORCE where an episode is a pull, with a running mean as the baseline and an update after each.
"""

from __future__ import annotations

from typing import Any

from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.reinforce import Reinforce, make_reinforce
from pgfast.errors import PgfastError
from pgfast.random import make_key
from pgfast.settings import Settings


class GradientBandit(Reinforce):
    """REINFORCE's switches; the baseline of the first pull is its reward."""


def make_gradient_bandit(settings: Settings) -> GradientBandit:
    """The kernel's form of the user's choices."""
    return GradientBandit(*make_reinforce(settings))


def _check(settings: Settings) -> None:
    if settings.baseline not in ("none", "mean"):
        raise PgfastError(f"baseline is {settings.baseline!r}: with gradient-bandit it must be 'mean' or 'none'.")


def weights_of(settings: Settings, model: Any, env: Any, traits: Any) -> int:
    """None; raises PgfastError where there is more than one state to tell apart, or one step to make."""
    if model.name != "tabular" or model.n_states != 1:
        there = f"{model.n_states:,} states" if model.name == "tabular" else f"the policy {model.name!r}"
        raise PgfastError(
            f"gradient-bandit learns a preference for each arm and nothing of states, but {traits.label} has {there}: "
            f"choose reinforce."
        )
    if hasattr(env, "step") and traits.max_steps > 1:
        key = make_key()
        if not env.step(env.reset(key), traits.first_action, key)[2]:
            raise PgfastError(
                f"gradient-bandit needs episodes of one step, but a step of {traits.label} doesn't end one: choose "
                f"reinforce, or give max_steps=1."
            )
    return 0


GRADIENT_BANDIT = Algorithm(
    "Gradient bandit algorithm: preferences move after every pull",
    "Sutton & Barto 2018, section 2.8",
    make_gradient_bandit,
    defaults={"baseline": "mean", "optimizer": "sgd", "lr": 0.1, "batch": 1, "episodes": 1_000, "entropy": 0.0},
    fixed={
        "optimizer": ("sgd", "α is a constant"),
        "batch": (1, "every pull is an update"),
        "returns": ("to-go", "an episode is a pull"),
        "in_loop": (False, "an episode is a pull"),
        "entropy": (0.0, "preferences follow rewards alone"),
    },
    check=_check,
    estimates=False,
    weights=weights_of,
)
