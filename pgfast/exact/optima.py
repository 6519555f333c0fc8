"""The best that can be done in a finite MDP, and how (Puterman 1994).

Discounted and average: policy iteration (theorems 6.4.2 and 8.6.6); episodic: value iteration, then policy iteration
from the greedy policy that ends; finite-horizon: backward induction (section 4.5), the policy of which knows the time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgfast.errors import PgfastError
from pgfast.exact.chains import reachable
from pgfast.exact.evaluation import action_values, evaluate, state_values
from pgfast.exact.model import AVERAGE, EPISODIC, HORIZON, Model, chosen_setting, model_of
from pgfast.tables import TabularMDP

_SWEEPS = 50_000  # of value iteration at most
_MOST = 10**10  # products after which it gives up: half a minute
_SAME = 1e-12  # improvement, relative to the largest value, that is none
_ROUNDS = 1000  # of policy iteration at most


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

    @property
    def actions(self) -> np.ndarray:
        """The best action of each state, int64 (S,) or (H, S)."""
        return np.asarray(np.argmax(self.policy, axis=-1))


def optimum(
    mdp: TabularMDP | Model, *, gamma: float = 1.0, setting: str | None = None, horizon: int | None = None
) -> Optimum:
    """The best policy of an MDP; arguments as of `evaluate`.

    Raises PgfastError where there is none: in the episodic setting when the return has no bound or no policy ends, in
    the average setting when the reward per step depends on where the chain begins.
    """
    model = model_of(mdp)
    setting, horizon = chosen_setting(model, setting, gamma, horizon)
    if setting == HORIZON:
        assert horizon is not None
        return _backwards(model, gamma, horizon)
    if setting == AVERAGE:
        start = _greedy(_relative_values(model)[1])
    elif setting == EPISODIC:
        start = _ending(model, *_values(model))
    else:
        start = _greedy(model.reward)
    return _policy_iteration(model, start, gamma, setting)


def one_hot(actions: np.ndarray, n_actions: int) -> np.ndarray:
    """The policy that takes these actions, (…, A)."""
    return np.asarray(np.eye(n_actions)[actions])


def _greedy(q: np.ndarray) -> np.ndarray:
    """The best action of each state; of nearly equal ones the first."""
    return np.asarray(np.argmax(q >= q.max(axis=-1, keepdims=True) - _SAME * _scale(q), axis=-1))


def _scale(x: np.ndarray) -> float:
    return max(1.0, float(np.max(np.abs(x[np.isfinite(x)]), initial=0.0)))


def _policy_iteration(model: Model, actions: np.ndarray, gamma: float, setting: str) -> Optimum:
    """Evaluate, take better actions where there are any, until there are none."""
    states = np.arange(model.shape[0])
    for rounds in range(1, _ROUNDS + 1):
        policy = one_hot(actions, model.shape[1])
        if setting == AVERAGE:
            q = evaluate(model, policy, setting=setting).Q
        else:
            q = action_values(model, state_values(model, policy, gamma)[0], gamma)
        q = np.where(np.isfinite(q), q, -np.inf)
        better = q.max(axis=1) > q[states, actions] + 10 * _SAME * _scale(q)
        if not better.any():
            found = evaluate(model, policy, gamma=gamma, setting=setting)
            return Optimum(setting, found.gamma, None, found.J, found.V, policy, rounds)
        actions = np.where(better, np.argmax(q, axis=1), actions)
    raise PgfastError(f"The best policy of {model.name} was not found in {_ROUNDS} rounds of policy iteration.")


def _backwards(model: Model, gamma: float, horizon: int) -> Optimum:
    v = np.zeros(model.shape[0])
    policy = np.empty((horizon, *model.shape))
    for t in range(horizon - 1, -1, -1):
        q = action_values(model, v, gamma)
        policy[t] = one_hot(_greedy(q), model.shape[1])
        v = q.max(axis=1)
    return Optimum(HORIZON, gamma, horizon, float(model.rho0 @ v), v, policy, horizon)


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
    n_states, n_actions = model.shape
    actions = _greedy(q)
    done = model.worthless
    ends = model.ends > 0
    while True:
        may = good & ~done[:, None]
        near = may & (ends | ((model.steps @ done.astype(float)).reshape(n_states, n_actions) > 0))
        new = near.any(axis=1)
        if not new.any():
            return actions
        actions = np.where(new, np.argmax(near, axis=1), actions)
        done = done | new


def _relative_values(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """(h, Q) of relative value iteration (Puterman 1994, section 8.5), each step a lazy one so that nothing is
    periodic; exact enough to begin policy iteration with."""
    again = model.restarting
    h = np.zeros(model.shape[0])
    for _ in range(min(10_000, 1 + _MOST // 20 // max(1, again.steps.nnz))):
        q = action_values(again, h, 1.0)
        new = 0.5 * h + 0.5 * q.max(axis=1)
        new -= new[0]
        if np.max(np.abs(new - h)) <= 1e-10 * _scale(new):
            break
        h = new
    return h, action_values(again, h, 1.0)
