"""NumPy on Gymnasium's own vectorised CartPole: REINFORCE, a window of steps in all environments for each update.

Every window starts with new episodes and is 520 steps long, so that each environment ends one at least; a step is
learned from where its episode ends within the window. Gymnasium starts the next episode one step after the last: that
step's action is ignored and it is no step of either. Environments and step size: the fastest in
`python -m pgfast._bench.tune numpy-vector cartpole envs=256,1024,4096,8192`.
"""

import time

import gymnasium
import numpy as np

from pgfast._bench.peer import Learned, Peer
from pgfast.workloads import Workload

WINDOW = 520


def play(env, theta, rng, seed):
    """Observations (steps, environments, 4), scores with respect to the logit of action 1, ends, and true steps."""
    envs = env.num_envs
    seen = np.empty((WINDOW, envs, 4), np.float32)
    scores = np.empty((WINDOW, envs), np.float32)
    ends = np.empty((WINDOW, envs), bool)
    real = np.empty((WINDOW, envs), bool)
    draws = rng.random((WINDOW, envs), np.float32)
    x, _ = env.reset(seed=seed)
    resetting = np.zeros(envs, bool)
    for t in range(WINDOW):
        p = 1 / (1 + np.exp(-(x @ theta)))
        right = draws[t] < p
        seen[t], scores[t], real[t] = x, right - p, ~resetting
        x, _, terminated, truncated, _ = env.step(right.view(np.int8))
        resetting = ends[t] = terminated | truncated
    return seen, scores, ends, real


def credit(ends, real, gamma):
    """Returns-to-go, each step being worth 1, and which steps are learned from."""
    returns = np.empty(ends.shape, np.float32)
    known = np.empty(ends.shape, bool)
    g, ended = np.zeros(ends.shape[1], np.float32), np.zeros(ends.shape[1], bool)
    for t in range(len(ends) - 1, -1, -1):
        g = np.where(ends[t], 1, 1 + np.float32(gamma) * g)
        ended = ended | ends[t]
        returns[t], known[t] = g, ended & real[t]
    return returns, known


def learn_cartpole(workload: Workload, seed: int, *, envs=4096, updates=60, lr=0.02) -> Learned:
    gamma = workload.settings["gamma"]
    start = time.perf_counter()
    env = gymnasium.make_vec("CartPole-v1", num_envs=envs, vectorization_mode="vector_entry_point")
    made = time.perf_counter()
    rng = np.random.default_rng(seed)
    theta, mean, steps, counts = np.zeros(4, np.float32), 0.0, 0, []
    for _ in range(updates):
        seen, scores, ends, real = play(env, theta, rng, int(rng.integers(2**31)))
        returns, known = credit(ends, real, gamma)
        of_batch, episodes = int(known.sum()), int(ends.sum())
        weights = np.where(known, (returns - np.float32(mean)) * scores, 0)
        theta += 2 * lr / episodes * (weights.ravel() @ seen.reshape(-1, 4))
        steps += of_batch
        mean += (float(returns[known].sum()) - of_batch * mean) / steps
        counts.append((of_batch, episodes))
    seconds = time.perf_counter() - made
    tail = np.sum(counts[-max(1, updates // 10) :], axis=0)
    return Learned(steps, seconds, made - start, float(tail[0] / tail[1]))


PEER = Peer(
    name="numpy-vector",
    title="NumPy on Gymnasium's vectorised CartPole, 4,096 environments",
    learns={"cartpole": learn_cartpole},
    precision="float32",
)
