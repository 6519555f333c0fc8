"""Advantages of tabular policies and of sparse features: backward over an episode, when it has ended.

A_t = δ_t + γλ A_{t+1}, and of n steps, where λ is 1, A_t = δ_t + γ A_{t+1} − γⁿ δ_{t+n}: each δ then takes the place of
its reward in the ring.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import numpy as np

from pgfast.compiler import LANES, fma, lane_kernel, leaf
from pgfast.kernels.lanes import TRUNCATED, TURN, Field, is_cut, some_cut
from pgfast.kernels.sparse import Sparse, add_gap, add_score, estimate, sparse_fields, write_step
from pgfast.kernels.sparse import see_episode as see_features
from pgfast.kernels.statistics import CREDITED
from pgfast.kernels.tables import Table, place, steps_of, table_fields, trail
from pgfast.kernels.tables import see_episode as see_states
from pgfast.kernels.traces import Sizes
from pgfast.policies.tabular import row_stride
from pgfast.protocol import measure_entropy, see_values

_BITS = np.uint64(LANES.bit_length() - 1)
_LAST: list[Field] = [("last_value", "f8", (LANES,))]  # v̂ of the observation at which an episode is truncated


def advantage_table_fields() -> list[Field]:
    """Rows of the workspace of a table."""
    return table_fields() + _LAST


def advantage_sparse_fields(sizes: Sizes, n_active: int) -> list[Field]:
    """Rows of the workspace of sparse features."""
    return sparse_fields(sizes, n_active) + _LAST


@leaf
def last_value(algorithm, w, i):
    """v̂ of what comes after the episode in lane i."""
    return w.memory.last_value[i] if (algorithm.bootstrap == 1) & (w.lanes.done[i] == TRUNCATED) else 0.0


@leaf
def go_back_over_table(tape, algorithm, learner, level, i, w, accounts, account):
    """Add Σ_t w_t (A_t − level) 1{S_t, A_t} to C, and what goes with it, over the episode in lane i; returns
    Σ_t A_t."""
    sums, path, m, total = accounts.sums, trail(w.memory, i), w.memory, w.lanes.returns[1, i]
    run, steps, runs = m.run[i], steps_of(w.lanes, i), learner.runs
    value, following = 0.0, last_value(algorithm, w, i)
    credited, advantage = 0.0, 0.0
    for t in range(steps - 1, -1, -1):
        k = place(tape, path, t)
        index = tape.index[k]
        s = index // tape.n_actions
        reward = m.last[i] if t == steps - 1 else tape.reward[k]
        if algorithm.soft != 0.0:
            reward += algorithm.soft * runs[run, learner.prepared_at + s * row_stride(tape.n_actions)]
        if algorithm.fits_value == 1:
            value = runs[run, learner.weights_at + s]
        delta = fma(algorithm.gamma, following, reward - value)
        advantage = fma(algorithm.fade, advantage, delta)
        if algorithm.n_steps > 0:
            if t + algorithm.n_steps < steps:
                advantage -= algorithm.value_fall * tape.reward[place(tape, path, t + algorithm.n_steps)]
            tape.reward[k] = delta
            tape.written[k >> _BITS] = 1
        following = value
        if algorithm.fits_value == 1:
            sums[account, accounts.value_at + s] += advantage
        credited += advantage
        weight = tape.powers[t] if algorithm.discount_factor == 1 else 1.0
        sums[account, index] += weight * (advantage - level)
        if accounts.counts == 1:
            sums[account, accounts.scores_at + index] += weight
            sums[account, accounts.returns_at + index] += weight * total
    return credited


@lane_kernel
def value_rows(n, learner, lanes, m):
    """v̂ of the rows of a table that lanes are in, where an episode has just been truncated."""
    for i in range(n):
        if is_cut(i, lanes):
            m.last_value[i] = learner.runs[m.run[i], learner.weights_at + m.seen[i]]


class AdvantageTable(Table):
    """What lanes remember, and an end that goes back over it by advantages."""

    __slots__ = ()

    def look_ahead(self, env, like, policy, algorithm, n, w, learner):
        """What follows the last step of a truncated episode is worth v̂ of what is observed there."""
        if algorithm.bootstrap == 1 and some_cut(n, w.lanes) != 0:
            see_values(policy, env, like, n, w)
            value_rows(n, learner, w.lanes, w.memory)

    def end(self, algorithm, learner, w, accounts, account, i):
        """Episode's end in lane i."""
        level = w.memory.value[i] if algorithm.baseline == 1 else 0.0
        if accounts.lists == 1:
            see_states(self, i, w, accounts, account)
        credited = go_back_over_table(self, algorithm, learner, level, i, w, accounts, account)
        accounts.sums[account, accounts.stats_at + CREDITED] += credited


