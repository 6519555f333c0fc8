"""A batch written down, to be gone over in several passes: linear policies, whose features are all kept.

While a batch is played every turn of a block becomes a *page*: a row of L = LANES numbers for each feature, and for
what else a pass asks for, so that a later pass reads whole vectors. A lane that takes another's place leaves behind
what it has written, and the move is noted: only looking back, from an episode's end to its start, has to follow it.

A record belongs to the batch, not to a thread: N tasks (blocks of all runs), T turns; D features, V features of the
value function where they aren't those of the policy, K numbers of a real action, C of a distribution; R rows of
gradient, P parameters.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import LANES, fma, gather_kernel, lane_kernel, leaf
from pgfast.kernels.lanes import ACTIVE, CHANGED, DOUBLE, MOST_SHARING, RUNNING, TASK, Field, settle, some_cut
from pgfast.kernels.passes import (
    CREDIT,
    DIRECTION,
    GOAL,
    OWN,
    ROW,
    SOURCE,
    STATUS,
    conclude_pass,
    go_over_block,
    look_back,
    pay_last,
)
from pgfast.kernels.tapes import longer
from pgfast.kernels.traces import Sizes, add_scores, inner, preference_fields, zero
from pgfast.policies.softmax import SMALL, fit
from pgfast.protocol import along, diverge, keep, load, look_up_last, score, see_values, weigh_entropy


def pass_fields(coefficients: int, n_reals: int) -> list[Field]:
    """Rows of the workspace that every pass has."""
    shapes: dict[str, tuple[int, ...]] = {
        "p": (coefficients,),  # the policy's distribution
        "old": (coefficients,),  # and as it was when the action was drawn
        "drawn": (n_reals,),  # a real action as it was drawn
        "chance": (),  # of the action
        "before": (),  # as it was when it was drawn
        "ratio": (),  # of π to what it was
        "status": (),
        "credit": (),
        "target": (),
        "estimate": (),  # v̂
        "factor": (),  # what the score is weighed with
        "error": (),  # what v̂ lacks
        "divergence": (),
        "advantage": (),  # of the step after, when looking back
        "following": (),  # its v̂
        "first": (),  # sums
        "second": (),
    }
    return [(name, "f8", (*shape, LANES)) for name, shape in shapes.items()]


def record_fields(sizes: Sizes, n_reals: int) -> list[Field]:
    """All of a linear policy's."""
    scores = dict.fromkeys(("g", "s", "bonus", "u"), sizes.rows)  # gradient, with its parts; a direction
    own = {"q": sizes.coefficients, **scores, "gv": sizes.values, "weights": sizes.values}
    rows: list[Field] = [(name, "f8", (count, LANES)) for name, count in own.items()]
    return [*preference_fields(sizes, DOUBLE), *rows, *pass_fields(sizes.coefficients, n_reals)]


@gather_kernel
def write_rows(n, page, first, rows):
    """Rows (…, L) of the workspace to rows first, … of a page."""
    for k in range(rows.shape[0]):
        for i in range(n):
            page[first + k, i] = rows[k, i]


@gather_kernel
def read_rows(n, page, first, rows):
    """The other way round."""
    for k in range(rows.shape[0]):
        for i in range(n):
            rows[k, i] = page[first + k, i]


@gather_kernel
def write_turn(n, active, page, lanes):
    """Status and reward of the step that n lanes have made, of which the first `active` count."""
    for i in range(n):
        counts = (lanes.live[i] == 1.0) & (i < active)
        page[STATUS, i] = (1.0 if lanes.done[i] == RUNNING else 2.0) if counts else 0.0
        page[CREDIT, i] = lanes.reward[i] if counts else 0.0


@gather_kernel
def read_turn(n, page, lanes, m):
    """What every pass asks for."""
    for i in range(n):
        status = page[STATUS, i]
        counts = 1.0 if status > 0.0 else 0.0
        lanes.live[i] = counts
        lanes.weight[i] = counts
        m.status[i] = status
        m.credit[i] = page[CREDIT, i]


@lane_kernel
def add_weighed(n, policy, factor, m, g):
    """g += factor · ∇ log π; g (R, L)."""
    if g.shape[0] <= SMALL:
        for i in range(n):
            for r in range(g.shape[0]):
                g[r, i] = fma(factor[i], score(policy, i, r, m.c, m), g[r, i])
    else:
        for r in range(g.shape[0]):
            for i in range(n):
                g[r, i] = fma(factor[i], score(policy, i, r, m.c, m), g[r, i])


@leaf
def weigh_bonus(policy, scale, n, w):
    """Coefficients of scale · ∇H."""
    zero(n, w.memory.q)
    weigh_entropy(policy, n, scale, w.lanes, w.memory)


