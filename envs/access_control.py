"""Who is served when servers are scarce."""

from math import comb
from typing import NamedTuple

import numpy as np

from pgfast.drawing import Words, box
from pgfast.errors import PgfastError
from pgfast.tables import TabularMDP


class AccessControl(NamedTuple):
    """Customers who pay differently ask, one a step, for one of a few servers: accept or reject (example 10.2).

    State: priorities × (number of free servers) + the place of the customer's priority in the list.
    Actions: 0 reject, 1 accept; without a free server both reject.
    Observations: the state.
    Reward: the priority of a customer who is accepted.
    End: never: the task is continuing, and what counts is the mean reward a step; truncated after max_steps. At first
    all servers are free. The next customer has any of the priorities with equal chance.
    Parameters: servers, free (the probability that a busy server is free at the next step, one just taken included),
    priorities, max_steps.
    Reference: Sutton & Barto (2018), example 10.2.
    """

    servers: int = 10
    free: float = 0.06
    priorities: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    max_steps: int = 1000

    def table(self):
        self.check()
        n, kinds = self.servers, len(self.priorities)
        at_work = n - np.arange(n + 1)  # for each number of free servers
        stay = freeing(n, self.free)[at_work]
        taken = stay[np.maximum(np.arange(n + 1) - 1, 0)]
        p = np.stack([np.repeat(stay, kinds, axis=0), np.repeat(taken, kinds, axis=0)], axis=1)
        p = np.repeat(p, kinds, axis=2) / kinds
        reward = np.zeros((n + 1, kinds, 2))
        reward[1:, :, 1] = self.priorities
        first = np.repeat(np.arange(n + 1) == n, kinds) / kinds
        return TabularMDP(p, reward.reshape(-1, 2), first, terminal=[], max_steps=self.max_steps, name="AccessControl")

    def check(self):
        if self.servers < 1:
            raise PgfastError(f"AccessControl.servers is {self.servers}: it must be at least 1.")
        if not 0 < self.free <= 1:
            raise PgfastError(f"AccessControl.free is {self.free}: a probability above 0 and up to 1 is needed.")
        if len(np.shape(self.priorities)) != 1 or len(self.priorities) < 1:
            raise PgfastError(f"AccessControl.priorities is {self.priorities}: give a list of one or more numbers.")

    def text(self, state):
        free, kind = divmod(state, len(self.priorities))
        return f"{'#' * (self.servers - free)}{'.' * free}  {self.priorities[kind]:g}"

    def draw(self, state):
        free, kind = divmod(state, len(self.priorities))
        side = 0.9 / self.servers
        colors = ["crimson"] * (self.servers - free) + ["white"] * free
        places = [0.05 + side * k for k in range(self.servers)]
        row = [box(x, 0.6, x + 0.9 * side, 0.6 + 0.9 * side, c) for x, c in zip(places, colors, strict=True)]
        return [*row, Words((0.5, 0.3), f"{self.priorities[kind]:g}", height=0.15)]


def freeing(n, chance):
    """P[b, f]: that f of n servers are free at the next step when b are busy, each freed with that chance."""
    p = np.zeros((n + 1, n + 1))
    for busy in range(n + 1):
        for freed in range(busy + 1):
            p[busy, n - busy + freed] = comb(busy, freed) * chance**freed * (1 - chance) ** (busy - freed)
    return p
