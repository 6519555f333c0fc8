"""JAX: a whole run under one jit. Steps are written for one episode, vmap plays them in lanes, scan goes over steps and
over updates, and nothing visits the host before the end.

Score traces take the place of stored trajectories where the parameters are few: with e_t = γ e_{t-1} + ∇log π_t,
Σ_t r_t e_t = Σ_t G_t ∇log π_t. Lanes whose episode is over are masked (CartPole, whose episodes end up equally long) or
start the next one (the others). Random numbers are JAX's own and the quickest of them on a processor: Threefry in its
older layout, two actions from each 32 bits. Single precision.

Lanes, block and step size are the fastest that reach the goal; `python -m pgfast._bench.tune jax cartpole
lanes=1024,4096,16384 block=25,50,100` shows the choice.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("NPROC", "1")  # the threads that XLA starts: what is compared is one processor
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pgfast._bench.peer import Learned, Peer
from pgfast._bench.plain import frozenlake_table
from pgfast.workloads import Workload

jax.config.update("jax_threefry_partitionable", False)  # the other layout computes twice as many numbers

Array = jax.Array
State = Any


def _uniform(bits: Array) -> Array:
    return bits.astype(jnp.float32) / 65536


def _timed(train: Callable[[Array], tuple[Array, Array, Array]], seed: int) -> Learned:
    """A run of `train`, a function of the key that gives steps, returns and episodes of each update."""
    start = time.perf_counter()
    compiled = jax.jit(train).lower(jax.random.key(seed)).compile()
    ready = time.perf_counter()
    played = jax.block_until_ready(compiled(jax.random.key(seed)))
    seconds = time.perf_counter() - ready
    steps, returns, episodes = (np.asarray(a, np.float64) for a in played)
    tenth = max(1, len(steps) // 10)
    return Learned(int(steps.sum()), seconds, ready - start, returns[-tenth:].sum() / episodes[-tenth:].sum())


def cartpole_step(
    state: State, right: Array, sine: Callable[[Array], Array] = jnp.sin, cosine: Callable[[Array], Array] = jnp.cos
) -> State:
    """One step of Gymnasium's CartPole."""
    x, x_dot, angle, angle_dot = state
    sin, cos = sine(angle), cosine(angle)
    push = (jnp.where(right, 10.0, -10.0) + 0.05 * angle_dot**2 * sin) / 1.1
    angle_acc = (9.8 * sin - cos * push) / (0.5 * (4.0 / 3.0 - 0.1 * cos**2 / 1.1))
    x_acc = push - 0.05 * angle_acc * cos / 1.1
    return x + 0.02 * x_dot, x_dot + 0.02 * x_acc, angle + 0.02 * angle_dot, angle_dot + 0.02 * angle_acc


