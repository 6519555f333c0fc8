"""What the sampled algorithms approach, computed: values, state distributions, gradients and optima of finite MDPs.

    from pgfast import TabularMDP, exact
    exact.evaluate(TabularMDP(P, R, rho0), pi, gamma=0.9).gradient

Notation: S states, A actions, D parameters, H steps of a limited horizon, π(a|s) a policy, θ its parameters,
J = Σ_s ρ₀(s) V(s).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgfast.lazy import lazily

if TYPE_CHECKING:
    from pgfast.exact.ascent import Ascent
    from pgfast.exact.enumeration import Enumeration, enumerated, table_behind
    from pgfast.exact.evaluation import Evaluation, evaluate, weighted_by
    from pgfast.exact.gradients import (
        LinkedPolicy,
        SoftmaxPolicy,
        Tangent,
        escort_policy,
        gradient_of,
        hessian,
        observed_policy,
        slope,
        table_policy,
    )
    from pgfast.exact.model import SETTINGS, Model, model_of
    from pgfast.exact.optima import Optimum, optimum
    from pgfast.exact.search import BestInClass, best_in_class
    from pgfast.exact.stationary import best_return
    from pgfast.exact.variance import Spread, episode_variance

_HOMES = {
    "pgfast.exact.ascent": ("Ascent",),
    "pgfast.exact.enumeration": ("Enumeration", "enumerated", "table_behind"),
    "pgfast.exact.evaluation": ("Evaluation", "evaluate", "weighted_by"),
    "pgfast.exact.gradients": (
        "LinkedPolicy", "SoftmaxPolicy", "Tangent", "escort_policy", "gradient_of", "hessian", "observed_policy",
        "slope", "table_policy",
    ),
    "pgfast.exact.model": ("SETTINGS", "Model", "model_of"),
    "pgfast.exact.optima": ("Optimum", "optimum"),
    "pgfast.exact.search": ("BestInClass", "best_in_class"),
    "pgfast.exact.stationary": ("best_return",),
    "pgfast.exact.variance": ("Spread", "episode_variance"),
}  # fmt: skip

__all__ = [
    "SETTINGS",
    "Ascent",
    "BestInClass",
    "Enumeration",
    "Evaluation",
    "LinkedPolicy",
    "Model",
    "Optimum",
    "SoftmaxPolicy",
    "Spread",
    "Tangent",
    "best_in_class",
    "best_return",
    "enumerated",
    "episode_variance",
    "escort_policy",
    "evaluate",
    "gradient_of",
    "hessian",
    "model_of",
    "observed_policy",
    "optimum",
    "slope",
    "table_behind",
    "table_policy",
    "weighted_by",
]

__getattr__, __dir__ = lazily(__name__, _HOMES)
