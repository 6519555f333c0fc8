"""The hooks that kernels call; each stands for the method of that name of its first argument.

An environment has `step`, `reset` and, where the policy doesn't see the state itself, `observe`. What its actions are,
whole or real numbers, says how they are drawn and taken. A policy has `act`, `score`, `expand`, `prepare` and
`tape_score`; the workspace it needs is handled by a memory. Feature maps have `write` (x(s)), `activate` (which of many
are 1) or `write_all` (x(s, a)). An algorithm weighs rewards and scores; a step rule moves parameters.
"""

from __future__ import annotations

from typing import Any

from pgfast.compiler import hook, optional_hook

# environment
step = hook("step")  # (env, state, action, key) -> next state, reward, terminated
reset = hook("reset")  # (env, key) -> state
features = hook("features")  # (env, observation, action) -> tuple of numbers
basis = hook("basis")  # (map, observation) -> number, or tuple of numbers


def _state_itself(env: Any, state: Any) -> Any:
    return state


def _nothing(*args: Any) -> None:
    pass


observe = optional_hook("observe", _state_itself)  # (env, state) -> observation

# plan
seed = hook("seed")  # (plan, i) -> k0, k1 of lane i

# feature maps
write = hook("write")  # (map, env, n, like, w, x)
activate = hook("activate")  # (map, env, n, like, w, active) -> how many of what is observed are no numbers
write_all = hook("write_all")  # (map, env, n, like, w, x)

# actions of a kind
draw = hook("draw")  # (actions, n, sharing, k0, k1, lanes)
advance = hook("advance")  # (actions, n, late, sharing, lanes)
taken = hook("taken")  # (actions, chosen, real, beside) -> the action as `step` has it
accept = hook("accept")  # (actions, n, first, given, lanes)
serve = hook("serve")  # (actions, i, lanes, out, k)
hand_out = hook("hand_out")  # (actions, n, first, lanes, out) -> the last, if whole


def _row_itself(policy: Any, i: Any, r: Any, rows: Any) -> Any:
    return rows[r, i]


def _numbers_themselves(policy: Any, rows: Any, x: Any, numbers: Any) -> None:
    for r in range(rows):
        numbers[r] = numbers[x + r]


# policy
act = hook("act")  # (policy, env, like, n, w, learner, deterministic)
score = hook("score")  # (policy, i, r, coefficients, m) -> row r of Σ_b c_b ∇h_b in lane i
weigh_entropy = hook("weigh_entropy")  # (policy, n, scale, lanes, m): m.q += scale · weight · that of ∇H
measure_entropy = optional_hook(
    "measure_entropy", _nothing
)  # (policy, n, lanes, m): m.peak = H, before its gradient is
# weighed, where that doesn't leave it there
see_values = hook("see_values")  # (policy, env, like, n, w): what v̂ is made of, at the states that lanes are in
value_actions = hook("value_actions")  # (policy, n, lanes, m): m.q is q̂ of all actions, m.taken the features of one
expand = hook("expand")  # (policy, algorithm, learner, run, accounts, a, room)
expand_lane = hook("expand_lane")  # (policy, i, share, m)
prepare_lane = hook("prepare_lane")  # (policy, i, share, m): where the share isn't 0
prepare = hook("prepare")  # (policy, learner, run, room)
tape_score = hook("tape_score")  # (policy, learner, run, memory, i, t, scale, entropy_scale, room) -> first, last;
# or −1, −1 where the room's spans say which entries it set

unfold = optional_hook("unfold", _row_itself)  # (policy, i, r, rows) -> what rows of gradient in lane i are by θ_r
# (policy, rows, x, numbers): the change of θ, least in norm, that changes what lanes use by numbers[x], …
lift = optional_hook("lift", _numbers_themselves)
judge = hook("judge")  # (policy, n, w, learner): chances, scores and distributions of actions taken before
diverge = hook("diverge")  # (policy, n, m): KL of each lane's earlier distribution and this one
along = hook("along")  # (policy, direction, r) -> row r of a direction of θ, as scores have rows

# link between parameters and preferences
cool = hook("cool")  # (link, x) -> x / τ
write_preferences = hook("write_preferences")  # (link, theta, first, A, numbers, h)
pull_back = hook("pull_back")  # (link, theta, first, A, numbers, h)

# clock of a table
observed = hook("observed")  # (clock, rows) -> S
find_rows = hook("find_rows")  # (clock, n, lanes, m)

# box of real actions
into_box = hook("into_box")  # (box, x, low, high) -> a number from low to high

