"""Exact algorithms on small problems, beside what papers prove of them.

Every function plays one theorem through: what is lost against the best policy, J* − J, at each t, the first policy
being that of t = 1, and the bound at the same t. Constants are the papers', computed for the problem; none is fitted.

Agarwal, Kakade, Lee & Mahajan 2021: JMLR 22(98). Cen, Cheng, Chen, Wei & Chi 2022: Operations Research 70(4).
Mei, Xiao, Szepesvári & Schuurmans 2020a: ICML. Mei, Xiao, Dai, Li, Szepesvári & Schuurmans 2020b: NeurIPS.
Rewards are between 0 and 1, as all of them assume.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy.special import logsumexp

from pgfast import TabularMDP, exact, make
from pgfast.exact.evaluation import action_values

ONE_STEP = 0.0  # γ of a bandit, whose episodes have one step
RATE = 0.4  # α that the bound of softmax gradients in bandits is proved for
LONGEST = 10**6  # updates after which nobody waits for an escape any more


@dataclass(frozen=True, eq=False)
class Decline:
    """What is lost at t = 1, 2, …; arrays (T,)."""

    lost: np.ndarray
    most: np.ndarray  # it is proved to be no more than this,
    least: np.ndarray | None = None  # and for large t no less than this

    @property
    def t(self) -> np.ndarray:
        return np.arange(1, len(self.lost) + 1)

    def slope(self, part: float = 0.9) -> float:
        """Of the logarithm of what is lost against that of t, by least squares over the last `part` of all t."""
        late = self.t > (1 - part) * len(self.t)
        return float(np.polyfit(np.log(self.t[late]), np.log(self.lost[late]), 1)[0])


def random_mdp(n_states: int, n_actions: int, seed: int = 0) -> TabularMDP:
    """Every state can follow every other and be the first."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n_states), (n_states, n_actions))
    return TabularMDP(p, rng.random((n_states, n_actions)), np.full(n_states, 1.0 / n_states))


def bandit(
    rewards: Sequence[float], theta: Sequence[float] | float = 0.0, updates: int = 1000, lr: float = RATE
) -> Decline:
    """Softmax gradient in a bandit with one best arm. With α = 2/5 at most 5/(c² t), c the smallest probability that
    the best arm has on the way (Mei et al. 2020a, theorem 2); with any α up to 1 finally at least Δ²/(6 t), Δ what the
    second best arm lacks (theorem 9)."""
    r = np.array(rewards)
    ascent = exact.Ascent(make("Bandit", rewards=list(rewards)), "exact-pg", lr=lr, gamma=ONE_STEP)
    policies = np.array([found.policy[0] for _, found in islice(ascent.path(theta), updates)])
    t, chance = np.arange(1, updates + 1), policies[:, int(np.argmax(r))].min()
    short = r.max() - np.sort(r)[-2]
    return Decline(policies @ (r.max() - r), 5 / (chance**2 * t), short**2 / (6 * t))


def softmax_gradient(mdp: TabularMDP, gamma: float, updates: int, lr: float | None = None) -> Decline:
    """Softmax gradient from equal probabilities. With α = (1 − γ)³/8, which is the default, at most
    16 S ‖d*/μ‖²∞ ‖1/μ‖∞ / (c² (1 − γ)⁶ t), c the smallest probability of a best action on the way (Mei et al. 2020a,
    theorem 4); with any α up to 1 finally at least (1 − γ)⁵ Δ²/(12 t), Δ what the second best action lacks at least in
    any state (theorem 10)."""
    best = exact.optimum(mdp, gamma=gamma)
    found = exact.evaluate(mdp, best.policy, gamma=gamma)
    ascent = exact.Ascent(mdp, "exact-pg", lr=lr or (1 - gamma) ** 3 / 8, gamma=gamma)
    path = [found for _, found in islice(ascent.path(), updates)]
    t, chance = np.arange(1, updates + 1), min(float(f.policy[best.policy > 0].min()) for f in path)
    spread = _mismatch(mdp, found, gamma)
    most = 16 * mdp.n_states * spread**2 * (1 / mdp.rho0).max() / (chance**2 * (1 - gamma) ** 6 * t)
    short = (found.V[:, None] - found.Q)[best.policy == 0].min()
    return Decline(best.J - np.array([f.J for f in path]), most, (1 - gamma) ** 5 * short**2 / (12 * t))


