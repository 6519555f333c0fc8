"""What is made of a batch's gradient before θ moves, once more: as the papers write it, with matrices of NumPy.

P parameters, n episodes of a batch; z_t are scores, ψ their sums over an episode.
"""

from __future__ import annotations

import numpy as np
from reference import Trainer, discounted_returns, softmax

WINDOW = 1000


class Refined(Trainer):
    """A run whose gradients are refined."""

    kept = 0.0, 0.0  # sums over earlier batches

    def __init__(self, engine, run):
        super().__init__(engine, run)
        self.engine, self.tabular = engine, engine.model.tabular
        a = engine.traits.n_actions
        if engine.model.name == "linear":  # differences to the last action's weights
            d = self.theta.size // a
            self.to_free = np.kron(np.hstack([np.eye(a - 1), -np.ones((a - 1, 1))]), np.eye(d))
        elif engine.model.tabular:
            self.to_free = np.kron(np.eye(engine.model.n_states), np.hstack([np.eye(a - 1), -np.ones((a - 1, 1))]))
        else:
            self.to_free = np.eye(self.theta.size)
        self.from_free = np.linalg.pinv(self.to_free)

    def scores(self, e):
        """(T, P)."""
        return np.array([self.policy.score(x, self.theta, action) for x, action in zip(e.x, e.actions, strict=True)])

    def gradient_of(self, batch):
        """Σ_i of the estimates."""
        return sum(e.estimate(self.theta, self.baseline(batch, i), self.settings) for i, e in enumerate(batch))

    def update(self, batch, done):
        direction = KINDS[self.settings.algorithm, self.settings.baseline](self, batch)
        value_gradient = sum(
            (g - self.weights @ v) * v
            for e in batch
            for g, v in zip(discounted_returns(e.rewards, self.settings.gamma), e.v, strict=True)
        )
        self.move(direction, value_gradient / len(batch), done)

    def baseline(self, batch, i):
        return np.zeros(len(batch[i])) if "optimal" in self.settings.baseline else super().baseline(batch, i)

    def solved(self, matrix, vector):
        """(M + λ diag M)⁻¹ b, 0 where nothing was ever scored."""
        seen = np.diag(matrix) > 1e-20
        x = np.zeros(len(vector))
        m = matrix[np.ix_(seen, seen)]
        x[seen] = np.linalg.solve(m + self.settings.damping * np.diag(np.diag(m)), vector[seen])
        return x

    def shortened(self, x, change, batch):
        """x, cut to what it may change the policy by."""
        limit, change = self.settings.max_kl, 0.5 * self.settings.lr**2 * change / sum(map(len, batch))
        return x * np.sqrt(limit / change) if change > limit > 0 else x