@lane_kernel
def add_errors(n, x, error, g):
    """g += error · x; x, g (V, L)."""
    if g.shape[0] <= SMALL:
        for i in range(n):
            for k in range(g.shape[0]):
                g[k, i] = fma(error[i], x[k, i], g[k, i])
    else:
        for k in range(g.shape[0]):
            for i in range(n):
                g[k, i] = fma(error[i], x[k, i], g[k, i])


@lane_kernel
def add_slopes(n, policy, m):
    """factor = Σ_r score_r u_r: how steeply log π rises along a direction."""
    for i in range(n):
        m.factor[i] = 0.0
    for r in range(m.u.shape[0]):
        for i in range(n):
            m.factor[i] = fma(score(policy, i, r, m.c, m), m.u[r, i], m.factor[i])


@leaf
def add_value_errors(record, n, m):
    """gv += error · ∇v̂, whose features are the policy's unless it has others."""
    if record.values_at > 0:
        add_errors(n, m.v, m.error, m.gv)
    else:
        add_errors(n, m.x, m.error, m.gv)


@leaf
def add_lanes(rows, sums, first):
    """Rows (…, L) of all lanes, one after the other, to sums[first], …"""
    for r in range(rows.shape[0]):
        for i in range(LANES):
            sums[first + r] += rows[r, i]


@leaf
def note_lane_move(record, w, source, target):
    """From the next turn on, what lane `source` was playing is played in lane `target`."""
    task = w.lanes.control[TASK]
    k = record.moves[task, 0, 0] + 1
    record.moves[task, 0, 0] = k
    record.moves[task, k, ROW] = record.rows[task]
    record.moves[task, k, SOURCE] = source
    record.moves[task, k, GOAL] = target


