from typing import NamedTuple
from gymnasium.spaces import Box, Discrete
import numpy as np
from pgfast.vmath import sincos
from pgfast.random import uniform
class CartPole(NamedTuple):
    gravity: float = 9.8
    mass_cart: float = 1.0
    mass_pole: float = 0.1
    half_length: float = 0.5
    force: float = 10.0
    dt: float = 0.02
    x_limit: float = 2.4
    angle_limit: float = 0.20943951023931953
    max_steps = 500
    def reset(self, key):
        return (uniform(key, 0) * 0.1 - 0.05, uniform(key, 1) * 0.1 - 0.05, uniform(key, 2) * 0.1 - 0.05, uniform(key, 3) * 0.1 - 0.05)
    def step(self, state, action, key):
        x, v, angle, w = state
        sin, cos = sincos(angle)
        inv_mass = 1.0 / (self.mass_cart + self.mass_pole)
        force = self.force if action == 1 else -self.force
        push = (force + self.mass_pole * self.half_length * w * w * sin) * inv_mass
        alpha = (self.gravity * sin - cos * push) / (self.half_length * (4.0 / 3.0 - self.mass_pole * cos * cos * inv_mass))
        acc = push - self.mass_pole * self.half_length * alpha * cos * inv_mass
        x, v, angle, w = x + self.dt * v, v + self.dt * acc, angle + self.dt * w, w + self.dt * alpha
        return (x, v, angle, w), 1.0, (x < -self.x_limit) | (x > self.x_limit) | (angle < -self.angle_limit) | (angle > self.angle_limit)
