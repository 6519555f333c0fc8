"""Memories of algorithms that learn q̂(s, a; w), and sum over all actions instead of crediting the one taken.

With π_b and q̂_b of the actions in a state, Σ_b ∇π_b q̂_b = Σ_b π_b (q̂_b − Σ_c π_c q̂_c) ∇h_b is known when a step is
made: it needs no trace, and goes to the gradient as an entropy bonus does. What is not known before the episode ends is
G_t, to which q̂(S_t, A_t) is fitted: so w is learned as that of a baseline is, with the features of state and action.
In kernels, its weights and sums stand in the same places.

A actions, D features or S states, V = A D or A S weights, L = LANES.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any

import numpy as np

from pgfast.compiler import fma, lane_kernel, leaf
from pgfast.kernels.averages import count_visits
from pgfast.kernels.lanes import TURN, settle_and_weigh
from pgfast.kernels.sparse import Sparse, add_step, write_step
from pgfast.kernels.sparse import see_episode as see_features
from pgfast.kernels.statistics import CREDITED
from pgfast.kernels.tables import Table, place, see_episode, steps_of, trail
from pgfast.kernels.traces import Traces, add_scores, inner, trace_value
from pgfast.protocol import value_actions, weigh_entropy


@lane_kernel
def weigh_advantages(n, weight, action, c, mean, q):
    """q[b] becomes w π_b (q̂_b − Σ_c π_c q̂_c) from q̂_b. π is read off the score coefficients c, which are 0 in a lane
    whose episode has ended: there all is 0. `mean` is a scratch row."""
    n_actions = c.shape[0]
    for i in range(n):
        mean[i] = 0.0
    for b in range(n_actions):
        for i in range(n):
            mean[i] += ((1.0 if action[i] == b else 0.0) - c[b, i]) * q[b, i]
    for b in range(n_actions):
        for i in range(n):
            p = (1.0 if action[i] == b else 0.0) - c[b, i]
            q[b, i] = weight[i] * p * (q[b, i] - mean[i])


class ActionTraces(Traces):
    """Of dense linear policies: only the trace of w is one."""

    __slots__ = ()

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made."""
        lanes, m = w.lanes, w.memory
        value_actions(policy, n, lanes, m)
        inner(n, m.weights, m.taken, m.value)
        trace_value(n, algorithm.gamma, lanes.live, lanes.reward, m.value, m.taken, m.ev, m.gv)
        count_visits(n, lanes.live, m.taken, m.peak, m.gv)
        waiting = settle_and_weigh(n, algorithm, lanes)
        weigh_advantages(n, lanes.weight, lanes.action, m.c, m.peak, m.q)
        if algorithm.entropy != 0.0:
            weigh_entropy(policy, n, algorithm.entropy, lanes, m)
        add_scores(n, policy, m.q, m, m.g)
        return 0, waiting


@leaf
def value_table(tape, algorithm, learner, i, w, accounts, account):
    """Back over the episode in lane i of a table: w_t π_b q̂_b to all entries of each row visited, from which the
    policy's `expand` subtracts what they sum up to, and G_t − q̂ to the weight of the entry visited. Returns Σ_t
    G_t."""
    credited, g, sums, path, n = 0.0, 0.0, accounts.sums[account], trail(w.memory, i), tape.n_actions
    run, steps = w.memory.run[i], steps_of(w.lanes, i)
    numbers, pi_at = learner.runs[run], learner.decays_at - tape.n_states * n
    for t in range(steps - 1, -1, -1):
        k = place(tape, path, t)
        index = np.int64(tape.index[k])
        g = fma(algorithm.gamma, g, w.memory.last[i] if t == steps - 1 else tape.reward[k])
        credited += g
        sums[accounts.value_at + 2 * index] += g - numbers[learner.weights_at + index]
        sums[accounts.value_at + 2 * index + 1] += 1.0
        weight = tape.powers[t] if algorithm.discount_factor == 1 else 1.0
        first = index // n * n
        for entry in range(first, first + n):
            sums[entry] += weight * numbers[pi_at + entry] * numbers[learner.weights_at + entry]
        if accounts.counts == 1:
            sums[accounts.scores_at + index] += weight
    return credited


class ActionTable(Table):
    """Of tables."""

    __slots__ = ()

    def end(self, algorithm, learner, w, accounts, account, i):
        """Episode's end in lane i: go back over it."""
        if accounts.lists == 1:
            see_episode(self, i, w, accounts, account)
        credited = value_table(self, algorithm, learner, i, w, accounts, account)
        accounts.sums[account, accounts.stats_at + CREDITED] += credited


@leaf
def estimate_all(tape, learner, run, i, row, q):
    """q̂ of all actions at a turn of lane i, to q[:, i]."""
    for b in range(tape.width):
        q[b, i] = 0.0
        for j in range(tape.active.shape[2]):
            q[b, i] += learner.runs[run, learner.weights_at + np.int64(tape.active[i, row, j]) * tape.width + b]


@leaf
def add_error(tape, i, row, b, error, first, sums):
    """What q̂ of action b lacks at a turn of lane i, and a visit, to its weights; each is one of as many as are
    active."""
    for j in range(tape.active.shape[2]):
        at = first + 2 * (np.int64(tape.active[i, row, j]) * tape.width + b)
        sums[at] += error
        sums[at + 1] += tape.active.shape[2] * 1.0


@leaf
def value_features(tape, algorithm, learner, i, w, accounts, account):
    """Back over the episode in lane i, of sparse features; returns Σ_t G_t."""
    credited, g, sums, q = 0.0, 0.0, accounts.sums[account], w.memory.h
    run = w.memory.run[i]
    for t in range(steps_of(w.lanes, i) - 1, -1, -1):
        row = (w.memory.since[i] + t) & tape.last
        g = fma(algorithm.gamma, g, tape.reward[i, row])
        credited += g
        estimate_all(tape, learner, run, i, row, q)
        mean = 0.0
        for b in range(tape.width):
            c = tape.c[i, row, b]
            mean += (2.0 - c if c > 0.0 else -c) * q[b, i]
        weight = tape.powers[t] if algorithm.discount_factor == 1 else 1.0
        for b in range(tape.width):
            c = tape.c[i, row, b]
            p = 2.0 - c if c > 0.0 else -c
            if c > 0.0:
                add_error(tape, i, row, b, g - q[b, i], accounts.value_at, sums)
            bonus = tape.q[i, row, b] if algorithm.entropy != 0.0 else 0.0
            add_step(tape, i, row, 0, b, fma(weight * p, q[b, i] - mean, bonus), sums)
    return credited


class ActionSparse(Sparse):
    """Of sparse features. On the tape the coefficient of the action taken is 1 more than in the score, 2 − π_a, so that
    it alone is positive; those of the others are −π_b."""

    __slots__ = ()

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made; 1 when the ring is full."""
        row = w.lanes.control[TURN] & self.last
        answer = write_step(self, policy, algorithm, n, w)
        for i in range(n):
            self.c[i, row, w.lanes.action[i]] += 1.0
        return answer

    def end(self, algorithm, learner, w, accounts, account, i):
        """Episode's end in lane i: go back over it."""
        if accounts.lists == 1:
            see_features(self, i, w, accounts, account)
        credited = value_features(self, algorithm, learner, i, w, accounts, account)
        accounts.sums[account, accounts.stats_at + CREDITED] += credited


_OF_ACTIONS = {Traces: ActionTraces, Table: ActionTable, Sparse: ActionSparse}


def valuing_actions(memory: Any) -> Any:
    """A memory of REINFORCE's, for q̂."""
    return _OF_ACTIONS[type(memory)](*memory)
