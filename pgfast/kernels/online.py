"""The one-step actor–critic, learning while somebody else's simulation runs (Sutton & Barto 2018, section 13.5).

    δ = R + γ v̂(S′, w) − v̂(S, w),   w ← w + αʷ δ ∇v̂(S, w),   θ ← θ + α (I δ ∇ log π(A|S, θ) + I β ∇H(π(·|S, θ)))

with I = γᵗ where steps are weighed by γᵗ, else 1, and v̂(S′) = 0 where the episode has terminated. The update of a step
is made when the next observation is known, before the next action is drawn. Lane 0 does the work; its tape holds S at
place 0 and S′ at place 1. The first run learns.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import LANES, inlined, kernel, leaf, routine, store_column
from pgfast.kernels.lanes import CHANGED, RUNNING, TERMINATED, padded
from pgfast.kernels.learner import EPISODES, FAILED, STEPS, UPDATES, begin_update, end_batch, give_up, span_everything
from pgfast.kernels.predictions import put_real, put_whole
from pgfast.kernels.replay import move_some, span
from pgfast.kernels.starts import set_counter
from pgfast.protocol import act, draw, hand_out, learn, load, prepare, tape_score, tape_value, tape_value_gradient
from pgfast.random import TRAIN

# entries of `order`: what a call is to do; 1 while a step waits to be learned from; 1 once lanes have a state; the
# least and the largest of discrete observations
TASK, WAITING, PRIMED, LOWEST, HIGHEST = range(5)
ORDER = 5
# tasks: find an action; end the episode for good, at the observation given, or at one that isn't known
ACT, TERMINATE, TRUNCATE, ABANDON = range(4)
REWARD, WEIGHT = range(2)  # entries of `numbers`: of the step that waits; I
NUMBERS = 2
_ONE = np.uint64(1)


@leaf
def put(real, whole, places, order, lanes):
    """The observation given into lane 0; False when it is none."""
    if whole.shape[0] > 0:
        return put_whole(1, 0, whole, order[LOWEST], order[HIGHEST], lanes)
    return put_real(1, 0, real, places, lanes)


@routine
def look(env, like, policy, algorithm, learner, w, memory):
    """Draw an action for what lane 0 observes, and write it on the tape after what stands there."""
    lanes, n = w.lanes, padded(1, w.lanes)
    lanes.control[CHANGED] = 1
    act(policy, env, like, n, w, learner, 0)
    lanes.likelihood[0] = 1.0  # nobody asks for it, and it must not become subnormal
    learn(memory, policy, algorithm, n, w)


@routine
def update(policy, algorithm, optimisation, learner, memory, room, reward, following, weight):
    """Learn from the step at place 0 of the tape, followed by a state of value `following`; False when θ or w would
    not be finite."""
    delta = reward + algorithm.gamma * following - tape_value(memory, learner, 0, 0, 0)
    first, last = tape_score(policy, learner, 0, memory, 0, 0, weight * delta, weight * algorithm.entropy, room)
    span(room, first, last)
    factor = begin_update(optimisation, learner, 0)
    if not move_some(optimisation, optimisation.lr * factor, learner, 0, 0, learner.n_theta, room, 0):
        return False
    if optimisation.rule.plain == 0:
        span_everything(room, learner.n_theta)
    prepare(policy, learner, 0, room)
    first, last = tape_value_gradient(memory, 0, 0, delta, room)
    span(room, first, last)
    rate = optimisation.lr_value * factor
    return move_some(optimisation, rate, learner, 0, learner.weights_at, learner.n_weights, room, room.value_at)


@leaf
def begin_episode(learner, lanes, numbers):
    """The next episode."""
    lanes.episode[0] = learner.clock[0, EPISODES]
    set_counter(lanes, 0, TRAIN)
    numbers[WEIGHT] = 1.0


@inlined
def prime(like, learner, w, memory, order, numbers):
    """Lane 0 begins an episode; the others are there to fill a vector register."""
    for i in range(LANES):
        load(memory, learner, w, i, 0)
        store_column(w.lanes.state, w.lanes.state_int, i, like, like)
        w.lanes.done[i] = RUNNING if i == 0 else TERMINATED
        w.lanes.live[i] = 1.0 if i == 0 else 0.0
    order[PRIMED] = 1
    begin_episode(learner, w.lanes, numbers)


@kernel
def work_online(
    env, like, policy, actions, algorithm, optimisation, learner, w, memory, room, k0, k1, real, whole, places, order,
    numbers, out
):  # fmt: skip
    """Learn from the step that waits, if one does, and find the next action or end the episode, as `order` says.
    Returns the action, if it is a whole number, 0 at an episode's end, or −1 for an observation that is none; then
    nothing has happened. The action is in `out`, too: (1,), or (1, K) where it is K real numbers.

    env: what has the features, or None; `like`: an observation; k0, k1: the seed; `real` (1, D) or, where observations
    are discrete, `whole` (1,): the observation; `places`: see `pgfast.kernels.predictions.put_real`.
    """
    lanes, clock, task = w.lanes, learner.clock, order[TASK]
    if order[PRIMED] == 0:
        prime(like, learner, w, memory, order, numbers)
    seen = task in (ACT, TRUNCATE)
    if seen:
        if not put(real, whole, places, order, lanes):
            return -1
        draw(actions, padded(1, lanes), 1, k0, k1, lanes)
        load(memory, learner, w, 0, 0)
        look(env, like, policy, algorithm, learner, w, memory)
    if order[WAITING] == 1:
        order[WAITING] = 0
        clock[0, STEPS] += 1
        if task != ABANDON and clock[0, FAILED] < 0:
            following = tape_value(memory, learner, 0, 0, 1) if seen else 0.0
            reward, weight = numbers[REWARD], numbers[WEIGHT]
            clock[0, UPDATES] += 1
            if not update(policy, algorithm, optimisation, learner, memory, room, reward, following, weight):
                give_up(learner, 0, 0)
        memory.length[0] = 0
        if algorithm.discount_factor == 1:
            numbers[WEIGHT] *= algorithm.gamma
        if task == ACT:  # with θ as it is now
            load(memory, learner, w, 0, 0)
            look(env, like, policy, algorithm, learner, w, memory)
    if task == ACT:
        order[WAITING] = 1
        lanes.counter[0, 0] += _ONE
        return hand_out(actions, 1, 0, lanes, out)
    memory.length[0] = 0
    clock[0, EPISODES] += 1
    end_batch(learner, 0, 1.0)
    begin_episode(learner, lanes, numbers)
    return 0
