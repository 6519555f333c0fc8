"""Updates within the episode: after the batch has been played, θ moves at every step of every episode in turn.

The book's pseudocode (Sutton & Barto 2018, p. 328): for t = 0, …, T − 1: G ← Σ γ^{k−t−1} R_k;
θ ← θ + α γᵗ G ∇ ln π(A_t|S_t, θ), the score taken at the θ of that moment.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import inlined, leaf, routine
from pgfast.kernels.accounts import add_span
from pgfast.kernels.learner import begin_update, end_batch, move_parameters, move_spans, span_everything
from pgfast.kernels.returns import tape_returns
from pgfast.kernels.statistics import COUNT, CREDITED, DISCOUNTED, MOVES, NORM
from pgfast.kernels.step_sizes import squared_norm
from pgfast.protocol import prepare, shorten, tape_last, tape_score, tape_value, tape_value_gradient


@leaf
def span(room, first, last):
    """The room's spans become first … last − 1; with first below 0 they are what they should be."""
    if first >= 0:
        room.spans[0, 0] = 0
        add_span(room.spans, first, last)


@leaf
def spans_norm(room):
    """The squared norm of a gradient whose only entries other than 0 are those of the room's spans."""
    total = 0.0
    for k in range(1, room.spans[0, 0] + 1):
        total += squared_norm(room.numbers, room.spans[k, 0], room.spans[k, 1])
    return total


@inlined
def move_some(optimisation, rate, learner, run, block, size, room, gradient_at):
    """A step along a gradient whose only entries other than 0 are those of the room's spans."""
    rule = optimisation.rule
    shorten(optimisation.bound, room.numbers, room.spans, gradient_at, 1)
    if rule.plain == 1:
        return move_spans(rule, rate, learner, run, block, size, room, gradient_at, 1)
    good = move_parameters(rule, rate, learner, run, block, size, room, gradient_at, 0, size)
    for k in range(1, room.spans[0, 0] + 1):
        for r in range(room.spans[k, 0], room.spans[k, 1]):
            room.numbers[gradient_at + r] = 0.0
    return good


@routine
def replay(memory, policy, algorithm, optimisation, learner, accounts, i, w, room):
    """Move θ of the run in lane i along the lane's tape; False when it would not be finite."""
    runs, numbers, sums, stats_at = learner.runs, room.numbers, accounts.sums, accounts.stats_at
    run = w.lanes.run[i]
    count = sums[i, stats_at + COUNT]
    total = sums[i, stats_at + DISCOUNTED]  # Σ of G_0 over the batch
    length = memory.length[i]
    tape_returns(algorithm, memory, i, length)
    if optimisation.rule.plain == 0:  # moves them all
        for k in range(learner.n_theta):
            numbers[k] = 0.0
        for k in range(learner.n_weights):
            numbers[room.value_at + k] = 0.0
    weight, whole, baseline = 1.0, 0.0, 0.0
    start = True
    for t in range(length):
        g = memory.reward[i, t]
        if start:
            weight, whole = 1.0, g
            if algorithm.baseline == 1:
                baseline = runs[run, learner.baseline_at]
            elif algorithm.leaves_one_out == 1 and count > 1.0:
                baseline = (total - g) / (count - 1.0)
        if algorithm.fits_value == 1:
            baseline = tape_value(memory, learner, run, i, t)
        credit = whole if algorithm.whole_return == 1 else g
        sums[i, stats_at + CREDITED] += credit
        scale = weight * (credit - baseline)
        first, last = tape_score(policy, learner, run, memory, i, t, scale, weight * algorithm.entropy, room)
        span(room, first, last)
        sums[i, stats_at + NORM] += spans_norm(room)
        sums[i, stats_at + MOVES] += 1.0
        factor = begin_update(optimisation, learner, run)
        if not move_some(optimisation, optimisation.lr * factor, learner, run, 0, learner.n_theta, room, 0):
            return False
        if algorithm.fits_value == 1:
            first, last = tape_value_gradient(memory, i, t, g - baseline, room)
            span(room, first, last)
            rate, at = optimisation.lr_value * factor, learner.weights_at
            if not move_some(optimisation, rate, learner, run, at, learner.n_weights, room, room.value_at):
                return False
        start = tape_last(memory, i, t)
        weight *= algorithm.gamma if algorithm.discount_factor == 1 else 1.0
    end_batch(learner, run, count)
    span_everything(room, learner.n_theta)
    prepare(policy, learner, run, room)
    return True
