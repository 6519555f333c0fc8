"""Tabular softmax: a preference h(s, a) for every discrete observation s and action a, by itself the parameter θ[s, a].

Between updates π is fixed, so it is kept, with a table of cumulative probabilities: an action is found by comparisons,
without an exp. Σ_t w_t δ_t ∇ log π(A_t|S_t) needs only C[s, a] = Σ_t w_t δ_t 1{S_t = s, A_t = a}:
∂/∂h(s, a) = C[s, a] − π(a|s) Σ_b C[s, b].

Another parametrisation has a *link* between the D parameters of a row and its A preferences (`pgfast.policies.links`),
another index a *clock* that says which row an observation has (`pgfast.policies.clocks`).

S rows, A actions, L = LANES; entry (s, a) of a flat table is s A + a, and D = A where nothing else is said.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, busy_routine, gather_kernel, lane_kernel, leaf, load_column, optional_hook
from pgfast.policies.softmax import finite, score_preferences, unmarked
from pgfast.protocol import find_rows, observe, observed, pull_back, write_preferences
from pgfast.vmath import exp, log, times

_1, _2, _3 = np.uint64(1), np.uint64(2), np.uint64(3)
FAULT = 4  # entry of ``lanes.control``: an observation outside the table


@lane_kernel
def locate(n, env, like, start, n_states, state, state_int, seen):
    """The row of the table that each lane is in; returns 0, or the number of lanes that are in none (taken for row
    0)."""
    outside = 0
    for i in range(n):
        s = observe(env, load_column(state, state_int, i, like)) - start
        inside = (s >= 0) & (s < n_states)
        outside += 0 if inside else 1
        seen[i] = s if inside else 0
    return outside


@leaf
def see_rows(policy, env, like, n, w):
    """The row of θ that each lane is in."""
    lanes, m = w.lanes, w.memory
    n_observations = observed(policy.clock, policy.n_states)
    if locate(n, env, like, policy.start, n_observations, lanes.state, lanes.state_int, m.seen) != 0:
        lanes.control[FAULT] = 1
    find_rows(policy.clock, n, lanes, m)


@gather_kernel
def look_up(n, n_actions, stride, table, lanes, m):
    """Sample from the row of each lane; adds the entropy of the row where the lane's episode is going on.

    A row is `stride` words: the entropy, the cumulative probabilities of all actions but the last, and numbers above 1
    up to three at least."""
    for i in range(n):
        row = np.uint64(m.prepared_at[i] + times(m.seen[i], stride))  # unsigned: no wrap-around
        x = lanes.uniforms[0, i]
        first, second, third = table[row + _1], table[row + _2], table[row + _3]
        lanes.action[i] = (1 if x >= first else 0) + (1 if x >= second else 0) + (1 if x >= third else 0)
        entropy = table[row]
        lanes.entropy[i] += entropy if lanes.done[i] == 0 else 0.0
    for b in range(4, stride):
        for i in range(n):
            row = np.uint64(m.prepared_at[i] + times(m.seen[i], stride))
            lanes.action[i] += 1 if lanes.uniforms[0, i] >= table[row + np.uint64(b)] else 0
    for i in range(n):
        m.index[i] = times(m.seen[i], n_actions) + lanes.action[i]


@lane_kernel
def look_up_greedy(n, n_actions, at, run, seen, runs, action, index):
    """The action with the largest number, preference or probability, in each lane's row of the table that begins at
    runs[run, at]; of equals, the first."""
    for i in range(n):
        entry = seen[i] * n_actions
        row = at + entry
        a = 0
        for b in range(1, n_actions):
            a = b if runs[run[i], row + b] > runs[run[i], row + a] else a
        action[i] = a
        index[i] = entry + a


@leaf
def expand_row(n, algorithm, runs, accounts, a, first, pi, out):
    """One state's gradient, out[first], …: C[s, b] − π(b|s) Σ C[s, ·], and what an entropy bonus adds. π is at
    runs[pi], …"""
    sums = accounts.sums
    total = 0.0
    for b in range(n):
        total += sums[a, first + b]
    for b in range(n):
        out[first + b] = sums[a, first + b] - runs[pi + b] * total
    if algorithm.entropy != 0.0:
        add_entropy(n, algorithm.entropy, runs, sums[a], first, accounts.scores_at + first, pi, out)


@leaf
def add_entropy(n, scale, runs, sums, first, scores_at, pi, out):
    """scale · Σ w_t of the visits · ∇H to one state's gradient."""
    peak, seen, mean = finite(runs[first]), 0.0, 0.0
    for b in range(n):
        x = finite(runs[first + b])
        peak = x if x > peak else peak
        seen += sums[scores_at + b]
    for b in range(n):  # Σ π_b (h_b − peak)
        p = runs[pi + b]
        mean += p * (finite(runs[first + b]) - peak) if p > 0.0 else 0.0
    for b in range(n):
        p = runs[pi + b]
        out[first + b] -= scale * seen * p * (finite(runs[first + b]) - peak - mean) if p > 0.0 else 0.0