def learn_cartpole(
    workload: Workload,
    seed: int,
    *,
    step: Callable[[State, Array], State] = cartpole_step,
    lanes: int = 4096,
    block: int = 50,
    updates: int = 120,
    lr: float = 0.01,
) -> Learned:
    gamma = workload.settings["gamma"]

    def play(theta: Array, baseline: Array, lane: State, bits: Array) -> State:
        """One step of one episode; theta is the difference of the two actions' parameters."""
        state, alive, trace, gradient, steps, discounted, credited = lane
        p = jax.nn.sigmoid(sum(theta[k] * x for k, x in enumerate(state)))
        right = _uniform(bits) < p
        score = [jnp.where(right, 1 - p, -p) * x for x in state]
        trace = [gamma * e + s for e, s in zip(trace, score, strict=True)]
        discounted = 1 + gamma * discounted
        credit = [g + jnp.where(alive, e - baseline * s, 0) for g, e, s in zip(gradient, trace, score, strict=True)]
        credited = credited + jnp.where(alive, discounted, 0)
        steps = steps + alive
        state = step(state, right)
        alive = alive & (jnp.abs(state[0]) <= 2.4) & (jnp.abs(state[2]) <= 12 * 2 * np.pi / 360)
        return state, alive, trace, credit, steps, discounted, credited

    def rollout(theta: Array, baseline: Array, key: Array) -> State:
        """Blocks of steps until no lane is alive."""
        many = jax.vmap(partial(play, theta, baseline))

        def more(progress: tuple[Array, State]) -> Array:
            return (progress[0] < 500 // block) & progress[1][1].any()

        def play_block(progress: tuple[Array, State]) -> tuple[Array, State]:
            done, played = progress
            bits = jax.random.bits(jax.random.fold_in(key, done), (block, lanes), jnp.uint16)
            return done + 1, lax.scan(lambda c, b: (many(c, b), None), played, bits)[0]

        zero = jnp.zeros(lanes)
        start = jax.random.uniform(jax.random.fold_in(key, 500), (4, lanes), minval=-0.05, maxval=0.05)
        fresh = (tuple(start), zero == 0, [zero] * 4, [zero] * 4, jnp.zeros(lanes, jnp.int32), zero, zero)
        return lax.while_loop(more, play_block, (0, fresh))[1]

    def update(learner: State, key: Array) -> tuple[State, State]:
        theta, baseline, played = learner
        _, _, _, gradient, steps, _, credited = rollout(theta, baseline, key)
        count = steps.sum()
        theta = theta + 2 * lr / lanes * jnp.stack([g.sum() for g in gradient])
        played = played + count
        baseline = baseline + (credited.sum() - count * baseline) / played
        return (theta, baseline, played), (count, count, jnp.float32(lanes))

    learner = (jnp.zeros(4), jnp.float32(0), jnp.float32(0))
    return _timed(lambda key: lax.scan(update, learner, jax.random.split(key, updates))[1], seed)


def learn_frozenlake(
    workload: Workload,
    seed: int,
    *,
    lanes: int = 1024,
    block: int = 50,
    blocks: int = 10,
    updates: int = 100,
    lr: float = 50.0,
) -> Learned:
    gamma = workload.settings["gamma"]
    _, following, rewards, ends = frozenlake_table()  # three outcomes of each action, all as likely
    outcomes = jnp.asarray(following + 16 * ends + 32 * (rewards > 0), jnp.int32).ravel()  # three facts in a number

    def look_up(table: Array, index: Array) -> Array:
        return table.at[index].get(mode="promise_in_bounds")

    def play(cumulative: Array, lane: State, bits: Array) -> tuple[State, State]:
        """One step of one lane, which starts the next episode where one ends."""
        state, t = lane
        u, v = _uniform(bits >> 16), _uniform(bits & 65535)
        action = sum((u >= look_up(cumulative[:, k], state)).astype(jnp.int32) for k in range(3))
        pair = 4 * state + action
        outcome = look_up(outcomes, 3 * pair + (3 * v).astype(jnp.int32))
        over = (outcome >= 16) | (t == 99)
        return (jnp.where(over, 0, outcome & 15), jnp.where(over, 0, t + 1)), (
            pair.astype(jnp.uint8),
            over,
            outcome >= 32,
        )

    def credit(baseline: Array, later: State, step: State) -> tuple[State, Array]:
        """Backward: the return of a step, and zero where its episode did not end in time."""
        g, known, tally = later
        over, won = step
        g = won + jnp.where(over, 0, gamma * g)
        known = known | over
        counted = jnp.where(known, jnp.stack([1, won, over, g]), 0)
        return (g, known, tally + counted), jnp.where(known, g - baseline, 0)

    def update(learner: State, key: Array) -> tuple[State, State]:
        theta, baseline, played = learner
        policy = jax.nn.softmax(theta)
        zero = jnp.zeros(lanes, jnp.int32)
        many = jax.vmap(partial(play, jnp.cumsum(policy, 1)))

        def play_block(lane: State, key: Array) -> tuple[State, State]:
            return lax.scan(many, lane, jax.random.bits(key, (block, lanes)))

        blocked = lax.scan(play_block, (zero, zero), jax.random.split(key, blocks))[1]
        pairs, over, won = (a.reshape(block * blocks, lanes) for a in blocked)
        last = (jnp.zeros(lanes), zero > 0, jnp.zeros((lanes, 4)))
        back = jax.vmap(partial(credit, baseline))
        (_, _, tally), signal = lax.scan(back, last, (over, won), reverse=True)
        count, wins, episodes, credited = tally.sum(0)
        credits = jnp.zeros(64).at[pairs.ravel()].add(signal.ravel()).reshape(16, 4)
        theta = theta + lr / episodes * (credits - policy * credits.sum(1, keepdims=True))
        played = played + count
        baseline = baseline + (credited - count * baseline) / played
        return (theta, baseline, played), (count, wins, episodes)

    learner = (jnp.zeros((16, 4)), jnp.float32(0), jnp.float32(0))
    return _timed(lambda key: lax.scan(update, learner, jax.random.split(key, updates))[1], seed)


def learn_corridor(workload: Workload, seed: int, *, runs: int = 4096, block: int = 100, blocks: int = 160) -> Learned:
    gamma, lr, theta0 = (workload.settings[name] for name in ("gamma", "lr", "theta0"))

    def play(lane: State, bits: Array) -> tuple[State, None]:
        """One step of one run, which learns where an episode ends; h is the difference of its two parameters."""
        h, position, trace, gradient, episodes = lane
        p = jax.nn.sigmoid(h)
        right = _uniform(bits) < p
        trace = gamma * trace + jnp.where(right, 1 - p, -p)
        gradient = gradient - trace
        position = jnp.maximum(position + jnp.where(right == (position == 1), -1, 1), 0)
        over = position == 3
        h = h + jnp.where(over, 2 * lr * gradient, 0)
        return (
            h,
            jnp.where(over, 0, position),
            jnp.where(over, 0, trace),
            jnp.where(over, 0, gradient),
            episodes + over,
        ), None

    def play_block(lanes: State, key: Array) -> tuple[State, State]:
        none = jnp.zeros(runs, jnp.int32)
        bits = jax.random.bits(key, (block, runs), jnp.uint16)
        lanes = lax.scan(jax.vmap(play), (*lanes[:4], none), bits)[0]
        return lanes, (jnp.int32(block * runs), -jnp.float32(block * runs), lanes[4].sum())

    zero = jnp.zeros(runs)
    lanes = (zero + (theta0[1] - theta0[0]), zero.astype(jnp.int32), zero, zero, zero.astype(jnp.int32))
    return _timed(lambda key: lax.scan(play_block, lanes, jax.random.split(key, blocks))[1], seed)


PEER = Peer(
    name="jax",
    title="JAX, rollouts and updates under one jit, thousands of lanes",
    learns={"cartpole": learn_cartpole, "frozenlake": learn_frozenlake, "corridor": learn_corridor},
    precision="float32",
)
