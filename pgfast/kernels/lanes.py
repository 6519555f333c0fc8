"""Lanes: many episodes in lockstep, one per column.

A workspace belongs to one thread. It is one record of arrays whose last axis is the lane: a loop over lanes reads and
writes neighbouring numbers, at distances known when it is compiled, and becomes vector code. The first
``control[ACTIVE]`` lanes are at work; a lane that has nothing left to do is overwritten by the last active one.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import (
    LANES,
    as_bits,
    as_float,
    as_single,
    by_precision,
    gather_kernel,
    inlined,
    lane_kernel,
    leaf,
    load_column,
    routine,
    short,
    store_column,
)
from pgfast.protocol import act, advance, draw, learn, look_ahead, seed, step, taken, weigh
from pgfast.random import Key
from pgfast.room import check_record, zeros

# entries of `control`
ACTIVE, NEXT_EPISODE, LAST_EPISODE, TASK, FAULT, TURN, PHASE, PRIMED, WAITED, CHANGED, FIRST_EPISODE = range(11)
RUNNING, TERMINATED, TRUNCATED = 0, 1, 2  # values of `done`
TALLY_SUM, TALLY_SQUARES, TALLY_DISCOUNTED, TALLY_NORM = range(4)  # rows of `tally`

Field = tuple[str, str, tuple[int, ...]]  # name, dtype, shape


class Precision(NamedTuple):
    """The dtypes of what lanes compute at every step, and how much of it a block of random numbers and a vector
    register hold. What is summed over many episodes, and the parameters themselves, are double in both."""

    real: str
    whole: str
    word: str  # of a random number's counter
    numbers: int  # that one block of random words gives
    tallied: int  # episodes that a lane sums up by itself; more only if that's one update


MOST_SHARING = 4  # steps whose random numbers come from one block; between them no kernel returns
DOUBLE, SINGLE = Precision("f8", "i8", "u8", 2, 2**30), Precision("f4", "i4", "u4", 4, 1024)
TABLES = DOUBLE._replace(numbers=4)  # of a tabular policy on a table, to which numbers of 32 bits will do
PRECISIONS = {"float64": DOUBLE, "float32": SINGLE}

_ZERO, _ONE = np.uint64(0), np.uint64(1)


def lane_fields(like: Any, precision: Precision = DOUBLE, n_reals: int = 0, n_scaled: int = 0) -> list[Field]:
    """What every lane has, whatever its policy; `like` is a value shaped like the environment's state, `n_reals` the
    numbers of an action that is not a whole one, `n_scaled` those of an observation that are counted from a running
    mean."""
    real, whole, word, numbers, _ = precision
    elements = like if isinstance(like, tuple) else (like,)
    n_floats = sum(isinstance(x, float) for x in elements)
    n_ints = len(elements) - n_floats
    return [
        ("state", real, (max(1, n_floats), LANES)),
        ("state_int", whole, (max(1, n_ints), LANES)),
        ("counter", word, (4, LANES)),  # Philox counter; word 0 is t + 1
        ("uniforms", real, (numbers, LANES)),  # the policy's and the environment's of this step, and later ones'
        ("normals", real, (numbers * n_reals, LANES)),  # the policy's of this step, and later ones'
        ("action", whole, (LANES,)),
        ("reals", real, (n_reals, LANES)),  # the action, where it is of real numbers
        ("observed", real, (3 * n_scaled, LANES)),  # now; Σ of what it differs from the mean by, and of its squares
        ("scale", real, (2 * n_scaled, LANES)),  # running mean, and 1 / running deviation
        ("probability", real, (LANES,)),  # of the action; 1 where the episode had ended before
        ("reward", real, (LANES,)),
        ("live", real, (LANES,)),  # 1 where this step counts, 0 where the episode had ended before it
        ("done", whole, (LANES,)),  # RUNNING, TERMINATED or TRUNCATED
        ("going", whole, (LANES,)),  # −1 (all bits) where the episode goes on, 0 where it has ended
        ("kept", whole, (LANES,)),  # −1 where sums over a batch are kept, 0 where an update uses them up
        ("discount", real, (LANES,)),  # γᵗ
        ("returns", real, (2, LANES)),  # undiscounted and discounted, of the episode so far
        ("rho", real, (LANES,)),  # the signal that meets the eligibility trace
        ("weight", real, (LANES,)),  # the weight of this step's score
        ("entry", real, (LANES,)),  # the weight with which it enters the eligibility trace
        ("likelihood", real, (LANES,)),  # product of the probabilities of the actions taken since it was last noted,
        ("exponent", whole, (LANES,)),  # times 2 to this power
        ("entropy", real, (LANES,)),  # of policies that know it instead: its sum over these steps
        ("run", "i8", (LANES,)),
        ("slot", "i8", (LANES,)),  # which share of the run's episodes
        ("episode", "i8", (LANES,)),
        ("seat", "i8", (LANES,)),  # which environment it plays, where others step them
        ("left", whole, (LANES,)),  # episodes until the run's next update, this one included
        ("due", whole, (LANES,)),  # episodes until the run is noted in the log, this one included
        ("inverse", real, (LANES,)),  # 1 / episodes of the batch
        ("share", real, (LANES,)),  # the same in lanes that are being updated, else 0
        ("steps", "u8", (LANES,)),  # of the episodes since the run was noted
        ("moves", whole, (LANES,)),  # updates since then
        ("bad", whole, (LANES,)),  # more than 0 once θ would have stopped being finite
        ("tally", real, (4, LANES)),  # sums over those episodes
        ("first", real, (LANES,)),  # numbers that starts of episodes to come are drawn from
        ("reference", real, (LANES,)),  # returns are tallied as differences from it
        ("control", "i8", (16,)),  # a multiple of 8: what follows stays aligned
    ]


def make_workspace(lanes: list[Field], memory: list[Field]) -> np.record:
    """A record with fields `lanes` and `memory`, aligned to 64 bytes, no lane active."""
    check_record([*lanes, *memory])
    record = lambda fields: np.dtype((np.record, fields))  # noqa: E731
    dtype = np.dtype((np.record, [("lanes", record(lanes)), ("memory", record(memory))]))
    buffer = zeros(dtype.itemsize + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    workspace: np.record = buffer[start : start + dtype.itemsize].view(dtype)[0]
    workspace.lanes.control[TASK] = -1
    workspace.lanes.probability[:] = 1.0  # of a policy that sums its entropy instead
    return workspace


@leaf
def smaller(a, b):
    """The smaller of two ints."""
    return a if a < b else b


def masked_single(x, mask):
    """As `masked` for a float32."""
    return as_single(as_bits(x) & mask)


@by_precision(masked_single)
def masked(x, mask):
    """x where the mask is −1, 0 where it is 0."""
    return as_float(as_bits(x) & mask)


def whole_single(k, real):
    """As `whole` for float32s."""
    return short(k)


@by_precision(whole_single)
def whole(k, real):
    """An int that takes as much room as the float beside it."""
    return k


def granule_single(row):
    """As `granule` for float32s."""
    return 16


@by_precision(granule_single)
def granule(row):
    """How many numbers of a row a vector register holds."""
    return 8


@leaf
def padded(active, lanes):
    """The number of lanes to step so that `active` of them advance in whole vector registers."""
    size = granule(lanes.live)
    return smaller(LANES, (active + size - 1) // size * size)


def split_single(x):
    """As `split` for a float32."""
    bits = as_bits(x)
    return as_single((bits & 0x007FFFFF) | 0x3F800000), (bits >> 23 & 0xFF) - 127


@by_precision(split_single)
def split(x):
    """(m, k) with x = m 2**k and 1 <= m < 2, of a positive normal number; of a NaN of either sign, the largest k."""
    bits = as_bits(x)
    return as_float((bits & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000), (bits >> 52 & 0x7FF) - 1023


def factors_single(row):
    """As `factors` for float32s."""
    return 4


@by_precision(factors_single)
def factors(row):
    """How many probabilities the numbers of a row can be multiplied with before one might underflow."""
    return 16


@gather_kernel
def step_environment(n, env, like, plan, lanes):
    """One step of the environment in each lane whose episode is going on; plan.max_steps truncates. A lane that
    has ended waits for its next episode: it is stepped from `like`, a state that can be stepped from, to no effect."""
    for i in range(n):
        done = lanes.done[i]
        running = done == RUNNING
        t1 = lanes.counter[0, i]
        k0, k1 = seed(plan, i)
        key = Key(t1, lanes.counter[1, i], lanes.counter[2, i], lanes.counter[3, i], k0, k1, lanes.uniforms[1, i])
        real = load_column(lanes.reals, lanes.state_int, i, plan.actions.like)
        action = taken(plan.actions, lanes.action[i], real, lanes.live[i])
        state = load_column(lanes.state, lanes.state_int, i, like)
        state, reward, terminated = step(env, state if running else like, action, key)
        store_column(lanes.state, lanes.state_int, i, state, like)
        lanes.reward[i] = reward if running else 0.0
        lanes.live[i] = 1.0 if running else 0.0
        lanes.counter[0, i] = t1 + (_ONE if running else _ZERO)
        end = TERMINATED if terminated else (TRUNCATED if t1 >= plan.max_steps else RUNNING)
        lanes.done[i] = done | (end if running else RUNNING)


def negligible_single(row):
    """As `negligible` for float32s."""
    return 1e-30


@by_precision(negligible_single)
def negligible(row):
    """A discount that is as good as 0. Much smaller ones are subnormal, and each costs what a hundred steps cost."""
    return 1e-290


@leaf
def settle_lane(algorithm, i, lanes):
    """Returns so far and likelihood of the actions after a step of lane i; gives 1 where the episode has ended, and
    what the algorithm makes of the step (`weigh`)."""
    reward, discount = lanes.reward[i], lanes.discount[i]
    lanes.returns[0, i] += reward
    lanes.returns[1, i] += discount * reward
    following = discount * algorithm.gamma
    lanes.discount[i] = following if following > negligible(lanes.discount) else 0.0
    lanes.likelihood[i] *= lanes.probability[i]
    rho, weight, entry = weigh(algorithm, reward, discount)
    return (1 if lanes.done[i] != RUNNING else 0), rho, weight, entry


@lane_kernel
def settle(n, algorithm, lanes):
    """`settle_lane` for n lanes; returns how many have ended."""
    waiting = short(0)
    for i in range(n):
        waiting = short(waiting + settle_lane(algorithm, i, lanes)[0])
    return waiting


@lane_kernel
def settle_and_weigh(n, algorithm, lanes):
    """As `settle`, keeping the weights of the steps' scores."""
    waiting = short(0)
    for i in range(n):
        ended, _, lanes.weight[i], _ = settle_lane(algorithm, i, lanes)
        waiting = short(waiting + ended)
    return waiting