# memory, one lane at a time
load = hook("load")  # (memory, learner, w, i, run)
store = hook("store")  # (memory, learner, w, i, run)
begin = hook("begin")  # (memory, w, i)
clear = hook("clear")  # (memory, w, i)
end = hook("end")  # (memory, algorithm, learner, w, accounts, account, i)
improve = hook("improve")  # (memory, policy, algorithm, optimisation, learner, accounts, i, w, room) -> bool
move = hook("move")  # (memory, w, source, target)

# memory, all lanes at once
learn = hook("learn")  # (memory, policy, algorithm, n, w) -> 1 when a tape is full, lanes that have ended
look_ahead = optional_hook(
    "look_ahead", _nothing
)  # (memory, env, like, policy, algorithm, n, w, learner): after a step

# memory, its tape
tape_last = hook("tape_last")  # (memory, i, t) -> bool
tape_value = hook("tape_value")  # (memory, learner, run, i, t) -> float
tape_value_gradient = hook("tape_value_gradient")  # (memory, i, t, delta, room) -> first, last, as tape_score

# memory that is a record, gone over in several passes
set_up = hook("set_up")  # (record, policy, learner, w, run): before a pass over a block
keep = hook("keep")  # (record, n, page, marks, w): a turn is written down
recall = hook("recall")  # (record, n, page, marks, w): and brought back
look_up_values = hook("look_up_values")  # (record, n, learner, run, w): v̂
look_up_last = hook("look_up_last")  # (record, n, learner, run, w): v̂ of what `see_values` has seen
add_first = hook("add_first")  # (record, policy, algorithm, n, accounts, account, w): as add_up, each part by itself
add_up = hook("add_up")  # (record, policy, algorithm, n, accounts, account, w): weighed scores, and errors of v̂
find_slopes = hook("find_slopes")  # (record, policy, n, run, w): of log π along a direction
compare = hook("compare")  # (record, policy, n, page, learner, run, w): KL of the distribution then and now
remember = hook("remember")  # (record, n, page, w): the distribution
hand_in = hook("hand_in")  # (record, accounts, account, w): after a pass over a block
aim = hook("aim")  # (record, policy, learner, run, room): a new direction
# what is done in its passes
sum_up = hook("sum_up")  # (method, record, policy, algorithm, learner, accounts, w, task, run, number)
follow = hook(
    "follow"
)  # (method, record, policy, algorithm, optimisation, plan, learner, accounts, a, run, room, number)

# algorithm
weigh = hook("weigh")  # (algorithm, reward, discount) -> rho, weight, entry


def _no_step(refinement: Any, policy: Any, n: Any, w: Any) -> None:
    return None


def _no_episode(
    refinement: Any, memory: Any, algorithm: Any, learner: Any, w: Any, accounts: Any, account: Any, i: Any
) -> None:
    return None


def _no_sums(refinement: Any, w: Any, i: Any) -> None:
    return None


def _no_move(refinement: Any, w: Any, source: Any, target: Any) -> None:
    return None


def _as_it_is(
    refinement: Any, policy: Any, algorithm: Any, optimisation: Any, learner: Any, accounts: Any, a: Any, run: Any,
    room: Any,
) -> None:  # fmt: skip
    return None


# refinement of a gradient by moments of the scores, which are summed up beside it
sum_step = optional_hook("sum_step", _no_step)  # of the step that n lanes have made
sum_episode = optional_hook("sum_episode", _no_episode)  # of lane i's, before the memory's own `end`
forget_sums = optional_hook("forget_sums", _no_sums)
move_sums = optional_hook("move_sums", _no_move)
refine = optional_hook("refine", _as_it_is)  # the gradient in room.numbers becomes another

# step rule
change = hook("change")  # (rule, g, m, v, β₁, β₂, c1, c2) -> Δθ / α, m, v
correction = hook("correction")  # (rule, decay) -> c

# step sizes
scale = hook("scale")  # (schedule, updates, episodes) -> factor of the step sizes
shorten = hook("shorten")  # (bound, numbers, spans, at, entries)
shorten_all = hook("shorten_all")  # (bound, n, gradient), all lanes at once
within = hook("within")  # (bound, squared norm) -> factor of a gradient


def _something(rule: Any) -> bool:
    return False


varies_nothing = optional_hook("varies_nothing", _something)  # (schedule) -> are step sizes those that were given?
bounds_nothing = optional_hook("bounds_nothing", _something)  # (bound) -> are gradients left as they are?
