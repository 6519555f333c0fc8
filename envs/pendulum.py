"""The pendulum with a weak motor, as Gymnasium plays it."""

import math
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box

from pgfast.drawing import Circle, Line
from pgfast.random import uniform
from pgfast.vmath import sin, sincos

PI = math.pi


class Pendulum(NamedTuple):
    """Swing a rod up and keep it there, by a torque that can't lift it at once.

    State: angle (rad, 0 upright, not wrapped) and angular velocity.
    Actions: the torque (N m), from −max_torque to max_torque.
    Observations: cosine and sine of the angle, and the angular velocity.
    Reward: −(angle² + 0.1 velocity² + 0.001 torque²) of the state before the step, its angle taken in ±π.
    End: never; truncated after 200 steps.
    Parameters: g (m/s²), mass (kg) and length (m) of the rod, dt (s), max_speed (rad/s), max_torque.
    Reference: dynamics as Gymnasium's Pendulum-v1 (semi-implicit Euler).
    """

    g: float = 10.0
    mass: float = 1.0
    length: float = 1.0
    dt: float = 0.05
    max_speed: float = 8.0
    max_torque: float = 2.0

    max_steps = 200

    @property
    def observation_space(self):
        high = np.array([1.0, 1.0, self.max_speed])
        return Box(-high, high, dtype=np.float64)

    @property
    def action_space(self):
        limit = float(self.max_torque)
        return Box(-limit, limit, (1,), np.float64)

    def reset(self, key):
        return PI * (2.0 * uniform(key, 0) - 1.0), 2.0 * uniform(key, 1) - 1.0

    def step(self, state, action, key):
        angle, velocity = state
        torque = min(max(action, -self.max_torque), self.max_torque)
        off = angle - 2.0 * PI * np.floor((angle + PI) * (0.5 / PI))
        cost = off * off + 0.1 * velocity * velocity + 0.001 * torque * torque
        fall = 1.5 * self.g / self.length * sin(angle)
        push = 3.0 / (self.mass * self.length * self.length) * torque
        velocity = min(max(velocity + (fall + push) * self.dt, -self.max_speed), self.max_speed)
        return (angle + velocity * self.dt, velocity), -cost, False

    def observe(self, state):
        sine, cosine = sincos(state[0])
        return cosine, sine, state[1]

    def draw(self, state):
        end = 0.5 - 0.4 * math.sin(state[0]), 0.5 + 0.4 * math.cos(state[0])
        return [
            Line([(0.5, 0.5), end], "indianred", 0.08),
            Circle((0.5, 0.5), 0.04, "indianred"),
            Circle(end, 0.04, "indianred"),
            Circle((0.5, 0.5), 0.015, "black"),
        ]
