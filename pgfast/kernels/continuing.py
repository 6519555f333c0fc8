"""Tasks that don't end: segments of at most max_steps steps stand for episodes, and each begins where the one before it
ended.

A lane that is to be left gives its run that state and its traces, and whoever takes the run up, now or from a
checkpoint, goes on as if nobody had left it.

Where an environment terminates, the segment ends, and the state that follows is the one that its `reset` gives for the
next. Lanes whose segment is over may have to wait for others, and are then stepped to no effect: so the state they are
to go on from is kept aside.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any

from pgfast.compiler import LANES, inlined, lane_kernel, leaf, routine
from pgfast.kernels.lanes import DOUBLE, RUNNING, TERMINATED, TRUNCATED, Field, Precision
from pgfast.kernels.learner import GOES_ON
from pgfast.kernels.starts import reset_lane, restart, restart_counters, set_counter, start_number


def state_rows(like: Any) -> tuple[int, int]:
    """Rows of floats, and of whole numbers, that a state like this one takes."""
    elements = like if isinstance(like, tuple) else (like,)
    n_floats = sum(isinstance(x, float) for x in elements)
    return max(1, n_floats), max(1, len(elements) - n_floats)


def reached_fields(like: Any, precision: Precision = DOUBLE) -> list[Field]:
    """The states that lanes go on from."""
    n_floats, n_ints = state_rows(like)
    return [("reached", precision.real, (n_floats, LANES)), ("reached_int", precision.whole, (n_ints, LANES))]


@lane_kernel
def keep_states(n, lanes, m):
    """Keep the states that n lanes have come to."""
    for r in range(m.reached.shape[0]):
        for i in range(n):
            m.reached[r, i] = lanes.state[r, i] if lanes.live[i] == 1.0 else m.reached[r, i]
    for r in range(m.reached_int.shape[0]):
        for i in range(n):
            m.reached_int[r, i] = lanes.state_int[r, i] if lanes.live[i] == 1.0 else m.reached_int[r, i]


@routine
def start_again(n, env, like, plan, lanes):
    """Lanes that have terminated come to the start of their next segment."""
    for i in range(n):
        if lanes.done[i] == TERMINATED:
            time = lanes.counter[0, i]
            lanes.episode[i] += 1
            set_counter(lanes, i, plan.stream)
            reset_lane(env, like, plan, lanes, i, start_number(plan, lanes, i))
            lanes.episode[i] -= 1
            lanes.counter[0, i] = time
            lanes.done[i] = TRUNCATED


@inlined
def come_to_states(n, env, like, plan, lanes, m):
    """The states that n lanes go on from, terminated or not, stand with them and are kept."""
    start_again(n, env, like, plan, lanes)
    keep_states(n, lanes, m)


@lane_kernel
def go_on(n, plan, lanes, m):
    """The next segment in every lane whose last one is over."""
    for i in range(n):
        if lanes.done[i] != RUNNING:
            set_counter(lanes, i, plan.stream)
            for r in range(m.reached.shape[0]):
                lanes.state[r, i] = m.reached[r, i]
            for r in range(m.reached_int.shape[0]):
                lanes.state_int[r, i] = m.reached_int[r, i]
    restart_counters(n, lanes)


@inlined
def restart_or_go_on(algorithm, n, env, like, plan, w):
    """The next episode, or segment, in every lane whose last one is over."""
    if algorithm.continues == 1 and plan.learn == 1:
        go_on(n, plan, w.lanes, w.memory)
    else:
        restart(n, env, like, plan, w.lanes)


@lane_kernel
def move_reached(m, source, target):
    """Copy the state that one lane has come to over another's."""
    for r in range(m.reached.shape[0]):
        m.reached[r, target] = m.reached[r, source]
    for r in range(m.reached_int.shape[0]):
        m.reached_int[r, target] = m.reached_int[r, source]


@leaf
def leave_state(learner, m, i, run):
    """The run goes on from the state that lane i has come to; returns where its row has room for traces."""
    at = learner.carried_at
    for r in range(m.reached.shape[0]):
        learner.runs[run, at + r] = m.reached[r, i]
    for r in range(m.reached_int.shape[0]):
        learner.clock[run, GOES_ON + 1 + r] = m.reached_int[r, i]
    learner.clock[run, GOES_ON] = 1
    return at + m.reached.shape[0]


@leaf
def take_up_state(learner, w, i, run):
    """Lane i goes on from the state that the run has come to; returns where in its row traces begin."""
    lanes, m, at = w.lanes, w.memory, learner.carried_at
    for r in range(m.reached.shape[0]):
        lanes.state[r, i] = learner.runs[run, at + r]
    for r in range(m.reached_int.shape[0]):
        lanes.state_int[r, i] = learner.clock[run, GOES_ON + 1 + r]
    return at + m.reached.shape[0]
