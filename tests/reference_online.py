"""What an agent learns online, once more: as the textbook writes it."""

from __future__ import annotations

from reference import Numbers, Trainer


class OnlineTrainer(Trainer):
    """The one-step actor–critic (Sutton & Barto 2018, p. 332), shown observations one after the other."""

    def __init__(self, engine):
        super().__init__(engine, run=0)
        self.episode, self.t, self.waiting = 0, 0, None

    def act(self, observation):
        if self.waiting is not None:
            self.learn(*self.waiting, self.weights @ self.features.v(observation))
        self.seen = self.features.x(observation), self.features.v(observation)
        numbers = Numbers(self.settings.seed, 0, self.episode, self.t, False, self.precision)
        self.action, taken, _ = self.policy.act(self.seen[0], self.theta, numbers)
        return taken

    def observe(self, reward, terminated, truncated, observation=None):
        self.waiting = *self.seen, self.action, reward, self.t
        self.t += 1
        if terminated:
            self.learn(*self.waiting, 0.0)
        elif truncated and observation is not None:
            self.learn(*self.waiting, self.weights @ self.features.v(observation))
        if terminated or truncated:
            self.waiting, self.t = None, 0
            self.episode += 1

    def learn(self, x, v, action, reward, t, following):
        s = self.settings
        delta = reward + s.gamma * following - self.weights @ v
        weight = s.gamma**t if s.discount_factor else 1.0
        gradient = delta * self.policy.score(x, self.theta, action)
        if s.entropy:
            gradient = gradient + s.entropy * self.policy.entropy_gradient(x, self.theta)
        self.move(weight * gradient, delta * v, self.episode)
