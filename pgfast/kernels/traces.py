"""Linear policies, forward: the eligibility trace and the gradient it collects, a row for each entry.

With the trace e ← a·e + z (z the score, or the score times a weight) and a signal ρ, Σ_t ρ_t e_t is REINFORCE with
returns-to-go when a = γ and ρ = r: each reward credits every earlier score, discounted by its distance. What a baseline
or an entropy bonus adds, Σ_t Σ_b q_b ∇h_b, goes the same way; so no trajectory is stored, however long the episode.

D features, R rows of gradient, P parameters, V features and weights of the value function, L = LANES; A score
coefficients: as many as actions, or two for each number of a real action.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, fma, inlined, lane_kernel, leaf, short, wide
from pgfast.kernels.lanes import CHANGED, DOUBLE, SINGLE, Field, Precision, settle_lane
from pgfast.kernels.learner import UNREFINED
from pgfast.kernels.statistics import CREDITED
from pgfast.kernels.trace_updates import end_episodes, follow_means, remainder, update_lanes
from pgfast.policies.softmax import SMALL, fit
from pgfast.protocol import forget_sums, move_sums, score, sum_episode, sum_step, weigh_entropy


class Sizes(NamedTuple):
    """How much of everything a linear policy has in a lane."""

    width: int  # D features, A D of them for state–action features
    prepared: int  # numbers derived from θ, that lanes use
    rows: int  # of gradient
    parameters: int  # of θ
    outputs: int  # preferences, or the means of real actions
    coefficients: int  # of which a score is made
    values: int = 0  # of a learned baseline
    inputs: int = 0  # numbers that features are computed from
    taken: int = 0  # features of a state and the action taken there, where these are what is valued


def preference_fields(sizes: Sizes, precision: Precision = DOUBLE) -> list[Field]:
    """What a linear policy needs to act."""
    shapes: dict[str, tuple[int, ...]] = {
        "theta": (sizes.prepared,),  # what the preferences of each lane are computed from
        "x": (sizes.width,),
        "v": (0 if sizes.taken else sizes.values,),  # features of the value function
        "seen": (sizes.inputs,),  # scratch of the feature map
        "h": (sizes.outputs,),  # preferences; or a real action as it is drawn
        "c": (sizes.coefficients,),  # score coefficients
        "peak": (),  # scratch
        "scratch": (),
    }
    return [(name, precision.real, (*shape, LANES)) for name, shape in shapes.items()]


def trace_fields(sizes: Sizes, precision: Precision = DOUBLE, moments: tuple[int, ...] = (0, LANES)) -> list[Field]:
    """What the forward estimator needs, and what refines its gradient."""
    doubled = 1 if precision is SINGLE else 0  # parameters are then the sum of two float32s, as good as a double
    rows, parameters, values = sizes.rows, sizes.parameters, sizes.values
    own: dict[str, tuple[int, ...]] = {
        "q": (sizes.coefficients,),  # coefficients of what baseline and entropy add
        "value": (),  # the baseline at this step
        "taken": (sizes.taken,),
        "credit": (),  # Σ_k γᵏ over the steps so far: what a reward is worth to all of them together
        "credited": (),  # Σ_t X_t of the episode so far
        "e": (rows,),  # eligibility trace
        "g": (rows,),  # gradient
        "s": (rows,),  # weighted sum of the episode's scores, for the leave-one-out baseline
        "ev": (values,),
        "gv": (values + sizes.taken,),  # and where these are what is valued, how often each was visited
        "weights": (values,),  # the value function's
        # where lanes are runs
        "full": (parameters,),  # θ
        "rest": (doubled * parameters,),  # what is left of θ in double
        "weights_rest": (doubled * values,),
        "m": (parameters,),  # its moments
        "u": (parameters,),
        "gradient": (parameters,),
        "wm": (values,),  # the moments of the value function's weights
        "wu": (values,),
        "wg": (values,),
        "decays": (2,),  # β₁ᵗ, β₂ᵗ
        "scores": (rows,),  # sums over the batch: of scores,
        "return_scores": (rows,),  # of each episode's return times its scores,
        "total": (),  # of returns
        "played": (),  # steps in the running mean
        "batch_steps": (),  # steps of the batch so far,
        "batch_credit": (),  # and Σ_t X_t over them
        "scale": (),  # what the schedule makes of the step sizes
    }
    return [
        *preference_fields(sizes, precision),
        *[(name, precision.real, (*shape, LANES)) for name, shape in own.items()],
        ("updates", "f8", (LANES,)),  # made by the run,
        ("learned", "f8", (LANES,)),  # and the episodes they learned from
        ("moments", precision.real, moments),
    ]


@lane_kernel
def inner(n, weights, x, y):
    """y = Σ_k weights[k] x[k] per lane; weights, x: (V, L)."""
    if weights.shape[0] <= SMALL:
        for i in range(n):
            total = 0.0
            for k in range(weights.shape[0]):
                total = fma(weights[k, i], x[k, i], total)
            y[i] = total
    else:
        for i in range(n):
            y[i] = 0.0
        for k in range(weights.shape[0]):
            for i in range(n):
                y[i] = fma(weights[k, i], x[k, i], y[i])


@leaf
def trace_row(policy, algorithm, i, r, rho, weight, entry, m):
    """One row and lane of e ← a e + z, g += ρ e − w b z: z the score, with its weight where the whole return is to meet
    it, and b the baseline."""
    z = score(policy, i, r, m.c, m)
    e = fma(algorithm.decay, m.e[r, i], entry * z)
    m.g[r, i] = fma(rho, e, fma(-algorithm.subtracts * m.value[i] * weight, z, m.g[r, i]))
    m.e[r, i] = e


@lane_kernel
def settle_and_trace(n, policy, algorithm, lanes, m):
    """`settle_lane` and `trace_row` for n lanes and all rows; returns how many lanes have ended."""
    waiting = short(0)  # no wider than a row
    if m.e.shape[0] <= SMALL:
        for i in range(n):
            ended, rho, weight, entry = settle_lane(algorithm, i, lanes)
            waiting = short(waiting + ended)
            lanes.weight[i] = weight
            for r in range(m.e.shape[0]):
                trace_row(policy, algorithm, i, r, rho, weight, entry, m)
    else:
        for i in range(n):
            ended, lanes.rho[i], lanes.weight[i], lanes.entry[i] = settle_lane(algorithm, i, lanes)
            waiting = short(waiting + ended)
        for r in range(m.e.shape[0]):
            for i in range(n):
                trace_row(policy, algorithm, i, r, lanes.rho[i], lanes.weight[i], lanes.entry[i], m)
    return waiting


@lane_kernel
def add_scores(n, policy, coefficients, m, rows):
    """rows[r] += Σ_b coefficients[b] ∇h_b; coefficients (A, L), rows (R, L)."""
    for r in range(rows.shape[0]):
        for i in range(n):
            rows[r, i] += score(policy, i, r, coefficients, m)


@lane_kernel
def weigh_scores(n, weight, c, q):
    """q[b] = weight · c[b]; weight (L,), c and q (A, L)."""
    for b in range(c.shape[0]):
        for i in range(n):
            q[b, i] = weight[i] * c[b, i]


@lane_kernel
def zero(n, rows):
    for b in range(rows.shape[0]):
        for i in range(n):
            rows[b, i] = 0.0


@lane_kernel
def credit(n, gamma, reward, weight, credited):
    """Σ_t G_t, forward: each reward is worth 1 + γ + … + γᵗ to the steps up to it."""
    for i in range(n):
        new = gamma * weight[i] + 1.0
        weight[i] = new
        credited[i] += reward[i] * new


@lane_kernel
def trace_value(n, gamma, live, reward, value, x, e, g):
    """The gradient of ½ Σ_t (G_t − v̂_t)² with its sign turned: e ← γ e + x, g += r e − v̂ x; x, e, g (V, L)."""
    for k in range(x.shape[0]):
        for i in range(n):
            new = fma(gamma, e[k, i], x[k, i])
            g[k, i] = fma(reward[i], new, fma(-(live[i] * value[i]), x[k, i], g[k, i]))
            e[k, i] = new


@leaf
def collect(m, accounts, account, i):
    """Add the gradients of lane i's episode to an account and clear them."""
    for r in range(m.g.shape[0]):
        accounts.sums[account, r] += wide(m.g[r, i])
        m.g[r, i] = 0.0
    for k in range(m.gv.shape[0]):
        accounts.sums[account, accounts.value_at + k] += wide(m.gv[k, i])
        m.gv[k, i] = 0.0