def _mismatch(mdp: TabularMDP, found: exact.Evaluation, gamma: float) -> float:
    """‖d/μ‖∞, d the discounted state distribution with a sum of 1."""
    return float(((1 - gamma) * found.occupancy / mdp.rho0).max())


def least_escape(chance: float, lr: float = RATE) -> float:
    """What `escape` is at least for a softmax, (1/chance − 2)/(2 α): an update adds at most α π (1 − π + π′) ≤
    2 α π (1 − π) to the logarithm of π/(1 − π), π′ the largest probability of another arm, and so takes at most 2 α
    from (1 − π)/π. That it takes Ω(1/chance) is what Mei et al. 2020b call softmax's gravity well."""
    return (1 / chance - 2) / (2 * lr)


def escape(chance: float, algorithm: str, lr: float = RATE, n_arms: int = 10) -> int:
    """Updates until the best arm, which pays 1 where all others pay 0, has a probability of a half, from `chance` on.

    A softmax is held back (`least_escape`); an escort policy, θ² among all, multiplies θ by a number more than 1 and is
    out after O(log 1/chance)."""
    mdp = make("Bandit", rewards=[1.0] + [0.0] * (n_arms - 1))
    first = np.r_[chance, np.full(n_arms - 1, (1 - chance) / (n_arms - 1))]
    first = np.sqrt(first) if algorithm == "exact-escort-pg" else np.log(first)
    path = exact.Ascent(mdp, algorithm, lr=lr, gamma=ONE_STEP).path(first)
    return next(k for k, (_, found) in enumerate(islice(path, LONGEST)) if found.policy[0, 0] >= 0.5)


def steepness(algorithm: str, theta: np.ndarray, rewards: Sequence[float]) -> tuple[float, float]:
    """(‖∇J‖, what it is at least) in a bandit, δ being what is lost and π the probability of the best arm: π δ for a
    softmax (Mei et al. 2020a, lemma 3), p π^(1 − 1/p) δ / ‖θ‖_p for an escort policy (Mei et al. 2020b, section 3)."""
    r = np.array(rewards)
    ascent = exact.Ascent(make("Bandit", rewards=list(rewards)), algorithm, lr=1.0, gamma=ONE_STEP)
    found = ascent.evaluate(theta)
    chance, lost = found.policy[0, int(np.argmax(r))], r.max() - found.J
    least = chance * lost
    if algorithm == "exact-escort-pg":
        p = 2
        least = p * chance ** (1 - 1 / p) * lost / np.linalg.norm(theta, p)
    return float(np.linalg.norm(ascent.gradient(theta, found))), float(least)


def natural_gradient(mdp: TabularMDP, gamma: float, updates: int, lr: float | None = None) -> Decline:
    """Natural gradient from equal probabilities: after T updates at most log A/(α T) + 1/((1 − γ)² T), however many
    states there are (Agarwal et al. 2021, theorem 16); with α = (1 − γ)² log A, the default, 2/((1 − γ)² T). What is
    lost after T = 1, 2, … updates."""
    lr = lr or (1 - gamma) ** 2 * math.log(mdp.n_actions)
    best = exact.optimum(mdp, gamma=gamma).J
    path = exact.Ascent(mdp, "exact-npg", lr=lr, gamma=gamma).path()
    lost = np.array([best - found.J for _, found in islice(path, 1, updates + 1)])
    t = np.arange(1, updates + 1)
    return Decline(lost, math.log(mdp.n_actions) / (lr * t) + 1 / ((1 - gamma) ** 2 * t))


