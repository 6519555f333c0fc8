"""Toy text whose dynamics Gymnasium has no table of: outcomes are as often as in a million samples of Gymnasium's own.

Every chi-squared test raises a false alarm once in a million.
"""

import gymnasium
import numpy as np
import pytest
from scipy import stats

from pgfast import make

FALSE_ALARM = 1e-6
SAMPLES = 1_000_000

pytestmark = pytest.mark.slow


class Quick:
    """Gymnasium's source of random numbers, drawn in advance: its own takes longer than all the rest."""

    def __init__(self, seed):
        self.numbers = iter(np.random.default_rng(seed).random(SAMPLES // 3).tolist())

    def random(self):
        return next(self.numbers)

    def choice(self, things):
        return things[int(next(self.numbers) * len(things))]


def toy(name, **parameters):
    env = gymnasium.make(name, **parameters).unwrapped
    env.np_random = Quick(seed=len(parameters))
    return env


def chances_of_plays(mdp, state, actions):
    """The probability of every (observation, reward, terminated) … that these actions can lead to from a state."""
    plays, ended, o = {(state, ()): 1.0}, {}, mdp.outcomes
    for action in actions:
        following = {}
        for (s, seen), chance in plays.items():
            row = s * mdp.n_actions + action
            for k in range(o.offsets[row], o.offsets[row + 1]):
                to = int(o.following[k])
                play = (*seen, int(mdp.observations[to]), float(o.reward[k]), bool(o.terminated[k]))
                into, key = (ended, play) if o.terminated[k] else (following, (to, play))
                into[key] = into.get(key, 0.0) + chance * float(o.probability[k])
        plays = following
    for (_, seen), chance in plays.items():
        ended[seen] = ended.get(seen, 0.0) + chance
    return ended


def played(env, begin, actions, n):
    """How often Gymnasium's environment plays what."""
    counts = {}
    for _ in range(n):
        begin(env)
        seen = ()
        for action in actions:
            observation, reward, terminated, _, _ = env.step(action)
            seen += (encoded(observation), float(reward), terminated)
            if terminated:
                break
        counts[seen] = counts.get(seen, 0) + 1
    return counts


def encoded(observation):
    """An observation as a number."""
    if isinstance(observation, int):
        return observation
    player, dealer, ace = observation
    return (player * 11 + dealer) * 2 + ace


def assert_frequencies(counts, chances):
    """Rare plays are put together, so that ten or more of them are expected."""
    assert set(counts) <= set(chances)
    n = sum(counts.values())
    expected, seen = [0.0], [0]
    for play in sorted(chances, key=lambda play: (chances[play], play)):
        if expected[-1] >= 10:
            expected.append(0.0)
            seen.append(0)
        expected[-1] += chances[play] * n
        seen[-1] += counts.get(play, 0)
    if len(seen) > 1:
        assert stats.chisquare(seen, np.array(expected) * (n / sum(expected))).pvalue > FALSE_ALARM


# ---- Taxi

SOUTH, NORTH, EAST, WEST, PICK_UP, DROP_OFF = range(6)
RIDES = {
    "to and fro": ((0, 0), 0, 1, [PICK_UP, SOUTH, NORTH, SOUTH]),
    "dropped before": ((4, 0), 2, 3, [PICK_UP, DROP_OFF, PICK_UP, NORTH, NORTH]),
    "against a wall": ((0, 0), 0, 1, [PICK_UP, WEST, NORTH, SOUTH, DROP_OFF]),
    "without anybody": ((2, 2), 0, 1, [EAST, WEST, PICK_UP]),
}


@pytest.mark.parametrize("is_rainy", [False, True])
@pytest.mark.parametrize("name", RIDES)
def test_a_fickle_passenger_is_gymnasiums(name, is_rainy):
    place, passenger, destination, actions = RIDES[name]
    parameters = {"fickle_passenger": True, "is_rainy": is_rainy, "fickle_probability": 0.4}
    env = toy("Taxi-v4", **parameters)

    def begin(env):
        """As Gymnasium's reset, but in that place."""
        env.s = env.encode(*place, passenger, destination)
        env.fickle_step = env.np_random.random() < env.fickle_probability

    begin(env)
    chances = chances_of_plays(make("Taxi-v4", **parameters), env.s, actions)
    assert_frequencies(played(env, begin, actions, SAMPLES // 8 // len(actions)), chances)


# ---- Blackjack

RULES = {"plain": {}, "natural": {"natural": True}, "sab": {"sab": True}, "both": {"natural": True, "sab": True}}
STICK, HIT = 0, 1
HANDS = {  # the player's cards, the dealer's, what is played
    "natural": ([1, 10], 10, [STICK]),
    "natural against an ace": ([10, 1], 1, [STICK]),
    "natural against a six": ([10, 1], 6, [STICK]),
    "21 of three": ([1, 4, 6], 10, [STICK]),
    "soft": ([1, 6], 5, [HIT, STICK]),
    "hard": ([10, 6], 7, [HIT, HIT, STICK]),
    "low": ([2, 2], 1, [HIT, HIT, HIT]),
    "natural, hit": ([1, 10], 6, [HIT, STICK]),
}
PLAYS = SAMPLES // len(RULES) // sum(len(actions) for _, _, actions in HANDS.values())


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("name", HANDS)
def test_hands_are_gymnasiums(name, rules):
    cards, dealer, actions = HANDS[name]
    parameters = {"sab": False, **RULES[rules]}
    env = toy("Blackjack-v1", **parameters)
    deck = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10]

    def begin(env):
        env.player, env.dealer = list(cards), [dealer, env.np_random.choice(deck)]

    begin(env)
    state = 704 + dealer if sorted(cards) == [1, 10] else encoded(env._get_obs())
    assert_frequencies(
        played(env, begin, actions, PLAYS), chances_of_plays(make("Blackjack-v1", **parameters), state, actions)
    )


@pytest.mark.parametrize("rules", RULES)
def test_first_hands_are_gymnasiums(rules):
    parameters = {"sab": False, **RULES[rules]}
    env, mdp = toy("Blackjack-v1", **parameters), make("Blackjack-v1", **parameters)
    chances = np.bincount(mdp.observations, mdp.rho0)
    counts = np.bincount([encoded(env.reset()[0]) for _ in range(PLAYS)], minlength=704)
    assert_frequencies(*({s: v[s] for s in np.flatnonzero(v).tolist()} for v in (counts, chances)))
    assert mdp.rho0[704:].sum() == pytest.approx(2 / 13 * 4 / 13)  # an ace and a ten
