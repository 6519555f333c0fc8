"""The loop of every tutorial: one episode at a time in Python and NumPy on `gymnasium.make`, REINFORCE at its end.

Parameters move after `batch` episodes. Batch, step size and episodes reach the goal with nearly every seed in runs as
short as that allows; they were found with the plain compiled loop, which learns in the same way and in seconds:
`python -m pgfast._bench.tune plain frozenlake --seeds 60 episodes=20000,30000 batch=4,16,64 lr=0.3,1,10`.
Taxi is left out: its workload is half a million episodes, too many at this speed.
"""

import time

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete

from pgfast._bench.peer import Learned, Peer
from pgfast.workloads import Workload


class ShortCorridor(gymnasium.Env):
    """Sutton & Barto's corridor of four positions that look the same; in the second, left and right are exchanged."""

    observation_space, action_space = Discrete(1), Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.position = 0
        return 0, {}

    def step(self, action):
        move = 1 if action == 1 else -1
        if self.position == 1:
            move = -move
        self.position = max(self.position + move, 0)
        return 0, -1.0, self.position == 3, False, {}


gymnasium.register("pgfast-bench/ShortCorridor", ShortCorridor, max_episode_steps=20_000)


def play(env, policy, rng):
    """One episode: what was seen, done, received, and the score of each action with respect to the logits."""
    seen, scores, rewards = [], [], []
    x, _ = env.reset()
    over = False
    while not over:
        logits = policy(x)
        p = np.exp(logits - logits.max())
        p /= p.sum()
        action = int((p.cumsum() <= rng.random()).sum())
        score = -p
        score[action] += 1
        seen.append(x)
        scores.append(score)
        x, reward, terminated, truncated, _ = env.step(action)
        rewards.append(reward)
        over = terminated or truncated
    return np.array(seen), np.array(scores), rewards


def returns_to_go(rewards, gamma):
    g, returns = 0.0, np.empty(len(rewards))
    for t in range(len(rewards) - 1, -1, -1):
        g = rewards[t] + gamma * g
        returns[t] = g
    return returns


def learn(env, theta, tabular, seed, episodes, batch, gamma, lr, baseline):
    """Steps played and the return of each episode; theta, one row for each action or state, is changed in place."""
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    policy = (lambda state: theta[state]) if tabular else (lambda x: theta @ x)
    mean, steps, totals = 0.0, 0, []
    for start in range(0, episodes, batch):
        count = min(batch, episodes - start)
        gradient, credited, of_batch = np.zeros_like(theta), 0.0, 0
        for _ in range(count):
            seen, scores, rewards = play(env, policy, rng)
            returns = returns_to_go(rewards, gamma)
            weighted = (returns - mean)[:, None] * scores
            if tabular:
                np.add.at(gradient, seen, weighted)
            else:
                gradient += weighted.T @ seen
            credited += returns.sum()
            of_batch += len(rewards)
            totals.append(sum(rewards))
        theta += lr / count * gradient
        steps += of_batch
        if baseline:
            mean += (credited - of_batch * mean) / steps
    return steps, totals


def _timed(workload, seed, env_id, theta, episodes, batch, lr, runs=1):
    """So many runs, one after another, each from theta."""
    s = workload.settings
    start = time.perf_counter()
    env = gymnasium.make(env_id)
    made = time.perf_counter()
    steps, tails, tabular = 0, [], isinstance(env.observation_space, Discrete)
    for run in range(runs):
        run_seed = seed * runs + run
        of_run, totals = learn(
            env, theta.copy(), tabular, run_seed, episodes, batch, s["gamma"], lr, s["baseline"] == "mean"
        )
        steps += of_run
        tails.append(np.mean(totals[-max(1, episodes // 10) :]))
    return Learned(steps, time.perf_counter() - made, made - start, float(np.mean(tails)))


def learn_cartpole(workload: Workload, seed: int, *, episodes=2000, batch=16, lr=0.004) -> Learned:
    return _timed(workload, seed, "CartPole-v1", np.zeros((2, 4)), episodes, batch, lr)


def learn_frozenlake(workload: Workload, seed: int, *, episodes=30_000, batch=16, lr=1.0) -> Learned:
    return _timed(workload, seed, "FrozenLake-v1", np.zeros((16, 4)), episodes, batch, lr)


def learn_corridor(workload: Workload, seed: int, *, runs=10) -> Learned:
    """The workload's own learning, an update after each episode, for fewer runs."""
    theta0, lr = np.array([workload.settings["theta0"]]), workload.settings["lr"]
    return _timed(workload, seed, "pgfast-bench/ShortCorridor", theta0, workload.episodes, 1, lr, runs)


PEER = Peer(
    name="tutorial",
    title="Python and NumPy on gymnasium.make, one episode at a time",
    learns={"cartpole": learn_cartpole, "frozenlake": learn_frozenlake, "corridor": learn_corridor},
)
