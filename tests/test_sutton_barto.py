"""Sutton & Barto's examples: what the book says of them, and closed forms."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from pgfast import Engine, PgfastError, exact, make, make_key
from pgfast.drawing import image
from pgfast.environments import definition
from pgfast.random import EVALUATE, TRAIN, normal, problem_key

FALSE_ALARM = 1e-6
BAD = {  # what is wrong, and where the sentence begins
    "gridworld": ("Gridworld", {"map": "T../.X."}, "Gridworld.map has 'X' in row 1, column 1"),
    "gridworld without an end": ("Gridworld", {"map": ".../..."}, "Gridworld.map has no terminal tile"),
    "windy moves": ("WindyGridworld", {"moves": 5}, "WindyGridworld.moves is 5: it must be 4, 8"),
    "windy wind": ("WindyGridworld", {"wind": "01"}, "WindyGridworld.wind is '01': give a digit for each of the 10"),
    "windy letters": ("WindyGridworld", {"wind": "00011122x0"}, "WindyGridworld.wind is '00011122x0': give a digit"),
    "windy start": ("WindyGridworld", {"map": "..G", "wind": "000"}, "WindyGridworld.map has no start"),
    "cars": ("JacksCarRental", {"cars": 0}, "JacksCarRental has cars=0 and most=5: both must be at least 1"),
    "many cars": ("JacksCarRental", {"cars": 50}, "JacksCarRental.cars is 50: its table is made for up to 40"),
    "requests": ("JacksCarRental", {"requests_2": -1}, "JacksCarRental.requests_2 is -1.0: it must be from 0"),
    "heads": ("GamblersProblem", {"heads": 1.5}, "GamblersProblem.heads is 1.5: it must be a probability"),
    "goal": ("GamblersProblem", {"goal": 1}, "GamblersProblem.goal is 1: it must be from 2"),
    "walk": ("RandomWalk", {"states": 0}, "RandomWalk.states is 0: it must be at least 1"),
    "servers": ("AccessControl", {"servers": 0}, "AccessControl.servers is 0: it must be at least 1"),
    "free": ("AccessControl", {"free": 0}, "AccessControl.free is 0.0: a probability"),
    "priorities": ("AccessControl", {"priorities": ()}, r"AccessControl.priorities is \(\): give a list"),
    "steps": ("AccessControl", {"max_steps": 0}, "max_steps is 0: it must be a whole number of at least 1"),
    "arms": ("KArmedBandit", {"k": 0}, "KArmedBandit.k is 0: it must be from 1 to 65,535"),
}


def random_values(mdp):
    """V of the policy that chooses at random."""
    return exact.evaluate(mdp, np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions)).V


@pytest.mark.parametrize("name", BAD)
def test_parameters_out_of_range(name):
    env, parameters, words = BAD[name]
    with pytest.raises(PgfastError, match=f"^{words}"):
        Engine(env, env_parameters=parameters)


# ---- example 4.1


def test_values_of_random_play_in_the_gridworld():
    np.testing.assert_allclose(
        random_values(make("Gridworld")).reshape(4, 4),
        [[0, -14, -20, -22], [-14, -18, -20, -20], [-20, -20, -18, -14], [-22, -20, -14, 0]],
        rtol=1e-9,
    )


def test_walls_of_a_gridworld():
    mdp = make("Gridworld", map="T#./...")
    assert exact.optimum(mdp).V.tolist() == [0, 0, -4, -1, -2, -3]
    assert mdp.rho0.tolist() == [0, 0, 0.25, 0.25, 0.25, 0.25]


# ---- example 4.2


def rental(cars=20, shuttle=0, parking=0.0):
    """P (S, A, S) and R (S, A) number by number; numbers beyond 60 hardly ever happen."""
    asked = [stats.poisson.pmf(range(60), mean) for mean in (3, 4)]
    returned = [stats.poisson.pmf(range(60), mean) for mean in (3, 2)]
    day, rented = np.zeros((2, cars + 1, cars + 1)), np.zeros((2, cars + 1))
    for place, morning, requests in itertools.product(range(2), range(cars + 1), range(60)):
        out = min(morning, requests)
        rented[place, morning] += asked[place][requests] * out
        for back in range(60):
            day[place, morning, min(morning - out + back, cars)] += asked[place][requests] * returned[place][back]
    n = cars + 1
    p, r = np.zeros((n, n, 11, n, n)), np.zeros((n, n, 11))
    for one, two, action in itertools.product(range(n), range(n), range(-5, 6)):
        moved = max(-two, min(action, one))
        first, second = min(one - moved, cars), min(two + moved, cars)
        p[one, two, action + 5] = np.outer(day[0, first], day[1, second])
        cost = 2 * (max(moved - shuttle, 0) if moved > 0 else -moved) + parking * ((first > 10) + (second > 10))
        r[one, two, action + 5] = 10 * (rented[0, first] + rented[1, second]) - cost
    return p.reshape(n * n, 11, n * n), r.reshape(n * n, 11)


@pytest.mark.parametrize("parameters", [{}, {"shuttle": 1, "parking": 4}], ids=["example 4.2", "exercise 4.7"])
def test_jacks_car_rental_number_by_number(parameters):
    p, r = rental(**parameters)
    mdp = make("JacksCarRental", **parameters)
    np.testing.assert_allclose(mdp.P, p, atol=1e-12)
    np.testing.assert_allclose(mdp.R, r, atol=1e-10)


def test_the_fourth_policy_of_figure_4_2_is_optimal():
    """Policy iteration from moving nothing, as in the book: its policies, down to the cars moved from a full first
    location."""
    mdp = make("JacksCarRental")
    p, states = mdp.P, np.arange(441)
    moved = definition("JacksCarRental")().nights()[2]
    policy, seen = np.full(441, 5), []
    while not seen or not np.array_equal(seen[-1], moved[states, policy]):
        seen.append(moved[states, policy])
        v = np.linalg.solve(np.eye(441) - 0.9 * p[states, policy], mdp.R[states, policy])
        q = mdp.R + 0.9 * p @ v
        nearly = q >= q.max(axis=1, keepdims=True) - 1e-9
        policy = np.where(nearly, np.abs(moved), 99).argmin(axis=1)  # of equals, the one that moves least
    assert len(seen) == 5
    best = seen[-1].reshape(21, 21)  # by cars at the first location and at the second
    assert (best.min(), best.max()) == (-4, 5)
    assert best[20].tolist() == [5, 5, 5, 5, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 1, 1, 1, 0, 0, 0]
    assert best[0].tolist() == [0] * 8 + [-1, -1, -2, -2, -2, -3, -3, -3, -3, -3, -4, -4, -4]


# ---- example 4.3


def test_bold_play_is_best_where_heads_are_rare():
    """V(s) = p V(2s) up to half the goal, p + (1 − p) V(2s − goal) above."""
    p, v = 0.4, np.linspace(0.0, 1.0, 101)
    for _ in range(200):
        v = np.array([p * v[2 * s] if s <= 50 else p + (1 - p) * v[2 * s - 100] for s in range(101)])
    best = exact.optimum(make("GamblersProblem")).V
    np.testing.assert_allclose(best[1:100], v[1:100], atol=1e-12)
    np.testing.assert_allclose(best[[25, 50, 75]], [0.16, 0.4, 0.64], atol=1e-12)
    assert Engine("GamblersProblem").optimum == pytest.approx(v[1:100].mean(), abs=1e-9)


def test_timid_play_is_best_where_heads_are_frequent():
    ratio = 0.45 / 0.55
    best = exact.optimum(make("GamblersProblem", heads=0.55)).V
    np.testing.assert_allclose(best[1:100], [(1 - ratio**s) / (1 - ratio**100) for s in range(1, 100)], rtol=1e-9)


def test_stakes_beyond_what_is_possible():
    mdp = make("GamblersProblem", goal=10)
    following = mdp.outcomes.following.reshape(11, 5, 2)
    assert following[2].tolist() == [[3, 1], [4, 0], [4, 0], [4, 0], [4, 0]]
    assert following[7].tolist() == [[8, 6], [9, 5], [10, 4], [10, 4], [10, 4]]


# ---- examples 6.2 and 7.1


@pytest.mark.parametrize(
    ("parameters", "truth"),
    [
        ({}, [(i - 10) / 10 for i in range(1, 20)]),
        ({"states": 5, "left": 0}, [i / 6 for i in range(1, 6)]),
    ],
    ids=["19 states", "5 states"],
)
def test_values_of_the_random_walk(parameters, truth):
    np.testing.assert_allclose(random_values(make("RandomWalk", **parameters))[1:-1], truth, atol=1e-12)


@pytest.mark.slow
def test_the_critic_learns_the_values_of_the_random_walk():
    engine = Engine("RandomWalk")
    engine.learn()
    np.testing.assert_allclose(engine.value_weights[0][1:-1], [(i - 10) / 10 for i in range(1, 20)], atol=0.05)


# ---- example 6.5


@pytest.mark.parametrize(("moves", "steps"), [(4, 15), (8, 7), (9, 7)])
def test_shortest_ways_across_the_windy_gridworld(moves, steps):
    assert Engine("WindyGridworld", env_parameters={"moves": moves}).optimum == -steps


def test_stochastic_wind_step_by_step():
    """King's moves through wind that may be one more or one less (exercise 6.10)."""
    wind, mdp = [0, 0, 0, 1, 1, 1, 2, 2, 1, 0], make("WindyGridworld", moves=8, stochastic=True)
    moves = [(-1, 0), (1, 0), (0, 1), (0, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)]
    p = np.zeros((70, 8, 70))
    for row, column, (a, (down, right)) in itertools.product(range(7), range(10), enumerate(moves)):
        for gust in (-1, 0, 1):
            blown = wind[column] + gust if wind[column] else 0
            to = min(max(row + down - blown, 0), 6), min(max(column + right, 0), 9)
            p[row * 10 + column, a, to[0] * 10 + to[1]] += 1 / 3
    others = np.arange(70) != 37
    np.testing.assert_allclose(mdp.P[others], p[others], atol=1e-15)
    assert np.all(mdp.R[others] == -1)
    assert mdp.rho0[30] == 1


