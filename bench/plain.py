"""The compiled loops that everybody would write first: one episode at a time, the library's exp, sin and cos, and
NumPy's generator. Each does the same learning task as the workload of its name in `pgfast.workloads`.

All compiled loops return (steps played, mean return of the last tenth of the episodes).
"""

import math
import time
from collections.abc import Callable

import gymnasium
import numpy as np
from numba import njit

from pgfast._bench.peer import Learned, Peer
from pgfast.workloads import Workload

CARTPOLE_STEPS, FROZENLAKE_STEPS, CORRIDOR_STEPS = 500, 100, 20_000


@njit
def cartpole(seed, episodes, batch, gamma, lr):
    """REINFORCE with returns-to-go and a running mean baseline; softmax-linear policy on the four raw observations."""
    np.random.seed(seed)
    theta = np.zeros((2, 4))
    states = np.empty((CARTPOLE_STEPS, 4))
    actions = np.empty(CARTPOLE_STEPS, np.int64)
    chances = np.empty(CARTPOLE_STEPS)  # of action 1
    baseline, played, steps = 0.0, 0, 0
    first_of_tail, tail = episodes - episodes // 10, 0.0
    for start in range(0, episodes, batch):
        count = min(batch, episodes - start)
        gradient = np.zeros((2, 4))
        credited, of_batch = 0.0, 0
        for episode in range(start, start + count):
            x = np.random.uniform(-0.05, 0.05)
            x_dot = np.random.uniform(-0.05, 0.05)
            angle = np.random.uniform(-0.05, 0.05)
            angle_dot = np.random.uniform(-0.05, 0.05)
            t, fallen = 0, False
            while not fallen and t < CARTPOLE_STEPS:
                states[t, 0], states[t, 1], states[t, 2], states[t, 3] = x, x_dot, angle, angle_dot
                h = 0.0
                for k in range(4):
                    h += (theta[1, k] - theta[0, k]) * states[t, k]
                p = 1.0 / (1.0 + math.exp(-h))
                action = 1 if np.random.random() < p else 0
                actions[t], chances[t] = action, p
                force = 10.0 if action == 1 else -10.0
                cos, sin = math.cos(angle), math.sin(angle)
                push = (force + 0.05 * angle_dot**2 * sin) / 1.1
                angle_acc = (9.8 * sin - cos * push) / (0.5 * (4.0 / 3.0 - 0.1 * cos**2 / 1.1))
                x_acc = push - 0.05 * angle_acc * cos / 1.1
                x += 0.02 * x_dot
                x_dot += 0.02 * x_acc
                angle += 0.02 * angle_dot
                angle_dot += 0.02 * angle_acc
                fallen = abs(x) > 2.4 or abs(angle) > 12 * 2 * math.pi / 360
                t += 1
            g = 0.0
            for k in range(t - 1, -1, -1):
                g = 1.0 + gamma * g
                credited += g
                for j in range(4):
                    score = (actions[k] - chances[k]) * states[k, j]
                    gradient[1, j] += (g - baseline) * score
                    gradient[0, j] -= (g - baseline) * score
            of_batch += t
            if episode >= first_of_tail:
                tail += t
        theta += lr / count * gradient
        played += of_batch
        baseline += (credited - of_batch * baseline) / played
        steps += of_batch
    return steps, tail / (episodes - first_of_tail)


def frozenlake_table():
    """Gymnasium's own table: cumulative probabilities, next states, rewards and ends, each (16, 4, outcomes)."""
    table = gymnasium.make("FrozenLake-v1").unwrapped.P
    rows = [[table[s][a] for a in range(4)] for s in range(16)]
    outcomes = max(len(row) for state in rows for row in state)
    columns = np.array(
        [[[*row, *[(0.0, *row[-1][1:])] * (outcomes - len(row))] for row in state] for state in rows], float
    )
    chance, following, reward, end = np.moveaxis(columns, -1, 0)
    return np.cumsum(chance, axis=2), following.astype(np.int64), np.ascontiguousarray(reward), end == 1.0


