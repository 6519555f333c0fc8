from typing import NamedTuple
from gymnasium.spaces import Discrete
class ShortCorridor(NamedTuple):
    length: int = 4
    switched: int = 1
    max_steps = 20_000
    @property
    def observation_space(self): return Discrete(1)
    @property
    def action_space(self): return Discrete(2)
    def reset(self, key):
        return 0
    def step(self, state, action, key):
        move = 2 * action - 1
        move = -move if state == self.switched else move
        state = max(state + move, 0)
        return state, -1.0, state == self.length - 1
    def observe(self, state):
        return 0
