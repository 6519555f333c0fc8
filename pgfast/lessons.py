"""What policy gradients differentiate, on numbers.

Each lesson is a few tables of numbers that were computed, in most of them twice: by the formula and by a finite
difference, or by an estimate and exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

_STEP = 1e-5  # of central differences


class Sheet(NamedTuple):
    """A table: a sentence above it, names of its columns, rows of numbers and words."""

    says: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Lesson(NamedTuple):
    """Tables under a title."""

    title: str
    sheets: list[Sheet]


def difference(f: Callable[[float], float], x: float) -> float:
    """f′(x) by a central difference."""
    return (f(x + _STEP) - f(x - _STEP)) / (2 * _STEP)


def log_softmax(h: np.ndarray) -> np.ndarray:
    """h − log Σ exp h."""
    peak = h.max()
    return np.asarray(h - peak - math.log(np.exp(h - peak).sum()))


def softmax_lesson(
    x: np.ndarray, theta: np.ndarray, names: list[str], action: int, first_action: int, g: float, alpha: float
) -> Lesson:
    """A softmax policy in one state, and the update θ′ = θ + α G ∇log π(a|s) (Sutton & Barto 2018, section 13.3).

    x: (A, D), row b is ∇h_b, so that h = x θ; theta: (D,); names: of the parameters; action: counted from 0.
    """
    logits = x @ theta
    log_pi = log_softmax(logits)
    pi = np.exp(log_pi)
    score = x[action] - pi @ x
    new = theta + alpha * g * score
    after = np.exp(log_softmax(x @ new))
    seen: list[int] = np.flatnonzero(np.any(x != 0.0, axis=0)).tolist()

    def moved(k: int) -> Callable[[float], float]:
        return lambda value: float(log_softmax(x @ np.where(np.arange(len(theta)) == k, value, theta))[action])

    a = action + first_action
    policy = Sheet(
        "Logits h = θᵀx(s, ·) become probabilities, π(a|s) = exp h(a) / Σ_b exp h(b).",
        ("action", "logit h", "π", "log π"),
        [(b + first_action, logits[b], pi[b], log_pi[b]) for b in range(len(pi))],
    )
    derivative = Sheet(
        f"The score of action {a}: ∂ log π({a}|s)/∂θ = x(s, {a}) − Σ_b π(b|s) x(s, b), and by finite difference.",
        ("parameter", "θ", "by formula", "by difference"),
        [(names[k], theta[k], score[k], difference(moved(k), theta[k])) for k in seen],
    )
    update = Sheet(
        f"The return was G = {g:g}, the step size is α = {alpha:g}: θ′ = θ + α G ∇log π.",
        ("parameter", "θ", "α G ∇log π", "θ′"),
        [(names[k], theta[k], alpha * g * score[k], new[k]) for k in seen],
    )
    result = Sheet(
        f"A positive return makes the action that was taken likelier, a negative one less likely: π({a}|s) was "
        f"{pi[action]:.6g} and is {after[action]:.6g}.",
        ("action", "π before", "π after"),
        [(b + first_action, pi[b], after[b]) for b in range(len(pi))],
    )
    return Lesson("A softmax policy in one state", [policy, derivative, update, result])


def log_linear_lesson(alpha: float, beta: float, action: int, n_actions: int, g: float) -> Lesson:
    """π(a; α, β) = exp(α + β a), as it stands and normalised over the actions 0, …, n − 1."""

    def log_pi(a0: float, b0: float) -> float:
        return a0 + b0 * action

    def normalised(a0: float, b0: float) -> float:
        return float(log_softmax(a0 + b0 * np.arange(n_actions))[action])

    plain = [
        ("α", alpha, 1.0, difference(lambda v: log_pi(v, beta), alpha), alpha + g),
        ("β", beta, float(action), difference(lambda v: log_pi(alpha, v), beta), beta + g * action),
    ]
    pi = np.exp(log_softmax(alpha + beta * np.arange(n_actions)))
    mean = float(pi @ np.arange(n_actions))
    proper = [
        ("α", alpha, 0.0, difference(lambda v: normalised(v, beta), alpha), alpha),
        ("β", beta, action - mean, difference(lambda v: normalised(alpha, v), beta), beta + g * (action - mean)),
    ]
    columns = ("parameter", "value", "score by formula", "by difference", "after a step of G times the score")
    return Lesson(
        "Two parameters: π(a; α, β) = exp(α + βa)",
        [
            Sheet(
                f"log π(a) = α + βa is a straight line, and for a = {action} it is {log_pi(alpha, beta):.6g}: its "
                f"scores are 1 and a. With the return G = {g:g}, α′ = α + G·1 and β′ = β + G·a.",
                columns,
                plain,
            ),
            Sheet(
                f"exp(α + βa) need not sum to one. Over the actions 0 to {n_actions - 1}, π(a) = exp(α + βa) / "
                f"Σ_b exp(α + βb): α cancels, and the score of β is the statistic minus its mean, a − E[a] = {action} "
                f"− {mean:.6g}.",
                columns,
                proper,
            ),
        ],
    )


def expectation_lesson(n: int, seed: int) -> Lesson:
    """d/dθ E_x[f(x)] = E_x[f(x) ∂ log p(x; θ)/∂θ], from `n` samples and exactly (Mohamed et al. 2020, section 4)."""
    random = np.random.default_rng(seed)
    mu, sigma = 1.5, 0.8
    x = random.normal(mu, sigma, n)
    z = (x - mu) / sigma
    gaussian = [
        ("μ", mu, *_estimate(x**2 * z / sigma), 2 * mu),
        ("σ", sigma, *_estimate(x**2 * (z**2 - 1) / sigma), 2 * sigma),
    ]
    theta, f = np.array([0.5, 0.0, -0.5]), np.array([1.0, 4.0, 2.0])
    p = np.exp(log_softmax(theta))
    drawn = random.choice(len(p), n, p=p)
    categorical = [
        (f"θ({k})", theta[k], *_estimate(f[drawn] * ((drawn == k) - p[k])), p[k] * (f[k] - p @ f))
        for k in range(len(p))
    ]
    columns = ("parameter", "value", "estimate", "standard error", "exact", "z")
    return Lesson(
        "The derivative of an expectation, without the derivative of f",
        [
            Sheet(
                f"x is Gaussian, f(x) = x², E[f] = μ² + σ² = {mu**2 + sigma**2:.6g}. The mean of f(x) times the score, "
                f"(x − μ)/σ² for μ and ((x − μ)²/σ² − 1)/σ for σ, over {n:,} samples:",
                columns,
                [(*row, (row[2] - row[4]) / row[3]) for row in gaussian],
            ),
            Sheet(
                f"x is one of three, with probabilities softmax(θ) = {', '.join(f'{q:.4g}' for q in p)} and f = "
                f"{', '.join(f'{v:g}' for v in f)}, E[f] = {p @ f:.6g}. The score is 1{{x = k}} − p_k:",
                columns,
                [(*row, (row[2] - row[4]) / row[3]) for row in categorical],
            ),
        ],
    )


def _estimate(samples: np.ndarray) -> tuple[float, float]:
    """Mean and standard error."""
    return float(samples.mean()), float(samples.std(ddof=1) / math.sqrt(len(samples)))
