"""The exact oracle for policies with parameters: gradients, Fisher matrices, Hessians, variances; tables of classes."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from problems import Drift, random_mdp
from reference_policies import finite_differences

import pgfast
from pgfast import Engine, PgfastError, TabularMDP, exact, randint, uniform
from pgfast.environments import find
from pgfast.probe import probe


def table_of(env):
    source = find(env)
    return exact.enumerated(source.env, probe(source))


class Ferry(NamedTuple):
    """Rivers to cross: with every kind of chance that has finitely many outcomes."""

    loss: float = 0.25

    max_steps = 12

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (2,), np.float64)

    @property
    def action_space(self):
        return Discrete(2, start=1)

    def reset(self, key):
        return randint(key, 0, 2), 0.5

    def step(self, state, action, key):
        place, load = state
        lost = pgfast.uniform(key, 1) < self.loss
        wind = int(3 * uniform(key, 0)) - 1
        u = uniform(key, 2)
        load = 0.0 if lost else load
        place = place + action + (wind if 0.5 <= u else 0)
        return (min(max(place, 0), 4), load), load * action - (1.0 - u < 0.3), place >= 4

    def observe(self, state):
        place, load = state
        return 0.3 * place, load - 0.2


class Corridor(NamedTuple):
    """As in the first lines of the documentation: slips with a probability."""

    length: int = 5
    slip: float = 0.1

    max_steps = 30

    @property
    def observation_space(self):
        return Discrete(self.length)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 0

    def step(self, state, action, key):
        right = action if uniform(key, 0) >= self.slip else 1 - action
        state = max(state + 2 * right - 1, 0)
        return state, -1.0, state >= self.length - 1


def test_the_table_of_a_corridor_is_the_one_by_hand():
    found = table_of(Corridor())
    assert found.states == (0, 1, 2, 3, 4)
    p = np.zeros((5, 2, 5))
    for s in range(4):
        for action, to in product(range(2), (max(s - 1, 0), s + 1)):
            p[s, action, to] = 0.9 if (to == s + 1) == (action == 1) else 0.1
    p[4, :, 4] = 1.0
    np.testing.assert_allclose(found.mdp.P, p, atol=1e-15)
    np.testing.assert_array_equal(found.mdp.continuation()[3, :, 4], 0.0)
    assert found.mdp.max_steps == 30


def test_the_table_of_a_class_plays_as_the_class_does():
    """The mean return of 200,000 episodes against the exact one; false alarm in one of 15,000."""
    engine = Engine(Ferry(), policy="linear", theta0=[0.2, -0.4, 0.1, -0.3, 0.5, 0.2], seed=1)
    found = table_of(Ferry())
    policy = exact.observed_policy(engine.model, engine.source.env, engine.traits, found.observations)
    pi = policy.probabilities(engine.theta[0])
    for observation, row in zip(found.observations, pi, strict=True):
        np.testing.assert_allclose(row, engine.probabilities(observation), rtol=1e-12)
    truth = exact.evaluate(found.mdp, pi, setting="finite-horizon").J
    played = engine.evaluate(200_000)
    assert abs(played.mean - truth) < 4 * played.std / np.sqrt(played.episodes)


def test_global_names_are_as_before_after_the_table_is_made():
    before = uniform, randint, pgfast.uniform
    table_of(Ferry())
    assert (uniform, randint, pgfast.uniform) == before


@pytest.mark.parametrize("env", [Drift(), "CartPole-v1"])
def test_what_has_no_table_is_said(env):
    with pytest.raises(PgfastError, match="has no table: it computes with the random numbers"):
        table_of(env)


POLICIES = {"tabular": 10, "linear": 10, "state-action": 2}


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize(
    "case", [{"gamma": 0.9}, {}, {"setting": "finite-horizon"}, {"setting": "average"}], ids=lambda c: str(c)
)
def test_gradients_of_parameters(name, case):
    engine = Engine(Corridor(), policy=name)
    found = table_of(Corridor())
    policy = exact.observed_policy(engine.model, engine.source.env, engine.traits, found.observations)
    assert policy.n_parameters == POLICIES[name]
    theta = np.random.default_rng(3).normal(size=policy.n_parameters)

    def value(t):
        return exact.evaluate(found.mdp, policy.probabilities(t), **case).J

    at = exact.evaluate(found.mdp, policy.probabilities(theta), **case)
    differences = finite_differences(value, theta)
    np.testing.assert_allclose(policy.gradient(at), differences, rtol=1e-6, atol=1e-7 * abs(at.J))
    scores = policy.scores(theta)
    if at.Q_t is not None:
        by_theorem = np.einsum("ts,sa,tsa,sad->d", at.occupancy_t, at.policy, at.Q_t, scores)
    else:
        by_theorem = np.einsum("s,sa,sa,sad->d", at.occupancy, at.policy, at.Q, scores)
    np.testing.assert_allclose(policy.gradient(at), by_theorem, rtol=1e-9, atol=1e-12 * abs(at.J))
    fisher = np.einsum("s,sa,sad,sae->de", at.occupancy, at.policy, scores, scores)
    np.testing.assert_allclose(policy.fisher(at), fisher, atol=1e-12 * np.abs(fisher).max())
    assert np.linalg.eigvalsh(policy.fisher(at)).min() > -1e-12 * np.abs(fisher).max()


def test_the_natural_gradient_of_a_table_is_the_advantage():
    """Kakade (2001), theorem 1, up to a constant in each state, along which the Fisher matrix is zero."""
    mdp, policy = random_mdp(), exact.table_policy(5, 3)
    theta = np.random.default_rng(0).normal(size=15)
    at = exact.evaluate(mdp, policy.probabilities(theta), gamma=0.9)
    natural = policy.natural_gradient(at).reshape(5, 3)
    centred = at.advantage - at.advantage.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(natural[:4], centred[:4], atol=1e-12)  # the last state is the end
    constant = np.kron(np.eye(5), np.ones(3))
    np.testing.assert_allclose(policy.fisher(at) @ constant.T, 0.0, atol=1e-14)


def test_the_hessian_is_the_derivative_of_the_gradient():
    mdp, policy = random_mdp(seed=5), exact.table_policy(5, 3)
    theta = np.random.default_rng(1).normal(size=15)
    found = exact.hessian(mdp, policy, theta, gamma=0.9)
    h = 1e-4

    def value(t):
        return exact.evaluate(mdp, policy.probabilities(t), gamma=0.9).J

    for i, j in ((0, 0), (0, 4), (7, 3)):
        a, b = h * np.eye(15)[i], h * np.eye(15)[j]
        both = value(theta + a + b) - value(theta + a - b) - value(theta - a + b) + value(theta - a - b)
        assert found[i, j] == pytest.approx(both / (4 * h * h), abs=1e-6)


ESTIMATES = {
    "G(PO)MDP": {},
    "no γᵗ": {"discount_factor": False},
    "baseline": {"baseline": np.linspace(-1.0, 1.0, 3)},
    "whole": {"returns": "whole"},
    "whole, baseline": {"returns": "whole", "discount_factor": False, "baseline": 0.5},
}


@pytest.mark.parametrize("choices", ESTIMATES.values(), ids=ESTIMATES)
@pytest.mark.parametrize("gamma", [1.0, 0.8])
def test_the_variance_of_one_episode_is_that_of_all_episodes(choices, gamma):
    """Against the sum over every episode that can happen, of four steps at most."""
    mdp, horizon = random_mdp(n_actions=2, n_states=3, seed=1), 4
    policy = exact.table_policy(3, 2)
    theta = np.random.default_rng(2).normal(size=6)
    pi, scores = policy.probabilities(theta), policy.scores(theta)
    weights, estimates = zip(*episodes(mdp, pi, scores, horizon, gamma, choices), strict=True)
    assert sum(weights) == pytest.approx(1.0, rel=1e-12)
    mean = np.average(estimates, axis=0, weights=weights)
    variance = np.average((np.array(estimates) - mean) ** 2, axis=0, weights=weights)
    found = exact.episode_variance(mdp, pi, scores, gamma=gamma, horizon=horizon, **choices)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-9, atol=1e-13)


def episodes(mdp, pi, scores, horizon, gamma, choices):
    """(probability, estimate) of every episode."""
    o = mdp.outcomes
    waiting = [(p, [], s) for s, p in enumerate(mdp.rho0) if p > 0]
    while waiting:
        p, steps, s = waiting.pop()
        for a in range(mdp.n_actions):
            row = s * mdp.n_actions + a
            for k in range(o.offsets[row], o.offsets[row + 1]):
                longer = [*steps, (s, a, o.reward[k])]
                q = p * pi[s, a] * o.probability[k]
                if o.terminated[k] or len(longer) == horizon:
                    yield q, estimate(longer, scores, gamma, **choices)
                else:
                    waiting.append((q, longer, o.following[k]))


def estimate(steps, scores, gamma, returns="to-go", discount_factor=True, baseline=0.0):
    g, total = 0.0, 0.0
    b = np.broadcast_to(baseline, 3)
    whole = sum(gamma**t * r for t, (_, _, r) in enumerate(steps))
    for t, (s, a, r) in reversed(list(enumerate(steps))):
        g = r + gamma * g
        total = total + (gamma**t if discount_factor else 1.0) * scores[s, a] * (
            (g if returns == "to-go" else whole) - b[s]
        )
    return total


def test_variance_until_the_end():
    mdp = random_mdp()
    policy = exact.table_policy(5, 3)
    theta = np.zeros(15)
    pi, scores = policy.probabilities(theta), policy.scores(theta)
    endless = exact.episode_variance(mdp, pi, scores)
    long = exact.episode_variance(mdp, pi, scores, horizon=400)
    np.testing.assert_allclose(endless.variance, long.variance, rtol=1e-9)
    np.testing.assert_allclose(endless.mean, policy.gradient(exact.evaluate(mdp, pi)), atol=1e-10)
    with pytest.raises(PgfastError, match="'to-go' or 'whole'"):
        exact.episode_variance(mdp, pi, scores, returns="all")
    never = TabularMDP(np.ones((1, 1, 1)), [[1.0]], [1.0], terminal=[])
    with pytest.raises(PgfastError, match="give a horizon"):
        exact.episode_variance(never, np.ones((1, 1)), np.zeros((1, 1, 1)))