# ---- example 10.2


def test_access_control_is_solved_as_the_queue_is_described():
    """The best mean reward a step. The book's 2.31, learned with a tenth of the actions random, is below it; as in its
    figure, the more servers are free, the more customers are served."""
    pays, n = [1, 2, 4, 8], 10
    p, r = np.zeros((n + 1, 4, 2, n + 1, 4)), np.zeros((n + 1, 4, 2))
    for free, kind, action in itertools.product(range(n + 1), range(4), range(2)):
        served = action == 1 and free > 0
        busy = n - free + served
        for freed in range(busy + 1):
            p[free, kind, action, n - busy + freed] += stats.binom.pmf(freed, busy, 0.06) / 4
        r[free, kind, action] = pays[kind] * served
    p, r = p.reshape(44, 2, 44), r.reshape(44, 2)
    mdp = make("AccessControl")
    np.testing.assert_allclose(mdp.P, p, atol=1e-14)
    np.testing.assert_allclose(mdp.R, r, atol=0)
    best = exact.optimum(mdp, setting="average")
    assert 2.31 < best.J < 0.6 * 8
    served = best.actions.reshape(n + 1, 4)[1:]
    assert np.all(np.diff(served, axis=0) >= 0)
    assert np.all(np.diff(served, axis=1) >= 0)
    assert served[:, 3].all()
    assert Engine("AccessControl").optimum / 1000 == pytest.approx(best.J, rel=0.01)


