"""Finite MDPs from lists of outcomes, with random rewards, with states that look the same, and out of Gymnasium."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv
from gymnasium.wrappers import RecordEpisodeStatistics, TimeLimit, TransformReward
from scipy import sparse

from pgfast import Engine, PgfastError, TabularMDP, check
from pgfast.tables import Outcomes

COIN = [  # toss a coin of either kind, or leave; state 1 is that of having left
    [
        [(0.5, 0, 1.0, False), (0.5, 0, -1.0, False)],
        [(0.1, 0, 9.0, False), (0.9, 0, -1.0, False)],
        [(1.0, 1, 0.0, True)],
    ],
    [[(1.0, 1, 0.0, True)]] * 3,
]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.outcomes, b.outcomes, strict=True))


# ---- lists of outcomes


def test_outcomes_in_lists_dicts_and_arrays():
    listed = TabularMDP.from_outcomes(COIN, [1, 0], max_steps=5, name="Coin")
    assert (listed.n_states, listed.n_actions, listed.max_steps, listed.name) == (2, 3, 5, "Coin")
    numbered = {s: dict(enumerate(actions)) for s, actions in enumerate(COIN)}
    assert same(TabularMDP.from_outcomes(numbered, [1, 0]), listed)
    probability = [[[0.5, 0.5], [0.1, 0.9], [1, 0]], [[1, 0]] * 3]
    reward = [[[1, -1], [9, -1], [0, 7]], [[0, 0]] * 3]
    to = np.array([0, 0, 1] + 3 * [1]).reshape(2, 3, 1)
    assert same(TabularMDP.from_outcomes(Outcomes.stacked(probability, to, reward, to == 1), [1, 0]), listed)
    np.testing.assert_allclose(listed.R, [[0, 0, 0], [0, 0, 0]], atol=1e-15)


def changed(s, a, row):
    return [[row if (i, j) == (s, a) else old for j, old in enumerate(actions)] for i, actions in enumerate(COIN)]


BAD = {
    "negative": (changed(0, 1, [(-0.5, 0, 1.0, False), (1.5, 0, 1.0, False)]), "0 and action 1 .* probability is -0.5"),
    "not a number": (changed(1, 2, [(np.nan, 0, 1.0, False)]), "1 and action 2 .* probability is nan: no probability"),
    "sum": (changed(1, 0, [(0.5, 0, 1.0, False)]), "state 1 and action 0 sum to 0.5: they must sum to 1"),
    "nothing": (changed(1, 0, []), "state 1 and action 0 sum to 0:"),
    "state": (changed(0, 2, [(1.0, 2, 1.0, False)]), "0 and action 2 .* next state is 2: not from 0 to 1"),
    "negative state": (changed(0, 2, [(1.0, -1, 1.0, False)]), "0 and action 2 .* next state is -1: not from 0 to 1"),
    "reward": (changed(1, 1, [(1.0, 0, np.inf, False)]), "1 and action 1 .* reward is inf: no finite number"),
    "form": (changed(1, 1, [(1.0, 0, 3.0)]), r"State 1 and action 1 have the outcome \(1.0, 0, 3.0\): an outcome is"),
    "fraction": (changed(1, 1, [(1.0, 0.7, 3.0, False)]), r"1 and action 1 have .*0.7.* the next state a whole number"),
    "word": (changed(1, 1, [(1.0, 0, "x", False)]), "1 and action 1 have the outcome .*'x'"),
    "number": (5, "The table has 5 where a list of states should be"),
    "number of outcomes": (changed(1, 1, 5), "The table has 5 where a list of outcomes should be"),
    "actions": ([COIN[0], COIN[1][:2]], "State 1 has 2 actions and state 0 has 3"),
    "gap": ({0: COIN[0], 2: COIN[1]}, "The table has no state 1: its 2 states are numbered from 0"),
    "states": ([COIN[0]], "outcomes of 3 states and actions, and rho0 has 2 states"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_outcomes(name):
    table, words = BAD[name]
    with pytest.raises(PgfastError, match=words):
        TabularMDP.from_outcomes(table, [1, 0])


def test_a_fraction_among_arrays_of_next_states():
    with pytest.raises(PgfastError, match=r"A next state is 0\.5: it must be a whole number"):
        Outcomes.stacked(np.ones((2, 1, 1)), np.full((2, 1, 1), 0.5), 0.0)


@pytest.mark.parametrize("offsets", [[0, 2**40, 2], [1, 1, 2], [0, 1, 3], [0, 2, 1, 2], [0.0, 1.0, 2.0], []])
def test_arrays_that_do_not_belong_together(offsets):
    """As a damaged file may have them: nothing as large as what they ask for is made."""
    arrays = np.array(offsets), np.ones(2), np.zeros(2, int), np.zeros(2), np.zeros(2, bool)
    with pytest.raises(PgfastError, match="must have one length, here 2, and offsets be ints that rise from 0 to it"):
        TabularMDP.from_outcomes(Outcomes(*arrays), [1.0])


@pytest.mark.parametrize(
    ("rho0", "words"),
    [
        ([1.5, -0.5], r"rho0\[1\] is -0.5: the probability of a first state can't be negative"),
        ([0.5, 0.4], "rho0 sums to 0.9: the probabilities of the first state must sum to 1"),
        ([[1.0, 0.0]], r"rho0 has shape \(1, 2\)"),
    ],
)
def test_bad_first_states(rho0, words):
    with pytest.raises(PgfastError, match=words):
        TabularMDP.from_outcomes(COIN, rho0)


def test_a_terminal_state_that_pays():
    p, r = np.full((3, 2, 3), 1 / 3), np.zeros((3, 2))
    r[2, 1] = -4.0
    with pytest.raises(
        PgfastError, match="The terminal state 2 pays -4 for action 1, but an episode ends on entering it"
    ):
        TabularMDP(p, r, [1, 0, 0], terminal=[2])
    TabularMDP(p, r, [1, 0, 0], terminal=[1])


# ---- random rewards


def transitions():
    p = np.array([[[0.25, 0.75], [1.0, 0.0]], [[0.0, 1.0], [0.5, 0.5]]])
    low, high = np.arange(8.0).reshape(2, 2, 2), np.array([[10.0, 20.0], [30.0, 40.0]])
    return p, low, np.repeat(high[:, :, None], 2, axis=2)


@pytest.mark.parametrize("shares", [[0.75, 0.25], [np.full((2, 2), 0.75), 0.25], [0.75, np.full((2, 2, 2), 0.25)]])
@pytest.mark.parametrize("form", [np.asarray, lambda x: sparse.csr_matrix(x.reshape(4, 2))])
def test_random_rewards(shares, form):
    p, low, high = transitions()
    given = TabularMDP(form(p), [form(low), form(high)], [1, 0], reward_probabilities=shares)
    listed = [
        [
            [
                (p[s, a, f] * c, f, r[s, a, f], False)
                for f in range(2)
                if p[s, a, f]
                for c, r in ((0.75, low), (0.25, high))
            ]
            for a in range(2)
        ]
        for s in range(2)
    ]
    assert same(given, TabularMDP.from_outcomes(listed, [1, 0]))
    np.testing.assert_allclose(given.R, (p * (0.75 * low + 0.25 * high)).sum(axis=2))


def test_random_rewards_are_drawn():
    """One of three rewards, of which one is never paid; a false alarm is five standard deviations away."""
    mdp = TabularMDP(
        np.ones((1, 1, 1)), [[[1.0]], [[5.0]], [[9.0]]], [1.0], reward_probabilities=[0.2, 0.8, 0.0], max_steps=1
    )
    found = Engine(mdp, batch=64, episodes=64).evaluate(100_000)
    assert abs(found.mean - 4.2) < 5 * 1.6 / np.sqrt(100_000)
    assert found.std == pytest.approx(1.6, rel=0.02)


@pytest.mark.parametrize(
    ("rewards", "shares", "words"),
    [
        (1, [0.5, 0.6], "from state 0 by action 0 to state 0 are 0.5, 0.6: they can't be negative and must sum to 1"),
        (1, [-0.5, 1.5], "are -0.5, 1.5"),
        (1, [1.0], "R is a list of several rewards, and there is a probability for each of them"),
        (1, 0.5, "R is a list of several rewards"),
        (
            1,
            [np.full((2, 2), 0.5), np.array([[0.5, 0.5], [0.4, 0.5]])],
            "from state 1 by action 0 to state 1 are 0.5, 0.4",
        ),
        (1, [np.zeros(3), 1.0], r"reward_probabilities\[0\] has shape \(3,\)"),
        (np.nan, [0.5, 0.5], r"R\[1\]\[0, 0, 0\] is nan"),
    ],
)
def test_bad_random_rewards(rewards, shares, words):
    p, low, high = transitions()
    with pytest.raises(PgfastError, match=words):
        TabularMDP(p, [low, rewards * high], [1, 0], reward_probabilities=shares)


# ---- states that look the same


def corridor(**options):
    """The short corridor of Sutton & Barto, example 13.1: its three states look the same."""
    steps = [[(0, 1)], [(2, 0)], [(1, 3)], [(3, 3)]]
    table = [[[(1.0, to, -1.0 if s < 3 else 0.0, to == 3)] for to in pair] for s, (pair,) in enumerate(steps)]
    return TabularMDP.from_outcomes(table, [1, 0, 0, 0], observations=[0, 0, 0, 0], **options)


def test_states_that_look_the_same_share_a_policy(tmp_path):
    mdp = corridor(max_steps=1000)
    report = check(mdp)
    assert report.ok, report
    engine = Engine(mdp, theta0=[0.0, 0.0], batch=64, episodes=64)
    assert engine.model.n_parameters == 2
    assert engine.optimum is None  # a policy that draws its actions is better than all that don't
    found = engine.evaluate(20_000)  # each action as likely as the other: −12
    assert abs(found.mean + 12) < 5 * found.std / np.sqrt(20_000)
    engine.learn()
    engine.save(tmp_path)
    loaded = Engine.load(tmp_path)
    assert loaded.evaluate().mean == engine.evaluate().mean


def test_an_optimum_that_needs_no_telling_apart():
    """Two states that look the same where it is right to do the same."""
    table = [[[(0.5, 1, 0.0, False), (0.5, 2, 0.0, False)]] * 2, [[(1.0, 0, 0.0, True)], [(1.0, 0, 1.0, True)]],
             [[(1.0, 0, 2.0, True)], [(1.0, 0, 3.0, True)]]]  # fmt: skip
    mdp = TabularMDP.from_outcomes(table, [1, 0, 0], observations=[0, 1, 1], max_steps=10)
    assert Engine(mdp).optimum == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("seen", "words"),
    [([0, 0, 0], r"have shape \(3,\)"), ([0.0, 0, 0, 0], "a whole number for each of the 4"), ([0, -1, 0, 0], "is -1")],
)
def test_bad_observations(seen, words):
    with pytest.raises(PgfastError, match=words):
        TabularMDP.from_outcomes([COIN[0]] * 4, [1, 0, 0, 0], observations=seen)


# ---- Gymnasium's tables


def test_time_limits_of_gymnasium():
    lift = TabularMDP.from_gymnasium
    assert lift(gymnasium.make("FrozenLake-v1")).max_steps == 100
    assert lift(gymnasium.make("FrozenLake-v1", max_episode_steps=7)).max_steps == 7
    assert lift(TimeLimit(gymnasium.make("FrozenLake-v1"), 500)).max_steps == 100
    assert lift(TimeLimit(TimeLimit(FrozenLakeEnv(), 30), 20)).max_steps == 20
    assert lift(FrozenLakeEnv()).max_steps is None
    assert lift(RecordEpisodeStatistics(gymnasium.make("CliffWalking-v1"))).max_steps is None


@pytest.mark.parametrize(
    ("env", "words"),
    [
        (TransformReward(FrozenLakeEnv(), lambda r: 2 * r), "is wrapped in TransformReward"),
        (gymnasium.make("Taxi-v4", fickle_passenger=True), "take pgfast's Taxi-v4 with fickle_passenger=True"),
        (gymnasium.make("CartPole-v1"), "has no transition table `P`"),
    ],
    ids=lambda x: x if isinstance(x, str) else type(x).__name__,
)
def test_more_than_a_table(env, words):
    with pytest.raises(PgfastError, match=words):
        TabularMDP.from_gymnasium(env)
