"""The two-link swing-up of Sutton's "Generalization in Reinforcement Learning" (1996), as Gymnasium plays it."""

import math
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from pgfast.drawing import Circle, Line
from pgfast.random import uniform
from pgfast.vmath import cos, sincos

PI = math.pi


class Acrobot(NamedTuple):
    """Swing the lower end of two hanging links above a line, by a torque at the joint between them.

    State: angle of the first link (rad, 0 hanging), angle of the second relative to the first, both in ±π, and the two
    angular velocities.
    Actions: a torque of −1, 0 or 1 N m.
    Observations: cosine and sine of the first angle, those of the second, and both velocities.
    Reward: −1 a step, 0 for the step that ends the episode.
    End: the lower end is more than a link's length above the fixed one; truncated after 500 steps.
    Parameters: nips (the equations of the 1996 paper, which lack a term that the book's have), torque_noise_max (a
    uniform number in ± this is added to the torque), lengths (m), masses (kg), centres of mass (m) and moment of
    inertia (kg m²) of the links, gravity (m/s²), dt (s), max_velocity_1, max_velocity_2 (rad/s).
    Reference: Sutton (1996); Sutton & Barto (1998), section 11.3; dynamics as Gymnasium's Acrobot-v1.
    """

    nips: bool = False
    torque_noise_max: float = 0.0
    length_1: float = 1.0
    length_2: float = 1.0
    mass_1: float = 1.0
    mass_2: float = 1.0
    center_1: float = 0.5
    center_2: float = 0.5
    inertia: float = 1.0
    gravity: float = 9.8
    dt: float = 0.2
    max_velocity_1: float = 4 * PI
    max_velocity_2: float = 9 * PI

    max_steps = 500

    @property
    def observation_space(self):
        high = np.array([1.0, 1.0, 1.0, 1.0, self.max_velocity_1, self.max_velocity_2])
        return Box(-high, high, dtype=np.float64)

    @property
    def action_space(self):
        return Discrete(3)

    def reset(self, key):
        return (
            0.2 * uniform(key, 0) - 0.1,
            0.2 * uniform(key, 1) - 0.1,
            0.2 * uniform(key, 2) - 0.1,
            0.2 * uniform(key, 3) - 0.1,
        )

    def step(self, state, action, key):
        torque = -1.0 if action == 0 else (1.0 if action == 2 else 0.0)
        torque = torque + self.torque_noise_max * (2.0 * uniform(key, 0) - 1.0)
        angle_1, angle_2, velocity_1, velocity_2 = self.runge_kutta(state, torque)
        angle_1, angle_2 = wrapped(angle_1), wrapped(angle_2)
        velocity_1 = min(max(velocity_1, -self.max_velocity_1), self.max_velocity_1)
        velocity_2 = min(max(velocity_2, -self.max_velocity_2), self.max_velocity_2)
        up = -cos(angle_1) - cos(angle_1 + angle_2) > 1.0
        return (angle_1, angle_2, velocity_1, velocity_2), 0.0 if up else -1.0, up

    def observe(self, state):
        angle_1, angle_2, velocity_1, velocity_2 = state
        sin_1, cos_1 = sincos(angle_1)
        sin_2, cos_2 = sincos(angle_2)
        return cos_1, sin_1, cos_2, sin_2, velocity_1, velocity_2

    def runge_kutta(self, state, torque):
        """The state after dt, by one step of the classical method of fourth order."""
        k1 = self.derivative(state, torque)
        k2 = self.derivative(ahead(state, k1, 0.5 * self.dt), torque)
        k3 = self.derivative(ahead(state, k2, 0.5 * self.dt), torque)
        k4 = self.derivative(ahead(state, k3, self.dt), torque)
        return ahead(ahead(state, ahead(k1, k4, 1.0), self.dt / 6.0), ahead(k2, k3, 1.0), self.dt / 3.0)

    def derivative(self, state, torque):
        """The change of the state in time: accelerations from the links' equations of motion, two linear ones

            d₁ θ̈₁ + d₂ θ̈₂ = −φ₁,    d₂ θ̈₁ + d₃ θ̈₂ = torque − φ₂ − h,

        by Cramer's rule; h is the centrifugal term that the paper's equations lack."""
        angle_1, angle_2, velocity_1, velocity_2 = state
        sin_1, cos_1 = sincos(angle_1)
        sin_2, cos_2 = sincos(angle_2)
        coupling = self.mass_2 * self.length_1 * self.center_2
        d3 = self.mass_2 * self.center_2 * self.center_2 + self.inertia
        d2 = coupling * cos_2 + d3
        d1 = (
            self.mass_1 * self.center_1 * self.center_1
            + self.mass_2 * self.length_1 * self.length_1
            + self.inertia
            + coupling * cos_2
            + d2
        )
        weight_1 = (self.mass_1 * self.center_1 + self.mass_2 * self.length_1) * self.gravity * sin_1
        phi2 = self.mass_2 * self.center_2 * self.gravity * (sin_1 * cos_2 + cos_1 * sin_2)
        phi1 = weight_1 + phi2 - coupling * sin_2 * velocity_2 * (velocity_2 + 2.0 * velocity_1)
        centrifugal = 0.0 if self.nips else coupling * sin_2 * velocity_1 * velocity_1
        push = torque - phi2 - centrifugal
        inverse = 1.0 / (d1 * d3 - d2 * d2)
        return velocity_1, velocity_2, -(d3 * phi1 + d2 * push) * inverse, (d1 * push + d2 * phi1) * inverse

    def draw(self, state):
        scale = 0.45 / (self.length_1 + self.length_2)
        angle_1, angle_2 = state[0], state[0] + state[1]
        joint = (
            0.5 + scale * self.length_1 * math.sin(angle_1),
            0.5 - scale * self.length_1 * math.cos(angle_1),
        )
        end = (
            joint[0] + scale * self.length_2 * math.sin(angle_2),
            joint[1] - scale * self.length_2 * math.cos(angle_2),
        )
        line = 0.5 + scale * self.length_1
        return [
            Line([(0.0, line), (1.0, line)], "gray", 0.005),
            Line([(0.5, 0.5), joint], "teal", 0.04),
            Line([joint, end], "mediumaquamarine", 0.04),
            Circle((0.5, 0.5), 0.02, "goldenrod"),
            Circle(joint, 0.02, "goldenrod"),
        ]


def ahead(state, rate, time):
    """state + time · rate."""
    return (
        state[0] + time * rate[0],
        state[1] + time * rate[1],
        state[2] + time * rate[2],
        state[3] + time * rate[3],
    )


def wrapped(angle):
    """The angle in [−π, π)."""
    return angle - 2.0 * PI * np.floor((angle + PI) * (0.5 / PI))