@leaf
def is_cut(i, lanes):
    """Has the step just made truncated the episode in lane i?"""
    return (lanes.live[i] == 1.0) & (lanes.done[i] == TRUNCATED)


@lane_kernel
def some_cut(n, lanes):
    """How many of n lanes' episodes the step just made has truncated."""
    count = short(0)
    for i in range(n):
        count = short(count + (1 if is_cut(i, lanes) else 0))
    return count


@lane_kernel
def normalise(n, lanes):
    """Move the power of two of the likelihood into its exponent, long before a product of probabilities underflows."""
    for i in range(n):
        mantissa, power = split(lanes.likelihood[i])
        lanes.likelihood[i] = mantissa
        lanes.exponent[i] += power


@lane_kernel
def gather_observed(n, lanes):
    """What n lanes, those whose episode is going on, have just observed: d = o − μ and d² are summed up."""
    k = lanes.scale.shape[0] // 2
    for r in range(k):
        for i in range(n):
            d = lanes.observed[r, i] - lanes.scale[r, i]
            d = d if lanes.done[i] == RUNNING else 0.0
            lanes.observed[k + r, i] += d
            lanes.observed[2 * k + r, i] += d * d


@inlined
def decide(env, like, policy, plan, learner, w, n):
    """The actions of n lanes. Where plan.sharing steps have their random numbers from one block, lanes that end in
    between wait for the next."""
    lanes = w.lanes
    late = lanes.control[TURN] & (plan.sharing - 1)
    if late == 0:
        draw(plan.actions, n, plan.sharing, plan.k0, plan.k1, lanes)
    else:
        advance(plan.actions, n, late, plan.sharing, lanes)
    act(policy, env, like, n, w, learner, plan.deterministic)
    if plan.learn == 1:
        gather_observed(n, lanes)