@leaf
def expand_linked(link, n, algorithm, runs, accounts, a, entry, first, pi, room):
    """One row's gradient by its parameters, out[first], …, from that by log π, which serves as preferences."""
    sums, numbers, h = accounts.sums, room.numbers, room.preferences_at
    total, seen, entropy = 0.0, 0.0, 0.0
    for b in range(n):
        total += sums[a, entry + b]
    for b in range(n):
        numbers[h + b] = sums[a, entry + b] - runs[pi + b] * total
    if algorithm.entropy != 0.0:
        for b in range(n):
            seen += sums[a, accounts.scores_at + entry + b]
            entropy -= runs[pi + b] * log(runs[pi + b]) if runs[pi + b] > 0.0 else 0.0
        for b in range(n):
            p = runs[pi + b]
            numbers[h + b] -= algorithm.entropy * seen * p * (log(p) + entropy) if p > 0.0 else 0.0
    pull_back(link, runs, first, n, numbers, h)


# (link, A, algorithm, runs, accounts, a, s A, first, pi, room): to room.numbers[first], …
expand_state = optional_hook("expand_state", expand_linked)


@leaf
def linked_gaps(link, n, n_actions, theta, room):
    """room.rows[b] = h(s, b) − max h(s, ·) of the n rows that the room has chosen."""
    numbers, h = room.numbers, room.preferences_at
    for i in range(n):
        write_preferences(link, theta, room.chosen[i], n_actions, numbers, h)
        peak = numbers[h]
        for b in range(1, n_actions):
            peak = numbers[h + b] if numbers[h + b] > peak else peak
        for b in range(n_actions):
            room.rows[b, i] = numbers[h + b] - peak


write_gaps = optional_hook("write_gaps", linked_gaps)  # (link, n, A, theta, room)


@leaf
def pi_itself(link, pi):
    return pi


# (link, place of π) -> place of the table in whose rows the greedy action has the largest number
greedy_at = optional_hook("greedy_at", pi_itself)


@leaf
def rescale(spans, old, new):
    """Ranges of rows of `new` entries, from those of rows of `old`."""
    for k in range(1, spans[0, 0] + 1):
        for side in range(2):
            spans[k, side] = spans[k, side] // old * new


@gather_kernel
def gaps(n, n_actions, theta, chosen, rows):
    """rows[b] = θ[s, b] − max θ[s, ·] of n states; theta (P,), rows (A + 2, L), of which the last is scratch."""
    peak = n_actions + 1
    for i in range(n):
        rows[peak, i] = finite(theta[np.uint64(chosen[i])])
    for b in range(1, n_actions):
        for i in range(n):
            x = finite(theta[np.uint64(chosen[i] + b)])
            rows[peak, i] = x if x > rows[peak, i] else rows[peak, i]
    for b in range(n_actions):
        for i in range(n):
            rows[b, i] = finite(theta[np.uint64(chosen[i] + b)]) - rows[peak, i]


@lane_kernel
def softmax_rows(n, n_actions, rows):
    """From gaps: rows[b] = exp of the gap, the row after them the policy's entropy, the last their sum."""
    entropy, total = n_actions, n_actions + 1
    for i in range(n):
        rows[entropy, i] = 0.0
        rows[total, i] = 0.0
    for b in range(n_actions):
        for i in range(n):
            gap = rows[b, i]
            p = exp(gap)
            rows[b, i] = p
            rows[total, i] += p
            rows[entropy, i] += p * gap if p > 0.0 else 0.0
    for i in range(n):
        rows[entropy, i] = log(rows[total, i]) - rows[entropy, i] / rows[total, i]


