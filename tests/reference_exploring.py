"""What expected, pgpe and gradient-bandit compute, once more, one number at a time, as their sources write it."""

from __future__ import annotations

import numpy as np
from reference import StepRule, Trainer, discounted_returns, number, softmax

from pgfast.random import POLICY


class ExpectedTrainer(Trainer):
    """The all-action gradient; q̂ is linear in what the preferences are linear in, the rows of x."""

    def __init__(self, engine, run):
        super().__init__(engine, run)
        self.weights, self.kept = np.zeros(self.theta.size), np.zeros(self.theta.size)

    def update(self, batch, done):
        s, n = self.settings, len(batch)
        gradient, errors, visits = (np.zeros(self.theta.size) for _ in range(3))
        for e in batch:
            returns, weights = discounted_returns(e.rewards, s.gamma), e.weights(s)
            for t in range(len(e)):
                x, pi = e.x[t], softmax(e.x[t] @ self.theta)
                q = x @ self.weights
                gradient += weights[t] * x.T @ (pi * (q - pi @ q))
                if s.entropy:
                    gradient += weights[t] * s.entropy * e.policy.entropy_gradient(x, self.theta)
                taken = x[e.actions[t]]
                errors += (returns[t] - taken @ self.weights) * taken
                visits += np.abs(taken) * np.abs(taken).sum()
        self.theta = self.theta + s.lr * self.rule.step(gradient / n)
        seen = visits > 0
        self.kept[seen] = (1 - s.lr_value) * self.kept[seen] + visits[seen]
        self.weights[seen] += errors[seen] / self.kept[seen]


class Greedy:
    """The preferred action of a policy, or the mean of one of real actions."""

    def __init__(self, policy, real):
        self.policy, self.real = policy, real

    def act(self, x, theta, numbers):
        if self.real:
            taken = np.clip(self.policy.distribution(x, theta)[0], self.policy.low, self.policy.high).tolist()
            return None, tuple(taken) if len(taken) > 1 else taken[0], 0.0
        action = int(np.argmax(x @ theta))
        return action, action + self.policy.first, 0.0

    def entropy(self, x, theta):
        return 0.0


class PgpeTrainer(Trainer):
    """Symmetric sampling around μ = θ; of a softmax the last action's part of μ isn't explored, of a Gaussian ρ
    isn't."""

    def __init__(self, engine, run):
        super().__init__(engine, run)
        self.policy, model = Greedy(self.policy, bool(engine.model.n_reals)), engine.model
        self.explored = np.arange(model.n_rows)
        if model.n_reals:
            self.explored = np.delete(self.explored, np.arange(1, model.shape[0] + 1) * model.shape[1] - 1)
        self.tied = model.shape[1] if model.name == "linear" else 0  # what the last action's part moves against
        self.rho, self.rho_rule, self.returns = np.zeros(model.n_rows), StepRule(self.settings), []

    def stray(self, episode):
        """ε/σ."""
        rows, pair = self.rho.size, episode - episode % 2
        u = [number(self.settings.seed, self.run, pair, 0, j, POLICY) for j in range(rows + rows % 2)]
        radius, angle = np.sqrt(-2 * np.log(1 - np.array(u[::2]))), 2 * np.pi * np.array(u[1::2])
        normals = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).reshape(-1)[:rows]
        z = np.zeros(rows)
        z[self.explored] = normals[self.explored] * (-1 if episode % 2 else 1)
        return z

    def play(self, number_of_episode):
        centre, z = self.theta, self.stray(number_of_episode)
        self.theta = centre.copy()
        self.theta[: z.size] += self.settings.sigma0 * np.exp(self.rho) * z
        episode = super().play(number_of_episode)
        self.theta, episode.z = centre, z
        return episode

    def update(self, batch, done):
        s, n = self.settings, len(batch)
        level = np.mean(self.returns) if self.returns and s.baseline == "mean" else 0.0
        gradient, rho_gradient = np.zeros(self.theta.size), np.zeros(self.rho.size)
        for e in batch:
            gain = discounted_returns(e.rewards, s.gamma)[0] - level
            gradient[: e.z.size] += gain * e.z / (s.sigma0 * np.exp(self.rho))
            rho_gradient[self.explored] += gain * (e.z[self.explored] ** 2 - 1)
            self.returns.append(gain + level)
        if self.tied:
            gradient[-self.tied :] = -gradient[: -self.tied].reshape(-1, self.tied).sum(axis=0)
        self.theta = self.theta + s.lr * self.rule.step(gradient / n)
        self.rho = self.rho + s.lr_sigma * self.rho_rule.step(rho_gradient / n)


def gradient_bandit(pulls, preferences, step, baseline):
    """Sutton & Barto (2018), equation 2.12: the preferences after pulls (arm, reward)."""
    h, rewards = np.array(preferences, float), []
    for arm, reward in pulls:
        level = (np.mean(rewards) if rewards else reward) if baseline else 0.0
        pi = softmax(h)
        for b in range(len(h)):
            h[b] += step * (reward - level) * (1 - pi[b] if b == arm else -pi[b])
        rewards.append(reward)
    return h
