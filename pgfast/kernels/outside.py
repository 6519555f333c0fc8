"""Environments that others step: the two halves of a turn, with a desk between lanes and whoever steps them.

One half takes in what a step of every environment gave, ends episodes, makes updates and opens new episodes; the other
finds the actions for what is observed next. In between lie the environments' own steps, outside of compiled code. All
else is as in the schedules of batches and of runs: the same pieces, put together differently.

A lane sits at an environment, which is its *seat*. Before the first step of an episode an environment may be *absent*:
it only begins anew, and for its lane that is no step.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import inlined, kernel, lane_kernel, leaf
from pgfast.kernels.batches import finish as finish_in_batch
from pgfast.kernels.batches import open_work
from pgfast.kernels.batches import prime as prime_for_batches
from pgfast.kernels.lanes import ACTIVE, RUNNING, TERMINATED, TRUNCATED, decide, is_cut, padded, take_in
from pgfast.kernels.plan import AGAIN, FINISHED, TAPE_FULL
from pgfast.kernels.runs import close_lanes, open_lanes
from pgfast.kernels.runs import finish as finish_in_runs
from pgfast.kernels.runs import prime as prime_for_runs
from pgfast.kernels.starts import begin_episode
from pgfast.protocol import begin, look_ahead, serve

ABSENT = 3  # value of `done` while a lane's environment is absent
# entries of `order`: 1 to take in a step; 1 to find actions; 1 to give back what lanes hold instead; how often all
# environments had to begin at once; bounds of discrete observations
TAKE_IN, DECIDE, CLOSE, OPENED, LOWEST, HIGHEST = range(6)
RUN, EPISODE, FRESH = range(3)  # columns of `playing`: FRESH is 1 before the first step; EPISODE −1 where nobody plays
# what a call answers beside a plan's answers: somebody has an episode to begin, so no actions were looked for; an
# observation, or a reward, can't be used
BEGINS, NOT_FINITE, BAD_REWARD = range(4, 7)
_ONE, _ZERO = np.uint64(1), np.uint64(0)


class Desk(NamedTuple):
    """What lies between lanes and N environments; row k is environment k's."""

    order: Any  # int64 (6,)
    real: Any  # float64 (N, D): observations; (N, 0) where they are discrete
    whole: Any  # int64 (N,): discrete observations; else (0,)
    reward: Any  # float64 (N,)
    terminated: Any  # uint8 (N,)
    truncated: Any  # uint8 (N,)
    absent: Any  # uint8 (N,)
    action: Any  # int64 (N,); float64 (N, K) where they are real numbers
    playing: Any  # int64 (N, 3): run, episode, fresh


def make_desk(environments: int, width: int, action: Any = 0) -> Desk:
    """An empty desk; `width` numbers are observed, 0 where observations are discrete. All environments have `action` on
    it: those that nobody plays are stepped too."""
    terminated, truncated, absent = np.zeros((3, environments), np.uint8)
    playing = np.zeros((environments, 3), np.int64)
    playing[:, EPISODE] = -1
    actions = np.array([[action] if isinstance(action, float) else action] * environments)
    return Desk(
        np.zeros(6, np.int64), np.zeros((environments, width)), np.zeros(0 if width else environments, np.int64),
        np.zeros(environments), terminated, truncated, absent, actions, playing,
    )  # fmt: skip


class Outside(NamedTuple):
    """Stands for an environment that kernels don't step: an episode's first observation comes with the others."""

    blank: Any  # an observation

    def reset(self, key):
        return self.blank


@lane_kernel
def take_seats(desk, lanes):
    """Every lane at work sits at the environment of its number."""
    for i in range(lanes.control[ACTIVE]):
        lanes.seat[i] = i
    desk.order[OPENED] += 1


@leaf
def put_observation(desk, lanes, i, k):
    """What environment k shows into lane i; False when it is not finite, or not among the discrete ones."""
    good = True
    if desk.whole.shape[0] > 0:
        s = desk.whole[k]
        good &= (s >= desk.order[LOWEST]) & (s <= desk.order[HIGHEST])
        lanes.state_int[0, i] = s
    for r in range(desk.real.shape[1]):
        lanes.state[r, i] = desk.real[k, r]
        good &= isfinite(lanes.state[r, i])  # in single precision too
    return good


@lane_kernel
def put_observations(desk, lanes):
    """What is observed into the lanes at work; False when they can't take it."""
    good = True
    for i in range(lanes.control[ACTIVE]):
        k = lanes.seat[i]
        if desk.absent[k] == 1:
            lanes.done[i] = ABSENT
        else:
            good &= put_observation(desk, lanes, i, k)
    return good


@lane_kernel
def put_last(desk, lanes):
    """What is observed where the step just made has truncated an episode."""
    for i in range(lanes.control[ACTIVE]):
        if is_cut(i, lanes):
            put_observation(desk, lanes, i, lanes.seat[i])


