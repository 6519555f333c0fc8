"""The schedule of batches: lanes are episodes of one learner, θ fixed until the batch is complete.

A batch is cut into blocks, threads take blocks in order, and whoever finishes the last one makes the update; block sums
are added in block order, so the result doesn't depend on who played what. Several runs share the threads.

A phase is a pass over a batch: the first plays it, and for most algorithms there is no other. Where it has been written
down (`pgfast.kernels.passes`), it can be gone over again, in the same blocks.

A call returns after about `budget` turns (steps of all lanes in lockstep), so that the caller can show progress, take a
checkpoint or stop; a later call goes on from the workspace as if nothing had happened.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import (
    LANES,
    atomic_add,
    atomic_load,
    atomic_store,
    busy_routine,
    highest_bit,
    inlined,
    kernel,
    lane_kernel,
    leaf,
    optional_hook,
    routine,
    wide,
    yield_processor,
)
from pgfast.kernels.accounts import clear_account, fold
from pgfast.kernels.lanes import (
    ACTIVE,
    FIRST_EPISODE,
    LAST_EPISODE,
    NEXT_EPISODE,
    PHASE,
    PRIMED,
    RUNNING,
    TASK,
    move_lane,
    padded,
    seams,
    smaller,
    turn,
)
from pgfast.kernels.learner import FAILED, follow_mean, give_up, note, update
from pgfast.kernels.plan import (
    AGAIN,
    BATCH_OVER,
    BROKEN,
    DONE,
    FINISHED,
    PASS_OVER,
    STOP,
    TICKET,
    is_time_to_return,
    reason,
)
from pgfast.kernels.scaling import follow_observed, hand_in_observed, load_scale
from pgfast.kernels.starts import begin_anywhere, begin_episode, begin_next
from pgfast.kernels.statistics import ENTROPY, REFERENCE, count_episode, count_likelihood
from pgfast.protocol import begin, clear, end, load, move

_NONE, _ONE = np.uint64(0), np.uint64(1)
_PHASE_BITS = 32
_SPINS = 256


@leaf
def blocks_of_phase(plan, phase):
    """(first episode, episodes, blocks) of the batch that a phase goes over; no episodes when all are done."""
    first = plan.first_episode + phase // plan.passes * plan.batch
    left = plan.last_episode - first
    count = smaller(plan.batch, left if left > 0 else 0)
    return first, count, (count + plan.block - 1) // plan.block


@leaf
def start_next(env, like, memory, plan, w, i):
    """The block's next episode in lane i."""
    episode = w.lanes.control[NEXT_EPISODE]
    w.lanes.control[NEXT_EPISODE] = episode + 1
    w.lanes.episode[i] = episode
    begin(memory, w, i)
    begin_next(env, like, plan, w.lanes, i)


@inlined
def open_lane(env, like, memory, plan, learner, w, i, run):
    """Give lane i to the block's next episode, of a run."""
    w.lanes.run[i] = run
    w.lanes.likelihood[i] = 1.0
    w.lanes.exponent[i] = 0
    w.lanes.entropy[i] = 0.0
    clear(memory, w, i)
    load(memory, learner, w, i, run)
    load_scale(learner, w.lanes, i, run)
    start_next(env, like, memory, plan, w, i)


@inlined
def close_lane(w, memory, accounts, i):
    """Add what lane i has summed up to the block's account; the last active lane moves into its place."""
    lanes = w.lanes
    account, last = lanes.control[TASK], lanes.control[ACTIVE] - 1
    count_likelihood(accounts.sums, account, accounts.stats_at, lanes.likelihood[i], lanes.exponent[i])
    accounts.sums[account, accounts.stats_at + ENTROPY] += wide(lanes.entropy[i])
    hand_in_observed(lanes, accounts, account, i)
    if i != last:
        move_lane(lanes, last, i)
        move(memory, w, last, i)
    lanes.control[ACTIVE] = last


@lane_kernel
def ended_lanes(n, done):
    """A bit for each lane whose episode has ended."""
    ended = _NONE
    for i in range(n):
        ended |= (_ONE if done[i] != RUNNING else _NONE) << np.uint64(i)
    return ended


