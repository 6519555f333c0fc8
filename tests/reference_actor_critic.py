"""Actor–critic with eligibility traces once more: as the textbook writes it (Sutton & Barto 2018, pp. 332 and 333)."""

from __future__ import annotations

import numpy as np
from reference import Numbers, Trainer

from pgfast.random import TRAIN, make_key


class StepTrainer(Trainer):
    """One run that plays an engine's environment in plain Python, θ and w moving at every step."""

    def __init__(self, engine, run):
        super().__init__(engine, run)
        self.continues = self.settings.algorithm == "actor-critic-continuing"
        self.average = 0.0
        self.rewards: list[float] = []

    def train(self, episodes):
        state = None
        for episode in range(episodes):
            if state is None or not self.continues:
                state = self.start(episode)
                self.forget()
            state = self.segment(episode, state)
        return self

    def start(self, episode):
        return self.env.reset(make_key(self.settings.seed, self.run, episode, 0, TRAIN, self.precision))

    def forget(self):
        self.trace, self.value_trace = np.zeros_like(self.theta), np.zeros_like(self.weights)

    def segment(self, episode, state):
        """One episode; the state that it ends in."""
        total, last = 0.0, self.traits.max_steps - 1
        for t in range(self.traits.max_steps):
            x, v = self.seen(state, t)
            place = self.settings.seed, self.run, episode, t
            numbers = Numbers(*place, self.traits.paired, self.precision, self.table)
            action, taken, _ = self.policy.act(x, self.theta, numbers)
            state, reward, terminated = self.env.step(state, taken, numbers.key())
            total += reward
            if terminated and self.continues:
                state = self.start(episode + 1)
            following = (
                0.0 if terminated and not self.continues else self.weights @ self.seen(state, min(t + 1, last))[1]
            )
            self.learn(x, v, action, reward, t, following, episode)
            if terminated:
                break
        self.rewards.append(total)
        return state

    def seen(self, state, t):
        observation = self.env.observe(state) if hasattr(self.env, "observe") else state
        return self.features.x(observation, t), self.features.v(observation, t)

    def learn(self, x, v, action, reward, t, following, episode):
        s = self.settings
        delta = reward - self.average + s.gamma * following - self.weights @ v
        weight = s.gamma**t if s.discount_factor else 1.0
        self.trace, self.value_trace = s.gamma * s.lam * self.trace, s.gamma * s.lam_value * self.value_trace
        if s.replacing:
            self.trace.reshape(len(v), -1)[v != 0] = 0.0
            self.value_trace[v != 0] = 0.0
        self.trace = self.trace + weight * self.policy.score(x, self.theta, action)
        self.value_trace = self.value_trace + v
        gradient = delta * self.trace
        if s.entropy:
            gradient = gradient + weight * s.entropy * self.policy.entropy_gradient(x, self.theta)
        self.move(gradient, delta * self.value_trace, episode)
        if self.continues:
            self.average += s.lr_average * delta
