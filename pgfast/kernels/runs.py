"""The schedule of runs: every lane is an independent run with its own θ, which it updates by itself.

Threads share nothing but a queue of runs; a lane that has finished one takes the next. Ending an episode, updating θ
and starting the next episode are loops over lanes like the rest, so a short episode costs no more per step than a long
one.

For evaluation a run may have several *slots*, each with its share of the episodes; when learning, slots are runs.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import LANES, atomic_add, inlined, kernel, lane_kernel, leaf, optional_hook, routine, short, wide
from pgfast.kernels.accounts import clear_account, move_account
from pgfast.kernels.lanes import (
    ACTIVE,
    PRIMED,
    RUNNING,
    TALLY_DISCOUNTED,
    TALLY_NORM,
    TALLY_SQUARES,
    TALLY_SUM,
    WAITED,
    move_lane,
    padded,
    seams,
    smaller,
    turn,
)
from pgfast.kernels.learner import EPISODES, FAILED, LAST, follow_mean, give_up, note
from pgfast.kernels.plan import FINISHED, TICKET, is_time_to_return, reason
from pgfast.kernels.starts import begin_episode, restart
from pgfast.kernels.statistics import (
    COUNT,
    DISCOUNTED,
    ENTROPY,
    EXPONENT,
    LENGTH,
    MANTISSA,
    MOVES,
    NORM,
    REFERENCE,
    SQUARES,
    SUM,
    count_episode,
)
from pgfast.protocol import begin, clear, end, improve, load, move, store

PATIENCE = 0.5  # turns for each lane at work that lanes whose episode has ended may wait altogether
NEVER = 2**31 - 1  # a countdown that doesn't end
_ONE, _NONE = np.uint64(1), np.uint64(0)


@leaf
def row_end(plan, episode):
    """The episode at which the row of the log that `episode` belongs to is complete."""
    return plan.log_origin + ((episode - plan.log_origin) // plan.log_every + 1) * plan.log_every


@leaf
def set_countdowns(plan, learner, lanes, i, slot, episode):
    """Episodes until the next update and until the slot is noted in the log; a last, smaller batch is noted apart."""
    due = smaller(row_end(plan, episode), learner.clock[slot, LAST]) - episode
    due = smaller(due, plan.tallied)
    due -= due % plan.batch if due > plan.batch else 0
    lanes.due[i] = due
    lanes.left[i] = smaller(plan.batch, due)
    lanes.inverse[i] = 1.0 / lanes.left[i] if lanes.left[i] > 0 else 0.0


@leaf
def clear_tally(learner, lanes, i, run):
    """Begin to count for another row of the log."""
    for r in range(4):
        lanes.tally[r, i] = 0.0
    lanes.steps[i] = 0
    lanes.moves[i] = 0
    lanes.likelihood[i] = 1.0
    lanes.exponent[i] = 0
    lanes.entropy[i] = 0.0
    lanes.reference[i] = learner.runs[run, learner.reference_at]


@leaf
def begin_only(memory, learner, w, i, run):
    """Nothing: an episode begins where the environment's start is."""


take_up = optional_hook("take_up", begin_only)  # where a run goes on in the middle of its task


@routine
def open_slot(env, like, plan, learner, accounts, w, memory, team, i):
    """Give lane i the next slot of the queue that has something left to do; False when there is none."""
    lanes = w.lanes
    while True:
        slot = atomic_add(team, TICKET, 1)
        if slot >= plan.runs * plan.copies:
            return False
        episode = learner.clock[slot, EPISODES]
        if episode < learner.clock[slot, LAST] and learner.clock[slot, FAILED] < 0:
            run = slot // plan.copies
            lanes.run[i] = run
            lanes.slot[i] = slot
            lanes.episode[i] = episode
            set_countdowns(plan, learner, lanes, i, slot, episode)
            clear_tally(learner, lanes, i, run)
            clear_account(accounts, i)
            clear(memory, w, i)
            load(memory, learner, w, i, run)
            begin(memory, w, i)
            begin_episode(env, like, plan, lanes, i)
            take_up(memory, learner, w, i, run)
            return True