@leaf
def write_row(n_actions, stride, rows, i, runs, row, pi):
    """What lanes sample from, runs[row], …, and π, runs[pi], …, of the state in column i of the rows."""
    total, cumulative = rows[n_actions + 1, i], 0.0
    runs[row] = rows[n_actions, i]
    for b in range(n_actions):
        cumulative += rows[b, i]
        runs[pi + b] = rows[b, i] / total
        if b < n_actions - 1:
            # from the last action that can happen on, above 1: rounding never draws an impossible one
            runs[row + 1 + b] = 2.0 if cumulative == total else cumulative / total
    for b in range(n_actions, stride):
        runs[row + b] = 2.0


@busy_routine
def prepare_rows(policy, n, learner, run, room):
    """Prepare the n rows of θ that the room has chosen."""
    write_gaps(policy.link, n, policy.n_actions, learner.runs[run], room)
    softmax_rows(n, policy.n_actions, room.rows)
    for i in range(n):
        s = room.chosen[i] // policy.width
        row = learner.prepared_at + s * policy.stride
        pi = place_of_pi(policy, learner) + s * policy.n_actions
        write_row(policy.n_actions, policy.stride, room.rows, i, learner.runs[run], row, pi)


@busy_routine
def prepare_lanes(policy, learner, n, m, room):
    """As `prepare_rows`, of the rows that n lanes are in, each of a run of its own: those picked."""
    size = learner.runs.shape[1]
    for k in range(n):
        i = m.picked[k]
        room.chosen[k] = m.run[i] * size + m.seen[i] * policy.width
    write_gaps(policy.link, n, policy.n_actions, learner.flat, room)
    softmax_rows(n, policy.n_actions, room.rows)
    for k in range(n):
        s, first = m.seen[m.picked[k]], m.prepared_at[m.picked[k]]
        pi = first + policy.n_states * policy.stride + s * policy.n_actions
        write_row(policy.n_actions, policy.stride, room.rows, k, learner.flat, first + s * policy.stride, pi)


@gather_kernel
def score_preferences_taken(n, n_actions, pi, table, index, m):
    """c[b] = 1{b = A} − π(b|S), by preferences, of entries s A + a; π begins `pi` numbers after what lanes sample
    from."""
    for b in range(n_actions):
        for i in range(n):
            first = times(m.active[0, i], n_actions)
            p = table[np.uint64(m.prepared_at[i] + pi + first + b)]
            m.c[b, i] = (1.0 if index[i] == first + b else 0.0) - p


@leaf
def weigh_entropy_taken(policy, learner, i, weight, m):
    """q[b] = that of weight ∇H, by preferences, in lane i's row."""
    n, table, s = policy.n_actions, learner.flat, m.active[0, i]
    entropy = table[m.prepared_at[i] + s * policy.stride]
    for b in range(n):
        p = table[m.prepared_at[i] + policy.n_states * policy.stride + s * n + b]
        m.q[b, i] = -weight * p * (log(p) + entropy) if p > 0.0 else 0.0


@leaf
def pull_back_in_lane(link, policy, learner, i, c, m, room):
    """From what is by preferences, in column i, to what is by parameters."""
    numbers, h, first = room.numbers, room.preferences_at, m.active[0, i] * policy.width
    for b in range(policy.n_actions):
        numbers[h + b] = c[b, i]
    pull_back(link, learner.runs[m.run[i]], first, policy.n_actions, numbers, h)
    for b in range(policy.width):
        c[b, i] = numbers[first + b]


pull_back_lane = optional_hook("pull_back_lane", pull_back_in_lane)


@leaf
def score_lanes(policy, algorithm, learner, n, w, room):
    """Columns of ``m.c``: ∇ log π of the entries taken, and of ``m.q``: what an entropy bonus adds, by the parameters
    of the row."""
    m = w.memory
    score_preferences_taken(n, policy.n_actions, policy.n_states * policy.stride, learner.flat, m.index, m)
    for i in range(n):
        pull_back_lane(policy.link, policy, learner, i, m.c, m, room)
        if algorithm.entropy != 0.0:
            weigh_entropy_taken(policy, learner, i, w.lanes.weight[i] * algorithm.entropy, m)
            pull_back_lane(policy.link, policy, learner, i, m.q, m, room)


