"""A policy's exact values, state distribution and gradient (Sutton, McAllester, Singh & Mansour 2000, theorem 1).

With d the state distribution of the setting, ∂J/∂π(a|s) = d(s) Q(s, a), and for the softmax of a table of preferences
∂J/∂θ(s, a) = d(s) π(a|s) (Q(s, a) − V(s)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from pgfast.errors import PgfastError
from pgfast.exact.chains import Equations, reachable, recurrent_classes
from pgfast.exact.model import AVERAGE, HORIZON, Model, chosen_setting, model_of
from pgfast.tables import TabularMDP

_NAMED = 5  # states that a message names
_SETTLED = 1e-16  # relative change of values, and probability of going on, that is none


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a policy is worth, exactly.

    In the setting finite-horizon V, Q and the state distribution of every step are in `V_t` (H + 1, S), `Q_t` (H, S, A)
    and `occupancy_t` (H, S); V and Q are those of the first step, and the occupancy is summed over steps.
    """

    setting: str
    gamma: float
    horizon: int | None
    policy: np.ndarray  # π, float64 (S, A), or (H, S, A) of a policy that knows the time
    J: float  # Σ_s ρ₀(s) V(s); in the average setting the reward per step
    V: np.ndarray  # float64 (S,)
    Q: np.ndarray  # float64 (S, A)
    occupancy: np.ndarray  # Σ_t γᵗ P(S_t = s), float64 (S,); in the average setting the stationary distribution
    gradient: np.ndarray  # ∂J/∂θ of the softmax of a table θ, of the shape of `policy`
    residual: float  # the largest of the equations solved, relative to what they are about
    method: str  # "dense", "sparse" or "recursion"
    V_t: np.ndarray | None = None
    Q_t: np.ndarray | None = None
    occupancy_t: np.ndarray | None = None

    @property
    def advantage(self) -> np.ndarray:
        """Q − V, float64 (S, A)."""
        return np.asarray(self.Q - self.V[:, None])


def evaluate(
    mdp: TabularMDP | Model,
    pi: Any,
    *,
    gamma: float = 1.0,
    setting: str | None = None,
    horizon: int | None = None,
) -> Evaluation:
    """The exact values, state distribution and gradient of the policy `pi`, (S, A), of an MDP.

    Parameters
    ----------
    gamma : float in [0, 1]
        Discount. It plays no part in the setting average.
    setting : str
        ``"discounted"``, ``"episodic"``, ``"finite-horizon"`` or ``"average"``; not given, discounted where gamma is
        less than 1, else episodic.
    horizon : int
        Steps of the setting finite-horizon, by default the MDP's `max_steps`; `pi` may then be (H, S, A).

    Raises
    ------
    PgfastError
        For a `pi` that is no policy of this MDP; in the episodic setting, when episodes can go on for ever; in the
        average setting, when the reward per step depends on where the chain begins.
    """
    model = model_of(mdp)
    setting, horizon = chosen_setting(model, setting, gamma, horizon)
    policy = checked_policy(model, pi, horizon)
    if setting == HORIZON:
        assert horizon is not None
        return _over_horizon(model, policy, gamma, horizon)
    return _average(model, policy) if setting == AVERAGE else _until_the_end(model, policy, gamma, setting)


def checked_policy(model: Model, pi: Any, horizon: int | None) -> np.ndarray:
    """`pi` as an array of probabilities; raises PgfastError where it isn't one for this model."""
    try:
        policy = np.asarray(pi, float)
    except (TypeError, ValueError):
        raise PgfastError(f"pi is {pi!r}: it must be an array of probabilities, (S, A).") from None
    allowed = [model.shape, (horizon, *model.shape)] if horizon else [model.shape]
    if policy.shape not in allowed:
        raise PgfastError(
            f"pi has shape {policy.shape}: with {model.shape[0]} states and {model.shape[1]} actions it must be "
            f"{' or '.join(map(str, allowed))}."
        )
    bad = np.argwhere(~(np.isfinite(policy) & (policy >= 0.0)))
    if len(bad):
        place = ", ".join(str(int(i)) for i in bad[0])
        raise PgfastError(f"pi[{place}] is {policy[tuple(bad[0])]}: probabilities are at least 0.")
    sums = policy.sum(axis=-1)
    off = np.argwhere(np.abs(sums - 1.0) > 1e-8)
    if len(off):
        place = ", ".join(str(int(i)) for i in off[0])
        raise PgfastError(f"pi[{place}] sums to {sums[tuple(off[0])]:.10g}: the probabilities of a state sum to 1.")
    return policy