@busy_routine
def finish(env, like, algorithm, plan, learner, accounts, w, memory, n):
    """Every lane whose episode has ended is counted and given the block's next episode, or closed."""
    lanes = w.lanes
    ended = ended_lanes(n, lanes.done)
    while ended != _NONE:
        i = highest_bit(ended)
        ended ^= _ONE << np.uint64(i)
        if i >= lanes.control[ACTIVE]:  # only there to fill a vector register
            clear(memory, w, i)
            begin(memory, w, i)
            begin_anywhere(like, lanes, i)
            continue
        account = lanes.control[TASK]
        count_episode(
            accounts.sums, account, accounts.stats_at, lanes.returns[0, i], lanes.returns[1, i],
            length_of_episode(lanes, i),
        )  # fmt: skip
        if plan.learn == 1:
            end(memory, algorithm, learner, w, accounts, account, i)
        if lanes.control[NEXT_EPISODE] < lanes.control[LAST_EPISODE]:
            start_next(env, like, memory, plan, w, i)
        else:
            close_lane(w, memory, accounts, i)


@leaf
def length_of_episode(lanes, i):
    """Steps made in lane i, as a float."""
    return lanes.counter[0, i] * 1.0 - 1.0


@inlined
def open_block(env, like, plan, learner, accounts, w, memory, task, phase):
    """Fill lanes with the first episodes of a block; a task's account has the task's number."""
    first, count, blocks = blocks_of_phase(plan, phase)
    run, block = task // blocks, task % blocks
    start = first + block * plan.block
    stop = smaller(start + plan.block, first + count)
    accounts.sums[task, accounts.stats_at + REFERENCE] = learner.runs[run, learner.reference_at]
    open_task(memory, task)
    control = w.lanes.control
    control[FIRST_EPISODE] = start
    control[NEXT_EPISODE] = start
    control[LAST_EPISODE] = stop
    width = smaller(plan.width, stop - start) if learner.clock[run, FAILED] < 0 else 0
    for i in range(width):
        open_lane(env, like, memory, plan, learner, w, i, run)
    control[ACTIVE] = width


@leaf
def nothing_to_open(memory, task):
    """A block's episodes are remembered by those who play them."""


@routine
def nothing_to_close(memory, policy, algorithm, learner, accounts, w, task, run):
    """They have summed up what there is to it."""


@routine
def nothing_to_go_over(memory, policy, algorithm, learner, accounts, w, task, run, number):
    """A batch that isn't written down is played, and that is all."""


@routine
def update_once(memory, policy, algorithm, optimisation, plan, learner, accounts, a, run, room, number):
    """A batch that isn't written down gives one update."""
    good = True
    if plan.learn == 1:
        good = update(policy, algorithm, optimisation, learner, accounts, a, run, room)
        follow_mean(algorithm, learner, run, accounts.sums, a, accounts.stats_at)
    note(plan, learner, accounts.sums, a, accounts.stats_at, run, run)
    return BATCH_OVER if good else BROKEN


open_task = optional_hook("open_task", nothing_to_open)
close_task = optional_hook("close_task", nothing_to_close)
go_over = optional_hook("go_over", nothing_to_go_over)
conclude = optional_hook("conclude", update_once)


@inlined
def open_task_of(env, like, policy, algorithm, plan, learner, accounts, w, memory, task, phase):
    """Play a block, or go over it once more."""
    run, number = task // blocks_of_phase(plan, phase)[2], phase % plan.passes
    clear_account(accounts, task)
    w.lanes.control[TASK] = task
    w.lanes.control[PHASE] = phase
    if number == 0:
        open_block(env, like, plan, learner, accounts, w, memory, task, phase)
    elif learner.clock[run, FAILED] < 0:
        go_over(memory, policy, algorithm, learner, accounts, w, task, run, number)


