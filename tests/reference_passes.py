"""PPO and TRPO in NumPy, one step at a time: what `reference.py` plays, gone over as the papers write it."""

from __future__ import annotations

import numpy as np
import reference
from reference_policies import Gaussian


def advantages(rewards, values, gamma, lam, last=0.0):
    """Â_t = Σ_l (γλ)ˡ δ_{t+l} (Schulman et al. 2016, equation 16), the sum written out; `last` is v̂ of what is observed
    last."""
    following = np.append(values[1:], last)
    deltas = np.asarray(rewards) + gamma * following - values
    return np.array([sum((gamma * lam) ** k * d for k, d in enumerate(deltas[t:])) for t in range(len(deltas))])


def distribution(policy, x, theta):
    """Probabilities, or (μ, σ)."""
    if isinstance(policy, Gaussian):
        return policy.distribution(x, theta)
    return policy.pi(x @ theta) if hasattr(policy, "pi") else reference.softmax(x @ theta)


def log_chance(policy, x, theta, action):
    """log π(action)."""
    if isinstance(policy, Gaussian):
        return policy.log_density(x, theta, action)
    return float(np.log(distribution(policy, x, theta)[action]))


def divergence(policy, x, old, new):
    """KL(π_old ‖ π_new) at an observation."""
    p, q = distribution(policy, x, old), distribution(policy, x, new)
    if not isinstance(policy, Gaussian):
        return float(np.sum(p * np.log(p / q)))
    (mean, std), (other, wide) = p, q
    return float(np.sum(np.log(wide / std) + (std**2 + (mean - other) ** 2) / (2 * wide**2) - 0.5))


class Passes(reference.Trainer):
    """A trainer whose batch is a list of steps: x, v, action, log π at the time, advantage, what v̂ should be, and the
    time."""

    def written_down(self, batch):
        s, out = self.settings, []
        for e in batch:
            values = np.array([self.weights @ v for v in e.v])
            last = self.weights @ self.features.v(e.last, len(e)) if s.bootstrap and e.truncated else 0.0
            found = advantages(e.rewards, values, s.gamma, s.lam, last)
            for t in range(len(e)):
                before = log_chance(self.policy, e.x[t], self.theta, e.actions[t])
                out.append((e.x[t], e.v[t], e.actions[t], before, found[t], found[t] + values[t], t))
        return out

    def standardised(self, steps):
        """The advantages as they are used."""
        a = np.array([step[4] for step in steps])
        return (a - a.mean()) / (a.std() + 1e-8) if self.settings.normalise_advantages else a

    def value_gradient(self, steps, count):
        return sum((target - self.weights @ v) * v for _, v, _, _, _, target, _ in steps) / count


class Ppo(Passes):
    """Every episode of a batch begins at the same turn, so that its parts are those of time."""

    def update(self, batch, done):
        s, steps = self.settings, self.written_down(batch)
        used = self.standardised(steps)
        for k in range(s.epochs * s.minibatches):
            part = [
                (step, a) for step, a in zip(steps, used, strict=True) if step[6] % s.minibatches == k % s.minibatches
            ]
            count = len(batch) / s.minibatches
            gradient = sum(self.part(step, a) for step, a in part) / count
            self.move(gradient, self.value_gradient([step for step, _ in part], count), done)

    def part(self, step, advantage):
        """∇ min(r A, clip(r) A) + β ∇H."""
        s, (x, _, action, before, *_) = self.settings, step
        ratio = np.exp(log_chance(self.policy, x, self.theta, action) - before)
        used = min(ratio * advantage, np.clip(ratio, 1 - s.clip, 1 + s.clip) * advantage) == ratio * advantage
        gradient = used * ratio * advantage * self.policy.score(x, self.theta, action)
        return gradient + s.entropy * self.policy.entropy_gradient(x, self.theta)


class Trpo(Passes):
    def update(self, batch, done):
        """…with the linear equations solved, whatever it takes."""
        s, steps = self.settings, self.written_down(batch)
        used = self.standardised(steps)
        x, f, g = self.natural_gradient(steps, used)
        self.weights = self.weights + s.lr_value * self.value_rule.step(self.value_gradient(steps, len(batch)))
        full, old = np.sqrt(2 * s.max_kl / (x @ f @ x)) * x, self.theta
        for k in range(10):
            self.theta = old + full / 2**k
            gain, spread = self.judged(steps, used, old)
            if gain > 0 and spread <= s.max_kl:
                self.gains = [*getattr(self, "gains", []), (gain, spread)]
                self.moves.append((done, float(g @ g)))
                return
        self.theta = old

    def natural_gradient(self, steps, used):
        """(F + damping I)⁻¹ g, that matrix and g."""
        scores = np.array([self.policy.score(x, self.theta, action) for x, _, action, *_ in steps])
        g = scores.T @ used / len(steps)
        f = scores.T @ scores / len(steps) + self.settings.damping * np.eye(len(g))
        return np.linalg.solve(f, g), f, g

    def judged(self, steps, used, old):
        """How much better the surrogate is, and how far the policy has gone."""
        ratios = [np.exp(log_chance(self.policy, x, self.theta, a) - before) for x, _, a, before, *_ in steps]
        spread = [divergence(self.policy, x, old, self.theta) for x, *_ in steps]
        return np.mean(np.array(ratios) * used) - np.mean(used), np.mean(spread)


class Natural(Trpo):
    def update(self, batch, done):
        """A step along the natural gradient, cut to the bound."""
        s, steps = self.settings, self.written_down(batch)
        x, f, g = self.natural_gradient(steps, np.array([step[4] for step in steps]))
        self.weights = self.weights + s.lr_value * self.value_rule.step(self.value_gradient(steps, len(batch)))
        change = 0.5 * s.lr**2 * (x @ f @ x)
        self.theta = self.theta + s.lr * x * (np.sqrt(s.max_kl / change) if change > s.max_kl > 0 else 1.0)
        self.moves.append((done, float(g @ g)))
