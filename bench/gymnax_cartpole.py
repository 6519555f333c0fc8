"""JAX on gymnax's CartPole: the run of `jax_lanes` with the library's own step, which has no reset inside."""

from functools import partial

import gymnax
import jax.numpy as jnp
from gymnax.environments.classic_control.cartpole import EnvState

from pgfast._bench.jax_lanes import Array, State, learn_cartpole
from pgfast._bench.peer import Peer

ENV, PARAMS = gymnax.make("CartPole-v1")


def step(state: State, right: Array) -> State:
    x, x_dot, angle, angle_dot = state
    before = EnvState(time=0, x=x, x_dot=x_dot, theta=angle, theta_dot=angle_dot)
    after = ENV.step_env(None, before, right.astype(jnp.int32), PARAMS)[1]
    return after.x, after.x_dot, after.theta, after.theta_dot


PEER = Peer(
    name="gymnax",
    title="JAX on gymnax's CartPole, rollouts and updates under one jit, 4,096 lanes",
    learns={"cartpole": partial(learn_cartpole, step=step)},
    precision="float32",
)