@inlined
def close_block(policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team):
    """A block is done; when it is the last of its phase, conclude the pass of every run, and open another or the next
    batch to all threads. A run whose θ would stop being finite fails, and keeps its last good θ; after the last of them
    there is no next batch."""
    phase, task = w.lanes.control[PHASE], w.lanes.control[TASK]
    w.lanes.control[TASK] = -1
    _, _, blocks = blocks_of_phase(plan, phase)
    if plan.learn == 1 and phase % plan.passes == 0:
        close_task(memory, policy, algorithm, learner, accounts, w, task, task // blocks)
    if atomic_add(team, DONE, 1) + 1 < blocks * plan.runs:
        return
    batch, number = phase // plan.passes, phase % plan.passes
    following = ((plan.last_episode - plan.first_episode) // plan.batch + 1) * plan.passes
    for run in range(plan.runs):
        if learner.clock[run, FAILED] < 0:
            a = run * blocks
            fold(accounts, a, a + 1, a + blocks)
            if plan.learn == 1 and number == 0:
                follow_observed(w.lanes, learner, accounts, a, run)
            then = conclude(memory, policy, algorithm, optimisation, plan, learner, accounts, a, run, room, number)
            if then == BROKEN:
                give_up(learner, run, run)
            else:
                following = smaller(following, phase + 1 if then == PASS_OVER else (batch + 1) * plan.passes)
    atomic_store(team, DONE, 0)
    atomic_store(team, TICKET, following << _PHASE_BITS)


@routine
def wait_for_phase(team, phase):
    """Wait until the phase is over; False when a thread has run out of budget."""
    spins = 0
    while atomic_load(team, TICKET) >> _PHASE_BITS == phase:
        if atomic_load(team, STOP) != 0:
            return False
        spins += 1
        if spins > _SPINS:
            yield_processor()
    return True


@routine
def take_block(env, like, policy, algorithm, plan, learner, accounts, w, memory, team):
    """Open the next block that no thread has taken; FINISHED after the last batch, AGAIN when asked to stop."""
    while True:
        ticket = atomic_add(team, TICKET, 1)
        phase, task = ticket >> _PHASE_BITS, ticket & ((1 << _PHASE_BITS) - 1)
        _, count, blocks = blocks_of_phase(plan, phase)
        if count == 0:
            return FINISHED
        if task < blocks * plan.runs:
            open_task_of(env, like, policy, algorithm, plan, learner, accounts, w, memory, task, phase)
            return -1
        if not wait_for_phase(team, phase):
            return AGAIN


@inlined
def prime(env, like, plan, learner, w, memory):
    """Give every lane a state: those without work are stepped with the others."""
    if w.lanes.control[PRIMED] == 0:
        w.lanes.control[PRIMED] = 1
        for i in range(LANES):
            w.lanes.run[i] = 0
            load(memory, learner, w, i, w.lanes.run[i])
            load_scale(learner, w.lanes, i, w.lanes.run[i])
            w.lanes.episode[i] = plan.first_episode
            begin(memory, w, i)
            begin_episode(env, like, plan, w.lanes, i)


@routine
def open_work(env, like, policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team):
    """Put lanes to work where none is, closing blocks that are done; −1, or why there is nothing to do."""
    control = w.lanes.control
    while control[TASK] < 0 or control[ACTIVE] == 0:
        if control[TASK] >= 0:
            close_block(policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team)
        status = take_block(env, like, policy, algorithm, plan, learner, accounts, w, memory, team)
        if status >= 0:
            return status
    return -1


@kernel
def work_on_batches(env, like, policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team, budget):
    """Play and learn for about `budget` turns; returns FINISHED, AGAIN, TAPE_FULL or OUTSIDE.

    env, policy, algorithm: NamedTuples that say by their class what is played and learned; `like`: a state to step
    from. The workspace `w`, `memory` and `room` belong to the calling thread; `learner`, `accounts` (a row for each
    block of each run) and `team` to all.
    """
    prime(env, like, plan, learner, w, memory)
    control = w.lanes.control
    while True:
        status = open_work(env, like, policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team)
        if status >= 0:
            return status
        while control[ACTIVE] > 0:
            n = padded(control[ACTIVE], w.lanes)
            full, waiting = turn(env, like, policy, algorithm, plan, learner, w, memory, n)
            budget -= 1
            if seams(plan, w.lanes):
                if waiting != 0:
                    finish(env, like, algorithm, plan, learner, accounts, w, memory, n)
                if is_time_to_return(team, full, budget, control):
                    return reason(full, control)
