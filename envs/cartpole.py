"""The pole on a cart of Barto, Sutton & Anderson, as Gymnasium plays it."""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from pgfast.random import uniform
from pgfast.vmath import sincos


class CartPole(NamedTuple):
    """Keep a pole upright by pushing the cart it stands on.

    State: cart position (m) and velocity, pole angle (rad, 0 upright) and angular velocity.
    Actions: 0 push left, 1 push right.
    Observations: the state.
    Reward: 1 a step.
    End: the cart leaves ±x_limit or the pole ±angle_limit; truncated after 500 steps.
    Parameters: gravity (m/s²), masses (kg), half the pole's length (m), force (N), dt (s), limits.
    Reference: Barto, Sutton & Anderson (1983); dynamics as Gymnasium's CartPole-v1 (Euler, in this order).
    """

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
        sin, cos = sincos(theta)
        inverse_mass = 1.0 / (self.mass_cart + self.mass_pole)
        force = self.force if action == 1 else -self.force
        moment = self.mass_pole * self.half_length
        push = (force + moment * theta_dot * theta_dot * sin) * inverse_mass
        theta_acc = (self.gravity * sin - cos * push) / (
            self.half_length * (4.0 / 3.0 - self.mass_pole * cos * cos * inverse_mass)
        )
        x_acc = push - moment * theta_acc * cos * inverse_mass
        x = x + self.dt * x_dot
        x_dot = x_dot + self.dt * x_acc
        theta = theta + self.dt * theta_dot
        theta_dot = theta_dot + self.dt * theta_acc
        fallen = (x < -self.x_limit) | (x > self.x_limit) | (theta < -self.angle_limit) | (theta > self.angle_limit)
        return (x, x_dot, theta, theta_dot), 1.0, fallen