@njit
def frozenlake(seed, episodes, batch, gamma, lr, cumulative, following, rewards, ends):
    """REINFORCE with returns-to-go and a running mean baseline; tabular softmax, computed once per batch."""
    np.random.seed(seed)
    theta = np.zeros((16, 4))
    states = np.empty(FROZENLAKE_STEPS, np.int64)
    actions = np.empty(FROZENLAKE_STEPS, np.int64)
    received = np.empty(FROZENLAKE_STEPS)
    policy = np.empty((16, 4))
    baseline, played, steps = 0.0, 0, 0
    first_of_tail, tail = episodes - episodes // 10, 0.0
    for start in range(0, episodes, batch):
        count = min(batch, episodes - start)
        gradient = np.zeros((16, 4))
        credited, of_batch = 0.0, 0
        for s in range(16):
            policy[s] = np.exp(theta[s] - theta[s].max())
            policy[s] /= policy[s].sum()
        for episode in range(start, start + count):
            s, t, done, total = 0, 0, False, 0.0
            while not done and t < FROZENLAKE_STEPS:
                u, action = np.random.random(), 0
                reached = policy[s, 0]
                while action < 3 and u >= reached:
                    action += 1
                    reached += policy[s, action]
                u, outcome = np.random.random(), 0
                while outcome < cumulative.shape[2] - 1 and u >= cumulative[s, action, outcome]:
                    outcome += 1
                states[t], actions[t], received[t] = s, action, rewards[s, action, outcome]
                total += received[t]
                done = ends[s, action, outcome]
                s = following[s, action, outcome]
                t += 1
            g = 0.0
            for k in range(t - 1, -1, -1):
                g = received[k] + gamma * g
                credited += g
                for b in range(4):
                    score = (1.0 if actions[k] == b else 0.0) - policy[states[k], b]
                    gradient[states[k], b] += (g - baseline) * score
            of_batch += t
            if episode >= first_of_tail:
                tail += total
        theta += lr / count * gradient
        played += of_batch
        baseline += (credited - of_batch * baseline) / played
        steps += of_batch
    return steps, tail / (episodes - first_of_tail)


@njit
def corridor(seed, runs, episodes, gamma, lr, theta0):
    """REINFORCE without a baseline, an update after each episode, for one run after another."""
    np.random.seed(seed)
    actions = np.empty(CORRIDOR_STEPS, np.int64)
    steps = 0
    first_of_tail, tail = episodes - episodes // 10, 0.0
    for _ in range(runs):
        theta = theta0.copy()
        for episode in range(episodes):
            p = 1.0 / (1.0 + math.exp(theta[0] - theta[1]))  # of right
            position, t = 0, 0
            while position < 3 and t < CORRIDOR_STEPS:
                action = 1 if np.random.random() < p else 0
                actions[t] = action
                move = 2 * action - 1
                if position == 1:
                    move = -move
                position = max(position + move, 0)
                t += 1
            g, gradient = 0.0, 0.0
            for k in range(t - 1, -1, -1):
                g = -1.0 + gamma * g
                gradient += g * (actions[k] - p)
            theta[1] += lr * gradient
            theta[0] -= lr * gradient
            steps += t
            if episode >= first_of_tail:
                tail -= t
    return steps, tail / (runs * (episodes - first_of_tail))


def _timed(play: Callable[[int, int], tuple[int, float]], seed: int, episodes: int) -> Learned:
    """A run of `play(seed, episodes)`, compiled before by a short one."""
    start = time.perf_counter()
    play(seed, 10)
    compiled = time.perf_counter()
    steps, final_return = play(seed, episodes)
    return Learned(steps, time.perf_counter() - compiled, compiled - start, final_return)


def learn_cartpole(workload: Workload, seed: int, **changed: float) -> Learned:
    """With the workload's settings but for `changed`."""
    s = {"episodes": workload.episodes, **workload.settings, **changed}
    return _timed(lambda seed, n: cartpole(seed, n, s["batch"], s["gamma"], s["lr"]), seed, s["episodes"])


def learn_frozenlake(workload: Workload, seed: int, **changed: float) -> Learned:
    s, table = {"episodes": workload.episodes, **workload.settings, **changed}, frozenlake_table()
    return _timed(lambda seed, n: frozenlake(seed, n, s["batch"], s["gamma"], s["lr"], *table), seed, s["episodes"])


def learn_corridor(workload: Workload, seed: int, **changed: float) -> Learned:
    s = {"episodes": workload.episodes, **workload.settings, **changed}
    theta0 = np.array(s["theta0"])
    return _timed(lambda seed, n: corridor(seed, s.get("runs", 1), n, s["gamma"], s["lr"], theta0), seed, s["episodes"])


PEER = Peer(
    name="plain",
    title="Numba, one episode at a time, with the workload's own settings",
    learns={
        "cartpole": learn_cartpole,
        "frozenlake": learn_frozenlake,
        "corridor": learn_corridor,
        "corridor-1": learn_corridor,
    },
)