def chain_under(model: Model, policy: np.ndarray) -> tuple[Any, np.ndarray]:
    """(P_π sparse (S, S), r_π (S,)) of a policy (S, A)."""
    n_states, n_actions = model.shape
    row = np.repeat(np.arange(n_states), n_actions)
    weights = sparse.csr_matrix((policy.reshape(-1), (row, np.arange(len(row)))), (n_states, len(row)))
    return (weights @ model.steps).tocsr(), (policy * model.reward).sum(axis=1)


def action_values(model: Model, v: np.ndarray, gamma: float) -> np.ndarray:
    """r(s, a) + γ Σ_s′ P(s′|s, a) V(s′), (S, A)."""
    return np.asarray(model.reward + gamma * (model.steps @ v).reshape(model.shape))


def state_values(
    model: Model, policy: np.ndarray, gamma: float, guess: np.ndarray | None = None
) -> tuple[np.ndarray, Equations, np.ndarray]:
    """V (S,) until the end, NaN where it never comes; the equations that were solved, and where that is, bool (S,).
    `guess` is where an iteration begins."""
    p, r = chain_under(model, policy)
    lost: np.ndarray = np.zeros(len(r), bool)
    if gamma == 1.0:
        lost, idle = never_ending(model, p)
        counts = sparse.diags(np.where(lost | idle, 0.0, 1.0))
        p = (counts @ p @ counts).tocsr()
    equations = Equations(p, gamma)
    v = equations.solve(np.where(lost, 0.0, r), guess=guess)
    v[lost] = np.nan
    return v, equations, lost


def _until_the_end(model: Model, policy: np.ndarray, gamma: float, setting: str) -> Evaluation:
    v, equations, lost = state_values(model, policy, gamma)
    occupancy = np.maximum(equations.solve(np.where(lost, 0.0, model.rho0), transposed=True), 0.0)
    q = action_values(model, v, gamma)
    return Evaluation(
        setting=setting,
        gamma=gamma,
        horizon=None,
        policy=policy,
        J=float(np.dot(model.rho0[~lost], v[~lost])),
        V=v,
        Q=q,
        occupancy=occupancy,
        gradient=table_gradient(policy, q, v, occupancy),
        residual=equations.residual,
        method=equations.method,
    )


def table_gradient(policy: np.ndarray, q: np.ndarray, v: np.ndarray, d: np.ndarray) -> np.ndarray:
    """d(s) π(a|s) (Q(s, a) − V(s)), 0 where no step is taken; of the shape of `policy`."""
    weight = d[..., None] * policy
    with np.errstate(invalid="ignore"):  # of states that are never seen
        return np.where(weight > 0.0, weight * (q - v[..., None]), 0.0)


def never_ending(model: Model, p: Any) -> tuple[np.ndarray, np.ndarray]:
    """The states from which an episode may go on being paid for ever under a policy with the chain p, and those in
    which it goes on and on without being paid, as good as an end; both bool (S,). Raises PgfastError where the first
    state may be one of the former, or lead to one."""
    endless: np.ndarray = np.zeros(model.shape[0], bool)
    for members in recurrent_classes(p):
        endless[members] = True
    idle = endless & model.worthless
    endless &= ~idle
    if not endless.any():
        return endless, idle
    lost, seen = reachable(p.T.tocsr(), endless), reachable(p, model.rho0 > 0)
    if np.any(lost & seen):
        inside = np.flatnonzero(endless & seen)
        names = ", ".join(map(str, inside[:_NAMED])) + (", …" if len(inside) > _NAMED else "")
        raise PgfastError(
            f"{model.name} never ends under this policy once it is in state {names}: choose gamma below 1, or the "
            f"setting finite-horizon or average."
        )
    return lost, idle


def _average(model: Model, policy: np.ndarray) -> Evaluation:
    gain, v, d, equations = gain_and_bias(model, policy)
    q = action_values(model.restarting, v, 1.0) - gain
    return Evaluation(
        setting=AVERAGE,
        gamma=1.0,
        horizon=None,
        policy=policy,
        J=gain,
        V=v,
        Q=q,
        occupancy=d,
        gradient=table_gradient(policy, q, v, d),
        residual=equations.residual,
        method=equations.method,
    )


def gain_and_bias(
    model: Model, policy: np.ndarray, guess: np.ndarray | None = None
) -> tuple[float, np.ndarray, np.ndarray, Equations]:
    """The reward per step, differential values (S,), the stationary distribution (S,) and the equations that were
    solved; `guess` of the values is where an iteration begins."""
    p, r = chain_under(model.restarting, policy)
    classes = classes_entered(model, p)
    if len(classes) > 1:
        raise PgfastError(
            f"{model.name} under this policy ends up in one of {len(classes)} sets of states that it never leaves "
            f"({named(classes)}): the reward per step may depend on which; begin in one of them, or choose another "
            f"setting."
        )
    unit = int(classes[0][0])
    equations = Equations(_leading_to(p, classes[0]), 1.0, unit)
    d = np.maximum(equations.solve(np.eye(1, len(r), unit)[0], transposed=True), 0.0)
    gain = float(d @ r)
    v = equations.solve(r - gain, guess=guess)
    return gain, v - d @ v, d, equations


