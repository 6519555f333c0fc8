"""What can be reached in an environment: the best return, and whether Gymnasium's threshold is within reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pgfast.environments import Source
from pgfast.errors import PgfastError
from pgfast.exact.stationary import best_return
from pgfast.probe import Traits

if TYPE_CHECKING:
    from pgfast.tables import TabularMDP

_MOST_STATES = 2000  # of a class, that are looked for where only the best return is asked


class Reach(NamedTuple):
    """What the best policy gets, and what Gymnasium calls solved."""

    optimum: float | None  # mean return of the best policy that knows of the time what it may; None: it isn't known
    threshold: float | None  # Gymnasium's, of an environment as it comes
    bound: float | None = None  # mean return of the best policy that may know the time, where the threshold is higher

    @property
    def out_of_reach(self) -> bool:
        """Can no policy get to the threshold?"""
        return self.threshold is not None and self.bound is not None and self.bound < self.threshold - 1e-9

    @property
    def words(self) -> str:
        """The optimum, and what is to be said about the threshold."""
        words = "not known" if self.optimum is None else f"{self.optimum:.6g}"
        if self.out_of_reach:
            words += f"; Gymnasium's threshold of {self.threshold:g} is out of reach for every policy"
        return words


def reach(source: Source, traits: Traits, any_policy: bool = True, horizon: int | None = None) -> Reach:
    """Of an environment; `any_policy` says whether every policy of a table's states can be expressed, and `horizon`, of
    policies that know the time, how many steps they tell apart."""
    threshold = _threshold(source)
    if horizon is not None:
        in_time = _best_in_time(source, traits, horizon)
        return Reach(in_time, threshold, in_time)
    if traits.optimum is not None:
        return Reach(traits.optimum, threshold, traits.optimum)
    table = _table(source, traits)
    if table is None:
        return Reach(None, threshold)
    limit = traits.max_steps if traits.limited else None
    best = best_return(table, limit) if any_policy else None
    if threshold is None or best is None or best >= threshold:
        return Reach(best, threshold)
    from pgfast.exact.optima import optimum

    case: dict[str, Any] = {"setting": "finite-horizon", "horizon": limit} if limit else {"setting": "episodic"}
    return Reach(best, threshold, optimum(table, **case).J)


def best_average(source: Source, traits: Traits) -> float | None:
    """The largest mean reward per step in the long run, where the environment's table is known."""
    from pgfast.exact.optima import optimum

    table = _table(source, traits)
    try:
        return None if table is None else optimum(table, setting="average").J
    except PgfastError:  # it depends on where one begins
        return None


def _best_in_time(source: Source, traits: Traits, horizon: int) -> float | None:
    """Of policies that know the time, where the model is known."""
    from pgfast.exact.enumeration import table_behind
    from pgfast.exact.optima import optimum

    try:
        return optimum(table_behind(source, traits).mdp, setting="finite-horizon", horizon=horizon).J
    except PgfastError:
        return None


def _table(source: Source, traits: Traits) -> TabularMDP | None:
    """The environment's table, or that of a class with few states which a policy can tell apart."""
    if source.table is not None or source.foreign is not None or not traits.n_actions:
        return source.table
    from pgfast.exact.enumeration import enumerated

    try:
        found = enumerated(source.env, traits, _MOST_STATES)
    except Exception:  # whatever stands in its way: nothing else needs the table
        return None
    apart = traits.n_observations is not None and len(set(found.observations)) == len(found.observations)
    return found.mdp if apart else None


def _threshold(source: Source) -> float | None:
    """What Gymnasium says of an environment with this id and no parameters."""
    import gymnasium

    spec = None if source.parameters else gymnasium.registry.get(source.name)
    return None if spec is None or spec.reward_threshold is None else float(spec.reward_threshold)