@routine
def close_row(plan, learner, accounts, w, memory, i):
    """Note lane i's slot in clock and log, and give its run's parameters back."""
    lanes, sums = w.lanes, accounts.notes
    run, slot = lanes.run[i], lanes.slot[i]
    sums[i, COUNT] = (lanes.episode[i] - learner.clock[slot, EPISODES]) * 1.0
    sums[i, REFERENCE] = lanes.reference[i]
    sums[i, SUM] = lanes.tally[TALLY_SUM, i]
    sums[i, SQUARES] = lanes.tally[TALLY_SQUARES, i]
    sums[i, LENGTH] = lanes.steps[i] * 1.0
    sums[i, DISCOUNTED] = lanes.tally[TALLY_DISCOUNTED, i]
    sums[i, ENTROPY] = wide(lanes.entropy[i])
    sums[i, MANTISSA] = wide(lanes.likelihood[i])
    sums[i, EXPONENT] = lanes.exponent[i] * 1.0
    sums[i, NORM] = lanes.tally[TALLY_NORM, i]
    sums[i, MOVES] = lanes.moves[i] * 1.0
    if plan.learn == 1:
        store(memory, learner, w, i, run)
    note(plan, learner, sums, i, 0, run, slot)
    clear_tally(learner, lanes, i, run)


@routine
def retire(w, memory, accounts, i):
    """Take lane i out of work; the last active lane moves into its place."""
    lanes = w.lanes
    last = lanes.control[ACTIVE] - 1
    if i != last:
        move_lane(lanes, last, i)
        move(memory, w, last, i)
        move_account(accounts, last, i)
    lanes.due[last] = NEVER
    lanes.left[last] = NEVER
    lanes.control[ACTIVE] = last


@lane_kernel
def count_ends(n, batch, lanes):
    """Tally the episodes that have ended, count down, and set the shares of the lanes that are to be updated; returns
    (0 when a lane is due to be noted, the number of lanes to be updated)."""
    due, updates, batch = short(NEVER), short(0), short(smaller(batch, NEVER))  # no wider than a row
    for i in range(n):
        lanes.episode[i] += 1 if lanes.done[i] != RUNNING else 0
        lanes.steps[i] += lanes.counter[0, i] - _ONE if lanes.done[i] != RUNNING else _NONE
    for i in range(n):
        ended = lanes.done[i] != RUNNING
        one = 1 if ended else 0
        difference = lanes.returns[0, i] - lanes.reference[i] if ended else 0.0
        lanes.tally[TALLY_SUM, i] += difference
        lanes.tally[TALLY_SQUARES, i] += difference * difference
        lanes.tally[TALLY_DISCOUNTED, i] += lanes.returns[1, i] if ended else 0.0
        remaining = short(lanes.due[i] - one)
        left = lanes.left[i] - one
        now = ended & (left == 0)
        following = batch if batch < remaining else remaining
        lanes.going[i] = one - 1
        lanes.kept[i] = 0 if now else -1
        lanes.share[i] = lanes.inverse[i] if now else 0.0
        lanes.moves[i] += 1 if now else 0
        lanes.left[i] = following if now else left
        lanes.due[i] = remaining
        updates = short(updates + (1 if now else 0))
        due = remaining if remaining < due else due
    return due, updates


@leaf
def is_time_to_restart(plan, lanes, n, waiting):
    """Are lanes whose episode has ended to begin another? That costs much the same for one as for all, so they wait
    for company until it is worth it."""
    control = lanes.control
    enough = control[WAITED] >= PATIENCE * n or waiting >= control[ACTIVE]
    return waiting > 0 and enough and seams(plan, lanes)


@routine
def end_one_by_one(memory, policy, algorithm, optimisation, learner, accounts, n, w, room, updates):
    """Ends of episodes, and updates where a batch is complete, lane by lane; 0 when some θ would have stopped being
    finite."""
    lanes, sums, stats_at = w.lanes, accounts.sums, accounts.stats_at
    good = 1
    for i in range(n):
        if lanes.done[i] == RUNNING:
            continue
        if i >= lanes.control[ACTIVE]:
            clear(memory, w, i)
        else:
            count_episode(sums, i, stats_at, lanes.returns[0, i], lanes.returns[1, i], lanes.counter[0, i] * 1.0 - 1.0)
            end(memory, algorithm, learner, w, accounts, i, i)
            if lanes.share[i] != 0.0:
                if not improve(memory, policy, algorithm, optimisation, learner, accounts, i, w, room):
                    lanes.bad[i] = 1
                    good = 0
                lanes.tally[TALLY_NORM, i] += sums[i, stats_at + NORM]
                lanes.moves[i] += np.int64(sums[i, stats_at + MOVES]) - 1
                follow_mean(algorithm, learner, lanes.run[i], sums, i, stats_at)
                clear_account(accounts, i)
                clear(memory, w, i)
                load(memory, learner, w, i, lanes.run[i])
        begin(memory, w, i)
    return good


end_lanes = optional_hook("end_lanes", end_one_by_one)


@inlined
def update_later(memory, env, like, policy, algorithm, optimisation, plan, learner, n, w, room):
    """Nothing: updates are made at the ends of episodes."""


