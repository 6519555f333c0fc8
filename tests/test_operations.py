"""Decisions of businesses: their tables have the optima that the literature knows, and learning comes near them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pgfast import Engine, PgfastError, TabularMDP, make
from pgfast.drawing import image
from pgfast.environments import find
from pgfast.exact import best_return

NAMES = ["LostSales", "QueueAdmission", "DynamicPricing"]


def average_reward(mdp: TabularMDP) -> tuple[float, np.ndarray]:
    """The best reward of a step in the long run, and the policy that has it (S,): value iteration, until every state's
    value grows by the same."""
    p, r, v = mdp.sparse_transitions(continuing=True), mdp.R, np.zeros(mdp.n_states)
    growth = np.array([-np.inf, np.inf])
    while np.ptp(growth) > 1e-9:
        q = r + (p @ v).reshape(r.shape)
        growth, v = q.max(axis=1) - v, q.max(axis=1)
    return float(growth.mean()), q.argmax(axis=1)


@pytest.mark.parametrize(
    ("lead_time", "penalty", "cost"),
    [(1, 4, 4.04), (1, 9, 5.44), (1, 19, 6.68), (2, 4, 4.40), (2, 9, 6.09), (2, 19, 7.66), (3, 4, 4.60), (3, 9, 6.53)],
)
def test_costs_of_lost_sales_are_zipkins(lead_time: int, penalty: float, cost: float) -> None:
    """Zipkin (2008): Poisson demand with mean 5, to two decimals."""
    reward, _ = average_reward(make("LostSales", lead_time=lead_time, penalty=penalty))
    assert -reward == pytest.approx(cost, abs=0.006)


@pytest.mark.parametrize("load", [0.5, 0.9, 1.3])
@pytest.mark.parametrize("value", [3.3, 10.0, 17.5])
def test_best_queues_are_naors(load: float, value: float) -> None:
    """Naor (1969): all gain most when customers come in while fewer than n are there, the largest n with
    (n (1 − ρ) − ρ (1 − ρⁿ)) / (1 − ρ)² ≤ value · service_rate / waiting_cost."""

    def longest(n: int) -> float:
        return (n * (1 - load) - load * (1 - load**n)) / (1 - load) ** 2

    best = max(n for n in range(1, 20) if longest(n) <= value * 2.0 / 1.5)
    mdp = make("QueueAdmission", arrival_rate=2 * load, service_rate=2.0, value=value, waiting_cost=1.5)
    _, policy = average_reward(mdp)
    assert policy.tolist() == [1] * best + [0] * (mdp.n_states - best)


@pytest.mark.parametrize("items", [1, 5, 10])
def test_best_prices_are_those_of_gallego_and_van_ryzin(items: int) -> None:
    """Their formula is for any price at any time: many prices and short periods come near it, a few stay below."""
    customers, sensitivity = 30.0, 2.0
    terms = [(customers / math.e) ** i / math.factorial(i) for i in range(items + 1)]
    bound = math.log(sum(terms)) / sensitivity
    options: dict[str, Any] = {"items": items, "customers": customers, "sensitivity": sensitivity, "lowest": 0.25}
    fine = best_return(make("DynamicPricing", **options, periods=300, n_prices=60), None)
    coarse = best_return(make("DynamicPricing", **options, periods=5, n_prices=4), None)
    assert fine is not None
    assert coarse is not None
    assert coarse < fine < bound
    assert fine == pytest.approx(bound, rel=2e-3)


def test_a_season_ends_when_all_is_sold_or_time_is_over() -> None:
    mdp = make("DynamicPricing", items=2, periods=3)
    o = mdp.outcomes
    state = o.rows() // mdp.n_actions
    items, periods = state % 3, state // 3
    left, later = o.following % 3, o.following // 3
    alive = (items > 0) & (periods > 0) & (o.probability > 0)
    np.testing.assert_array_equal(o.terminated[alive], ((left == 0) | (later == 0))[alive])
    np.testing.assert_array_equal(later[alive], periods[alive] - 1)
    assert np.all(o.reward[~alive & (o.probability > 0)] == 0.0)


def test_orders_arrive_after_the_lead_time() -> None:
    """Without demand to speak of, what was ordered is seen to come nearer, and then in stock, up to the capacity."""
    mdp = make("LostSales", demand=1e-9, lead_time=3, capacity=9, largest_order=4)
    state, seen = 0, []
    for order in (4, 3, 0, 4):
        o = mdp.outcomes
        at = o.offsets[state * mdp.n_actions + order]
        assert o.probability[at] == pytest.approx(1.0)
        state = int(o.following[at])
        seen.append((state % 10, state // 10 % 5, state // 50))
    assert seen == [(0, 0, 4), (0, 4, 3), (4, 3, 0), (7, 0, 4)]


@pytest.mark.parametrize(
    ("name", "best"), [("LostSales", -438.6), ("QueueAdmission", 651.8), ("DynamicPricing", 14.63)]
)
def test_best_returns_of_an_episode(name: str, best: float) -> None:
    assert Engine(name).optimum == pytest.approx(best, rel=5e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_presets_come_within_two_percent_of_the_optimum(name: str) -> None:
    engine = Engine(name)
    engine.learn()
    assert engine.optimum is not None
    assert engine.evaluate(20_000).mean == pytest.approx(engine.optimum, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_and_words(name: str) -> None:
    env = find(name).origin
    states = range(find(name).table.n_states)  # type: ignore[union-attr]
    assert len({env.text(state) for state in states}) == len(states)
    assert len({image(env.draw(state), side=60).tobytes() for state in states[-3:]}) == 3


def test_words_of_lost_sales() -> None:
    env = find("LostSales", {"lead_time": 3}).origin
    assert env.text(4 + 21 * (0 + 11 * 2)).splitlines() == ["stock    #### 4", "in 1 day  0", "in 2 days ++ 2"]


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("LostSales", {"lead_time": 0}, "LostSales.lead_time is 0: it must be at least 1."),
        ("LostSales", {"demand": -1}, "LostSales.demand is -1: it must be more than 0."),
        ("QueueAdmission", {"service_rate": 0}, "QueueAdmission.service_rate is 0: it must be more than 0."),
        ("DynamicPricing", {"periods": 0}, "DynamicPricing.periods is 0: it must be at least 1."),
    ],
)
def test_bad_parameters(name: str, parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(PgfastError, match=f"^{words}$"):
        make(name, **parameters)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [({"demand": 800.0}, "A mean of 800 is too large"), ({"lead_time": 8}, "states with lead_time=8")],
)
def test_tables_that_would_be_too_large(parameters, words):
    with pytest.raises(PgfastError, match=words):
        make("LostSales", **parameters)
