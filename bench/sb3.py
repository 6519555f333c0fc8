"""Stable-Baselines3's A2C with a linear policy and a linear critic on CartPole, on one thread.

Environments, steps of a rollout and step size are the fastest that reach the goal; see
`python -m pgfast._bench.tune sb3 cartpole envs=8,16,32 rollout=8,16,32 lr=0.005,0.01,0.02`.
"""

import time

import numpy as np
import torch
from stable_baselines3 import A2C
from stable_baselines3.common.env_util import make_vec_env

from pgfast._bench.peer import Learned, Peer
from pgfast.workloads import Workload


def learn_cartpole(workload: Workload, seed: int, *, envs=16, rollout=32, lr=0.01, steps=400_000, **a2c) -> Learned:
    start = time.perf_counter()
    torch.set_num_threads(1)
    venv = make_vec_env("CartPole-v1", n_envs=envs, seed=seed)
    model = A2C(
        "MlpPolicy",
        venv,
        learning_rate=lr,
        n_steps=rollout,
        gamma=workload.settings["gamma"],
        policy_kwargs={"net_arch": []},
        seed=seed,
        device="cpu",
        **a2c,
    )
    made = time.perf_counter()
    model.learn(steps)
    seconds = time.perf_counter() - made
    returns, ended = (np.concatenate(venv.env_method(m)) for m in ("get_episode_rewards", "get_episode_times"))
    last = returns[np.argsort(ended)[-max(1, len(returns) // 10) :]]
    return Learned(int(returns.sum()), seconds, made - start, float(last.mean()))


PEER = Peer(
    name="sb3",
    title="Stable-Baselines3's A2C with a linear policy, 16 environments",
    learns={"cartpole": learn_cartpole},
    precision="float32",
)
