"""Passes over a batch that has been written down: what they all have in common.

Pass 0 plays, and looks back over every block while it is in the cache: with δ_t = R_{t+1} + γ v̂(S_{t+1}) − v̂(S_t), and
v̂ = 0 after an episode's last step (γ v̂ of what is observed last is added to its reward, where that counts), the
advantages are A_t = δ_t + γλ A_{t+1} (Schulman, Moritz, Levine, Jordan & Abbeel 2016, equation 16) and v̂(S_t) should be
A_t + v̂(S_t). θ hasn't moved yet, so that the first gradient is summed up, too: Σ_t A_t ∇ log π beside Σ_t ∇ log π, from
which that of standardised advantages follows. All later passes are the algorithm's (`pgfast.kernels.clipping`,
`pgfast.kernels.trust`): blocks are summed up, and whoever finishes the last one decides what comes next.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import LANES, busy_routine, fetch_ahead, gather_kernel, lane_kernel, leaf, routine
from pgfast.kernels.lanes import is_cut
from pgfast.kernels.learner import EPISODES, UPDATES, log_row, note
from pgfast.kernels.plan import BATCH_OVER
from pgfast.kernels.statistics import COUNT, CREDITED, LENGTH, MOVES, NORM
from pgfast.protocol import add_first, follow, hand_in, judge, look_up_values, recall, remember, set_up, sum_up
from pgfast.vmath import sqrt

# rows of a page: 0 where nothing was done, 1, or 2 at an episode's end; the reward, once looked back at the advantage;
# then the policy's own; and last, where it is gone over again, what v̂ should be and the action's chance at the time
STATUS, CREDIT, OWN = range(3)
TARGET, CHANCE = 2, 1  # places from the end
ROW, SOURCE, GOAL = range(3)  # columns of `moves`
X, RESIDUAL, DIRECTION, GRADIENT, OLD = range(5)  # of `vectors`
VECTORS = 5
FIRST, SECOND = CREDITED, NORM  # columns of an account's statistics in which a pass adds up two numbers
# columns of a record's `state`: the batch's episodes and steps, what is subtracted from its advantages and what the
# rest is multiplied with; the others are the algorithm's
PLAYED, STEPS, SHIFT, SCALE, OWN_STATE = range(5)
STATES = 12
AHEAD = 2  # turns by which memory is asked for early
_TINY = 1e-8


@lane_kernel
def settle_advantages(n, gamma, decay, m):
    """A_t from the step after, also what meets the score and what v̂ lacks; summed up. 0 where nothing was done."""
    for i in range(n):
        goes_on, counts = m.status[i] == 1.0, m.status[i] > 0.0
        following = m.following[i] if goes_on else 0.0
        advantage = m.advantage[i] if goes_on else 0.0
        advantage = m.credit[i] + gamma * following - m.estimate[i] + decay * advantage
        used = advantage if counts else 0.0
        m.factor[i] = used
        m.error[i] = used
        m.first[i] += used
        m.second[i] += used * used
        m.advantage[i] = advantage if counts else m.advantage[i]
        m.following[i] = m.estimate[i] if counts else m.following[i]


@gather_kernel
def write_advantages(n, page, m):
    """What later passes want to know of a turn that has been looked back on."""
    target, chance = page.shape[0] - TARGET, page.shape[0] - CHANCE
    for i in range(n):
        page[CREDIT, i] = m.factor[i]
        page[target, i] = m.factor[i] + m.estimate[i]
        page[chance, i] = m.chance[i]


@gather_kernel
def read_advantages(n, page, m):
    """The rest of it."""
    target, chance = page.shape[0] - TARGET, page.shape[0] - CHANCE
    for i in range(n):
        m.target[i] = page[target, i]
        m.before[i] = page[chance, i]


@leaf
def fetch_page(pages, task, row, line):
    """As `fetch_turn`; `line` numbers to a cache line."""
    size = pages.shape[2] * pages.shape[3]
    first = (task * pages.shape[1] + row) * size
    for k in range(first, first + size, line):
        fetch_ahead(pages, k)


@leaf
def fetch_turn(record, task, row):
    """Have a turn brought from memory while those before it are gone over."""
    fetch_page(record.pages, task, row, 8)
    fetch_page(record.marks, task, row, 16)


@leaf
def take_back(record, task, row, left, m):
    """Lanes that took another's place after turn `row` give back what they know of the step after; how many moves are
    left before that."""
    while left > 0 and record.moves[task, left, ROW] > row:
        source, target = record.moves[task, left, SOURCE], record.moves[task, left, GOAL]
        m.advantage[source] = m.advantage[target]
        m.following[source] = m.following[target]
        left -= 1
    return left


@leaf
def clear_sums(m):
    for i in range(LANES):
        m.first[i] = 0.0
        m.second[i] = 0.0


@leaf
def hand_in_sums(accounts, account, m):
    """The two sums of all lanes to an account, in order."""
    for i in range(LANES):
        accounts.sums[account, accounts.stats_at + FIRST] += m.first[i]
        accounts.sums[account, accounts.stats_at + SECOND] += m.second[i]


@busy_routine
def look_back(record, policy, algorithm, learner, accounts, w, task, run):
    """The advantages of a block, from its last turn to its first, and what the first gradient is made of."""
    m = w.memory
    left = record.moves[task, 0, 0]
    set_up(record, policy, learner, w, run)
    clear_sums(m)
    for i in range(LANES):
        m.advantage[i] = 0.0
        m.following[i] = 0.0
    for row in range(record.rows[task] - 1, -1, -1):
        fetch_turn(record, task, row - AHEAD)
        left = take_back(record, task, row, left, m)
        n, page = record.widths[task, row], record.pages[task, row]
        recall(record, n, page, record.marks[task, row], w)
        judge(policy, n, w, learner)
        look_up_values(record, n, learner, run, w)
        settle_advantages(n, algorithm.gamma, algorithm.gamma * algorithm.lam, m)
        if algorithm.passes > 1:
            write_advantages(n, page, m)
            remember(record, n, page, w)
        if row % algorithm.minibatches == 0:
            add_first(record, policy, algorithm, n, accounts, task, w)
    hand_in(record, accounts, task, w)
    hand_in_sums(accounts, task, m)


@busy_routine
def go_over_block(record, policy, algorithm, learner, accounts, w, task, run, number):
    """A later pass over a block, its sums to its account."""
    set_up(record, policy, learner, w, run)
    clear_sums(w.memory)
    sum_up(record.method, record, policy, algorithm, learner, accounts, w, task, run, number)
    hand_in_sums(accounts, task, w.memory)


@gather_kernel
def pay_last(n, gamma, page, lanes, m):
    """γ v̂ of the last observation, to the reward of a step that truncated its episode."""
    for i in range(n):
        page[CREDIT, i] += gamma * m.estimate[i] if is_cut(i, lanes) else 0.0


@leaf
def standardise(algorithm, state, total, squares):
    """What is done to advantages: nothing, or what makes their mean 0 and their standard deviation 1."""
    mean = total / state[STEPS]
    spread = sqrt(max(squares / state[STEPS] - mean * mean, 0.0))
    state[SHIFT] = mean if algorithm.normalises == 1 else 0.0
    state[SCALE] = 1.0 / (spread + _TINY) if algorithm.normalises == 1 else 1.0


@leaf
def weigh_first(state, accounts, a):
    """The first gradient, of advantages as they are used; an entropy bonus stands beside it."""
    sums = accounts.sums[a]
    for r in range(accounts.value_at):
        gradient = sums[r] - state[SHIFT] * sums[accounts.scores_at + r]
        sums[r] = state[SCALE] * gradient + sums[accounts.returns_at + r]


@routine
def note_moves(plan, learner, run, norm):
    """An update of θ, by a gradient of that squared norm, into clock and log."""
    learner.clock[run, UPDATES] += 1
    row = log_row(plan, learner.clock[run, EPISODES])
    learner.log[run, row, NORM] += norm
    learner.log[run, row, MOVES] += 1.0


@routine
def conclude_pass(record, policy, algorithm, optimisation, plan, learner, accounts, a, run, room, number):
    """What follows from a pass, of a run whose sums are those of account `a`: see `pgfast.kernels.plan`."""
    state, sums, at = record.state[run], accounts.sums, accounts.stats_at
    if number == 0:
        total, squares = sums[a, at + FIRST], sums[a, at + SECOND]
        sums[a, at + FIRST], sums[a, at + SECOND] = 0.0, 0.0
        state[PLAYED], state[STEPS] = sums[a, at + COUNT], sums[a, at + LENGTH]
        note(plan, learner, sums, a, at, run, run)
        if plan.learn == 0:
            return BATCH_OVER
        standardise(algorithm, state, total, squares)
        weigh_first(state, accounts, a)
    return follow(record.method, record, policy, algorithm, optimisation, plan, learner, accounts, a, run, room, number)