def natural(run, batch):
    """F⁺ g in differences to the last action; of a table in closed form."""
    g = run.gradient_of(batch)
    weights = np.concatenate([e.weights(run.settings) for e in batch])
    z = np.concatenate([run.scores(e) for e in batch])
    if not run.tabular:
        free = run.from_free.T @ z.T
        matrix = (weights * free) @ free.T
        u = run.solved(matrix, run.from_free.T @ g)
        return run.shortened(run.from_free @ u, u @ matrix @ u, batch)
    visits, blocks = known_blocks(run, batch)
    x, damping = np.zeros((len(visits), g.size // len(visits))), run.settings.damping / run.settings.temperature**2
    for s in np.flatnonzero(visits):
        damped = blocks[s] + visits[s] * damping * np.eye(x.shape[1])
        x[s] = np.linalg.pinv(damped) @ g.reshape(x.shape)[s]
    return run.shortened(x.ravel(), np.einsum("sa,sab,sb", x, blocks, x), batch)


def known_blocks(run, batch):
    """Σ w_t of a table's rows, and N(s) (diag π − π πᵀ) / τ²; (S,) and (S, A, A)."""
    tau = run.settings.temperature
    visits = sum(e.weights(run.settings) @ np.asarray(e.v) for e in batch)
    p = softmax(run.theta.reshape(len(visits), -1) / tau)
    return visits, visits[:, None, None] * (np.eye(p.shape[1]) * p[:, None] - p[:, :, None] * p[:, None]) / tau**2


def known_fisher(run, batch):
    """The Fisher matrix of a table; (P, P)."""
    from scipy.linalg import block_diag

    return block_diag(*known_blocks(run, batch)[1])


def enac(run, batch):
    """The slopes of a regression of returns on ψ, in differences to the last action, with a constant."""
    psi = np.array([e.weights(run.settings) @ run.scores(e) for e in batch]) @ run.from_free
    returns = np.array([discounted_returns(e.rewards, run.settings.gamma)[0] for e in batch])
    matrix = (psi - psi.mean(axis=0)).T @ (psi - psi.mean(axis=0))
    vector = psi.T @ (returns - returns.mean())
    if run.tabular:  # damped by what is known of F
        fisher = run.from_free.T @ known_fisher(run, batch) @ run.from_free
        u = np.linalg.pinv(matrix + run.settings.damping * fisher, rcond=1e-10, hermitian=True) @ vector
        return run.shortened(run.from_free @ u, u @ fisher @ u, batch)
    u = run.solved(matrix, vector)
    return run.shortened(run.from_free @ u, u @ matrix @ u, batch)


def kept_from(run, *sums, n):
    """Earlier batches' sums, and what is kept for later ones."""
    before = run.kept
    run.kept = tuple(max(0.0, 1 - n / WINDOW) * old + new for old, new in zip(before, sums, strict=True))
    return before


def ratio(above, below):
    above, below = np.asarray(above, float), np.asarray(below, float)
    return np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below > 0)


def optimal(run, batch):
    """Σ A − b ψ, b from the batches before."""
    estimates = np.array([e.estimate(run.theta, np.zeros(len(e)), run.settings) for e in batch])
    psi = np.array([e.weights(run.settings) @ run.scores(e) for e in batch])
    above, below = kept_from(run, (estimates * psi).sum(axis=0), (psi**2).sum(axis=0), n=len(batch))
    if run.settings.baseline == "optimal-scalar":
        above, below = np.sum(above), np.sum(below)
    return (estimates - ratio(above, below) * psi).mean(axis=0)


def gpomdp(run, batch):
    """Σ_t (ρ_t − b_t) e_t, b_t from the batches before."""
    s, steps = run.settings, run.traits.max_steps
    total, above, below, traces = 0.0, [], [], []
    for e in batch:
        weights = e.weights(s)
        trace = np.zeros((steps, run.theta.size))
        scores = run.scores(e)
        for t in range(steps):  # after the end, too
            z = scores[t] if t < len(e) else 0.0
            if s.entropy and t < len(e):
                total = total + s.entropy * weights[t] * run.policy.entropy_gradient(e.x[t], run.theta)
            trace[t] = (1.0 if s.discount_factor else s.gamma) * (trace[t - 1] if t else 0.0) + z
        rho = np.zeros(steps)
        rho[: len(e)] = weights * e.rewards
        square = np.sum(trace**2, axis=1, keepdims=True) if run.tabular else trace**2
        above.append(rho[:, None] * square)
        below.append(square)
        traces.append(trace)
        total = total + rho @ trace
    b = ratio(*kept_from(run, sum(above), sum(below), n=len(batch)))
    gradient = total - np.sum(b * sum(traces), axis=0)
    if run.engine.model.name == "linear":  # the last action's is minus the sum of the others'
        parts = gradient.reshape(run.traits.n_actions, -1)
        parts[-1] = -parts[:-1].sum(axis=0)
        gradient = parts.ravel()
    return gradient / len(batch)


KINDS = {
    **{("natural", baseline): natural for baseline in ("none", "mean", "batch", "value")},
    ("enac", "none"): enac,
    ("gpomdp", "none"): gpomdp,
    ("reinforce", "optimal"): optimal,
    ("reinforce", "optimal-scalar"): optimal,
}
