"""What the kernels compute, once more: one number at a time, as the textbooks write it.

A softmax policy's preferences are linear in its parameters: h = x θ, where row b of the matrix x (A, P) is ∇h_b at the
observation in question. A actions, P parameters, T steps of an episode; a Gaussian policy has K numbers to an action,
and D features x.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import reference_features
from reference_policies import Gaussian, entropy, entropy_gradient, policy_of, score, softmax  # noqa: F401

from pgfast.kernels.lanes import TABLES
from pgfast.random import POLICY, TRAIN, make_key

MASK = 0xFFFFFFFF

# ---- random numbers


def philox4x32(counter, key, rounds):
    """Four words of counter and two of key to four random words (Salmon et al. 2011, section 4.3)."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(rounds):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = p1 >> 32 ^ c1 ^ k0, p1 & MASK, p0 >> 32 ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


def counter(run, episode, step, block=0, family=0, stream=TRAIN):
    """The counter of one block of numbers."""
    high = block | family << 16 | stream << 18 | (episode >> 40) << 20
    return step, episode & MASK, run | (episode >> 32 & 0xFF) << 24, high


def number(seed, run, episode, step, j, family=0, stream=TRAIN):
    """The j-th number in [0, 1) of a step: two of them come from one block."""
    words = philox4x32(counter(run, episode, step, j // 2, family, stream), (seed & MASK, seed >> 32), 7)
    high, low = words[2:] if j % 2 else words[:2]
    return (high << 20 | low >> 12) / 2**52


def number_single(seed, run, episode, step, j, family=0, stream=TRAIN, bits=24):
    """As `number` in single precision, or of 32 bits where a tabular policy plays a table: a block gives four."""
    words = philox4x32(counter(run, episode, step, j // 4, family, stream), (seed & MASK, seed >> 32), 7)
    return (words[j % 4] >> 32 - bits) / 2**bits


def one_hot(index, n):
    return np.eye(n)[index]


class Features:
    """The matrix x of a policy, and the features v of its learned baseline, at an observation."""

    def __init__(self, engine):
        self.env, self.traits, self.name = engine.source.env, engine.traits, engine.model.name
        self.bias = engine.settings.bias or self.name == "state-action"
        self.engine, self.sparse = engine, engine.model.sparse
        self.rows, self.width = engine.model.tabular * engine.model.n_states, engine.model.shape[-1]  # of a table
        self.shared = engine.settings.shared

    def v(self, observation, t=0):
        if self.engine.settings.features != "auto":
            x = reference_features.values(self.engine, observation)
            return np.append(x, [0.0] * (self.sparse and self.name == "gaussian"))
        if self.rows > 0:
            s = 0 if self.shared else observation - self.traits.first_observation
            return one_hot(s + (t * self.traits.n_observations if self.name == "timed" else 0), self.rows)
        if self.traits.n_observations is not None:
            return one_hot(observation - self.traits.first_observation, self.traits.n_observations)
        return np.append(np.atleast_1d(observation), [1.0] * self.bias)

    def x(self, observation, t=0):
        n, first = self.traits.n_actions, self.traits.first_action
        if self.rows > 0 or (self.sparse and self.name == "linear"):
            return np.kron(self.v(observation, t), np.eye(self.width))
        if "gaussian" in self.name:
            return self.v(observation)
        if self.name in ("linear", "exponential-family"):
            return np.kron(np.eye(self.engine.model.shape[0]), self.v(observation))
        if hasattr(self.env, "features"):
            return np.array([self.env.features(observation, first + b) for b in range(n)], float)
        return np.eye(n)


# ---- REINFORCE


def discounted_returns(rewards, gamma):
    """G_t = R_{t+1} + γ G_{t+1}."""
    out, g = np.zeros(len(rewards)), 0.0
    for t in reversed(range(len(rewards))):
        out[t] = g = rewards[t] + gamma * g
    return out


@dataclass
class Episode:
    policy: Any
    x: list[np.ndarray] = field(default_factory=list)
    v: list[np.ndarray] = field(default_factory=list)
    actions: list[Any] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)  # H(π(·|S_t))
    last: Any = None  # what is observed at the end,
    truncated: bool = True  # which comes by the time limit
    surprise: float = 0.0  # −Σ_t log π(A_t|S_t)

    def __len__(self):
        return len(self.rewards)

    @property
    def entropy(self):
        """Σ_t H(π(·|S_t))."""
        return sum(self.entropies)

    def paid(self, settings):
        """What each step pays: the reward, and where entropy is soft, τ H(π(·|S_t))."""
        bonus = settings.entropy * np.array(self.entropies) if settings.soft else 0.0
        return np.array(self.rewards) + bonus

    def credits(self, settings):
        """X_t: the return-to-go, or the whole return."""
        g = discounted_returns(self.paid(settings), settings.gamma)
        return np.full(len(g), g[0]) if settings.returns == "whole" else g

    def weights(self, settings):
        """w_t: γᵗ or 1."""
        return settings.gamma ** np.arange(len(self)) if settings.discount_factor else np.ones(len(self))

    def gradient(self, t, theta, delta, settings):
        """Step t's part of the estimate: w_t (δ_t ∇ log π(A_t|S_t) + β ∇H(π(·|S_t)))."""
        direction = delta * self.policy.score(self.x[t], theta, self.actions[t])
        if settings.entropy:
            direction = direction + settings.entropy * self.policy.entropy_gradient(self.x[t], theta)
        return self.weights(settings)[t] * direction

    def estimate(self, theta, baseline, settings):
        """This episode's estimate of ∇J, given the baselines b_t."""
        deltas = self.credits(settings) - baseline
        return sum(self.gradient(t, theta, deltas[t], settings) for t in range(len(self)))


def others_mean(episodes, i, settings):
    """The mean G_0 of the episodes of a batch without the i-th; 0 where there is no other."""
    g = [discounted_returns(e.rewards, settings.gamma)[0] for k, e in enumerate(episodes) if k != i]
    return float(np.mean(g)) if g else 0.0


class StepRule:
    """SGD, momentum, RMSProp or Adam, uphill, with the state of one vector of parameters."""

    def __init__(self, settings):
        self.settings, self.m, self.v, self.t = settings, 0.0, 0.0, 0

    def step(self, g):
        s = self.settings
        self.t += 1
        if s.optimizer == "sgd":
            return g
        if s.optimizer == "momentum":
            self.m = s.momentum * self.m + g
            return self.m
        self.v = s.beta2 * self.v + (1 - s.beta2) * g**2
        if s.optimizer == "rmsprop":
            return g / (np.sqrt(self.v) + s.epsilon)
        self.m = s.momentum * self.m + (1 - s.momentum) * g
        return (self.m / (1 - s.momentum**self.t)) / (np.sqrt(self.v / (1 - s.beta2**self.t)) + s.epsilon)


def scheduled(settings, updates, episodes):
    """What step sizes are multiplied by, after so many updates and episodes."""
    decayed = 1.0 + updates / settings.schedule_updates
    return {
        "constant": 1.0,
        "linear": max(0.0, 1.0 - episodes / settings.episodes),
        "inverse": 1.0 / decayed,
        "robbins-monro": decayed**-settings.schedule_power,
    }[settings.schedule]


def shortened(gradient, max_norm):
    """A gradient, its norm not larger than `max_norm`."""
    norm = np.linalg.norm(gradient)
    return gradient if max_norm is None or norm <= max_norm else gradient * (max_norm / norm)


@dataclass
class Numbers:
    """What the policy draws with at time t of an episode: where the environment leaves a number, it takes that too."""

    seed: int
    run: int
    episode: int
    t: int
    paired: bool  # the environment's steps draw nothing
    precision: str
    table: bool = False  # a tabular policy plays a table

    @property
    def sharing(self):
        """Steps that have their numbers from the same blocks."""
        return (4 if self.precision == "float32" or self.table else 2) // (1 if self.paired else 2)

    def number(self, j, family):
        """The j-th number in [0, 1) of the first of these steps."""
        place = self.seed, self.run, self.episode, self.t - self.t % self.sharing + 1, j, family
        single = self.table or self.precision == "float32"
        return number_single(*place, bits=32 if self.table else 24) if single else number(*place)

    def uniform(self):
        return self.number(self.t % self.sharing * (1 if self.paired else 2), 0)

    def key(self):
        """What the environment's step draws from."""
        key = make_key(self.seed, self.run, self.episode, self.t + 1, TRAIN, self.precision)
        return key._replace(first=self.number(self.t % 2 * 2 + 1, 0)) if self.table else key

    def normal(self, k, size):
        """The k-th of the step's `size` normal numbers, by Box and Muller (1958)."""
        j = self.t % self.sharing * size + k
        u, v = self.number(j - j % 2, POLICY), self.number(j - j % 2 + 1, POLICY)
        return np.sqrt(-2 * np.log(1 - u)) * (np.sin if j % 2 else np.cos)(2 * np.pi * v)


class Trainer:
    """One run: plays an engine's environment in plain Python, and learns as the engine's settings say."""

    def __init__(self, engine, run):
        self.settings, self.env, self.traits, self.run = engine.settings, engine._problem.env, engine.traits, run
        self.precision = engine.settings.precision if engine.model.width else "float64"
        self.table = engine.model.precision is TABLES
        self.features = Features(engine)
        self.policy = policy_of(engine)
        self.theta = engine.theta[run].reshape(-1)
        self.weights = np.zeros(engine.model.n_values)  # of the learned baseline
        self.rule, self.value_rule = StepRule(engine.settings), StepRule(engine.settings)
        self.mean, self.steps = 0.0, 0  # the running mean of X_t, and how many they were
        self.episodes: list[Episode] = []
        self.moves: list[tuple[int, float]] = []  # of each update: the episodes before its batch, |gradient|²

    def play(self, number_of_episode):
        """One episode with θ as it is."""
        seed, run, env, episode = self.settings.seed, self.run, self.env, Episode(self.policy)
        state = env.reset(make_key(seed, run, number_of_episode, 0, TRAIN, self.precision))
        for t in range(self.traits.max_steps):
            observation = env.observe(state) if hasattr(env, "observe") else state
            x = self.features.x(observation, t)
            numbers = Numbers(seed, run, number_of_episode, t, self.traits.paired, self.precision, self.table)
            action, taken, surprise = self.policy.act(x, self.theta, numbers)
            state, reward, terminated = env.step(state, taken, numbers.key())
            episode.x.append(x)
            episode.v.append(self.features.v(observation, t))
            episode.actions.append(action)
            episode.rewards.append(float(reward))
            episode.entropies.append(self.policy.entropy(x, self.theta))
            episode.surprise += surprise
            if terminated:
                episode.truncated = False
                break
        episode.last = env.observe(state) if hasattr(env, "observe") else state
        return episode

    def baseline(self, batch, i):
        """b_t of the i-th episode of a batch, with the value function as it is."""
        s, episode = self.settings, batch[i]
        if s.baseline == "value":
            return np.array([self.weights @ v for v in episode.v])
        level = {"none": 0.0, "mean": self.mean, "batch": others_mean(batch, i, s)}[s.baseline]
        return np.full(len(episode), level)

    def move(self, gradient, value_gradient, done):
        """θ and w take a step each."""
        s, scale = self.settings, scheduled(self.settings, len(self.moves), done)
        self.moves.append((done, float(gradient @ gradient)))
        self.theta = self.theta + scale * s.lr * self.rule.step(shortened(gradient, s.max_norm))
        if s.baseline == "value":
            step = self.value_rule.step(shortened(value_gradient, s.max_norm))
            self.weights = self.weights + scale * s.lr_value * step

    def update(self, batch, done):
        """One step along the mean of the batch's estimates."""
        s, n = self.settings, len(batch)
        gradient = sum(e.estimate(self.theta, self.baseline(batch, i), s) for i, e in enumerate(batch)) / n
        value_gradient = sum(
            (g - self.weights @ v) * v
            for e in batch
            for g, v in zip(discounted_returns(e.rewards, s.gamma), e.v, strict=True)
        )
        self.move(gradient, value_gradient / n, done)

    def update_in_loop(self, batch, done):
        """A step at every step of every episode, as in the pseudocode of Sutton & Barto (2018), p. 328."""
        s = self.settings
        for i, e in enumerate(batch):
            credits, returns = e.credits(s), discounted_returns(e.rewards, s.gamma)
            for t in range(len(e)):
                value_gradient = (returns[t] - self.weights @ e.v[t]) * e.v[t]
                delta = credits[t] - self.baseline(batch, i)[t]
                self.move(e.gradient(t, self.theta, delta, s), value_gradient, done)

    def train(self, count):
        """Play and learn from `count` more episodes."""
        s, first = self.settings, len(self.episodes)
        for start in range(first, first + count, s.batch):
            batch = [self.play(k) for k in range(start, min(start + s.batch, first + count))]
            (self.update_in_loop if s.in_loop else self.update)(batch, start)
            for e in batch:
                self.steps += len(e)
                self.mean += (e.credits(s).sum() - len(e) * self.mean) / self.steps
            self.episodes += batch
        return self


def train(engine, episodes) -> list[Trainer]:
    """Every run of a fresh engine, trained for so many episodes."""
    return [Trainer(engine, run).train(episodes) for run in range(engine.settings.runs)]


def rows(trainer, every, exact_entropy) -> dict[str, Any]:
    """What a curve with a point every so many episodes says of one run."""
    out: dict[str, list[float]] = {k: [] for k in ("steps", "mean_return", "std_return", "entropy", "gradient_norm")}
    for first in range(0, len(trainer.episodes), every):
        episodes = trainer.episodes[first : first + every]
        returns, steps = [sum(e.rewards) for e in episodes], sum(map(len, episodes))
        norms = [square for done, square in trainer.moves if first <= done < first + every]
        out["steps"].append(steps)
        out["mean_return"].append(float(np.mean(returns)))
        out["std_return"].append(float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0)
        out["entropy"].append(sum(e.entropy if exact_entropy else e.surprise for e in episodes) / steps)
        out["gradient_norm"].append(float(np.sqrt(np.mean(norms))))
    return {k: np.array(v) for k, v in out.items()} | {"steps": np.cumsum(out["steps"])}
