"""Decisions that businesses have: how much to order, whom to let in, what to ask. Small enough to be solved exactly."""

import math
from typing import NamedTuple

import numpy as np

from pgfast.drawing import Circle, Words, box
from pgfast.errors import PgfastError
from pgfast.tables import Outcomes, TabularMDP, check_size

MOST_STATES = 100_000


class LostSales(NamedTuple):
    """How much to order every day, when goods take days to arrive and customers who find none don't come back.

    State: the stock s, from 0 to capacity, and the orders q₁ (arrives next), q₂, … of the last lead_time − 1 days, as
    the number s + (capacity + 1) (q₁ + (largest_order + 1) (q₂ + …)).
    Actions: the quantity to order, from 0 to largest_order; it arrives after lead_time days.
    Observations: the state.
    Reward: −holding for each unit left at the end of the day, −penalty for each that was asked for and not there.
    End: never; truncated after max_steps days. On the first day the stock is a day's mean demand, rounded down, and
    that much is on its way for each day of the lead time.
    Parameters: demand (mean of a day's, which is Poisson distributed), lead_time (days, at least 1), holding, penalty,
    capacity (what doesn't fit is refused on arrival), largest_order, max_steps.
    Reference: Karlin & Scarf (1958); Zipkin (2008), "Old and new methods for lost-sales inventory systems", one of
    whose examples the defaults are: in the long run the least cost of a day is 4.40.
    """

    demand: float = 5.0
    lead_time: int = 2
    holding: float = 1.0
    penalty: float = 4.0
    capacity: int = 20
    largest_order: int = 10
    max_steps: int = 100

    def table(self):
        require(self, 1, ["lead_time", "capacity", "largest_order"])
        require(self, 0, ["demand"])
        sizes = [self.capacity + 1, *[self.largest_order + 1] * (self.lead_time - 1)]
        if math.prod(sizes) > MOST_STATES:
            raise PgfastError(
                f"LostSales has {math.prod(sizes):,} states with lead_time={self.lead_time}, capacity={self.capacity} "
                f"and largest_order={self.largest_order}: a table of up to {MOST_STATES:,} can be made of it."
            )
        stock, *pipeline = grid(sizes)
        order = np.arange(self.largest_order + 1)
        chance = poisson(self.demand)
        asked = np.arange(len(chance))
        left = np.maximum(stock[:, None] - asked, 0)  # (S, demands)
        missed = np.maximum(asked - stock[:, None], 0)
        coming = [*(q[:, None, None] for q in pipeline), order[:, None]]
        following = np.minimum(left[:, None, :] + coming[0], self.capacity)
        for k, quantity in enumerate(coming[1:]):
            following = following + int(np.prod(sizes[: k + 1])) * quantity
        pay = -self.holding * left - self.penalty * missed
        usual = [min(int(self.demand), size - 1) for size in sizes]
        first = np.ravel_multi_index(usual[::-1], sizes[::-1])
        return table_of("LostSales", int(first), self.max_steps, chance, following, pay[:, None, :])

    def parts(self, state):
        """The stock, and the orders on their way."""
        sizes = [self.capacity + 1, *[self.largest_order + 1] * (self.lead_time - 1)]
        return [int(q) for q in np.unravel_index(state, sizes[::-1])[::-1]]

    def text(self, state):
        stock, *coming = self.parts(state)
        lines = [f"stock    {'#' * stock} {stock}"]
        return "\n".join(lines + [f"in {k} day{'s' * (k > 1)} {'+' * q} {q}" for k, q in enumerate(coming, 1)])

    def draw(self, state):
        stock, *coming = self.parts(state)
        most = max(self.capacity, self.largest_order)
        shapes = bar(0.5 / (len(coming) + 1), stock / most, "seagreen", f"stock {stock}")
        for k, quantity in enumerate(coming, 1):
            shapes += bar((k + 0.5) / (len(coming) + 1), quantity / most, "goldenrod", f"in {k} d: {quantity}")
        return shapes


class QueueAdmission(NamedTuple):
    """Which customers to let into a queue: each pays when served, and makes those behind him wait.

    State: the number of customers in the system, as one arrives: from 0 to capacity.
    Actions: 0 turn him away, 1 let him in (if there is room).
    Observations: the state.
    Reward: for a customer let in, value − waiting_cost times the time he is expected to spend here; else 0. Customers
    who decide for themselves come in as long as that is positive: too many, as they don't count the others' time.
    End: never; truncated after max_steps arrivals. The first customer finds nobody.
    Parameters: arrival_rate, service_rate (per unit of time; both times are exponentially distributed), value,
    waiting_cost (per unit of time), capacity, max_steps.
    Reference: Naor (1969), "The regulation of queue size by levying tolls"; Stidham (1985).
    """

    arrival_rate: float = 0.9
    service_rate: float = 1.0
    value: float = 10.0
    waiting_cost: float = 1.0
    capacity: int = 20
    max_steps: int = 100

    def table(self):
        require(self, 1, ["capacity"])
        require(self, 0, ["arrival_rate", "service_rate"])
        check_size("QueueAdmission", self.capacity + 1, 2, self.capacity + 1)
        served = self.service_rate / (self.arrival_rate + self.service_rate)  # before the next one arrives
        here = np.arange(self.capacity + 1)
        inside = np.minimum(here[:, None] + np.arange(2), self.capacity)  # (S, A): after the decision
        departures = np.arange(self.capacity + 1)
        chance = np.where(departures < inside[:, :, None], (1.0 - served) * served**departures, 0.0)
        chance = np.where(departures == inside[:, :, None], served**departures, chance)
        following = np.maximum(inside[:, :, None] - departures, 0)
        stay = inside / self.service_rate
        pay = np.where(inside > here[:, None], self.value - self.waiting_cost * stay, 0.0)
        return table_of("QueueAdmission", 0, self.max_steps, chance, following, pay[:, :, None])

    def text(self, state):
        return f"[{'@' if state else ' '}]{'@' * (state - 1)} <- @    {state} here"

    def draw(self, state):
        n = self.capacity + 1
        shapes = [box(0.02, 0.42, 0.02 + 0.9 / n, 0.58, "lightsteelblue")]
        shapes += [Circle((0.02 + 0.9 * (k + 0.5) / n, 0.5), 0.35 / n, "navy") for k in range(state)]
        return [*shapes, Circle((0.94, 0.62), 0.35 / n, "crimson"), Words((0.5, 0.3), f"{state} here")]