@inlined
def take_in(policy, algorithm, plan, w, memory, n):
    """What to make of the step that n lanes have made; (1 when a tape is full, the number of lanes whose episode has
    ended)."""
    lanes = w.lanes
    if plan.learn == 1:
        full, waiting = learn(memory, policy, algorithm, n, w)
    else:
        full, waiting = 0, settle(n, algorithm, lanes)
    lanes.control[TURN] += 1
    if lanes.control[TURN] & (factors(lanes.likelihood) - 1) == 0:
        normalise(n, lanes)
    return full, waiting


@inlined
def turn(env, like, policy, algorithm, plan, learner, w, memory, n):
    """One step of n lanes; answers as `take_in`."""
    decide(env, like, policy, plan, learner, w, n)
    step_environment(n, env, like, plan, w.lanes)
    answer = take_in(policy, algorithm, plan, w, memory, n)
    if plan.learn == 1:
        look_ahead(memory, env, like, policy, algorithm, n, w, learner)
    return answer


@leaf
def seams(plan, lanes):
    """Is this a moment at which lanes may begin new episodes?"""
    return lanes.control[TURN] & (plan.sharing - 1) == 0


@routine
def move_lane(lanes, source, target):
    """Copy one column of the workspace over another."""
    for r in range(lanes.state.shape[0]):
        lanes.state[r, target] = lanes.state[r, source]
    for r in range(lanes.state_int.shape[0]):
        lanes.state_int[r, target] = lanes.state_int[r, source]
    for r in range(4):
        lanes.counter[r, target] = lanes.counter[r, source]
        lanes.tally[r, target] = lanes.tally[r, source]
    for r in range(2):
        lanes.returns[r, target] = lanes.returns[r, source]
    for r in range(lanes.observed.shape[0]):
        lanes.observed[r, target] = lanes.observed[r, source]
    for r in range(lanes.scale.shape[0]):
        lanes.scale[r, target] = lanes.scale[r, source]
    lanes.discount[target] = lanes.discount[source]
    lanes.likelihood[target] = lanes.likelihood[source]
    lanes.exponent[target] = lanes.exponent[source]
    lanes.entropy[target] = lanes.entropy[source]
    lanes.reference[target] = lanes.reference[source]
    lanes.run[target] = lanes.run[source]
    lanes.slot[target] = lanes.slot[source]
    lanes.moves[target] = lanes.moves[source]
    lanes.bad[target] = lanes.bad[source]
    lanes.episode[target] = lanes.episode[source]
    lanes.seat[target] = lanes.seat[source]
    lanes.left[target] = lanes.left[source]
    lanes.due[target] = lanes.due[source]
    lanes.inverse[target] = lanes.inverse[source]
    lanes.steps[target] = lanes.steps[source]
    lanes.done[target] = lanes.done[source]
