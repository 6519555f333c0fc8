"""Random sparse Markov decision processes."""

from typing import NamedTuple

import numpy as np

from pgfast.errors import PgfastError
from pgfast.tables import Outcomes, TabularMDP, check_size


class Garnet(NamedTuple):
    """A random MDP in which every action leads to one of a few states.

    State: a number from 0 to n_states − 1.
    Actions: n_actions; from each state each leads to one of `branching` different states, chosen at random, with the
    probabilities into which as many − 1 uniform points cut the unit interval.
    Observations: the state.
    Reward: of a transition, a standard normal number drawn once; 0 for all but a share `paying` of the transitions.
    End: never; truncated after max_steps. All states are equally likely to be the first.
    Parameters: n_states, n_actions, branching, paying, max_steps, seed (everything random depends on it).
    Reference: Archibald, McKinnon & Thomas (1995); with normal rewards Bhatnagar, Sutton, Ghavamzadeh & Lee (2009).
    """

    n_states: int = 1000
    n_actions: int = 4
    branching: int = 3
    paying: float = 1.0
    max_steps: int = 100
    seed: int = 0

    def table(self):
        n_states, rows, b = self.n_states, self.n_states * self.n_actions, self.branching
        if min(n_states, self.n_actions) < 1 or not 1 <= b <= n_states:
            raise PgfastError(
                f"Garnet has n_states={n_states}, n_actions={self.n_actions}, branching={b}: all must be at least 1, "
                f"and branching at most n_states."
            )
        check_size("Garnet", n_states, self.n_actions, b)
        random = np.random.default_rng(self.seed)
        following = distinct(random, rows, b, n_states)
        cuts = np.sort(random.random((rows, b - 1)), axis=1)
        reward = random.standard_normal((rows, b)) * (random.random((rows, b)) < self.paying)
        outcomes = Outcomes(
            offsets=b * np.arange(rows + 1),
            probability=np.diff(cuts, axis=1, prepend=0.0, append=1.0).reshape(-1),
            following=following.reshape(-1),
            reward=reward.reshape(-1),
            terminated=np.zeros(rows * b, bool),
        )
        first = np.full(n_states, 1.0 / n_states)
        return TabularMDP.from_outcomes(outcomes, first, max_steps=self.max_steps, name="Garnet")


def distinct(random, rows, b, n):
    """`b` different numbers below n in each row, all sets equally likely (Floyd's algorithm: Bentley & Floyd 1987)."""
    chosen = np.empty((rows, b), np.int64)
    for k, last in enumerate(range(n - b, n)):
        new = random.integers(last, size=rows, endpoint=True)
        taken = np.any(chosen[:, :k] == new[:, None], axis=1)
        chosen[:, k] = np.where(taken, last, new)
    return chosen