@leaf
def go_back_over_features(tape, algorithm, learner, level, i, w, accounts, account):
    """As `go_back_over_table`, with the scores' coefficients."""
    sums = accounts.sums[account]
    run, since, steps = w.memory.run[i], w.memory.since[i], steps_of(w.lanes, i)
    value, following = 0.0, last_value(algorithm, w, i)
    credited, advantage = 0.0, 0.0
    for t in range(steps - 1, -1, -1):
        row = (since + t) & tape.last
        if algorithm.fits_value == 1:
            value = estimate(tape, learner, run, i, row)
        delta = fma(algorithm.gamma, following, tape.reward[i, row] - value)
        advantage = fma(algorithm.fade, advantage, delta)
        if algorithm.n_steps > 0:
            if t + algorithm.n_steps < steps:
                left = (since + t + algorithm.n_steps) & tape.last
                advantage -= algorithm.value_fall * tape.reward[i, left]
            tape.reward[i, row] = delta
        following = value
        credited += advantage
        weight = tape.powers[t] if algorithm.discount_factor == 1 else 1.0
        if algorithm.fits_value == 1:
            add_gap(tape, i, row, advantage, accounts, sums)
        add_score(tape, algorithm, i, row, weight, advantage - level, w.lanes.returns[1, i], accounts, sums)
    return credited


@lane_kernel
def value_sums(n, learner, lanes, m):
    """v̂ by the features that are active in lanes, where an episode has just been truncated."""
    for i in range(n):
        if is_cut(i, lanes):
            v = 0.0
            for j in range(m.active.shape[0]):
                v += learner.runs[m.run[i], learner.weights_at + m.active[j, i]]
            m.last_value[i] = v


@lane_kernel
def pay_entropy(n, soft, lanes, m, rewards):
    """τ H more; H is in ``m.peak``, rewards (L,)."""
    for i in range(n):
        rewards[i] += soft * m.peak[i]


class AdvantageSparse(Sparse):
    """The same of sparse features."""

    __slots__ = ()

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made; 1 when the ring is full."""
        row = w.lanes.control[TURN] & self.last
        answer = write_step(self, policy, algorithm, n, w)
        if algorithm.soft != 0.0:
            measure_entropy(policy, n, w.lanes, w.memory)
            pay_entropy(n, algorithm.soft, w.lanes, w.memory, self.reward[:, row])
        return answer

    def look_ahead(self, env, like, policy, algorithm, n, w, learner):
        """What follows the last step of a truncated episode is worth v̂ of what is observed there."""
        if algorithm.bootstrap == 1 and some_cut(n, w.lanes) != 0:
            see_values(policy, env, like, n, w)
            value_sums(n, learner, w.lanes, w.memory)

    def end(self, algorithm, learner, w, accounts, account, i):
        """Episode's end in lane i."""
        level = w.memory.value[i] if algorithm.baseline == 1 else 0.0
        if accounts.lists == 1:
            see_features(self, i, w, accounts, account)
        credited = go_back_over_features(self, algorithm, learner, level, i, w, accounts, account)
        accounts.sums[account, accounts.stats_at + CREDITED] += credited
