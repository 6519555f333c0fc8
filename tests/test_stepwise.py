"""The functions for other people's loops: as in NumPy, compiled as in Python, and gradients as differences say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from numba import njit
from scipy import stats

from pgfast import make_key, normal, randint, softmax, uniform

FALSE_ALARM = 1e-6  # of a statistical test; seeds are fixed, so it comes true always or never
A, D = 4, 3
RNG = np.random.default_rng(5)
CASES: dict[str, tuple[np.ndarray, Any]] = {  # θ, and what is observed
    "tabular": (RNG.normal(size=(5, A)), 2),
    "linear": (RNG.normal(size=(A, D)), RNG.normal(size=D)),
    "two actions": (RNG.normal(size=(2, D)), RNG.normal(size=D)),
    "one action": (RNG.normal(size=(1, D)), RNG.normal(size=D)),
}


def matrix(theta: np.ndarray, x: Any) -> np.ndarray:
    """The gradients of all preferences as the reference has them, (A, P)."""
    if isinstance(x, int):
        return np.kron(reference.one_hot(x, len(theta)), np.eye(theta.shape[1]))
    return np.kron(np.eye(len(theta)), x)


@njit
def everything(theta, x, actions, u, out):
    """What a compiled simulation can ask, as numbers; θ, the score and a trace in `out` (3, …)."""
    drawn, best = softmax.sample(theta, x, u), softmax.preferred(theta, x)
    p = softmax.probability(theta, x, drawn)
    h = softmax.entropy(theta, x)
    a = actions - 1
    softmax.score(theta, x, a, out[0])
    softmax.trace(theta, x, a, 0.9, 0.5, out[1])
    softmax.update(theta, x, a, 0.3)
    softmax.update(theta, x, drawn, -0.2, 0.1)
    out[2] = theta
    return drawn, best, p, h


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("u", [0.0, 0.3, 0.999])
def test_compiled_as_in_python(case: str, u: float) -> None:
    theta, x = CASES[case]
    n = matrix(theta, x).shape[0]
    results = []
    for function in (everything, everything.py_func):
        out = np.full((3, *theta.shape), 0.25)
        results.append((function(theta.copy(), x, n, u, out), out))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("case", CASES)
def test_as_in_numpy(case: str) -> None:
    theta, x = CASES[case]
    m, flat = matrix(theta, x), theta.reshape(-1)
    p = reference.softmax(m @ flat)
    n = len(p)
    np.testing.assert_allclose([softmax.probability(theta, x, a) for a in range(n)], p, rtol=1e-13)
    assert softmax.entropy(theta, x) == pytest.approx(reference.entropy(m, flat), rel=1e-12, abs=1e-15)
    assert softmax.preferred(theta, x) == p.argmax()
    for u in np.linspace(0.0, 1.0, 101)[:-1]:
        assert softmax.sample(theta, x, u) == np.sum(np.cumsum(p)[:-1] <= u)
    for a in range(n):
        out = np.full_like(theta, np.nan)
        softmax.score(theta, x, a, out)
        score = reference.score(m, flat, a)
        np.testing.assert_allclose(out.reshape(-1), score, atol=1e-14)
        trace = np.ones_like(theta)
        softmax.trace(theta, x, a, 0.9, 0.5, trace)
        np.testing.assert_allclose(trace.reshape(-1), 0.9 + 0.5 * score, atol=1e-14)
        moved = theta.copy()
        softmax.update(moved, x, a, -0.7, 0.2)
        expected = flat - 0.7 * score + 0.2 * reference.entropy_gradient(m, flat)
        np.testing.assert_allclose(moved.reshape(-1), expected, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_gradients_by_differences(case: str) -> None:
    """Central differences: their error is of the order of the cube root of the precision, squared."""
    theta, x = CASES[case]
    n, step = matrix(theta, x).shape[0], 6e-6
    for a in range(n):
        slopes, bends = np.zeros_like(theta), np.zeros_like(theta)
        for k in np.ndindex(theta.shape):
            low, high = theta.copy(), theta.copy()
            low[k] -= step
            high[k] += step
            slopes[k] = np.log(softmax.probability(high, x, a) / softmax.probability(low, x, a)) / (2 * step)
            bends[k] = (softmax.entropy(high, x) - softmax.entropy(low, x)) / (2 * step)
        out, moved = np.empty_like(theta), theta.copy()
        softmax.score(theta, x, a, out)
        np.testing.assert_allclose(out, slopes, atol=1e-9)
        softmax.update(moved, x, a, 0.0, 1.0)
        np.testing.assert_allclose(moved - theta, bends, atol=1e-9)


@pytest.mark.parametrize("function", [everything, everything.py_func], ids=["compiled", "python"])
def test_extreme_preferences(function: Callable[..., Any]) -> None:
    """Nothing but numbers, and no action of probability 0."""
    table = np.array([[1e308, -1e308, 1e308], [0.0, 800.0, 0.0]])
    wide = np.array([[1e200, 1e200], [-1e200, 0.0], [0.0, 0.0]])
    for theta, x, likely in ((table, 0, {0, 2}), (table, 1, {1}), (wide, np.array([1e200, 1.0]), {0})):
        drawn = set()
        for u in (0.0, 0.5, 1 - 2**-52):
            out = np.zeros((3, *theta.shape))
            with np.errstate(over="ignore"):  # differences of preferences that overflow are clipped
                action, _, p, h = function(theta.copy(), x, 3, u, out)
            drawn.add(action)
            assert 0 < p <= 1
            assert np.isfinite(h)
            assert np.isfinite(out).all()
        assert drawn == likely


@njit
def draw_many(theta, x, seed, n, counts):
    for episode in range(n):
        counts[softmax.sample(theta, x, uniform(make_key(seed, 0, episode), 0))] += 1


@pytest.mark.parametrize("case", ["tabular", "linear"])
def test_samples_are_as_likely_as_probability_says(case: str) -> None:
    theta, x = CASES[case]
    counts, n = np.zeros(A), 100_000
    draw_many(theta, x, 3, n, counts)
    p = np.array([softmax.probability(theta, x, a) for a in range(A)])
    assert stats.chisquare(counts, n * p).pvalue > FALSE_ALARM


@njit
def numbers(seed, run, episode, step, stream):
    key = make_key(seed, run, episode, step, stream)
    by_name = make_key(seed, episode=episode)
    return uniform(key, 0), uniform(key, 5), normal(key, 1), randint(key, 0, 1000), uniform(by_name, 0)


def test_keys_in_compiled_code() -> None:
    for arguments in ((0, 0, 0, 0, 0), (7, 2**24 - 1, 2**52 - 1, 2**32 - 1, 3), (2**63 - 1, 5, 2**40 + 3, 9, 1)):
        assert numbers(*arguments) == numbers.py_func(*arguments)


@pytest.mark.parametrize("imports", ["from numba import njit; from pgfast import softmax",
                                     "from pgfast import softmax; from numba import njit"])  # fmt: skip
def test_in_a_program(tmp_path: Path, imports: str) -> None:
    """Of which pgfast knows nothing."""
    program = tmp_path / "simulation.py"
    program.write_text(
        f"{imports}\nimport numpy as np\n"
        "@njit\ndef draw(theta, x):\n    return softmax.sample(theta, x, 0.5)\n"
        "print(draw(np.array([[0.0, 5.0]]), 0), draw(np.array([[0.0], [5.0]]), np.ones(1)))\n"
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]
