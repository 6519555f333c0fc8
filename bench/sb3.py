"""Stable-Baselines3's A2C with a linear policy and a linear critic on CartPole, on one thread.

A linear critic sees next to nothing of CartPole's value, so rollouts are long, for returns to be true, and its gradient
is kept from clipping the policy's. Environments, rollout and step size are the fastest tried that reach the goal:
`python -m pgfast._bench.tune sb3 cartpole envs=16,32 rollout=32,128,256 lr=0.03,0.05 max_grad_norm=0.5,1e9`.
"""

import time

import numpy as np
import torch
from stable_baselines3 import A2C
from stable_baselines3.common.env_util import make_vec_env

from pgfast._bench.peer import Learned, Peer
from pgfast.workloads import Workload


def learn_cartpole(
    workload: Workload, seed: int, *, envs=32, rollout=256, lr=0.05, steps=500_000, vf_coef=0.1, max_grad_norm=1e9
) -> Learned:
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
        vf_coef=vf_coef,
        max_grad_norm=max_grad_norm,
    )
    made = time.perf_counter()
    model.learn(steps)
    seconds = time.perf_counter() - made
    returns, ended = (np.concatenate(venv.env_method(m)) for m in ("get_episode_rewards", "get_episode_times"))
    last = returns[np.argsort(ended)[-max(1, len(returns) // 10) :]]
    return Learned(int(returns.sum()), seconds, made - start, float(last.mean()))


PEER = Peer(
    name="sb3",
    title="Stable-Baselines3's A2C with a linear policy, 32 environments",
    learns={"cartpole": learn_cartpole},
    precision="float32",
)
