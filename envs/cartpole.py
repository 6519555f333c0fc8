"""The pole on a cart of Barto, Sutton & Anderson, as Gymnasium plays it."""

import math
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from pgfast.drawing import Circle, Line, box
from pgfast.random import uniform
from pgfast.vmath import sincos


class CartPole(NamedTuple):
    """Keep a pole upright by pushing the cart it stands on.

    State: cart position (m) and velocity, pole angle (rad, 0 upright) and angular velocity.
    Actions: 0 push left, 1 push right.
    Observations: the state.
    Reward: 1 a step; with sutton_barto_reward 0 a step and −1 for the last, when the pole or the cart has left.
    End: the cart leaves ±x_limit or the pole ±angle_limit; truncated after max_steps (v1: 500, v0: 200).
    Parameters: gravity (m/s²), masses (kg), half the pole's length (m), force (N), dt (s), limits,
    sutton_barto_reward, semi_implicit (positions move by the new velocities, not by the old ones), max_steps.
    Reference: Barto, Sutton & Anderson (1983); dynamics as Gymnasium's CartPole (Euler, in this order).
    """

    gravity: float = 9.8
    mass_cart: float = 1.0
    mass_pole: float = 0.1
    half_length: float = 0.5
    force: float = 10.0
    dt: float = 0.02
    x_limit: float = 2.4
    angle_limit: float = 12 * 2 * np.pi / 360
    sutton_barto_reward: bool = False
    semi_implicit: bool = False
    max_steps: int = 500

    @property
    def optimum(self):
        return 0.0 if self.sutton_barto_reward else float(self.max_steps)

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
        new_x_dot = x_dot + self.dt * x_acc
        new_theta_dot = theta_dot + self.dt * theta_acc
        x = x + self.dt * (new_x_dot if self.semi_implicit else x_dot)
        theta = theta + self.dt * (new_theta_dot if self.semi_implicit else theta_dot)
        fallen = (x < -self.x_limit) | (x > self.x_limit) | (theta < -self.angle_limit) | (theta > self.angle_limit)
        last = -1.0 if fallen else 0.0
        return (x, new_x_dot, theta, new_theta_dot), last if self.sutton_barto_reward else 1.0, fallen

    def draw(self, state):
        x, _, theta, _ = state
        scale, ground = 0.5 / self.x_limit, 0.3  # the picture is as wide as the cart may go
        cart, top = 0.5 + scale * x, ground + 0.06
        length = 2 * scale * self.half_length
        tip = cart + length * math.sin(theta), top + length * math.cos(theta)
        return [
            Line([(0.0, ground), (1.0, ground)], "gray", 0.005),
            box(cart - 0.06, ground - 0.03, cart + 0.06, top, "black"),
            Line([(cart, top), tip], "peru", 0.025),
            Circle((cart, top), 0.0125, "slateblue"),
        ]
