"""The best that can be done in a finite MDP, and how (Puterman 1994).

Discounted: modified policy iteration (section 6.5) until the bounds on the optimum meet; average: relative value
iteration (section 8.5); episodic: value iteration. Policy iteration goes on from there, until no action is better
(sections 6.4 and 8.6). Finite-horizon: backward induction (section 4.5), the policy of which knows the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfast.errors import PgfastError
from pgfast.exact.chains import Equations, reachable
from pgfast.exact.evaluation import (
    action_values,
    chain_under,
    classes_entered,
    gain_and_bias,
    named,
    state_values,
)
from pgfast.exact.model import AVERAGE, EPISODIC, HORIZON, Model, chosen_setting, model_of
from pgfast.tables import TabularMDP

_SWEEPS = 50_000  # of value iteration at most
_MOST = 10**10  # products after which it gives up: half a minute
_SAME = 1e-12  # improvement, relative to the largest value, that is none
_ROUNDS = 1000  # of policy iteration at most
_BETWEEN = 10  # sweeps of one policy between two improvements


@dataclass(frozen=True, eq=False)
class Optimum:
    """The largest J of any policy, with its values and one policy that has them."""

    setting: str
    gamma: float
    horizon: int | None
    J: float
    V: np.ndarray  # float64 (S,), of the first step
    policy: np.ndarray  # float64 (S, A), one-hot; (H, S, A) in the setting finite-horizon
    rounds: int  # of policy iteration, or steps back
    residual: float = 0.0  # largest |max_a Q(s, a) − V(s)|, relative to the largest value
    method: str = "recursion"  # or how equations were solved, "dense" or "sparse"

    @property
    def actions(self) -> np.ndarray:
        """The best action of each state, int64 (S,) or (H, S)."""
        return np.asarray(np.argmax(self.policy, axis=-1))


def optimum(
    mdp: TabularMDP | Model, *, gamma: float = 1.0, setting: str | None = None, horizon: int | None = None
) -> Optimum:
    """The best policy of an MDP; arguments as of `evaluate`.

    Raises PgfastError where there is none: in the episodic setting when the return has no bound or no policy ends, in
    the average setting when the best reward per step depends on where the chain begins.
    """
    model = model_of(mdp)
    setting, horizon = chosen_setting(model, setting, gamma, horizon)
    if setting == HORIZON:
        assert horizon is not None
        return _backwards(model, gamma, horizon)
    if setting == AVERAGE:
        guess, q = _relative_values(model)
        return _policy_iteration(model, _greedy(q), guess, gamma, setting)
    if setting == EPISODIC:
        guess, q = _values(model)
        return _policy_iteration(model, _ending(model, guess, q), guess, gamma, setting)
    guess, q = _discounted_values(model, gamma)
    return _policy_iteration(model, _greedy(q), guess, gamma, setting)


def one_hot(actions: np.ndarray, n_actions: int) -> np.ndarray:
    """The policy that takes these actions, (…, A)."""
    return np.asarray(np.eye(n_actions)[actions])


def _greedy(q: np.ndarray) -> np.ndarray:
    """The best action of each state; of nearly equal ones the first."""
    return np.asarray(np.argmax(q >= q.max(axis=-1, keepdims=True) - _SAME * _scale(q), axis=-1))


def _scale(x: np.ndarray) -> float:
    return max(1.0, float(np.max(np.abs(x[np.isfinite(x)]), initial=0.0)))


def _policy_iteration(model: Model, actions: np.ndarray, guess: np.ndarray, gamma: float, setting: str) -> Optimum:
    """Evaluate, take better actions where there are any, until there are none; `guess` is about what values are."""
    states = np.arange(model.shape[0])
    for rounds in range(1, _ROUNDS + 1):
        if setting == AVERAGE:
            actions = _in_one_class(model, actions)
        policy = one_hot(actions, model.shape[1])
        j, v, q, equations = _judged(model, policy, guess, gamma, setting)
        q = np.where(np.isfinite(q), q, -np.inf)
        lacking = q.max(axis=1) - q[states, actions]
        better = lacking > 10 * max(_SAME, equations.residual) * _scale(q)
        if not better.any():
            seen = np.isfinite(lacking)
            residual = float(np.max(lacking[seen], initial=0.0)) / _scale(v)
            return Optimum(setting, gamma, None, j, v, policy, rounds, residual, equations.method)
        actions = np.where(better, np.argmax(q, axis=1), actions)
        guess = np.where(np.isfinite(v), v, 0.0)
    raise PgfastError(f"The best policy of {model.name} was not found in {_ROUNDS} rounds of policy iteration.")


def _judged(
    model: Model, policy: np.ndarray, guess: np.ndarray, gamma: float, setting: str
) -> tuple[float, np.ndarray, np.ndarray, Equations]:
    """J, V and Q of a policy, and the equations that were solved."""
    if setting == AVERAGE:
        gain, v, _, equations = gain_and_bias(model, policy, guess)
        return gain, v, action_values(model.restarting, v, 1.0) - gain, equations
    v, equations, lost = state_values(model, policy, gamma, guess)
    return float(model.rho0[~lost] @ v[~lost]), v, action_values(model, v, gamma), equations


def _backwards(model: Model, gamma: float, horizon: int) -> Optimum:
    v = np.zeros(model.shape[0])
    policy = np.empty((horizon, *model.shape))
    for t in range(horizon - 1, -1, -1):
        q = action_values(model, v, gamma)
        policy[t] = one_hot(_greedy(q), model.shape[1])
        v = q.max(axis=1)
    return Optimum(HORIZON, gamma, horizon, float(model.rho0 @ v), v, policy, horizon)


def _discounted_values(model: Model, gamma: float) -> tuple[np.ndarray, np.ndarray]:
    """(V, Q) of the best discounted return by modified policy iteration, until the bounds on it (Puterman 1994, section
    6.6) meet, or it takes too long; exact enough to begin policy iteration with."""
    v = np.zeros(model.shape[0])
    for _ in range(_turns(model)):
        q = action_values(model, v, gamma)
        new = q.max(axis=1)
        low, high = float(np.min(new - v)), float(np.max(new - v))
        far = gamma / (1.0 - gamma)
        if far * (high - low) <= _SAME * _scale(new + far * high):
            return new + far * (low + high) / 2, q
        p, r = chain_under(model, one_hot(_greedy(q), model.shape[1]))
        for _ in range(_BETWEEN):
            new = r + gamma * (p @ new)
        v = new
    return v, action_values(model, v, gamma)


def _turns(model: Model) -> int:
    """How often all actions may be looked at before policy iteration takes over."""
    return min(1000, 1 + _MOST // 20 // max(1, int(model.steps.nnz)))


def _values(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """(V, Q) of the best undiscounted return, by value iteration from zero."""
    stuck = np.flatnonzero(~can_end(model) & reachable(model.any_action, model.rho0 > 0))
    if len(stuck):
        raise PgfastError(
            f"{model.name} never ends from state {', '.join(map(str, stuck[:5]))}{', …' * (len(stuck) > 5)}, whatever "
            f"is done: choose gamma below 1, or the setting finite-horizon or average."
        )
    v = np.zeros(model.shape[0])
    for _ in range(min(_SWEEPS, _MOST // max(1, model.steps.nnz))):
        q = action_values(model, v, 1.0)
        new = q.max(axis=1)
        if np.max(np.abs(new - v)) <= 1e-13 * _scale(new):
            return new, q
        v = new
    raise PgfastError(
        f"The best undiscounted return of {model.name} seems to have no bound: from state {int(np.argmax(np.abs(v)))} "
        f"it goes on growing; choose gamma below 1, or the setting finite-horizon or average."
    )


def can_end(model: Model) -> np.ndarray:
    """The states from which some policy comes to an end, or to where nothing is paid any more, bool (S,)."""
    return reachable(model.any_action.T.tocsr(), model.worthless | (model.ends > 0).any(axis=1))


def _ending(model: Model, v: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Greedy actions that bring every episode to its end: of those that are equally good, one that may get there in the
    fewest steps."""
    good = q >= v[:, None] - 1e-9 * _scale(v)
    return _led_to(model, _greedy(q), model.worthless, good)[0]


