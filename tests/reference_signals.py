"""Advantages as their definitions have them, and what estimates made of them are worth on the average."""

from __future__ import annotations

import numpy as np
import reference
from reference_policies import softmax


class Trainer(reference.Trainer):
    """As `reference.Trainer`, whose scores meet advantages."""

    def advantages(self, episode):
        """A_t = Σ_k (γλ)ᵏ δ_{t+k}, of all steps or the next n."""
        s = self.settings
        value = (lambda v: float(self.weights @ v)) if s.baseline == "value" else (lambda v: 0.0)
        goes_on = s.bootstrap and episode.truncated
        v = [*map(value, episode.v), value(self.features.v(episode.last, len(episode))) if goes_on else 0.0]
        deltas = episode.paid(s) + s.gamma * np.array(v[1:]) - np.array(v[:-1])
        n = s.n_steps or len(deltas)
        return np.array(
            [sum((s.gamma * s.lam) ** k * d for k, d in enumerate(deltas[t : t + n])) for t in range(len(deltas))]
        )

    def update(self, batch, done):
        s, n, gradient, value_gradient = self.settings, len(batch), 0.0, 0.0
        for i, episode in enumerate(batch):
            level = 0.0 if s.baseline == "value" else self.baseline(batch, i)
            for t, advantage in enumerate(self.advantages(episode)):
                delta = advantage - np.broadcast_to(level, len(episode))[t]
                gradient = gradient + episode.gradient(t, self.theta, delta, s) / n
                value_gradient = value_gradient + advantage * episode.v[t] / n
        self.move(gradient, value_gradient, done)


def expected_estimate(mdp, theta, v, settings):
    """The mean of Σ_t w_t A_t ∇log π(A_t|S_t), (S, A), with a critic v (S,) as it is, where the last state ends
    episodes: backward, by the time left of the episode and of the n steps."""
    gamma, lam, horizon = settings["gamma"], settings.get("lam", 1.0), mdp.max_steps
    n = settings.get("n_steps") or horizon
    pi, going = softmax(theta), np.ones(mdp.n_states)
    going[-1] = 0.0
    v, h = v * going, -np.sum(pi * np.log(pi), axis=1)
    pay = mdp.R + (settings["entropy"] * h[:, None] if settings.get("soft") else 0.0)
    advantage = np.zeros((horizon + 1, n + 1, *theta.shape))  # at time t, of so many steps
    for t in range(horizon - 1, -1, -1):
        following = v if t < horizon - 1 or settings.get("bootstrap") else 0.0 * v
        delta = pay + gamma * mdp.P @ following - v[:, None]
        for k in range(1, n + 1):
            later = going * np.sum(pi * advantage[t + 1, k - 1], axis=1)
            advantage[t, k] = delta + gamma * lam * mdp.P @ later
    total, seen, weight = np.zeros(theta.shape), np.array(mdp.rho0, float), 1.0
    for t in range(horizon):
        seen = seen * going
        a = advantage[t, n]
        total += weight * seen[:, None] * pi * (a - np.sum(pi * a, axis=1, keepdims=True))
        if settings.get("entropy"):
            total -= weight * seen[:, None] * settings["entropy"] * pi * (np.log(pi) + h[:, None])
        seen = np.einsum("s,sa,sax->x", seen, pi, mdp.P)
        weight *= gamma if settings.get("discount_factor") else 1.0
    return total