def classes_entered(model: Model, p: Any) -> list[np.ndarray]:
    """The sets of states that a chain p of the model never leaves, of those that it may get to."""
    seen = reachable(p, model.rho0 > 0)
    return [members for members in recurrent_classes(p) if seen[members[0]]]


def named(classes: list[np.ndarray]) -> str:
    """Some states of some sets."""
    return "; ".join(", ".join(map(str, c[:_NAMED])) + (", …" if len(c) > _NAMED else "") for c in classes[:3])


def _leading_to(p: Any, members: np.ndarray) -> Any:
    """The chain p, where states that can't get to `members` are taken there: they are never seen, and must not make
    the equations singular."""
    there: np.ndarray = np.zeros(p.shape[0], bool)
    there[members] = True
    lost = ~reachable(p.T.tocsr(), there)
    rows = np.flatnonzero(lost)
    if len(rows) == 0:
        return p
    jump = sparse.csr_matrix((np.ones(len(rows)), (rows, np.full(len(rows), members[0]))), p.shape)
    return (sparse.diags(np.where(lost, 0.0, 1.0)) @ p + jump).tocsr()


def _over_horizon(model: Model, policy: np.ndarray, gamma: float, horizon: int) -> Evaluation:
    n_states, n_actions = model.shape
    v_t, q_t = np.zeros((horizon + 1, n_states)), np.empty((horizon, n_states, n_actions))
    for t in range(horizon - 1, -1, -1):
        q_t[t] = action_values(model, v_t[t + 1], gamma)
        v_t[t] = (_at(policy, t) * q_t[t]).sum(axis=1)
        if policy.ndim == 2 and np.max(np.abs(v_t[t] - v_t[t + 1])) <= _SETTLED * np.max(np.abs(v_t[t])):
            q_t[:t], v_t[:t] = q_t[t], v_t[t]  # with more steps to go nothing changes any more
            break
    d_t = _visits(model, policy, gamma, horizon)
    return Evaluation(
        setting=HORIZON,
        gamma=gamma,
        horizon=horizon,
        policy=policy,
        J=float(model.rho0 @ v_t[0]),
        V=v_t[0],
        Q=q_t[0],
        occupancy=d_t.sum(axis=0),
        gradient=_summed_gradient(policy, q_t, v_t, d_t),
        residual=0.0,
        method="recursion",
        V_t=v_t,
        Q_t=q_t,
        occupancy_t=d_t,
    )


def _at(policy: np.ndarray, t: int) -> np.ndarray:
    """The policy of step t, (S, A)."""
    return np.asarray(policy[t] if policy.ndim == 3 else policy)


def _visits(model: Model, policy: np.ndarray, decay: float, horizon: int) -> np.ndarray:
    """decayᵗ P(S_t = s), (H, S)."""
    d_t = np.zeros((horizon, model.shape[0]))
    d = model.rho0
    backward = model.steps.T.tocsr()
    for t in range(horizon):
        d_t[t] = d
        d = decay * (backward @ (d[:, None] * _at(policy, t)).reshape(-1))
        if d.sum() <= _SETTLED:
            break
    return d_t


def _summed_gradient(policy: np.ndarray, q_t: np.ndarray, v_t: np.ndarray, d_t: np.ndarray) -> np.ndarray:
    """The gradient by a table's softmax, of one table for all steps or one for each."""
    if policy.ndim == 3:
        return table_gradient(policy, q_t, v_t[:-1], d_t)
    total: np.ndarray = np.zeros(policy.shape)
    for t in np.flatnonzero(d_t.any(axis=1)):  # all steps at once would take several times their room
        total += table_gradient(policy, q_t[t], v_t[t], d_t[t])
    return total


def weighted_by(mdp: TabularMDP | Model, found: Evaluation, decay: float) -> np.ndarray:
    """Σ_t decayᵗ E[(Q_t(S_t, A_t) − V_t(S_t)) ∇log π(A_t|S_t)], (S, A), of an evaluation that is not of averages. With
    γ it is ∇J; with 1, what the usual estimate without γᵗ is on average, it is no gradient unless γ is 1 (Nota & Thomas
    2020)."""
    if found.Q_t is None or found.V_t is None:
        visits = evaluate(mdp, found.policy, gamma=decay).occupancy
        return table_gradient(found.policy, found.Q, found.V, visits)
    visits = _visits(model_of(mdp), found.policy, decay, len(found.Q_t))
    return _summed_gradient(found.policy, found.Q_t, found.V_t, visits)