def _led_to(
    model: Model, actions: np.ndarray, done: np.ndarray, good: np.ndarray | bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """(actions, which states they were found for): of the `good` ones those that lead to the end or to the states
    `done`, in the fewest steps where chance is kind; elsewhere the actions given."""
    ends = model.ends > 0
    while True:
        near = good & ~done[:, None] & (ends | ((model.steps @ done.astype(float)).reshape(model.shape) > 0))
        new = near.any(axis=1)
        if not new.any():
            return actions, done
        actions = np.where(new, np.argmax(near, axis=1), actions)
        done = done | new


def _in_one_class(model: Model, actions: np.ndarray) -> np.ndarray:
    """The actions, where they end up in one set of states; of several, equally good ones maybe, all states are led to
    that which pays most. Raises PgfastError where that can't be."""
    again = model.restarting
    p, r = chain_under(again, one_hot(actions, model.shape[1]))
    classes = classes_entered(model, p)
    if len(classes) == 1:
        return actions
    best: np.ndarray = np.zeros(model.shape[0], bool)
    best[max(classes, key=lambda members: _gain(p, r, members))] = True
    actions, led = _led_to(again, actions, best)
    if np.any(~led & reachable(again.any_action, model.rho0 > 0)):
        raise PgfastError(
            f"{model.name} is multichain: its best policy ends up in one of {len(classes)} sets of states "
            f"({named(classes)}), and the best of them can't be reached from every state: begin in one of them, or "
            f"choose another setting."
        )
    return actions


def _gain(p: Any, r: np.ndarray, members: np.ndarray) -> float:
    """The reward per step within a set of states that is never left."""
    d = Equations(p[members][:, members], unit=0).solve(np.eye(1, len(members))[0], transposed=True)
    return float(d @ r[members])


def _relative_values(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """(h, Q) of relative value iteration (Puterman 1994, section 8.5), with sweeps of one policy between its steps; all
    are lazy ones so that nothing is periodic. Exact enough to begin policy iteration with."""
    again = model.restarting
    h = np.zeros(model.shape[0])
    for _ in range(_turns(model)):
        q = action_values(again, h, 1.0)
        new = q.max(axis=1)
        if np.ptp(new - h) <= _SAME * _scale(h):
            break
        p, r = chain_under(again, one_hot(_greedy(q), model.shape[1]))
        h = (h + new) / 2
        for _ in range(_BETWEEN):
            h = (h + r + p @ h) / 2
        h = h - h[0]
    return h, action_values(again, h, 1.0)
