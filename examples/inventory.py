"""How much to order each morning: an inventory simulation in a compiled loop of its own, which learns as it goes.

    python examples/inventory.py

A shop can hold 15 pieces of something. What is ordered in the morning is there at once; demand is Poisson with a mean
of 5 a day, a sale earns 4, what is left over costs 1 a piece and night, and who finds nothing goes elsewhere. The
policy is a softmax over the levels to fill up to, with a preference for each level and stock; it is learned by the
one-step actor–critic. The best there is to do is known: fill up to the level that demand stays within with probability
4 / (4 + 1), the newsvendor's (Porteus 2002, "Foundations of Stochastic Inventory Theory").
"""

from __future__ import annotations

import argparse

import numpy as np
from numba import njit
from scipy.stats import poisson

from pgfast import make_key, softmax, uniform

CAPACITY, DEMAND, MARGIN, HOLDING = 15, 5.0, 4.0, 1.0
LEVELS = CAPACITY + 1  # of stock, and to fill up to: 0 to 15
CUMULATIVE = poisson.cdf(np.arange(CAPACITY), DEMAND)  # more demand than can be met is all the same


@njit
def day(stock, level, key):
    """A day that begins with `stock` and an order up to `level`: what is left, and the profit."""
    filled = max(stock, level)
    demand = np.searchsorted(CUMULATIVE, uniform(key, 1), side="right")
    sold = min(filled, demand)
    return filled - sold, MARGIN * sold - HOLDING * (filled - sold)


@njit
def learn(theta, values, days, seed, rate=0.005, value_rate=0.1, gamma=0.9, bonus=0.001):
    """Improve θ (stock, level) and v̂ (stock,) in place, at the end of every day. The bonus for being undecided keeps
    the policy from settling before it knows enough."""
    stock = 0
    for t in range(days):
        key = make_key(seed, step=t)
        level = softmax.sample(theta, stock, uniform(key, 0))
        left, profit = day(stock, level, key)
        delta = profit + gamma * values[left] - values[stock]
        values[stock] += value_rate * delta
        softmax.update(theta, stock, level, rate * delta, bonus)
        stock = left


@njit
def profit_of(theta, days, sampled, seed):
    """Mean profit a day; levels are sampled, or the preferred ones."""
    stock, total = 0, 0.0
    for t in range(days):
        key = make_key(seed, step=t)
        level = softmax.sample(theta, stock, uniform(key, 0)) if sampled else softmax.preferred(theta, stock)
        stock, profit = day(stock, level, key)
        total += profit
    return total / days


def fill_up_to(level: int) -> np.ndarray:
    """The policy that always does, as preferences."""
    theta = np.zeros((LEVELS, LEVELS))
    theta[:, level] = 1.0
    return theta


def run(seed: int = 0, days: int = 1_000_000) -> tuple[np.ndarray, dict[str, float]]:
    """Learn from so many days: θ, and the profit a day by policy, over the same fresh days for all."""
    theta, values = np.zeros((LEVELS, LEVELS)), np.zeros(LEVELS)
    untrained = theta.copy()
    learn(theta, values, days, seed)
    best = int(poisson.ppf(MARGIN / (MARGIN + HOLDING), DEMAND))
    judged = {
        "before learning": (untrained, True),
        "learned, sampled": (theta, True),
        "learned, preferred": (theta, False),
        f"always up to {best}": (fill_up_to(best), False),
    }
    return theta, {name: profit_of(policy, 200_000, sampled, seed + 1) for name, (policy, sampled) in judged.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    theta, profits = run(parser.parse_args().seed)
    for name, profit in profits.items():
        print(f"{name:20} {profit:6.2f} a day")
    print("with 0 to 7 in stock, fill up to", *(max(s, softmax.preferred(theta, s)) for s in range(8)))


if __name__ == "__main__":
    main()