# ---- section 2.3


def test_problems_are_kept():
    """A problem is the same in all steps and episodes, in training and evaluation, and another in another run."""
    key = make_key(5, run=3, episode=2**40 + 7, step=9, stream=TRAIN)
    own = problem_key(key, -1)
    assert own == problem_key(make_key(5, run=3, stream=EVALUATE), -1)
    assert own == problem_key(own, -1)
    others = [make_key(5, run=4), make_key(6, run=3), make_key(5 + 2**32, run=3)]
    assert len({own, *(problem_key(other, -1) for other in others)}) == 4
    assert problem_key(key, 12) == problem_key(make_key(12), -1)
    assert problem_key(make_key(5, precision="float32"), 12) == problem_key(key, 12)


def test_arms_of_the_testbed_are_normal():
    bandit = definition("KArmedBandit")
    found = np.array([bandit(seed=seed).values() for seed in range(200)])
    assert stats.kstest(found.ravel(), "norm").pvalue > FALSE_ALARM
    assert abs(np.corrcoef(found[:, :-1].ravel(), found[:, 1:].ravel())[0, 1]) < 5 / math.sqrt(1800)
    np.testing.assert_allclose(bandit(seed=3, mean=4.0).values(), bandit(seed=3).values() + np.array(4.0))
    assert Engine("KArmedBandit", env_parameters={"seed": 3}).optimum == max(bandit(seed=3).values())
    assert Engine("KArmedBandit", env_parameters={"seed": -1}).optimum is None


