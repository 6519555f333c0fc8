"""The all-action, or expected, policy gradient with a learned q̂ (Sutton et al. 2000, theorem 1; Ciosek & Whiteson
2018).

One episode's estimate of ∇J is Σ_t w_t Σ_b ∇π(b|S_t) q̂(S_t, b; w), over all actions instead of the one taken: so the
noise of drawing an action is gone, and that of what comes after it is in q̂ alone. w_t is γᵗ or 1, as in REINFORCE.

q̂ is linear in the features that the policy's preferences are linear in: of a table it has a number for each entry, of
state features x(s) weights for each action, of state–action features q̂ = wᵀ x(s, a). At each update of θ, w follows
what the returns G_t of the batch exceed q̂(S_t, A_t) by, each weight by its own average (`pgfast.kernels.averages`): in
a table, an action that is taken once in a hundred visits is known as soon as any. The w that weighs a batch comes from
earlier ones: where q̂ is the policy's Q the estimate is unbiased, else off by Σ_s d(s) Σ_b ∇π(b|s) (q̂ − Q)(s, b).

Sutton, McAllester, Singh & Mansour 2000: Policy gradient methods for reinforcement learning with function
approximation. NIPS 12.
Ciosek & Whiteson 2018: Expected policy gradients. AAAI.
"""

from __future__ import annotations

from typing import Any

from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.reinforce import Reinforce, make_reinforce
from pgfast.errors import PgfastError
from pgfast.settings import Settings


class Expected(Reinforce):
    """REINFORCE's switches; what is fitted is q̂, and it meets ∇π instead of returns."""


def make_expected(settings: Settings) -> Expected:
    """The kernel's form of the user's choices."""
    return Expected(*make_reinforce(settings)._replace(fits_value=1))


def weights_of(settings: Settings, model: Any, env: Any, traits: Any) -> int:
    """Of q̂; raises PgfastError for a policy whose actions it can't sum over."""
    if model.n_reals:
        raise PgfastError(
            f"policy is {model.name!r}, but expected sums over all actions, which real ones don't allow: choose "
            f"reinforce, or make the action space a gymnasium.spaces.Discrete."
        )
    if model.name == "exponential-family":
        raise PgfastError("policy is 'exponential-family', which expected doesn't have: choose 'tabular' or reinforce.")
    return int(model.n_rows if model.tabular else model.n_parameters)


def _check(settings: Settings) -> None:
    """Raise PgfastError for a batch that would replace more than there is."""
    if settings.lr_value > 1.0:
        raise PgfastError(
            f"lr_value is {settings.lr_value:g}, but with expected it is the share of what q̂ knows that each batch "
            f"replaces: it must be at most 1."
        )


EXPECTED = Algorithm(
    "Expected policy gradient: a learned q̂ meets the score of every action",
    "Sutton et al. 2000; Ciosek & Whiteson 2018",
    make_expected,
    defaults={"baseline": "none", "lr_value": 0.5},
    fixed={
        "baseline": ("none", "a sum over all actions has no use for a baseline"),
        "returns": ("to-go", "q̂ is what follows a step"),
        "in_loop": (False, "q̂ is fitted once the returns are known"),
    },
    check=_check,
    estimates=False,
    weights=weights_of,
    averages=True,
)
