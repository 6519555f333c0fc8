"""A user's own file: the pole on a cart as pgfast's own environment plays it, by the public names."""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from pgfast import cos, sin, uniform


class MyCartPole(NamedTuple):
    """Keep a pole upright by pushing the cart it stands on."""

    gravity: float = 9.8
    mass_cart: float = 1.0
    mass_pole: float = 0.1
    half_length: float = 0.5
    force: float = 10.0
    dt: float = 0.02
    x_limit: float = 2.4
    angle_limit: float = 12 * 2 * np.pi / 360

    max_steps = 500
    optimum = 500.0

    @property
    def observation_space(self):
        inf = np.inf
        high = np.array([2 * self.x_limit, inf, 2 * self.angle_limit, inf])
        return Box(-high, high, dtype=np.float64)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return (
            0.1 * uniform(key, 0) - 0.05,
            0.1 * uniform(key, 1) - 0.05,
            0.1 * uniform(key, 2) - 0.05,
            0.1 * uniform(key, 3) - 0.05,
        )

    def step(self, state, action, key):
        x, x_dot, theta, theta_dot = state
        sine, cosine = sin(theta), cos(theta)
        inverse_mass = 1.0 / (self.mass_cart + self.mass_pole)
        force = self.force if action == 1 else -self.force
        moment = self.mass_pole * self.half_length
        push = (force + moment * theta_dot * theta_dot * sine) * inverse_mass
        theta_acc = (self.gravity * sine - cosine * push) / (
            self.half_length * (4.0 / 3.0 - self.mass_pole * cosine * cosine * inverse_mass)
        )
        x_acc = push - moment * theta_acc * cosine * inverse_mass
        x = x + self.dt * x_dot
        x_dot = x_dot + self.dt * x_acc
        theta = theta + self.dt * theta_dot
        theta_dot = theta_dot + self.dt * theta_acc
        fallen = (x < -self.x_limit) | (x > self.x_limit) | (theta < -self.angle_limit) | (theta > self.angle_limit)
        return (x, x_dot, theta, theta_dot), 1.0, fallen