RUNS, PULLS, RATE = 500, 1000, 0.1


def gradient_bandits(baseline):
    """Section 2.8 in NumPy, at rewards around 4: the probability of the best arm after all pulls, (RUNS,)."""
    random = np.random.default_rng(1)
    q, h, total = random.normal(4.0, 1.0, (RUNS, 10)), np.zeros((RUNS, 10)), np.zeros(RUNS)
    for t in range(PULLS):
        pi = np.exp(h - h.max(axis=1, keepdims=True))
        pi /= pi.sum(axis=1, keepdims=True)
        arm = (random.random(RUNS)[:, None] > pi.cumsum(axis=1)).sum(axis=1).clip(max=9)
        reward = random.normal(q[np.arange(RUNS), arm])
        level = (total / t if t else reward) if baseline == "mean" else 0.0
        h += RATE * (reward - level)[:, None] * ((np.arange(10) == arm[:, None]) - pi)
        total += reward
    return pi[np.arange(RUNS), q.argmax(axis=1)]


@pytest.mark.slow
def test_the_gradient_bandit_on_the_testbed():
    """Figure 2.5, every run with a problem of its own: as in NumPy with and without a baseline, which helps."""
    found = {}
    for baseline in ("mean", "none"):
        engine = Engine(
            "KArmedBandit", algorithm="gradient-bandit", env_parameters={"seed": -1, "mean": 4.0}, lr=RATE, runs=RUNS,
            episodes=PULLS, baseline=baseline,
        )  # fmt: skip
        engine.learn()
        best = [np.argmax([normal(problem_key(make_key(0, run=k), -1), a) for a in range(10)]) for k in range(RUNS)]
        ours = np.array([engine.probabilities(0, run=k)[best[k]] for k in range(RUNS)])
        theirs = gradient_bandits(baseline)
        error = math.hypot(ours.std(ddof=1), theirs.std(ddof=1)) / math.sqrt(RUNS)
        assert 2 * stats.norm.sf(abs(ours.mean() - theirs.mean()) / error) > FALSE_ALARM
        found[baseline] = ours.mean()
    assert found["mean"] > found["none"] + 0.1  # in the figure about 0.2 after a thousand pulls


# ---- pictures


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("AccessControl", range(44)),
        ("GamblersProblem", range(101)),
        ("Gridworld", range(16)),
        ("JacksCarRental", range(0, 441, 7)),
        ("RandomWalk", range(21)),
        ("WindyGridworld", range(70)),
        ("KArmedBandit", range(1)),
    ],
)
def test_pictures(name, states):
    env = definition(name)()
    assert len({env.text(state) for state in states}) == len({str(env.draw(state)) for state in states}) == len(states)
    assert len(np.unique(image(env.draw(states[-1]), side=60).reshape(-1, 3), axis=0)) > 1


def test_a_problem_that_is_not_known_has_no_picture():
    env = definition("KArmedBandit")(seed=-1)
    assert env.text(0) == env.draw(0)[0].words == "a problem of each run's own"
