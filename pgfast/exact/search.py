"""The best policy within a class of policies with parameters, looked for from many places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import lsqr

from pgfast.errors import PgfastError
from pgfast.exact.evaluation import Evaluation, evaluate
from pgfast.exact.model import Model, model_of
from pgfast.exact.optima import Optimum, optimum
from pgfast.tables import TabularMDP

_FAR = 12.0  # bound of |θ|: e⁻²⁴ is as good as no probability, and episodes still end
_CLEAR = 5.0  # preference for the best action at a start
_SAME = 1e-6  # relative difference from the best J of those that have found it too


@dataclass(frozen=True, eq=False)
class BestInClass:
    """The best policy that was found."""

    J: float
    theta: np.ndarray  # float64 (D,); where the best is only approached as θ grows, as far as it is followed
    found: Evaluation  # of it
    tried: np.ndarray  # J reached from each start, float64 (starts tried,)

    @property
    def agreeing(self) -> int:
        """How many starts led to as good a policy."""
        return int(np.sum(self.tried >= self.J - _margin(self.J)))


def best_in_class(
    mdp: TabularMDP | Model, policy: Any, *, starts: int = 20, seed: int = 0, spread: float = 2.0, **case: Any
) -> BestInClass:
    """The best policy of a class, by ascent of the exact J from many starts (L-BFGS-B: Byrd, Lu, Nocedal & Zhu 1995).

    J is not concave: that nothing better was found from any start is no proof that there is nothing.

    Parameters
    ----------
    policy
        The class: `table_policy`, or `observed_policy` of an engine.
    starts : int
        At most. The first comes nearest to the best policy of all, then θ = 0, then normal numbers; where a start
        leads to what no policy exceeds, the others are left out.
    seed : int
        What they are drawn from.
    spread : float
        Their standard deviation.
    **case
        `gamma`, `setting` and `horizon`, as `evaluate` takes them.

    Raises PgfastError when there is no start, or J is not finite at any.
    """
    from scipy.optimize import minimize

    if starts < 1:
        raise PgfastError(f"starts is {starts}: it must be at least 1.")
    model, d = model_of(mdp), policy.n_parameters
    evaluate(model, policy.probabilities(np.zeros(d)), **case)  # says what is wrong, if anything is
    best = _best_of_all(model, **case)
    ceiling = np.inf if best is None else best.J + _margin(best.J)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            found = evaluate(model, policy.probabilities(theta), **case)
        except PgfastError:  # so far out that episodes no longer end
            return np.inf, np.zeros(d)
        if not found.J <= ceiling:  # so far out that the equations are no longer solved
            return np.inf, np.zeros(d)
        return -found.J, -policy.at(theta).gradient(found)

    rng = np.random.default_rng(seed)
    first = [
        *([] if best is None or not hasattr(policy, "features") else [_towards(best, policy)]),
        np.zeros(d),
        *spread * rng.normal(size=(starts, d)),
    ]
    options = {"maxiter": 2000, "maxfun": 10_000, "ftol": 1e-15, "gtol": 1e-12}
    tried: list[tuple[float, np.ndarray]] = []
    for start in first[:starts]:
        end = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(-_FAR, _FAR)] * d, options=options)
        tried.append((-end.fun, end.x))
        if best is not None and -end.fun >= best.J - _margin(best.J):
            break
    theta = max(tried, key=lambda one: one[0])[1]
    found = evaluate(model, policy.probabilities(theta), **case)
    return BestInClass(found.J, theta, found, np.array([J for J, _ in tried]))


def _margin(value: float) -> float:
    return _SAME * max(1.0, abs(value))


def _best_of_all(model: Model, **case: Any) -> Optimum | None:
    """The best policy of any kind, where there is one."""
    try:
        return optimum(model, **case)
    except PgfastError:
        return None


def _towards(best: Optimum, policy: Any) -> np.ndarray:
    """θ whose preferences are, by least squares, those of a policy that mostly does what is best, (D,)."""
    pi = best.policy.mean(axis=0) if best.policy.ndim > len(policy.shape) else best.policy
    wanted = _CLEAR * (pi - pi.mean(axis=-1, keepdims=True))
    return np.asarray(np.clip(lsqr(policy.features, wanted.reshape(-1))[0], -_FAR, _FAR))