@inlined
def sum_for_baselines(policy, algorithm, n, reward, lanes, m):
    """What the running mean and the leave-one-out baseline need of a step that pays `reward`, (L,)."""
    if algorithm.baseline == 1:
        credit(n, algorithm.gamma, reward, m.credit, m.credited)
    if algorithm.leaves_one_out == 1:
        weigh_scores(n, lanes.weight, m.c, m.q)
        add_scores(n, policy, m.q, m, m.s)


class Traces(NamedTuple):
    """The forward estimator; all that it remembers stands in the workspace, but for a ring of the last steps."""

    ring: Any  # (n, R + V, L): empty where none are remembered
    refinement: Any = UNREFINED

    def learn(self, policy, algorithm, n, w):
        """Take in the step that all lanes have just made."""
        lanes, m = w.lanes, w.memory
        if algorithm.fits_value == 1:
            inner(n, m.weights, m.v, m.value)
            trace_value(n, algorithm.gamma, lanes.live, lanes.reward, m.value, m.v, m.ev, m.gv)
        waiting = settle_and_trace(n, policy, algorithm, lanes, m)
        sum_for_baselines(policy, algorithm, n, lanes.reward, lanes, m)
        if algorithm.entropy != 0.0:
            zero(n, m.q)
            weigh_entropy(policy, n, algorithm.entropy, lanes, m)
            add_scores(n, policy, m.q, m, m.g)
        sum_step(self.refinement, policy, n, w)
        return 0, waiting

    def begin(self, w, i):
        """Start an episode in lane i."""
        m = w.memory
        for r in range(m.e.shape[0]):
            m.e[r, i] = 0.0
            m.s[r, i] = 0.0
        for k in range(m.ev.shape[0]):
            m.ev[k, i] = 0.0
        m.credit[i] = 0.0
        m.credited[i] = 0.0

    def clear(self, w, i):
        """Forget the sums of lane i."""
        m = w.memory
        for r in range(m.g.shape[0]):
            m.g[r, i] = 0.0
            m.scores[r, i] = 0.0
            m.return_scores[r, i] = 0.0
        for k in range(m.gv.shape[0]):
            m.gv[k, i] = 0.0
        m.total[i] = 0.0
        m.batch_steps[i] = 0.0
        m.batch_credit[i] = 0.0
        forget_sums(self.refinement, w, i)

    def load(self, learner, w, i, run):
        """Give lane i the parameters of a run."""
        m, runs = w.memory, learner.runs
        w.lanes.control[CHANGED] = 1
        for r in range(m.theta.shape[0]):
            m.theta[r, i] = fit(runs[run, learner.prepared_at + r], m.theta[r, i])
        for r in range(m.full.shape[0]):
            m.full[r, i] = runs[run, r]
            m.m[r, i] = runs[run, learner.n_theta + r]
            m.u[r, i] = runs[run, 2 * learner.n_theta + r]
        for r in range(m.rest.shape[0]):
            m.rest[r, i] = remainder(runs[run, r], m.full[r, i])
        for k in range(m.weights_rest.shape[0]):
            weight = runs[run, learner.weights_at + k]
            m.weights_rest[k, i] = remainder(weight, np.float32(weight))
        for k in range(m.weights.shape[0]):
            m.weights[k, i] = runs[run, learner.weights_at + k]
            m.wm[k, i] = runs[run, learner.weights_at + learner.n_weights + k]
            m.wu[k, i] = runs[run, learner.weights_at + 2 * learner.n_weights + k]
        for k in range(2):
            m.decays[k, i] = runs[run, learner.decays_at + k]
        m.value[i] = runs[run, learner.baseline_at]
        m.played[i] = runs[run, learner.played_at]
        m.updates[i] = runs[run, learner.updates_at]
        m.learned[i] = runs[run, learner.updates_at + 1]

    def store(self, learner, w, i, run):
        """Give a run the parameters of lane i."""
        m, runs = w.memory, learner.runs
        for r in range(m.theta.shape[0]):
            runs[run, learner.prepared_at + r] = m.theta[r, i]
        for r in range(m.full.shape[0]):
            runs[run, r] = wide(m.full[r, i])
            runs[run, learner.n_theta + r] = m.m[r, i]
            runs[run, 2 * learner.n_theta + r] = m.u[r, i]
        for r in range(m.rest.shape[0]):
            runs[run, r] += wide(m.rest[r, i])
        for k in range(m.weights.shape[0]):
            runs[run, learner.weights_at + k] = m.weights[k, i]
            runs[run, learner.weights_at + learner.n_weights + k] = m.wm[k, i]
            runs[run, learner.weights_at + 2 * learner.n_weights + k] = m.wu[k, i]
        for k in range(m.weights_rest.shape[0]):
            runs[run, learner.weights_at + k] += wide(m.weights_rest[k, i])
        for k in range(2):
            runs[run, learner.decays_at + k] = m.decays[k, i]
        runs[run, learner.baseline_at] = m.value[i]
        runs[run, learner.played_at] = m.played[i]
        runs[run, learner.updates_at] = m.updates[i]
        runs[run, learner.updates_at + 1] = m.learned[i]

    def end(self, algorithm, learner, w, accounts, account, i):
        """Episode's end in lane i: the whole return meets the summed scores; all sums go to the account, in double."""
        m, total = w.memory, wide(w.lanes.returns[1, i])
        sum_episode(self.refinement, self, algorithm, learner, w, accounts, account, i)
        credited = total * (w.lanes.counter[0, i] * 1.0 - 1.0) if algorithm.whole_return == 1 else wide(m.credited[i])
        accounts.sums[account, accounts.stats_at + CREDITED] += credited
        if algorithm.whole_return == 1:
            for r in range(m.g.shape[0]):
                m.g[r, i] += w.lanes.returns[1, i] * m.e[r, i]
        collect(m, accounts, account, i)
        if accounts.counts == 1:
            for r in range(m.s.shape[0]):
                accounts.sums[account, accounts.scores_at + r] += wide(m.s[r, i])
                accounts.sums[account, accounts.returns_at + r] += total * wide(m.s[r, i])

    def move(self, w, source, target):
        """Copy the column of one lane over another's."""
        m = w.memory
        w.lanes.control[CHANGED] = 1
        for r in range(m.theta.shape[0]):
            m.theta[r, target] = m.theta[r, source]
        for r in range(m.e.shape[0]):
            for array in (m.e, m.g, m.s, m.scores, m.return_scores):
                array[r, target] = array[r, source]
        for r in range(m.full.shape[0]):
            for array in (m.full, m.m, m.u):
                array[r, target] = array[r, source]
        for k in range(m.weights.shape[0]):
            for array in (m.weights, m.wm, m.wu, m.ev):
                array[k, target] = array[k, source]
        for k in range(m.gv.shape[0]):
            m.gv[k, target] = m.gv[k, source]
        for r in range(m.rest.shape[0]):
            m.rest[r, target] = m.rest[r, source]
        for k in range(m.weights_rest.shape[0]):
            m.weights_rest[k, target] = m.weights_rest[k, source]
        for k in range(2):
            m.decays[k, target] = m.decays[k, source]
        for step in range(self.ring.shape[0]):
            for r in range(self.ring.shape[1]):
                self.ring[step, r, target] = self.ring[step, r, source]
        m.value[target] = m.value[source]
        m.credit[target] = m.credit[source]
        m.credited[target] = m.credited[source]
        m.total[target] = m.total[source]
        m.played[target] = m.played[source]
        m.updates[target] = m.updates[source]
        m.learned[target] = m.learned[source]
        m.batch_steps[target] = m.batch_steps[source]
        m.batch_credit[target] = m.batch_credit[source]
        move_sums(self.refinement, w, source, target)

    def end_lanes(self, policy, algorithm, optimisation, learner, accounts, n, w, room, updates):
        """Where lanes are runs: ends of episodes, and updates where a batch is complete; 0 when some θ would have
        stopped being finite."""
        lanes, m = w.lanes, w.memory
        end_episodes(algorithm, n, lanes, m)
        good = 1
        if updates > 0:
            lanes.control[CHANGED] = 1
            good = update_lanes(policy, algorithm, optimisation, n, lanes, m)
        if algorithm.baseline == 1:
            follow_means(n, algorithm, lanes, m)
        return good


def make_traces(refinement: Any = UNREFINED) -> Traces:
    """Of returns: no step is remembered."""
    return Traces(np.zeros((0, 0, LANES)), refinement)
