"""Mean and variance of the estimate that one episode gives of ∇J, exactly, by dynamic programming on moments.

With s_t = ∇log π(A_t|S_t), G_t the discounted return from step t and c either γ or 1, the estimates are
    to-go   Z_0 with Z_t = s_t (G_t − b(S_t)) + c Z_{t+1}: with c = γ that of G(PO)MDP (Baxter & Bartlett 2001);
    whole   (G_0 − b) Σ_t cᵗ s_t: that of REINFORCE (Williams 1992).
Their second moments follow from those of what comes after, E[G² | s], E[G Z | s], E[Z² | s] and so on, one step back
at a time, for each parameter by itself.
"""

from __future__ import annotations

from math import comb
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from pgfast.errors import PgfastError
from pgfast.tables import TabularMDP

_STEPS = 20_000  # back at most, where the horizon has no limit
_SETTLED = 1e-13  # change, relative to the largest moment, of what has converged


class Spread(NamedTuple):
    """Of one episode's estimate of ∇J, each parameter by itself: float64 (D,)."""

    mean: np.ndarray
    variance: np.ndarray


def episode_variance(
    mdp: TabularMDP,
    pi: np.ndarray,
    scores: np.ndarray,
    *,
    gamma: float = 1.0,
    horizon: int | None = None,
    returns: str = "to-go",
    discount_factor: bool = True,
    baseline: Any = 0.0,
) -> Spread:
    """Mean and variance of one episode's estimate.

    Parameters
    ----------
    pi : (S, A)
        The policy.
    scores : (S, A, D)
        ∇log π(a|s).
    gamma : float in [0, 1]
        Discount of the returns.
    horizon : int
        Steps after which an episode is cut; None: never, and then every episode must end.
    returns : str
        ``"to-go"`` or ``"whole"``.
    discount_factor : bool
        Whether step t is weighed by γᵗ.
    baseline : float or (S,)
        What is subtracted from returns; of whole returns, a number.

    Raises PgfastError where the moments have no bound.
    """
    steps = _Steps(mdp, np.asarray(pi, float), np.asarray(scores, float), gamma, gamma if discount_factor else 1.0)
    b = np.broadcast_to(np.asarray(baseline, float), (mdp.n_states,))
    if returns not in ("to-go", "whole"):
        raise PgfastError(f"returns is {returns!r}: it must be 'to-go' or 'whole'.")
    if returns == "whole" and np.ptp(b) > 0.0:
        raise PgfastError("The baseline of whole returns is one number: it can't depend on the state.")
    moments: Any = _ToGo(steps, b) if returns == "to-go" else _Whole(steps, float(b[0]))
    start = moments.start()
    for _ in range(horizon if horizon is not None else _STEPS):
        new = moments.before(start)
        settled = all(
            np.max(np.abs(a - b), initial=0.0) <= _SETTLED * max(1.0, float(np.max(np.abs(a), initial=0.0)))
            for a, b in zip(new, start, strict=True)
        )
        start = new
        if horizon is None and settled:
            break
    else:
        if horizon is None:
            raise PgfastError(f"The variance on {mdp.name} has no bound that is found: give a horizon.")
    first, second = moments.of_estimate(start)
    mean = mdp.rho0 @ first
    return Spread(mean, np.maximum(mdp.rho0 @ second - mean**2, 0.0))


class _Steps:
    """Expectations over one step: E[r^m f(S′) 1{going on} | s, a]."""

    def __init__(self, mdp: TabularMDP, pi: np.ndarray, scores: np.ndarray, gamma: float, c: float) -> None:
        o, n = mdp.outcomes, (mdp.n_states * mdp.n_actions, mdp.n_states)
        rows, on = o.rows(), np.where(o.terminated, 0.0, o.probability)
        self.going = [sparse.csr_matrix((on * o.reward**m, (rows, o.following)), n) for m in range(3)]
        self.paid = [np.bincount(rows, o.probability * o.reward**m, n[0]).reshape(pi.shape) for m in range(3)]
        self.pi, self.s, self.gamma, self.c = pi, scores, gamma, c

    def after(self, m: int, f: np.ndarray) -> np.ndarray:
        """E[r^m f(S′)] for each (s, a): (S, A) of f (S,), (S, A, D) of f (S, D)."""
        return np.asarray((self.going[m] @ f).reshape(*self.pi.shape, *f.shape[1:]))

    def by_policy(self, x: np.ndarray) -> np.ndarray:
        """Σ_a π(a|s) x(s, a): (S,) or (S, D)."""
        return np.asarray(np.einsum("sa,sa...->s...", self.pi, x))


class _ToGo(NamedTuple):
    """Moments E[G], E[G²], E[Z], E[G Z], E[Z²] of each state."""

    steps: _Steps
    baseline: np.ndarray

    def start(self) -> tuple[np.ndarray, ...]:
        n_states, _, d = self.steps.s.shape
        return (*np.zeros((2, n_states)), *np.zeros((3, n_states, d)))

    def before(self, later: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """The moments one step earlier."""
        e, (g1, g2, z1, gz, z2) = self.steps, later
        gamma, c, s, b = e.gamma, e.c, e.s, self.baseline[:, None]
        q1 = e.paid[1] + gamma * e.after(0, g1)  # E[G | s, a]
        q2 = e.paid[2] + 2 * gamma * e.after(1, g1) + gamma**2 * e.after(0, g2)  # E[G² | s, a]
        z_after = e.after(0, z1)
        gz_after = e.after(1, z1) + gamma * e.after(0, gz)  # E[G Z′ | s, a]
        less = gz_after - b[..., None] * z_after  # E[(G − b) Z′ | s, a]
        return (
            e.by_policy(q1),
            e.by_policy(q2),
            e.by_policy(s * (q1 - b)[..., None] + c * z_after),
            e.by_policy(s * (q2 - b * q1)[..., None] + c * gz_after),
            e.by_policy(s**2 * (q2 - 2 * b * q1 + b**2)[..., None] + 2 * c * s * less + c**2 * e.after(0, z2)),
        )

    def of_estimate(self, moments: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """E[Z], E[Z²], (S, D)."""
        return moments[2], moments[4]


class _Whole(NamedTuple):
    """Moments E[Uⁱ Gʲ], i, j ≤ 2, of each state, with U_t = s_t + c U_{t+1} and G_t = r + γ G_{t+1}."""

    steps: _Steps
    baseline: float

    def start(self) -> tuple[np.ndarray, ...]:
        n_states, _, d = self.steps.s.shape
        return tuple(np.full((n_states, d), float(k == 0)) for k in range(9))

    def before(self, later: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """The moments one step earlier: the binomials of (s + c U′)ⁱ (r + γ G′)ʲ."""
        e = self.steps
        moments = []
        for i in range(3):
            for j in range(3):
                total: np.ndarray = (
                    e.s**i * e.paid[j][..., None]
                )  # nothing of what comes after: U′ = G′ = 0 also at the end
                for k in range(i + 1):
                    for n in range(j + 1):
                        if k or n:
                            part = e.c**k * e.gamma**n * e.after(j - n, later[3 * k + n])
                            total = total + comb(i, k) * comb(j, n) * e.s ** (i - k) * part
                moments.append(e.by_policy(total))
        return tuple(moments)

    def of_estimate(self, moments: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Those of U (G − b), (S, D)."""
        _, _, _, u, ug, _, u2, u2g, u2g2 = moments
        b = self.baseline
        return ug - b * u, u2g2 - 2 * b * u2g + b**2 * u2
