"""The underpowered car of Moore's thesis, as Gymnasium plays it: with three actions, and with a continuous one."""

import math
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from pgfast.drawing import Circle, Line
from pgfast.random import uniform
from pgfast.vmath import cos


class MountainCar(NamedTuple):
    """Drive a car out of a valley that is too steep for its engine: by swinging.

    State: position and velocity.
    Actions: 0 push left, 1 none, 2 push right.
    Observations: the state.
    Reward: −1 a step.
    End: at goal_position or beyond with a velocity of at least goal_velocity; truncated after 200 steps.
    Parameters: goal_velocity, goal_position, the range of positions, max_speed, force and gravity (as changes of the
    velocity a step).
    Reference: Moore (1990); Sutton & Barto (2018), example 10.1; dynamics as Gymnasium's MountainCar-v0.
    """

    goal_velocity: float = 0.0
    goal_position: float = 0.5
    min_position: float = -1.2
    max_position: float = 0.6
    max_speed: float = 0.07
    force: float = 0.001
    gravity: float = 0.0025

    max_steps = 200

    @property
    def observation_space(self):
        low, high = [self.min_position, -self.max_speed], [self.max_position, self.max_speed]
        return Box(np.array(low), np.array(high), dtype=np.float64)

    @property
    def action_space(self):
        return Discrete(3)

    def reset(self, key):
        return 0.2 * uniform(key, 0) - 0.6, 0.0

    def step(self, state, action, key):
        position, velocity = state
        push = -self.force if action == 0 else (self.force if action == 2 else 0.0)
        velocity = velocity + (push - cos(3.0 * position) * self.gravity)
        velocity = min(max(velocity, -self.max_speed), self.max_speed)
        position = min(max(position + velocity, self.min_position), self.max_position)
        velocity = 0.0 if (position == self.min_position) & (velocity < 0.0) else velocity  # an inelastic wall
        there = (position >= self.goal_position) & (velocity >= self.goal_velocity)
        return (position, velocity), -1.0, there

    def draw(self, state):
        return valley(state[0], self.goal_position, self.min_position, self.max_position)


class MountainCarContinuous(NamedTuple):
    """Drive a car out of a valley that is too steep for its engine, with a throttle, and save fuel.

    State: position and velocity; in single precision, as Gymnasium keeps them.
    Actions: the force, from −1 to 1.
    Observations: the state.
    Reward: −0.1 times the action squared; 100 more at the goal.
    End: at goal_position or beyond with a velocity of at least goal_velocity; truncated after 999 steps.
    Parameters: goal_velocity, goal_position, the range of positions, max_speed, power and gravity (as changes of the
    velocity a step).
    Reference: Moore (1990); dynamics as Gymnasium's MountainCarContinuous-v0.
    """

    goal_velocity: float = 0.0
    goal_position: float = 0.45
    min_position: float = -1.2
    max_position: float = 0.6
    max_speed: float = 0.07
    power: float = 0.0015
    gravity: float = 0.0025

    max_steps = 999

    @property
    def observation_space(self):
        low, high = [self.min_position, -self.max_speed], [self.max_position, self.max_speed]
        return Box(np.float32(low), np.float32(high), dtype=np.float32)

    @property
    def action_space(self):
        return Box(-1.0, 1.0, (1,), np.float64)

    def reset(self, key):
        return 0.2 * uniform(key, 0) - 0.6, 0.0

    def step(self, state, action, key):
        position, velocity = state
        force = min(max(action, -1.0), 1.0)
        velocity = velocity + (force * self.power - self.gravity * cos(3.0 * position))
        velocity = min(max(velocity, -self.max_speed), self.max_speed)
        position = min(max(position + velocity, self.min_position), self.max_position)
        velocity = 0.0 if (position == self.min_position) & (velocity < 0.0) else velocity
        there = (position >= self.goal_position) & (velocity >= self.goal_velocity)
        reward = (100.0 if there else 0.0) - 0.1 * action * action
        return (single(position), single(velocity)), reward, there

    def draw(self, state):
        return valley(state[0], self.goal_position, self.min_position, self.max_position)


def single(x):
    """x rounded to single precision."""
    return np.float64(np.float32(x))


def valley(position, goal, left, right):
    """The hill sin 3x, a flag at the goal, and the car on its slope."""
    scale = 1.0 / (right - left)

    def place(x, up=0.0):
        """The point of the picture that is `up` above the hill at x."""
        return scale * (x - left), 0.15 + 0.25 * (1.0 + math.sin(3.0 * x)) + up

    hill = [place(left + (right - left) * k / 100) for k in range(101)]
    (x, y), top = place(goal), place(goal, 0.12)
    slope = math.atan2(0.75 * math.cos(3.0 * position), scale)
    a, b = math.cos(slope), math.sin(slope)
    u, v = place(position)

    def car(along, above):
        """A point beside the car's wheels."""
        return u + along * a - above * b, v + along * b + above * a

    return [
        Line(hill, "gray", 0.006),
        Line([(x, y), top], "black", 0.005),
        Line([top, (x + 0.05, y + 0.1)], "crimson", 0.03),
        Line([car(-0.05, 0.035), car(0.05, 0.035)], "navy", 0.03),
        Circle(car(-0.03, 0.015), 0.015, "black"),
        Circle(car(0.03, 0.015), 0.015, "black"),
    ]
