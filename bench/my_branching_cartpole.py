"""A user's own file as most would write it: the pole on a cart with `if` statements, early returns and `math`."""

import math
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from pgfast import uniform


class MyBranchingCartPole(NamedTuple):
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
        sine, cosine = math.sin(theta), math.cos(theta)
        inverse_mass = 1.0 / (self.mass_cart + self.mass_pole)
        force = -self.force
        if action == 1:
            force = self.force
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
        state = (x, x_dot, theta, theta_dot)
        if x < -self.x_limit or x > self.x_limit:
            return state, 1.0, True
        if theta < -self.angle_limit or theta > self.angle_limit:
            return state, 1.0, True
        return state, 1.0, False
