"""JAX with a sine and a cosine of its own: Taylor polynomials, good to single precision as far as the pole can lean
before the episode ends. What lanes without an episode compute is masked, however far their poles have turned."""

from functools import partial

from pgfast._bench.jax_lanes import Array, cartpole_step, learn_cartpole
from pgfast._bench.peer import Peer


def sine(x: Array) -> Array:
    y = x * x
    return x * (1 - y / 6 * (1 - y / 20 * (1 - y / 42)))


def cosine(x: Array) -> Array:
    y = x * x
    return 1 - y / 2 * (1 - y / 12 * (1 - y / 30))


PEER = Peer(
    name="jax-polynomials",
    title="JAX, rollouts and updates under one jit, 4,096 lanes; sine and cosine by polynomials of its own",
    learns={"cartpole": partial(learn_cartpole, step=partial(cartpole_step, sine=sine, cosine=cosine))},
    precision="float32",
)
