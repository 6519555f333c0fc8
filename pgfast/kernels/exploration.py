"""PGPE's memory: every episode has a θ of its own, drawn around the learner's μ.

The numbers that ε is made of are the policy's at step 0, at which no policy acts: no other number of the seed has their
counter. They are those of the first episode of a pair; the second has them with the other sign. R explored rows of θ,
the first of it; L = LANES.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, leaf, optional_hook
from pgfast.kernels.lanes import CHANGED, DOUBLE, Field, Precision, settle
from pgfast.kernels.learner import update
from pgfast.kernels.starts import counter_words
from pgfast.kernels.statistics import CREDITED
from pgfast.kernels.traces import Sizes, preference_fields
from pgfast.policies.softmax import finite
from pgfast.protocol import prepare_lane
from pgfast.random import TRAIN, normal_block
from pgfast.vmath import exp

_ZERO = np.uint64(0)


@leaf
def always(policy, r):
    return True


# (policy, r) -> does row r of θ change what a greedy policy does?
steers = optional_hook("steers", always)


def exploration_fields(sizes: Sizes, precision: Precision = DOUBLE) -> list[Field]:
    """What lanes with a θ of their own need."""
    own: dict[str, tuple[int, ...]] = {
        "full": (sizes.parameters,),  # θ
        "centre": (sizes.parameters,),  # μ
        "spread": (sizes.rows,),  # σ; 0 where a row isn't explored
        "stray": (sizes.rows,),  # ε/σ, with its sign
        "one": (),  # 1
    }
    return [
        *preference_fields(sizes._replace(values=0), precision),
        *[(name, precision.real, (*shape, LANES)) for name, shape in own.items()],
    ]


@leaf
def draw_strays(k0, k1, w, i):
    """Standard normal numbers of the pair that lane i's episode belongs to."""
    m, episode = w.memory, w.lanes.episode[i]
    second = episode & 1
    c1, c2, c3 = counter_words(w.lanes.run[i], episode - second, TRAIN)
    sign, rows = 1.0 - 2.0 * second, m.stray.shape[0]
    for b in range((rows + 1) // 2):
        x, y = normal_block(_ZERO, c1, c2, c3, k0, k1, b)
        m.stray[2 * b, i] = sign * x
        if 2 * b + 1 < rows:
            m.stray[2 * b + 1, i] = sign * y


class Exploring(NamedTuple):
    """What lanes play, and what their episodes say of μ and ρ."""

    policy: Any
    sigma0: float
    learning: int  # 0: μ is played
    k0: Any  # uint64: the seed's low 32 bits
    k1: Any  # uint64: its high 32 bits

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made: only returns count."""
        return 0, settle(n, algorithm, w.lanes)

    def load(self, learner, w, i, run):
        """Give lane i what a run explores."""
        m, runs = w.memory, learner.runs
        for r in range(m.centre.shape[0]):
            m.centre[r, i] = runs[run, r]
            m.full[r, i] = runs[run, r]
        for r in range(m.spread.shape[0]):
            sigma = finite(self.sigma0 * exp(runs[run, learner.weights_at + r]))
            m.spread[r, i] = sigma if steers(self.policy, r) else 0.0

    def begin(self, w, i):
        """Draw the θ of an episode in lane i."""
        m = w.memory
        if self.learning == 1:
            draw_strays(self.k0, self.k1, w, i)
            for r in range(m.stray.shape[0]):
                m.full[r, i] = m.centre[r, i] + m.spread[r, i] * m.stray[r, i]
        m.one[i] = 1.0
        w.lanes.control[CHANGED] = 1
        prepare_lane(self.policy, i, m.one, m)

    def end(self, algorithm, learner, w, accounts, account, i):
        """Episode's end in lane i: its return meets how θ strayed."""
        m, sums, total = w.memory, accounts.sums[account], w.lanes.returns[1, i]
        gain = total - learner.runs[w.lanes.run[i], learner.baseline_at] if algorithm.baseline == 1 else total
        sums[accounts.stats_at + CREDITED] += total
        for r in range(m.stray.shape[0]):
            z, sigma = m.stray[r, i], m.spread[r, i]
            if sigma > 0.0:
                sums[r] += gain * z / sigma
                sums[accounts.value_at + r] += gain * (z * z - 1.0)

    def improve(self, policy, algorithm, optimisation, learner, accounts, i, w, room):
        """Update the run in lane i from its account; False when θ would not be finite."""
        return update(policy, algorithm, optimisation, learner, accounts, i, w.lanes.run[i], room)

    def clear(self, w, i):
        """Nothing: sums are the account's."""

    def store(self, learner, w, i, run):
        """Nothing: μ and ρ are the learner's own."""

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        m = w.memory
        w.lanes.control[CHANGED] = 1
        for r in range(m.centre.shape[0]):
            m.centre[r, target] = m.centre[r, source]
            m.full[r, target] = m.full[r, source]
        for r in range(m.spread.shape[0]):
            m.spread[r, target] = m.spread[r, source]
            m.stray[r, target] = m.stray[r, source]
        for r in range(m.theta.shape[0]):
            m.theta[r, target] = m.theta[r, source]
