"""What is played and learned, as kernels have to know it, and whether their lanes are episodes or runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pgfast.algorithms.actor_critic import ActorCritic
from pgfast.compiler import LANES
from pgfast.kernels.averages import Averages
from pgfast.kernels.learner import Optimisation
from pgfast.models import Model
from pgfast.probe import Traits
from pgfast.refinements import UNREFINED, Refinement

SMALL_BATCH = 16  # episodes below which lanes are runs rather than episodes of a batch
MANY_RUNS = 32  # runs from which on lanes are runs, however large the batch


@dataclass(frozen=True)
class Problem:
    """Everything a kernel needs to know about what is played and learned."""

    env: Any
    traits: Traits
    model: Model
    algorithm: Any
    optimisation: Optimisation
    seed: int
    values: int  # weights of the learned baseline; 0 without one
    sigma0: float = 1.0  # first standard deviation of explored parameters
    greedy: bool = False  # are the preferred actions played, whatever else is said?
    refinement: Refinement = UNREFINED

    @property
    def value_sums(self) -> int:
        """Of a batch, by which these weights move."""
        return 2 * self.values if isinstance(self.optimisation.critic, Averages) else self.values

    @property
    def in_loop(self) -> bool:
        return bool(self.algorithm.in_loop)

    @property
    def at_once(self) -> bool:
        """Does θ move at every step?"""
        return isinstance(self.algorithm, ActorCritic)

    @property
    def has_one_schedule(self) -> bool:
        """Are lanes always runs, or always episodes of a batch?"""
        return self.in_loop or self.at_once or self.by_batches

    @property
    def continues(self) -> bool:
        """Does what is played have no ends, so that the reward per step counts?"""
        return self.at_once and bool(self.algorithm.continues)

    @property
    def passes(self) -> int:
        """Over a batch, at most."""
        return int(getattr(self.algorithm, "passes", 1))

    @property
    def written_down(self) -> bool:
        """Is a batch written down, so that it can be gone over again?"""
        return hasattr(self.algorithm, "passes")

    @property
    def by_batches(self) -> bool:
        """Has it no form in which lanes are runs?"""
        return self.written_down or not self.refinement.plain or self.model.n_scaled > 0

    @property
    def counts(self) -> bool:
        """Are the scores of a batch summed beside its gradient?"""
        more = self.algorithm.entropy != 0.0 or not self.refinement.plain
        return bool(self.algorithm.leaves_one_out) or self.written_down or (self.model.tabular and more)


def chooses_runs(problem: Problem, runs: int) -> bool:
    """Whether lanes are runs; it depends on the configuration only, never on the machine."""
    if problem.by_batches:
        return False
    few_rows = problem.model.n_rows * LANES <= 2**22
    return problem.in_loop or problem.optimisation.batch < SMALL_BATCH or (runs >= MANY_RUNS and few_rows)
