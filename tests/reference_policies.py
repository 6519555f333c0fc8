"""Policies in NumPy, which `reference.py` plays."""

from __future__ import annotations

import numpy as np


def softmax(h):
    """exp h_a / Σ_b exp h_b, along the last axis."""
    e = np.exp(h - np.max(h, axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def finite_differences(f, theta, h=1e-5):
    """∂f/∂θ by central differences."""
    gradient = np.zeros_like(theta)
    for place in np.ndindex(theta.shape):
        step = np.zeros_like(theta)
        step[place] = h
        gradient[place] = (f(theta + step) - f(theta - step)) / (2 * h)
    return gradient


def score(x, theta, action):
    """∇ log π(action) = x_action − Σ_b π_b x_b."""
    return x[action] - softmax(x @ theta) @ x


def entropy(x, theta):
    """H = −Σ_b π_b log π_b."""
    p = softmax(x @ theta)
    return -sum(p_b * np.log(p_b) for p_b in p if p_b > 0)


def entropy_gradient(x, theta):
    """∇H = −Σ_b π_b (log π_b + H) x_b."""
    p = softmax(x @ theta)
    return -(p * (np.log(p) + entropy(x, theta))) @ x


class Softmax:
    """A policy that chooses among actions."""

    def __init__(self, traits):
        self.first = traits.first_action

    def act(self, x, theta, numbers):
        """(what has a score, what the environment gets, −log π)"""
        p = softmax(x @ theta)
        action = int(np.sum(np.cumsum(p)[:-1] <= numbers.uniform()))
        return action, action + self.first, -np.log(p[action])

    score, entropy, entropy_gradient = staticmethod(score), staticmethod(entropy), staticmethod(entropy_gradient)


STEP = 1e-30  # of derivatives by a complex step, which are as good as the function itself (Squire & Trapp 1998)


class Linked(Softmax):
    """A policy given by its probabilities as an analytic function of the numbers z = x θ."""

    def __init__(self, engine):
        super().__init__(engine.traits)
        s, a = engine.settings, engine.traits.n_actions
        x = np.linspace(-1, 1, a)
        given = isinstance(s.statistics, list)
        statistics = np.array(s.statistics if given else [[y**k for k in range(1, s.statistics + 1)] for y in x])
        self.pi = {
            "escort": lambda z: (z**2) ** (s.escort_power / 2) / np.sum((z**2) ** (s.escort_power / 2)),
            "mixed": lambda z: (1 - s.mixing) * softmax_of(z) + s.mixing / a,
            "exponential-family": lambda z: softmax_of(statistics @ z),
        }.get(engine.model.name, lambda z: softmax_of(z / s.temperature))

    def act(self, x, theta, numbers):
        p = self.pi(x @ theta)
        action = int(np.sum(np.cumsum(p)[:-1] <= numbers.uniform()))
        return action, action + self.first, -np.log(p[action])

    def score(self, x, theta, action):
        return slopes(lambda z: np.log(self.pi(z)[action]), x @ theta) @ x

    def entropy(self, x, theta):
        p = self.pi(x @ theta)
        return -np.sum(p * np.log(p))

    def entropy_gradient(self, x, theta):
        return slopes(lambda z: -np.sum(self.pi(z) * np.log(self.pi(z))), x @ theta) @ x


def softmax_of(h):
    """As `softmax`, of complex numbers too."""
    e = np.exp(h - np.max(h.real))
    return e / e.sum()


def slopes(f, z):
    """∂f/∂z."""
    return np.array([f(z + 1j * STEP * unit).imag / STEP for unit in np.eye(len(z))])


class Gaussian:
    """a_k ~ N(middle_k + w_k · x, σ_k²) with log σ_k = log std0_k + ρ_k; a row of θ (K, D + 1) is w_k and ρ_k."""

    def __init__(self, space, std0=None):
        low, high = space.low.reshape(-1).astype(float), space.high.reshape(-1).astype(float)
        bounded = np.isfinite(high - low)
        self.low, self.high = low, high
        self.middle = np.array([(a + b) / 2 if both else 0.0 for a, b, both in zip(low, high, bounded, strict=True)])
        widths = [b - a if both else np.sqrt(12) for a, b, both in zip(low, high, bounded, strict=True)]
        self.std0 = np.array(widths) / np.sqrt(12) if std0 is None else np.zeros(len(low)) + std0

    def distribution(self, x, theta):
        """μ and σ, each (K,)."""
        rows = theta.reshape(len(self.low), -1)
        return self.middle + rows[:, :-1] @ x, self.std0 * np.exp(rows[:, -1])

    def act(self, x, theta, numbers):
        """As of `Softmax`; the log has the entropy itself, so that −log π isn't asked for."""
        mean, std = self.distribution(x, theta)
        drawn = mean + std * [numbers.normal(k, len(mean)) for k in range(len(mean))]
        taken = np.clip(drawn, self.low, self.high).tolist()
        return drawn, tuple(taken) if len(taken) > 1 else taken[0], 0.0

    def log_density(self, x, theta, drawn):
        mean, std = self.distribution(x, theta)
        return float(np.sum(-(((drawn - mean) / std) ** 2) / 2 - np.log(std) - np.log(2 * np.pi) / 2))

    def score(self, x, theta, drawn):
        mean, std = self.distribution(x, theta)
        z = (drawn - mean) / std
        return np.column_stack([np.outer(z / std, x), z**2 - 1]).reshape(-1)

    def entropy(self, x, theta):
        return float(np.sum(np.log(self.distribution(x, theta)[1]) + np.log(2 * np.pi * np.e) / 2))

    def entropy_gradient(self, x, theta):
        k = len(self.low)
        return np.column_stack([np.zeros((k, len(x))), np.ones(k)]).reshape(-1)


class SparseGaussian(Gaussian):
    """The same with θ (D + 1, K), and features with a 0 at their end, in whose place ρ stands."""

    def distribution(self, x, theta):
        rows = theta.reshape(-1, len(self.low))
        return self.middle + x @ rows, self.std0 * np.exp(rows[-1])

    def score(self, x, theta, drawn):
        mean, std = self.distribution(x, theta)
        z = (drawn - mean) / std
        return np.vstack([np.outer(x[:-1], z / std), z**2 - 1]).reshape(-1)

    def entropy_gradient(self, x, theta):
        return np.append(np.zeros(theta.size - len(self.low)), np.ones(len(self.low)))


class DeviationGaussian(Gaussian):
    """As `Gaussian` with log σ_k = log std0_k + ρ_k · x, θ (K, 2, D), and what is drawn squashed into the Box."""

    def __init__(self, space):
        super().__init__(space)
        self.half = (self.high - self.low) / 2
        self.std0 = self.std0 / self.half

    def distribution(self, x, theta):
        mean, rho = np.moveaxis(theta.reshape(len(self.low), 2, -1), 1, 0)
        return mean @ x, self.std0 * np.exp(rho @ x)

    def act(self, x, theta, numbers):
        mean, std = self.distribution(x, theta)
        drawn = mean + std * [numbers.normal(k, len(mean)) for k in range(len(mean))]
        taken = (self.low + self.half + self.half * np.tanh(drawn)).tolist()
        return drawn, tuple(taken) if len(taken) > 1 else taken[0], 0.0

    def score(self, x, theta, drawn):
        mean, std = self.distribution(x, theta)
        z = (drawn - mean) / std
        return np.stack([np.outer(z / std, x), np.outer(z**2 - 1, x)], axis=1).reshape(-1)

    def entropy_gradient(self, x, theta):
        k = len(self.low)
        return np.stack([np.zeros((k, len(x))), np.tile(x, (k, 1))], axis=1).reshape(-1)


def policy_of(engine):
    """The policy of an engine."""
    space = engine.source.env.action_space
    if engine.model.name == "gaussian-linear-std":
        return DeviationGaussian(space)
    if engine.model.name == "gaussian":
        return (SparseGaussian if engine.model.sparse else Gaussian)(space, engine.settings.std0)
    linked = engine.settings.temperature != 1 or engine.model.name in ("escort", "mixed", "exponential-family")
    return Linked(engine) if linked else Softmax(engine.traits)
