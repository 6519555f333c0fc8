"""Dense linear policies whose θ and w move at every step, in the lane itself (`pgfast.algorithms.actor_critic`).

A step's score enters the traces when the step has been made; then v̂ of what is observed next gives δ, and δ times the
traces is the gradient of an update as at an episode's end. Notation and shapes of `pgfast.kernels.traces`.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import fma, inlined, lane_kernel, leaf
from pgfast.kernels.continuing import come_to_states, leave_state, move_reached, restart_or_go_on, take_up_state
from pgfast.kernels.lanes import CHANGED, RUNNING, TERMINATED, settle_and_weigh
from pgfast.kernels.learner import GOES_ON, carries
from pgfast.kernels.step_sizes import as_number
from pgfast.kernels.trace_updates import (
    accept,
    clear_rows,
    gather,
    gather_lane,
    move_lane_plainly,
    move_lanes,
    move_values,
    plain_change,
    set_scales,
)
from pgfast.kernels.traces import Traces, add_scores, inner, zero
from pgfast.policies.softmax import SMALL
from pgfast.protocol import bounds_nothing, score, see_values, shorten_all, varies_nothing, weigh_entropy


@leaf
def trace_row(policy, i, r, decay, lanes, m):
    """One row and lane of e ← decay e + weight z, z the score, where the step counts: there z is 0 otherwise."""
    kept = decay if lanes.live[i] == 1.0 else 1.0
    m.e[r, i] = fma(kept, m.e[r, i], lanes.weight[i] * score(policy, i, r, m.c, m))


@lane_kernel
def trace_scores(n, policy, decay, lanes, m):
    """`trace_row` for n lanes and all rows."""
    if m.e.shape[0] <= SMALL:
        for i in range(n):
            for r in range(m.e.shape[0]):
                trace_row(policy, i, r, decay, lanes, m)
    else:
        for r in range(m.e.shape[0]):
            for i in range(n):
                trace_row(policy, i, r, decay, lanes, m)


@lane_kernel
def trace_values(n, decay, lanes, m):
    """ev ← decay ev + v where the step counts."""
    for k in range(m.ev.shape[0]):
        for i in range(n):
            m.ev[k, i] = fma(decay, m.ev[k, i], m.v[k, i]) if lanes.live[i] == 1.0 else m.ev[k, i]


@leaf
def find_error(i, algorithm, lanes, m):
    """δ of lane i in place of v̂(S), `credit`, from v̂(S′), `credited`; whether it is to be updated."""
    following = 0.0 if lanes.done[i] == TERMINATED else algorithm.gamma * m.credited[i]
    learns = (lanes.live[i] == 1.0) & (lanes.bad[i] == 0)
    m.credit[i] = lanes.reward[i] - m.value[i] + following - m.credit[i] if learns else 0.0
    lanes.share[i] = 1.0 if learns else 0.0
    lanes.moves[i] += 1 if learns else 0


@leaf
def weigh_traces(i, m):
    """g = δ e and wg = δ ev in lane i."""
    for r in range(m.e.shape[0]):
        m.g[r, i] = m.credit[i] * m.e[r, i]
    for k in range(m.ev.shape[0]):
        m.wg[k, i] = m.credit[i] * m.ev[k, i]


@lane_kernel
def move_few(n, policy, algorithm, optimisation, lanes, m):
    """The updates of a few parameters, which stay in registers."""
    for i in range(n):
        find_error(i, algorithm, lanes, m)
        weigh_traces(i, m)
        gather_lane(i, policy, lanes, m)
        move_lane_plainly(i, policy, optimisation.lr, lanes, m)
        bad = plain_change(i, optimisation.lr_value, m.weights, m.wg)
        accept(i, bad, m.weights, m.weights_rest, m.wg)
        lanes.bad[i] += bad


@lane_kernel
def weigh_lanes(n, algorithm, lanes, m):
    """δ, and its products with the traces."""
    for i in range(n):
        find_error(i, algorithm, lanes, m)
        weigh_traces(i, m)


@leaf
def is_plain(algorithm, optimisation):
    """Is a step α δ times the traces, and nothing else?"""
    simple = varies_nothing(optimisation.schedule) and bounds_nothing(optimisation.bound)
    return simple and optimisation.rule.plain == 1 and algorithm.entropy == 0.0


@inlined
def move_many(n, policy, algorithm, optimisation, lanes, m):
    """The updates of any number of parameters, by any rule, and with an entropy bonus."""
    weigh_lanes(n, algorithm, lanes, m)
    set_scales(optimisation.schedule, n, lanes, m)
    if algorithm.entropy != 0.0:
        zero(n, m.q)
        weigh_entropy(policy, n, algorithm.entropy, lanes, m)
        add_scores(n, policy, m.q, m, m.g)
    gather(n, policy, lanes, m)
    shorten_all(optimisation.bound, n, m.gradient)
    shorten_all(optimisation.bound, n, m.wg)
    move_lanes(policy, optimisation, n, lanes, m)
    move_values(n, optimisation.rule, optimisation.schedule, optimisation.lr_value, lanes, m)


@lane_kernel
def follow_averages(n, rate, lanes, m):
    """R̄ ← R̄ + α δ in lanes that have been updated."""
    for i in range(n):
        m.value[i] += rate * m.credit[i] if lanes.bad[i] == 0 else 0.0


@lane_kernel
def discount_updates(n, lanes):
    """Episodes' ends are no updates. Returns 0 when some θ would have stopped being finite."""
    good = 1
    for i in range(n):
        lanes.moves[i] -= 1 if lanes.share[i] != 0.0 else 0
        good = good if lanes.bad[i] == 0 else 0
    return good