def soft_optimum(mdp: TabularMDP, gamma: float, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """(Q, log π) of the best policy where a step also pays −τ log π(a|s), (S, A) each, by value iteration:
    V(s) = τ log Σ_a exp(Q(s, a)/τ)."""
    model, v = exact.model_of(mdp), np.zeros(mdp.n_states)
    while True:
        q = action_values(model, v, gamma)
        new = tau * logsumexp(q / tau, axis=1)
        if np.max(np.abs(new - v)) <= 1e-15 * max(1.0, float(np.max(np.abs(new)))):
            return q, (q - new[:, None]) / tau
        v = new


def entropy_gradient(mdp: TabularMDP, gamma: float, tau: float, updates: int, lr: float | None = None) -> Decline:
    """Gradient with an entropy bonus, from equal probabilities. With α = (1 − γ)³/(8 + τ(4 + 8 log A)), the default, at
    most ‖1/μ‖∞ (1 + τ log A)/(1 − γ)² · exp(−C (t − 1)),
    C = (1 − γ)⁴ / ((8/τ + 4 + 8 log A) S) · min μ · c² / ‖d*/μ‖∞, c the smallest probability of any action on the way
    (Mei et al. 2020a, theorem 6)."""
    entropy = math.log(mdp.n_actions)
    best = exact.evaluate(mdp, np.exp(soft_optimum(mdp, gamma, tau)[1]), gamma=gamma)
    settings = {"lr": lr or (1 - gamma) ** 3 / (8 + tau * (4 + 8 * entropy)), "entropy": tau, "gamma": gamma}
    path = [found for _, found in islice(exact.Ascent(mdp, "exact-entropy-pg", **settings).path(), updates)]
    chance = min(float(found.policy.min()) for found in path)
    rate = (1 - gamma) ** 4 / ((8 / tau + 4 + 8 * entropy) * mdp.n_states) * mdp.rho0.min() * chance**2
    rate /= _mismatch(mdp, best, gamma)
    t = np.arange(1, updates + 1)
    most = (1 / mdp.rho0).max() * (1 + tau * entropy) / (1 - gamma) ** 2 * np.exp(-rate * (t - 1))
    return Decline(_soft_value(mdp, gamma, tau) - np.array([found.J for found in path]), most)


def _soft_value(mdp: TabularMDP, gamma: float, tau: float) -> float:
    """J of the best policy where a step also pays −τ log π(a|s)."""
    return float(mdp.rho0 @ (tau * logsumexp(soft_optimum(mdp, gamma, tau)[0] / tau, axis=1)))


def entropy_natural_gradient(mdp: TabularMDP, gamma: float, tau: float, updates: int, part: float = 1.0) -> Decline:
    """Natural gradient with an entropy bonus, from equal probabilities, with α = part · (1 − γ)/τ: what is lost is
    ‖Q* − Q‖∞ after 1, 2, … updates, and after k at most C γ (1 − ατ)^(k − 1) with
    C = ‖Q* − Q₀‖∞ + 2 τ (1 − ατ/(1 − γ)) ‖log π* − log π₀‖∞ (Cen et al. 2022, theorem 1). With part 1 it is soft policy
    iteration, and the rate is γ."""
    model, lr = exact.model_of(mdp), part * (1 - gamma) / tau
    best, log_best = soft_optimum(mdp, gamma, tau)
    path = exact.Ascent(mdp, "exact-entropy-npg", lr=lr, entropy=tau, gamma=gamma).path()
    away = [best - action_values(model, found.V, gamma) for _, found in islice(path, updates + 1)]
    lost = np.abs(away).max(axis=(1, 2))
    first = np.abs(log_best + math.log(mdp.n_actions)).max()
    c = lost[0] + 2 * tau * (1 - part) * first
    return Decline(lost[1:], c * gamma * (1 - lr * tau) ** np.arange(updates))
