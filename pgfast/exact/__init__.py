"""What the sampled algorithms approach, computed: values, state distributions, gradients and optima of finite MDPs.

    from pgfast import TabularMDP, exact
    exact.evaluate(TabularMDP(P, R, rho0), pi, gamma=0.9).gradient

Notation: S states, A actions, D parameters, H steps of a limited horizon, π(a|s) a policy, θ its parameters,
J = Σ_s ρ₀(s) V(s).
"""

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
from pgfast.exact.variance import Spread, episode_variance

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