@lane_kernel
def count_episodes(n, lanes, m):
    """The episodes that updates to come have learned from."""
    for i in range(n):
        m.learned[i] = as_number(np.int64(lanes.episode[i])) if lanes.done[i] != RUNNING else m.learned[i]


@leaf
def leave_traces(learner, m, i, run, at):
    """The traces of lane i into ``runs[run, at]``, …"""
    for r in range(m.e.shape[0]):
        learner.runs[run, at + r] = m.e[r, i]
    for k in range(m.ev.shape[0]):
        learner.runs[run, at + m.e.shape[0] + k] = m.ev[k, i]


@leaf
def take_up_traces(learner, m, i, run, at):
    """What `leave_traces` has left."""
    for r in range(m.e.shape[0]):
        m.e[r, i] = learner.runs[run, at + r]
    for k in range(m.ev.shape[0]):
        m.ev[k, i] = learner.runs[run, at + m.e.shape[0] + k]


move_traces, store_traces = Traces.move, Traces.store


class StepTraces(Traces):
    """Traces from which θ and w move at every step."""

    __slots__ = ()

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made."""
        lanes, m = w.lanes, w.memory
        waiting = settle_and_weigh(n, algorithm, lanes)
        inner(n, m.weights, m.v, m.credit)
        trace_scores(n, policy, algorithm.decay, lanes, m)
        trace_values(n, algorithm.decay_value, lanes, m)
        return 0, waiting

    def update_now(self, env, like, policy, algorithm, optimisation, plan, learner, n, w, room):
        """Move θ and w of all lanes, knowing what is observed after the step."""
        lanes, m = w.lanes, w.memory
        if algorithm.continues == 1:
            come_to_states(n, env, like, plan, lanes, m)
        see_values(policy, env, like, n, w)
        inner(n, m.weights, m.v, m.credited)
        lanes.control[CHANGED] = 1
        if m.full.shape[0] <= 2 * SMALL and is_plain(algorithm, optimisation):
            move_few(n, policy, algorithm, optimisation, lanes, m)
        else:
            move_many(n, policy, algorithm, optimisation, lanes, m)
        if algorithm.continues == 1:
            follow_averages(n, algorithm.lr_average, lanes, m)

    def store(self, learner, w, i, run):
        """Give a run the parameters of lane i, and what its task goes on with."""
        store_traces(self, learner, w, i, run)
        if carries(learner):
            leave_traces(learner, w.memory, i, run, leave_state(learner, w.memory, i, run))

    def take_up(self, learner, w, i, run):
        """Go on in lane i where the run was left."""
        if learner.clock[run, GOES_ON] == 1:
            take_up_traces(learner, w.memory, i, run, take_up_state(learner, w, i, run))

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        move_traces(self, w, source, target)
        move_reached(w.memory, source, target)

    def end_lanes(self, policy, algorithm, optimisation, learner, accounts, n, w, room, updates):
        """Ends of episodes; 0 when some θ would have stopped being finite."""
        lanes, m = w.lanes, w.memory
        if algorithm.continues == 0:
            clear_rows(n, lanes.going, m.e)
            clear_rows(n, lanes.going, m.ev)
        count_episodes(n, lanes, m)
        return discount_updates(n, lanes)

    def restart_lanes(self, algorithm, n, env, like, plan, w):
        """The next episode in every lane whose last one has ended."""
        restart_or_go_on(algorithm, n, env, like, plan, w)