@lane_kernel
def receive(n, plan, desk, lanes):
    """What a step of the environments gave, into n lanes; plan.max_steps truncates. False for a reward that is not
    finite."""
    good, active = True, lanes.control[ACTIVE]
    for i in range(active):
        k = lanes.seat[i]
        here, t1 = desk.absent[k] == 0, lanes.counter[0, i]
        good &= isfinite(desk.reward[k])
        lanes.reward[i] = desk.reward[k] if here else 0.0
        lanes.live[i] = 1.0 if here else 0.0
        lanes.counter[0, i] = t1 + (_ONE if here else _ZERO)
        end = TRUNCATED if (desk.truncated[k] == 1) | (t1 >= plan.max_steps) else RUNNING
        end = TERMINATED if desk.terminated[k] == 1 else end
        lanes.done[i] = end if here else RUNNING
    for i in range(active, n):  # only there to fill a vector register
        lanes.reward[i] = 0.0
        lanes.live[i] = 0.0
    return good


@inlined
def begin_absent(env, like, plan, desk, w, memory):
    """Lanes whose environment was absent begin their episode again: nothing has happened in it."""
    lanes = w.lanes
    for i in range(lanes.control[ACTIVE]):
        if desk.absent[lanes.seat[i]] == 1:
            begin(memory, w, i)
            begin_episode(env, like, plan, lanes, i)


@lane_kernel
def say_who_plays(desk, lanes):
    """What each environment is to play; returns how many are to begin."""
    begins = 0
    for k in range(desk.playing.shape[0]):
        desk.playing[k, EPISODE] = -1
        desk.playing[k, FRESH] = 0
    for i in range(lanes.control[ACTIVE]):
        k, fresh = lanes.seat[i], 1 if lanes.counter[0, i] == _ONE else 0
        desk.playing[k, RUN] = lanes.run[i]
        desk.playing[k, EPISODE] = lanes.episode[i]
        desk.playing[k, FRESH] = fresh
        begins += fresh
    return begins


@lane_kernel
def give_actions(plan, desk, lanes):
    """The lanes' actions, as the environments call them."""
    for i in range(lanes.control[ACTIVE]):
        serve(plan.actions, i, lanes, desk.action, lanes.seat[i])


@inlined
def answer(env, like, policy, plan, learner, w, desk, full):
    """The second half of a turn, unless something has to happen before; what a call answers."""
    lanes, order = w.lanes, desk.order
    begins = say_who_plays(desk, lanes)
    status = AGAIN
    if full != 0:
        status = TAPE_FULL
    elif begins > 0 and order[TAKE_IN] == 1:
        status = BEGINS
    elif order[DECIDE] == 1:
        if put_observations(desk, lanes):
            decide(env, like, policy, plan, learner, w, padded(lanes.control[ACTIVE], lanes))
            give_actions(plan, desk, lanes)
        else:
            status = NOT_FINITE
    return status


@kernel
def exchange_in_batches(
    env, like, policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team, desk
):
    """Half a turn, or the second half of one and the first of the next, as the desk's order says, where lanes are
    episodes of a batch.

    Arguments as of `work_on_batches`; one thread has all the work, a batch is one block, plan.sharing is 1, and `env`
    an `Outside`. Lanes take seats anew when a batch begins: all environments are then to begin.
    """
    lanes, control, order = w.lanes, w.lanes.control, desk.order
    prime_for_batches(env, like, plan, learner, w, memory)
    full = 0
    if order[TAKE_IN] == 1:
        n = padded(control[ACTIVE], lanes)
        if not receive(n, plan, desk, lanes):
            return BAD_REWARD
        full, waiting = take_in(policy, algorithm, plan, w, memory, n)
        if plan.learn == 1:
            put_last(desk, lanes)
            look_ahead(memory, env, like, policy, algorithm, n, w, learner)
        begin_absent(env, like, plan, desk, w, memory)
        if waiting > 0:
            finish_in_batch(env, like, algorithm, plan, learner, accounts, w, memory, n)
    if control[ACTIVE] == 0:
        status = open_work(env, like, policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team)
        if status >= 0:
            return status
        take_seats(desk, lanes)
    return answer(env, like, policy, plan, learner, w, desk, full)


@kernel
def exchange_in_runs(env, like, policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team, desk):
    """As `exchange_in_batches`, where lanes are runs; arguments as of `work_on_runs`. Lanes keep their seats."""
    lanes, control, order = w.lanes, w.lanes.control, desk.order
    prime_for_runs(env, like, plan, learner, w, memory)
    full = 0
    if order[CLOSE] == 1:
        close_lanes(plan, learner, accounts, w, memory)
    elif order[OPENED] == 0:
        open_lanes(env, like, plan, learner, accounts, w, memory, team)
        take_seats(desk, lanes)
    elif order[TAKE_IN] == 1:
        n = padded(control[ACTIVE], lanes)
        if not receive(n, plan, desk, lanes):
            return BAD_REWARD
        full, waiting = take_in(policy, algorithm, plan, w, memory, n)
        if plan.learn == 1:
            put_last(desk, lanes)
            look_ahead(memory, env, like, policy, algorithm, n, w, learner)
        begin_absent(env, like, plan, desk, w, memory)
        if waiting > 0:
            finish_in_runs(
                env, like, policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team, n
            )
    if control[ACTIVE] == 0:
        return FINISHED
    return answer(env, like, policy, plan, learner, w, desk, full)