update_now = optional_hook("update_now", update_later)  # where θ moves at every step


@inlined
def restart_all(memory, algorithm, n, env, like, plan, w):
    """The next episode in every lane whose last one has ended."""
    restart(n, env, like, plan, w.lanes)


@inlined
def keep_nothing(memory, policy, algorithm, learner, w, room):
    """Runs have all that they have learned."""


hand_back = optional_hook("hand_back", keep_nothing)  # before lanes are left in the middle of an episode
restart_lanes = optional_hook("restart_lanes", restart_all)


@routine
def close_rows(env, like, plan, learner, accounts, w, memory, team):
    """Lanes that are due: noted, and given the rest of their run, another run, or retirement."""
    lanes = w.lanes
    for i in range(lanes.control[ACTIVE] - 1, -1, -1):
        if lanes.due[i] > 0 and lanes.bad[i] == 0:
            continue
        slot = lanes.slot[i]
        close_row(plan, learner, accounts, w, memory, i)
        if lanes.bad[i] > 0:
            lanes.bad[i] = 0
            give_up(learner, slot, lanes.run[i])
        if learner.clock[slot, EPISODES] < learner.clock[slot, LAST] and learner.clock[slot, FAILED] < 0:
            set_countdowns(plan, learner, lanes, i, slot, learner.clock[slot, EPISODES])
        elif not open_slot(env, like, plan, learner, accounts, w, memory, team, i):
            retire(w, memory, accounts, i)


@inlined
def prime(env, like, plan, learner, w, memory):
    """Give every lane a state: those without work are stepped with the others."""
    lanes = w.lanes
    if lanes.control[PRIMED] == 0:
        lanes.control[PRIMED] = 1
        for i in range(LANES):
            lanes.due[i] = NEVER
            lanes.left[i] = NEVER
            lanes.run[i] = 0
            load(memory, learner, w, i, lanes.run[i])
            begin(memory, w, i)
            begin_episode(env, like, plan, lanes, i)


@inlined
def open_lanes(env, like, plan, learner, accounts, w, memory, team):
    """Put as many lanes to work as there are slots for."""
    control = w.lanes.control
    while control[ACTIVE] < plan.width and open_slot(
        env, like, plan, learner, accounts, w, memory, team, control[ACTIVE]
    ):
        control[ACTIVE] += 1


@routine
def close_lanes(plan, learner, accounts, w, memory):
    """Give what lanes hold back to their runs; they are at an end."""
    for i in range(w.lanes.control[ACTIVE]):
        close_row(plan, learner, accounts, w, memory, i)
    w.lanes.control[ACTIVE] = 0


@inlined
def finish(env, like, policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team, n):
    """Every lane whose episode has ended is counted, updated if its batch is complete, and given another."""
    due, updates = count_ends(n, plan.batch, w.lanes)
    if plan.learn == 1:
        due *= end_lanes(memory, policy, algorithm, optimisation, learner, accounts, n, w, room, updates)
    restart_lanes(memory, algorithm, n, env, like, plan, w)
    if due <= 0:
        close_rows(env, like, plan, learner, accounts, w, memory, team)


@kernel
def work_on_runs(env, like, policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team, budget):
    """Train, or play, slot after slot for about `budget` turns; returns FINISHED, AGAIN, TAPE_FULL or OUTSIDE. With a
    budget below 0, what lanes hold is given back to their runs instead, and they are at an end.

    Arguments as of `work_on_batches`, but `accounts` belongs to the thread too, and has a row for each lane.
    """
    prime(env, like, plan, learner, w, memory)
    lanes, control = w.lanes, w.lanes.control
    if budget < 0:
        if plan.learn == 1:
            hand_back(memory, policy, algorithm, learner, w, room)
        close_lanes(plan, learner, accounts, w, memory)
        return FINISHED
    open_lanes(env, like, plan, learner, accounts, w, memory, team)
    while control[ACTIVE] > 0:
        n = padded(control[ACTIVE], lanes)
        full, waiting = turn(env, like, policy, algorithm, plan, learner, w, memory, n)
        if plan.learn == 1:
            update_now(memory, env, like, policy, algorithm, optimisation, plan, learner, n, w, room)
        budget -= 1
        control[WAITED] += waiting
        if is_time_to_restart(plan, lanes, n, waiting):
            control[WAITED] = 0
            finish(env, like, policy, algorithm, optimisation, plan, learner, accounts, w, memory, room, team, n)
        if seams(plan, lanes) and is_time_to_return(team, full, budget, control):
            return reason(full, control)
    return FINISHED