class DynamicPricing(NamedTuple):
    """What to ask for the last items of a season, from period to period: what isn't sold at its end is worth nothing.

    State: items left n, from 0 to items, and periods left t, from 0 to periods, as the number n + (items + 1) t.
    Actions: one of n_prices prices, from lowest to highest in equal steps.
    Observations: the state.
    Reward: the price of each item sold.
    End: when all are sold, or the season is over.
    Parameters: items, periods, customers (who come in the whole season, on average, as a Poisson process), sensitivity
    (each buys with probability exp(−sensitivity · price)), lowest, highest, n_prices.
    Reference: Gallego & van Ryzin (1994), in discrete time and with a list of prices. With any price at
    any time the best return is log Σ (customers / e)ⁱ / i! / sensitivity, i from 0 to items.
    """

    items: int = 10
    periods: int = 20
    customers: float = 50.0
    sensitivity: float = 1.0
    lowest: float = 0.75
    highest: float = 3.0
    n_prices: int = 10

    def table(self):
        require(self, 1, ["items", "periods", "n_prices"])
        require(self, 0, ["customers", "sensitivity"])
        check_size("DynamicPricing", (self.items + 1) * (self.periods + 1), self.n_prices, self.items + 1)
        price = np.linspace(self.lowest, self.highest, self.n_prices)
        n, t = grid([self.items + 1, self.periods + 1])
        buyers = self.customers / self.periods * np.exp(-self.sensitivity * price)
        chance = np.array([poisson(mean, self.items) for mean in buyers])  # (A, items + 1)
        sold = np.minimum(np.arange(self.items + 1), n[:, None])  # (S, demands)
        over = (n == 0) | (t == 0)
        left, later = n[:, None] - sold, np.maximum(t - 1, 0)[:, None]
        following = np.where(over[:, None], np.arange(len(n))[:, None], left + (self.items + 1) * later)
        terminated = (over[:, None] | (left == 0) | (later == 0))[:, None, :]
        pay = np.where(over[:, None, None], 0.0, price[:, None] * sold[:, None, :])
        return table_of("DynamicPricing", len(n) - 1, None, chance, following[:, None, :], pay, terminated)

    def text(self, state):
        later, left = divmod(state, self.items + 1)
        return f"{'#' * left} {left} left, period {self.periods - later + 1} of {self.periods}"

    def draw(self, state):
        later, left = divmod(state, self.items + 1)
        shapes = bar(0.3, left / self.items, "seagreen", f"{left} items")
        return shapes + bar(0.7, later / self.periods, "goldenrod", f"{later} periods")


def table_of(name, first, max_steps, probability, following, reward, terminated=False):
    """The MDP that begins in the state `first`; the arrays have the outcomes of state s and action a at [s, a], or can
    be broadcast to that."""
    outcomes = Outcomes.stacked(probability, following, reward, terminated)
    n_states = np.broadcast_shapes(*map(np.shape, (probability, following, reward)))[0]
    start = np.eye(1, n_states, first)[0]
    return TabularMDP.from_outcomes(outcomes, start, max_steps=max_steps, name=name)


def grid(sizes):
    """The coordinates of all points of a grid, those of the first one running fastest."""
    return np.unravel_index(np.arange(int(np.prod(sizes))), sizes[::-1])[::-1]


def poisson(mean, most=None):
    """The probabilities of 0, 1, 2, … of a Poisson distribution, up to `most` or where less than 1e-12 is left; the
    last one has all that is left."""
    if not mean <= 500:
        raise PgfastError(f"A mean of {mean:g} is too large for a table of demands: it can be up to 500.")
    chances = [math.exp(-mean)]
    while 1.0 - sum(chances) > 1e-12 if most is None else len(chances) <= most:
        chances.append(chances[-1] * mean / len(chances))
    chances[-1] += 1.0 - math.fsum(chances)
    return np.array(chances)


def require(env, least, names):
    """Raise PgfastError for a parameter below the least that it may be; 0 means above 0."""
    for name in names:
        value = getattr(env, name)
        if value < least or value == 0:
            allowed = "more than 0" if least == 0 else f"at least {least}"
            raise PgfastError(f"{type(env).__name__}.{name} is {value:g}: it must be {allowed}.")


def bar(x, share, color, words):
    """A column as high as a share of what it can be, and words below it."""
    return [
        box(x - 0.12, 0.15, x + 0.12, 0.9, "white"),
        box(x - 0.12, 0.15, x + 0.12, 0.15 + 0.75 * share, color),
        Words((x, 0.08), words, height=0.05),
    ]
