"""Elementary functions of float32s: how near the true value, at the edges, and the same bits however they are run.

A double's own function, rounded a billion times finer, is the truth here.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from pgfast import vmath
from pgfast.policies.softmax import fit, sigmoid_pair

INF, NAN = math.inf, math.nan
LARGEST = float(np.finfo(np.float32).max)


@njit(error_model="numpy")
def fill(x, exp, log, sin, cos, sqrt):
    """All functions of all x: a loop that LLVM turns into vector code."""
    for i in range(len(x)):
        exp[i] = vmath.exp(x[i])
        log[i] = vmath.log(x[i])
        sin[i], cos[i] = vmath.sincos(x[i])
        sqrt[i] = vmath.sqrt(x[i])


def compiled(name, x):
    x = np.asarray(x, np.float32)
    out = {f: np.empty(len(x), np.float32) for f in ("exp", "log", "sin", "cos", "sqrt")}
    fill(x, *out.values())
    return out[name]


def arguments(name, rng, n=100_000):
    """Ordinary ones, and those that are hard."""
    signs = rng.choice([-1.0, 1.0], n)
    if name == "exp":
        return [rng.uniform(-86.5, 88.72, n), rng.uniform(-1, 1, n), signs * 2.0 ** rng.uniform(-40, 0, n)]
    if name == "log":
        return [2.0 ** rng.uniform(-149, 127, n), rng.uniform(0.5, 2, n), 1 + signs * 2.0 ** -rng.uniform(2, 23, n)]
    quarters = np.arange(n) * (math.pi / 2)
    return [rng.uniform(-10, 10, n), signs * 10.0 ** rng.uniform(-37, 6, n), quarters]


@pytest.mark.parametrize(("name", "bound"), [("exp", 1.0), ("log", 0.9), ("sin", 1.6), ("cos", 1.6)])
def test_ulp(name, bound):
    x = np.concatenate(arguments(name, np.random.default_rng(1))).astype(np.float32)
    truth = getattr(np, name)(x.astype(float))
    unit = np.spacing(np.abs(truth).astype(np.float32)).astype(float)
    assert np.max(np.abs(compiled(name, x) - truth) / unit) <= bound


def test_sqrt_is_correctly_rounded():
    x = (2.0 ** np.random.default_rng(2).uniform(-149, 127, 1000)).astype(np.float32)
    np.testing.assert_array_equal(compiled("sqrt", x), np.sqrt(x))


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        *[("exp", x, y) for x, y in ((0.0, 1.0), (INF, INF), (-INF, 0.0), (NAN, NAN), (88.73, INF), (-86.51, 0.0))],
        *[("exp", x, y) for x, y in ((3e38, INF), (-3e38, 0.0))],
        *[("log", x, y) for x, y in ((1.0, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (NAN, NAN), (-1.0, NAN))],
        *[("sin", 0.0, 0.0), ("cos", 0.0, 1.0), ("sin", NAN, NAN), ("cos", NAN, NAN)],
        *[("sqrt", x, y) for x, y in ((0.0, 0.0), (INF, INF), (-1.0, NAN), (NAN, NAN), (4.0, 2.0))],
    ],
)
def test_edges(name, x, y):
    with np.errstate(all="ignore"):
        np.testing.assert_equal(float(getattr(vmath, name)(np.float32(x))), y)
    np.testing.assert_equal(float(compiled(name, [x])[0]), y)


def test_exp_of_small_and_large_numbers():
    assert vmath.exp(np.float32(-86.5)) > 0.0
    assert 3.4e38 < vmath.exp(np.float32(88.72283)) <= LARGEST


def test_compiled_and_uncompiled_bits_agree_and_so_do_vectors_and_scalars():
    rng = np.random.default_rng(3)
    parts = [rng.normal(size=200), rng.uniform(-88, 88, 203), 10.0 ** rng.uniform(-44, 6, 100)]
    x = np.concatenate(parts).astype(np.float32)
    for name in ("exp", "log", "sin", "cos", "sqrt"):
        plain = [getattr(vmath, name)(a) for a in x]
        assert all(isinstance(y, np.float32) or not math.isfinite(y) or y == 0.0 for y in plain)
        np.testing.assert_array_equal(compiled(name, x), np.array(plain, np.float32))
        one_by_one = np.concatenate([compiled(name, x[i : i + 1]) for i in range(len(x))])
        np.testing.assert_array_equal(compiled(name, x), one_by_one)


@given(st.floats(width=32, allow_nan=False))
def test_probabilities_of_two_are_a_distribution(x):
    with np.errstate(over="ignore"):
        p, q = sigmoid_pair(np.float32(x))
    assert isinstance(p, np.float32)
    assert 0.0 < p <= 1.0
    assert 0.0 < q <= 1.0
    assert abs(float(p) + float(q) - 1.0) < 2e-7
    true = 1.0 / (1.0 + math.exp(-max(-86.0, min(86.0, float(x)))))
    assert abs(float(p) / true - 1.0) < 5e-7


@given(st.floats(allow_nan=False))
def test_preferences_stay_finite(x):
    with np.errstate(over="ignore"):
        assert abs(np.float32(fit(x, np.float32(0.0)))) <= LARGEST
    assert abs(fit(x, 0.0)) <= 1.7976931348623157e308
