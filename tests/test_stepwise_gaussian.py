"""The Gaussian policy for other people's loops: as in NumPy, compiled as in Python, gradients as differences say."""

from __future__ import annotations

from typing import Any

import numpy as np
import reference
from gymnasium.spaces import Box
from numba import njit
from scipy import stats

from pgfast import gaussian, make_key, normal

FALSE_ALARM = 1e-6  # of a statistical test; seeds are fixed, so it comes true always or never
K, D = 2, 3
RNG = np.random.default_rng(6)
THETA, X = RNG.normal(size=(K, D + 1)), RNG.normal(size=D)
ACTION = np.array([0.3, -1.2])
REFERENCE = reference.Gaussian(Box(-np.inf, np.inf, (K,)), std0=1.0)


@njit
def everything(theta, x, z, out):
    """What a compiled simulation can ask, as numbers; θ, the score and a trace in `out` (3, K, D + 1)."""
    action = np.array([gaussian.sample(theta, x, 0, z), gaussian.sample(theta, x, 1, -z)])
    p, h = gaussian.log_density(theta, x, action), gaussian.entropy(theta)
    gaussian.score(theta, x, action, out[0])
    gaussian.trace(theta, x, action, 0.9, 0.5, out[1])
    gaussian.update(theta, x, action, 0.3)
    gaussian.update(theta, x, action, -0.2, 0.1)
    out[2] = theta
    return action[0], action[1], p, h


def test_compiled_as_in_python() -> None:
    results: list[Any] = []
    for function in (everything, everything.py_func):
        out = np.full((3, K, D + 1), 0.25)
        results.append((function(THETA.copy(), X, 0.7, out), out))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_as_in_numpy() -> None:
    flat = THETA.reshape(-1)
    mean, std = REFERENCE.distribution(X, flat)
    drawn = [gaussian.sample(THETA, X, k, 0.7) for k in range(K)]
    np.testing.assert_allclose(drawn, mean + 0.7 * std, rtol=1e-14)
    np.testing.assert_allclose(gaussian.log_density(THETA, X, ACTION), REFERENCE.log_density(X, flat, ACTION))
    np.testing.assert_allclose(gaussian.entropy(THETA), REFERENCE.entropy(X, flat), rtol=1e-14)
    score, out, trace, moved = REFERENCE.score(X, flat, ACTION), np.full_like(THETA, np.nan), THETA.copy(), THETA.copy()
    gaussian.score(THETA, X, ACTION, out)
    np.testing.assert_allclose(out.reshape(-1), score, rtol=1e-12)
    gaussian.trace(THETA, X, ACTION, 0.9, 0.5, trace)
    np.testing.assert_allclose(trace.reshape(-1), 0.9 * flat + 0.5 * score, rtol=1e-12)
    gaussian.update(moved, X, ACTION, -0.7, 0.2)
    expected = flat - 0.7 * score + 0.2 * REFERENCE.entropy_gradient(X, flat)
    np.testing.assert_allclose(moved.reshape(-1), expected, rtol=1e-12)


def test_score_by_differences() -> None:
    """Central differences: their error is of the order of the cube root of the precision, squared."""
    step, slopes, out = 6e-6, np.zeros_like(THETA), np.empty_like(THETA)
    for k in np.ndindex(THETA.shape):
        low, high = THETA.copy(), THETA.copy()
        low[k] -= step
        high[k] += step
        slopes[k] = (gaussian.log_density(high, X, ACTION) - gaussian.log_density(low, X, ACTION)) / (2 * step)
    gaussian.score(THETA, X, ACTION, out)
    np.testing.assert_allclose(out, slopes, atol=1e-7 * np.abs(slopes).max())


@njit
def draw_many(theta, x, out):
    for episode in range(len(out)):
        out[episode] = gaussian.sample(theta, x, 1, normal(make_key(3, 0, episode), 1))


def test_samples() -> None:
    out = np.empty(100_000)
    draw_many(THETA, X, out)
    mean, std = REFERENCE.distribution(X, THETA.reshape(-1))
    assert stats.kstest(out, stats.norm(mean[1], std[1]).cdf).pvalue > FALSE_ALARM
