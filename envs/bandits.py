"""Bandits: one state, one step."""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Discrete

from pgfast.drawing import Words, box, written
from pgfast.errors import PgfastError
from pgfast.random import make_key, normal, problem_key
from pgfast.tables import Outcomes, TabularMDP


class KArmedBandit(NamedTuple):
    """Random bandits with normal rewards: the k-armed testbed (section 2.3).

    State: always 0.
    Actions: the arms, 0 to k − 1. The value of an arm, q*(a), is a normal number with mean `mean` and variance 1.
    Observations: the state.
    Reward: a normal number with mean q*(a) and variance 1.
    End: after one step, so that an episode is a pull.
    Parameters: k, mean (4 in figure 2.5), seed: which problem is drawn; with −1 each run has one of its own, which
    depends on the run and the engine's seed. The book's figures are means over 2000 such runs.
    Reference: Sutton & Barto (2018), section 2.3.
    """

    k: int = 10
    mean: float = 0.0
    seed: int = 0

    @property
    def observation_space(self):
        return Discrete(1)

    @property
    def action_space(self):
        if not 1 <= self.k < 65_536:
            raise PgfastError(f"KArmedBandit.k is {self.k}: it must be from 1 to 65,535.")
        return Discrete(self.k)

    @property
    def optimum(self):
        return None if self.seed < 0 else max(self.values())

    def values(self):
        """q* of the problem that `seed` says."""
        key = problem_key(make_key(), self.seed)
        return [self.mean + normal(key, a) for a in range(self.k)]

    def reset(self, key):
        return 0

    def step(self, state, action, key):
        value = self.mean + normal(problem_key(key, self.seed), action)
        return 0, value + normal(key, 0), True

    def text(self, state):
        own = "a problem of each run's own"
        return own if self.seed < 0 else "  ".join(f"{value:.2f}" for value in self.values())

    def draw(self, state):
        return written(self.text(state)) if self.seed < 0 else bars(self.values())


class Bandit(NamedTuple):
    """A bandit whose arms pay fixed rewards: what remains of a problem when all else is taken away.

    State: always 0.
    Actions: the arms, as `rewards` lists them.
    Observations: the state.
    Reward: that of the arm.
    End: after one step.
    Parameters: rewards, one for each arm.
    Reference: Mei, Xiao, Szepesvári & Schuurmans (2020), "On the Global Convergence Rates of Softmax Policy Gradient
    Methods", one-state MDPs: with the true gradient and step size 2/5 what is lost falls as 1/t.
    """

    rewards: tuple[float, ...] = (1.0, 0.8, 0.1)

    def table(self):
        rewards = self.paid()
        outcomes = Outcomes.stacked(1.0, 0, rewards[None, :, None], True)
        return TabularMDP.from_outcomes(outcomes, [1.0], name="Bandit")

    def paid(self):
        """The rewards as an array, checked."""
        try:
            rewards = np.array(self.rewards, float)
        except (TypeError, ValueError):
            rewards = np.empty(0)
        if rewards.ndim != 1 or len(rewards) < 1 or not np.all(np.isfinite(rewards)):
            raise PgfastError(
                f"Bandit.rewards is {self.rewards!r}: give a finite number for each arm, as (1, 0.8, 0.1)."
            )
        return rewards

    def text(self, state):
        return "  ".join(f"{reward:g}" for reward in self.paid())

    def draw(self, state):
        return bars(self.paid())


def bars(values):
    """A bar for each value, from a common line."""
    low, high = min(0.0, *values), max(0.0, *values)
    scale = 0.8 / max(high - low, 1e-300)
    ground, width = 0.1 - low * scale, 0.9 / len(values)
    shapes = [box(0.05, ground - 0.002, 0.95, ground + 0.002, "black")]
    for a, value in enumerate(values):
        ends = sorted((ground, ground + value * scale))
        left = 0.05 + width * a
        shapes += [box(left + 0.1 * width, ends[0], left + 0.9 * width, ends[1], "steelblue")]
        shapes += [Words((left + width / 2, 0.05), str(a))]
    return shapes