class Record(NamedTuple):
    """What is remembered of a batch, and how far its passes have come."""

    method: Any  # what is done in them
    pages: Any  # float64 (N, T, OWN + own rows, W), W lanes of a block, and what fills a vector register
    marks: Any  # int32 (N, T, whole numbers of a step, W)
    rows: Any  # int64 (N,): turns written down
    widths: Any  # int64 (N, T): lanes at work
    moves: Any  # int64 (N, L + 1, 3): how many; then the turn at which a lane took another's place, and both
    state: Any  # float64 (K, …) of each run; see `pgfast.kernels.passes`
    vectors: Any  # float64 (K, 5, P): of conjugate gradients; (K, 0, P) where there are none
    tables: Any  # float64 (K, 2, S A): of a table, π at the time, and slopes of log π
    width: int  # B: rows of gradient that a feature or a state has
    values_at: int  # where features of the value function begin in a page, or 0: they are the policy's
    drawn_at: int
    old_at: int  # where the distribution begins, or 0: it isn't kept

    def open_task(self, task):
        """A block begins."""
        self.rows[task] = 0
        self.moves[task, 0, 0] = 0

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made; 1 when there may be no room for the steps until a kernel can
        return."""
        lanes = w.lanes
        waiting = settle(n, algorithm, lanes)
        task = lanes.control[TASK]
        row = self.rows[task]
        if row < self.pages.shape[1]:
            write_turn(n, lanes.control[ACTIVE], self.pages[task, row], lanes)
            keep(self, n, self.pages[task, row], self.marks[task, row], w)
            self.widths[task, row] = n
            self.rows[task] = row + 1
        return 1 if row + 1 + MOST_SHARING > self.pages.shape[1] else 0, waiting

    def begin(self, w, i):
        """Start an episode in lane i."""

    def clear(self, w, i):
        """Nothing: what lane i has done is a part of the batch."""

    def load(self, learner, w, i, run):
        """Give lane i the parameters of a run."""
        w.lanes.control[CHANGED] = 1
        for r in range(w.memory.theta.shape[0]):
            w.memory.theta[r, i] = fit(learner.runs[run, learner.prepared_at + r], w.memory.theta[r, i])
        for k in range(w.memory.weights.shape[0]):
            w.memory.weights[k, i] = learner.runs[run, learner.weights_at + k]

    def end(self, algorithm, learner, w, accounts, account, i):
        """Nothing happens before the batch is complete."""

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        w.lanes.control[CHANGED] = 1
        for r in range(w.memory.theta.shape[0]):
            w.memory.theta[r, target] = w.memory.theta[r, source]
        for k in range(w.memory.weights.shape[0]):
            w.memory.weights[k, target] = w.memory.weights[k, source]
        note_lane_move(self, w, source, target)

    def look_ahead(self, env, like, policy, algorithm, n, w, learner):
        """What follows the last step of a truncated episode is worth v̂ of what is observed there."""
        if algorithm.bootstrap == 1 and some_cut(n, w.lanes) != 0:
            task = w.lanes.control[TASK]
            see_values(policy, env, like, n, w)
            look_up_last(self, n, learner, w.lanes.run[0], w)
            pay_last(n, algorithm.gamma, self.pages[task, self.rows[task] - 1], w.lanes, w.memory)

    def close_task(self, policy, algorithm, learner, accounts, w, task, run):
        """A block has been played."""
        look_back(self, policy, algorithm, learner, accounts, w, task, run)

    def go_over(self, policy, algorithm, learner, accounts, w, task, run, number):
        go_over_block(self, policy, algorithm, learner, accounts, w, task, run, number)

    def conclude(self, policy, algorithm, optimisation, plan, learner, accounts, a, run, room, number):
        return conclude_pass(self, policy, algorithm, optimisation, plan, learner, accounts, a, run, room, number)

    def grown(self, gamma, turn):
        """The same with room for twice as many turns."""
        return self._replace(pages=longer(self.pages), marks=longer(self.marks), widths=longer(self.widths))

    # what linear policies have of their own

    def set_up(self, policy, learner, w, run):
        """Before a pass over a block: parameters for every lane, and no sums."""
        m = w.memory
        for i in range(LANES):
            load(self, learner, w, i, run)
        zero(LANES, m.g)
        zero(LANES, m.s)
        zero(LANES, m.bonus)
        zero(LANES, m.gv)
        if self.vectors.shape[1] > 0:
            for r in range(m.u.shape[0]):
                u = along(policy, self.vectors[run, DIRECTION], r)
                for i in range(LANES):
                    m.u[r, i] = u

    def keep(self, n, page, marks, w):
        """Write down features and actions."""
        lanes, m = w.lanes, w.memory
        write_rows(n, page, OWN, m.x)
        if self.values_at > 0:
            write_rows(n, page, self.values_at, m.v)
        if m.drawn.shape[0] > 0:
            write_rows(n, page, self.drawn_at, m.h)
        for k in range(marks.shape[0]):
            for i in range(n):
                marks[k, i] = lanes.action[i]

    def recall(self, n, page, marks, w):
        """Bring them back."""
        lanes, m = w.lanes, w.memory
        read_turn(n, page, lanes, m)
        read_rows(n, page, OWN, m.x)
        if self.values_at > 0:
            read_rows(n, page, self.values_at, m.v)
        read_rows(n, page, self.drawn_at, m.drawn)
        for k in range(marks.shape[0]):
            for i in range(n):
                lanes.action[i] = marks[k, i]

    def look_up_values(self, n, learner, run, w):
        """v̂ of n lanes."""
        m = w.memory
        if self.values_at > 0:
            inner(n, m.weights, m.v, m.estimate)
        else:
            inner(n, m.weights, m.x, m.estimate)

    def look_up_last(self, n, learner, run, w):
        """v̂ of what has been seen for it."""
        inner(n, w.memory.weights, w.memory.v, w.memory.estimate)

    def add_first(self, policy, algorithm, n, accounts, account, w):
        """factor · ∇ log π, ∇ log π, what an entropy bonus adds, and error · ∇v̂."""
        m = w.memory
        add_weighed(n, policy, m.factor, m, m.g)
        add_scores(n, policy, m.c, m, m.s)
        if algorithm.entropy != 0.0:
            weigh_bonus(policy, algorithm.entropy, n, w)
            add_scores(n, policy, m.q, m, m.bonus)
        add_value_errors(self, n, m)

    def add_up(self, policy, algorithm, n, accounts, account, w):
        """factor · ∇ log π with what an entropy bonus adds, and error · ∇v̂."""
        m = w.memory
        add_weighed(n, policy, m.factor, m, m.g)
        if algorithm.entropy != 0.0:
            weigh_bonus(policy, algorithm.entropy, n, w)
            add_scores(n, policy, m.q, m, m.g)
        add_value_errors(self, n, m)

    def find_slopes(self, policy, n, run, w):
        """How steeply log π rises along the direction."""
        add_slopes(n, policy, w.memory)

    def compare(self, policy, n, page, learner, run, w):
        """KL of the distribution at the time and of now."""
        read_rows(n, page, self.old_at, w.memory.old)
        diverge(policy, n, w.memory)

    def remember(self, n, page, w):
        """The distribution of now is that of the time."""
        if self.old_at > 0:
            write_rows(n, page, self.old_at, w.memory.p)

    def hand_in(self, accounts, account, w):
        """Sums of all lanes to the block's account, in order."""
        m, sums = w.memory, accounts.sums[account]
        add_lanes(m.g, sums, 0)
        add_lanes(m.s, sums, accounts.scores_at)
        add_lanes(m.bonus, sums, accounts.returns_at)
        add_lanes(m.gv, sums, accounts.value_at)

    def aim(self, policy, learner, run, room):
        """Nothing: every block turns a direction of θ into one of its rows."""
