"""A car rental with two locations."""

from math import exp
from typing import NamedTuple

import numpy as np

from pgfast.drawing import Words, box
from pgfast.errors import PgfastError
from pgfast.tables import TabularMDP


class JacksCarRental(NamedTuple):
    """Move cars overnight between two locations so that as many as possible can be rented (example 4.2).

    State: (cars + 1) × (cars at the first location in the evening) + cars at the second.
    Actions: a moves a − most cars from the first location to the second, or backwards if that is negative; of cars that
    aren't there as many as there are.
    Observations: the state.
    Reward: of an action, the expected earnings of the next day less the costs of the night.
    End: never: the task is continuing, in the book with discount 0.9; truncated after max_steps. All states are equally
    likely to be the first.
    Parameters: cars (the most that a location can have, more are sent away), most (cars moved a night); rent (earned by
    a car that is rented) and move (cost of a car that is moved); requests_1, requests_2, returns_1, returns_2 (means of
    the Poisson numbers of a day); shuttle (cars that are moved from the first location to the second free of charge),
    spaces and parking (the cost where more cars than spaces stay at a location overnight); max_steps. Exercise 4.7
    has shuttle=1 and parking=4.
    Reference: Sutton & Barto (2018), example 4.2 and exercise 4.7.
    """

    cars: int = 20
    most: int = 5
    rent: float = 10.0
    move: float = 2.0
    requests_1: float = 3.0
    requests_2: float = 4.0
    returns_1: float = 3.0
    returns_2: float = 2.0
    shuttle: int = 0
    spaces: int = 10
    parking: float = 0.0
    max_steps: int = 100

    def table(self):
        self.check()
        n = self.cars + 1
        first, second, moved = self.nights()
        day_1, rented_1 = day(self.cars, self.requests_1, self.returns_1)
        day_2, rented_2 = day(self.cars, self.requests_2, self.returns_2)
        p = day_1[first][..., :, None] * day_2[second][..., None, :]
        paid = np.where(moved > 0, np.maximum(moved - self.shuttle, 0), -moved)
        lots = (first > self.spaces) + (second > self.spaces).astype(int)
        reward = self.rent * (rented_1[first] + rented_2[second]) - self.move * paid - self.parking * lots
        p, start = p.reshape(n * n, -1, n * n), np.full(n * n, 1 / n**2)
        return TabularMDP(p, reward, start, terminal=[], max_steps=self.max_steps, name="JacksCarRental")

    def check(self):
        if min(self.cars, self.most) < 1:
            raise PgfastError(f"JacksCarRental has cars={self.cars} and most={self.most}: both must be at least 1.")
        if self.cars > 40:
            raise PgfastError(f"JacksCarRental.cars is {self.cars}: its table is made for up to 40.")
        for name in ("requests_1", "requests_2", "returns_1", "returns_2", "shuttle", "spaces"):
            if not 0 <= getattr(self, name) <= 100:
                raise PgfastError(f"JacksCarRental.{name} is {getattr(self, name)}: it must be from 0 to 100.")

    def nights(self):
        """Cars in the morning at both locations, and cars moved, for each state and action: (S, A) each."""
        evening = np.arange((self.cars + 1) ** 2)[:, None]
        first, second = np.divmod(evening, self.cars + 1)
        moved = np.clip(np.arange(-self.most, self.most + 1), -second, first)
        return np.minimum(first - moved, self.cars), np.minimum(second + moved, self.cars), moved

    def text(self, state):
        first, second = divmod(state, self.cars + 1)
        return f"first  {'#' * first}{'.' * (self.cars - first)}\nsecond {'#' * second}{'.' * (self.cars - second)}"

    def draw(self, state):
        shapes = []
        for x, count in zip((0.15, 0.55), divmod(state, self.cars + 1), strict=True):
            top = 0.1 + 0.75 * count / self.cars
            shapes += [box(x, 0.1, x + 0.3, 0.85, "white"), box(x, 0.1, x + 0.3, top, "crimson")]
            shapes.append(Words((x + 0.15, 0.93), str(count)))
        return shapes


def day(cars, requests, returns):
    """P[m, e], that of m cars in the morning e are there in the evening, and the mean number rented, (cars + 1,).

    Requests beyond the cars there are lost, and so are returned cars beyond `cars`."""
    asked, returned = poisson(cars, requests), poisson(cars, returns)
    p, rented = np.zeros((cars + 1, cars + 1)), np.zeros(cars + 1)
    for morning in range(cars + 1):
        out = at_most(asked, morning)
        rented[morning] = out @ np.arange(morning + 1)
        for gone, chance in enumerate(out):
            left = morning - gone
            p[morning, left:] += chance * at_most(returned, cars - left)
    return p, rented


def poisson(n, mean):
    """The probabilities of 0, …, n."""
    chances = [exp(-mean)]
    for k in range(1, n + 1):
        chances.append(chances[-1] * mean / k)
    return np.array(chances)


def at_most(chances, n):
    """The distribution of min(X, n), (n + 1,), of a number X with these probabilities of 0, 1, …"""
    return np.append(chances[:n], 1 - chances[:n].sum())