@leaf
def place_of_pi(policy, learner):
    """Where in a run's row of numbers π stands, an entry for each action of each row."""
    return learner.prepared_at + policy.n_states * policy.stride


def spread(policy, learner):
    """All rows of θ are alike: what was prepared of the first run's first is that of all others."""
    rows, entries = policy.n_states * policy.stride, policy.n_states * policy.n_actions
    prepared = learner.runs[0, learner.prepared_at : learner.prepared_at + rows + entries]
    prepared[:rows].reshape(-1, policy.stride)[1:] = prepared[: policy.stride]
    prepared[rows:].reshape(-1, policy.n_actions)[1:] = prepared[rows : rows + policy.n_actions]


def row_stride(n_actions: int) -> int:
    """Words of a row of the table: the entropy, and at least three to compare with."""
    return max(n_actions, 4)


@gather_kernel
def read_chances(n, pi, table, m):
    """π of each lane's entry; π begins `pi` numbers after what lanes sample from."""
    for i in range(n):
        m.chance[i] = table[np.uint64(m.prepared_at[i] + pi + m.index[i])]


class TabularSoftmax(NamedTuple):
    """π(a|s) ∝ exp h(s, a); with the link `Direct` exp θ[s, a] (Agarwal et al. 2021, section 2)."""

    n_states: int  # rows
    n_actions: int
    stride: int  # words of a row of the prepared table
    start: int  # the smallest observation
    width: int  # D, parameters of a row
    link: Any
    clock: Any

    def act(self, env, like, n, w, learner, deterministic):
        lanes, m = w.lanes, w.memory
        see_rows(self, env, like, n, w)
        if deterministic == 1:
            at = greedy_at(self.link, place_of_pi(self, learner))
            look_up_greedy(n, self.n_actions, at, m.run, m.seen, learner.runs, lanes.action, m.index)
        else:
            look_up(n, self.n_actions, self.stride, learner.flat, lanes, m)

    def see_values(self, env, like, n, w):
        see_rows(self, env, like, n, w)

    def expand(self, algorithm, learner, run, accounts, a, room):
        """From C, in whose entries the room's spans are, to the gradient, in whose they are then; the account's scores
        weigh the entropy of each row."""
        n = self.n_actions
        for k in range(1, room.spans[0, 0] + 1):
            for entry in range(room.spans[k, 0], room.spans[k, 1], n):
                first, pi = entry // n * self.width, place_of_pi(self, learner) + entry
                expand_state(self.link, n, algorithm, learner.runs[run], accounts, a, entry, first, pi, room)
        if self.width != n:
            rescale(room.spans, n, self.width)

    def prepare(self, learner, run, room):
        """Entropies, cumulative probabilities and π of the rows of θ in the room's spans."""
        count = 0
        for k in range(1, room.spans[0, 0] + 1):
            for first in range(room.spans[k, 0], room.spans[k, 1], self.width):
                room.chosen[count] = first
                count += 1
                if count == LANES:
                    prepare_rows(self, count, learner, run, room)
                    count = 0
        prepare_rows(self, count, learner, run, room)

    def judge(self, n, w, learner):
        """Of actions taken before: see `pgfast.policies.taken`."""
        read_chances(n, self.n_states * self.stride, learner.flat, w.memory)

    def tape_score(self, learner, run, memory, i, t, scale, entropy_scale, room):
        """scale ∇ log π + entropy_scale ∇H at step t of lane i's tape into the room; returns the entries it set."""
        index, n, h = unmarked(memory.index[i, t]), self.n_actions, room.preferences_at
        s = index // n
        first = s * self.width
        write_preferences(self.link, learner.runs[run], first, n, room.numbers, h)
        score_preferences(index - s * n, scale, entropy_scale, room.numbers, h, n)
        pull_back(self.link, learner.runs[run], first, n, room.numbers, h)
        return first, first + self.width
