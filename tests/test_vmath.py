"""Elementary functions: how near the true value, at the edges, and the same bits however they are run."""

import math
from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numba import njit

from pgfast import vmath
from pgfast.compiler import LANES, as_bits, as_float, fma, highest_bit, kernel, load_column, store_column
from pgfast.compiler.bits import fma_by_fractions

getcontext().prec = 60
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798")
INF, NAN = math.inf, math.nan
any_float = st.floats(width=64)


@njit(error_model="numpy")
def fill(x, exp, log, sin, cos, sqrt):
    """All functions of all x: a loop that LLVM turns into vector code."""
    for i in range(len(x)):
        exp[i] = vmath.exp(x[i])
        log[i] = vmath.log(x[i])
        sin[i], cos[i] = vmath.sincos(x[i])
        sqrt[i] = vmath.sqrt(x[i])


def compiled(name, x):
    out = {f: np.empty(len(x)) for f in ("exp", "log", "sin", "cos", "sqrt")}
    fill(np.asarray(x, float), *out.values())
    return out[name]


# ---- accuracy


def true_exp(x):
    return Decimal(x).exp()


def true_log(x):
    return Decimal(x).ln()


def true_sin(x, quarter_turns=0):
    """By the sum of x^k/k!, x reduced to within half a turn around 0, then turned on."""
    x = Decimal(x) + quarter_turns * PI / 2
    x -= (x / (2 * PI)).to_integral_value() * 2 * PI
    term, total, k = x, Decimal(0), 1
    while abs(term) > abs(total) * Decimal("1e-30"):
        total += term
        term *= -x * x / ((k + 1) * (k + 2))
        k += 2
    return total


def true_cos(x):
    return true_sin(x, 1)


def worst_ulp(name, truth, x):
    """The largest error in units in the last place of the true value."""
    found = compiled(name, x)
    return max(
        abs(Decimal(y) - t) / Decimal(math.ulp(float(t)))
        for y, t in ((float(f), truth(float(a))) for f, a in zip(found, x, strict=True))
    )


def near_quarter_turns(rng, n):
    """Numbers next to multiples of π/2, where sine and cosine are smallest and most is lost."""
    k = np.concatenate([np.arange(1, n), np.floor(10.0 ** rng.uniform(0, 14.8, n))])
    return np.array([float(Decimal(int(j)) * PI / 2) for j in k])


def arguments(name, rng, n=4000):
    """Ordinary ones, and those that are hard."""
    signs = rng.choice([-1.0, 1.0], n)
    if name == "exp":
        return [rng.uniform(-707, 709.7, n), rng.uniform(-1, 1, n), signs * 2.0 ** rng.uniform(-60, 0, n)]
    if name == "log":
        return [2.0 ** rng.uniform(-1074, 1023, n), rng.uniform(0.5, 2, n), 1 + signs * 2.0 ** -rng.uniform(2, 52, n)]
    return [rng.uniform(-10, 10, n), signs * 10.0 ** rng.uniform(-300, 15, n), near_quarter_turns(rng, n)]


@pytest.mark.parametrize(
    ("name", "truth", "bound"),
    [("exp", true_exp, 1.1), ("log", true_log, 0.8), ("sin", true_sin, 1.5), ("cos", true_cos, 1.5)],
)
def test_ulp(name, truth, bound):
    assert worst_ulp(name, truth, np.concatenate(arguments(name, np.random.default_rng(1)))) <= bound


def test_sqrt_is_correctly_rounded():
    x = 2.0 ** np.random.default_rng(2).uniform(-1074, 1023, 1000)
    np.testing.assert_array_equal(compiled("sqrt", x), np.sqrt(x))


# ---- edges


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        *[("exp", x, y) for x, y in ((0.0, 1.0), (INF, INF), (-INF, 0.0), (NAN, NAN), (709.79, INF), (-708.0, 0.0))],
        *[("exp", x, 0.0) for x in (-1e308, -707.0001)],
        *[("exp", x, INF) for x in (1e308, 710.0)],
        *[("log", x, y) for x, y in ((1.0, 0.0), (0.0, -INF), (-0.0, -INF), (INF, INF), (NAN, NAN))],
        *[("log", x, NAN) for x in (-1.0, -5e-324, -INF)],
        *[("sin", 0.0, 0.0), ("cos", 0.0, 1.0), ("sin", NAN, NAN), ("cos", NAN, NAN)],
        *[("sqrt", x, y) for x, y in ((0.0, 0.0), (INF, INF), (-1.0, NAN), (NAN, NAN), (4.0, 2.0))],
    ],
)
def test_edges(name, x, y):
    with np.errstate(all="ignore"):
        np.testing.assert_equal(float(getattr(vmath, name)(x)), y)
    np.testing.assert_equal(compiled(name, [x])[0], y)


def test_exp_of_small_and_large_numbers():
    assert vmath.exp(-707.0) > 0.0
    assert math.isfinite(vmath.exp(709.782712893384))
    assert vmath.exp(709.782712893384) > 1.79e308


# ---- the same bits


def test_compiled_and_uncompiled_bits_agree():
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(size=200), rng.uniform(-720, 720, 200), 10.0 ** rng.uniform(-320, 15, 100)])
    for name in ("exp", "log", "sin", "cos", "sqrt"):
        plain = np.array([getattr(vmath, name)(float(a)) for a in x])
        np.testing.assert_array_equal(
            compiled(name, x).view(np.int64)[plain == plain], plain.view(np.int64)[plain == plain]
        )
        np.testing.assert_array_equal(np.isnan(compiled(name, x)), np.isnan(plain))


def test_vectors_and_scalars_give_the_same_bits():
    x = np.random.default_rng(4).uniform(-720, 720, 1003)
    for name in ("exp", "log", "sin", "cos", "sqrt"):
        one_by_one = np.concatenate([compiled(name, x[i : i + 1]) for i in range(len(x))])
        np.testing.assert_array_equal(compiled(name, x), one_by_one)


# ---- instructions


@njit
def compiled_fma(x, y, z):
    return fma(x, y, z)


@given(any_float, any_float, any_float)
@example(1e308, 10.0, 0.0)
@example(1e308, 10.0, -1e308)
@example(1e308, 10.0, -INF)
@example(-1e308, 10.0, 0.0)
@example(-0.0, 1.0, 0.0)
@example(-0.0, 1.0, -0.0)
@example(1e-200, -1e-200, 0.0)
@example(INF, 0.0, 1.0)
@example(1.0 + 2.0**-52, 1.0 - 2.0**-52, -1.0)
@example(5e-324, 0.5, 0.0)
def test_fma_is_the_machines(x, y, z):
    """Also where Python has none to call."""
    machine = compiled_fma(x, y, z)
    for plain in (fma(x, y, z), fma_by_fractions(x, y, z)):
        assert plain == machine or (math.isnan(plain) and math.isnan(machine))
        assert math.copysign(1, plain) == math.copysign(1, machine) or math.isnan(plain)


@given(*[st.floats(-1e100, 1e100)] * 3)
def test_fma_rounds_once(x, y, z):
    assert fma(x, y, z) == float(Fraction(x) * Fraction(y) + Fraction(z))


@njit
def compiled_bits(x, k):
    return as_bits(x), as_float(k)


@given(st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1))
def test_bits(x, k):
    bits, value = compiled_bits(x, k)
    assert as_bits(x) == bits == np.float64(x).view(np.int64)
    np.testing.assert_equal(as_float(k), value)
    np.testing.assert_equal(value, np.int64(k).view(np.float64))
    assert as_float(as_bits(x)) == x


@kernel
def place_and_product(word, a, b, out):
    out[0] = highest_bit(word)
    out[1] = vmath.times(a, b)


@given(st.integers(1, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**31 - 1))
@example(1, 2**32 - 1, 2**31 - 1)
@example(2**63, 0, 0)
def test_places_and_products(word, a, b):
    out = np.empty(2, np.int64)
    place_and_product(np.uint64(word), a, b, out)
    assert out.tolist() == [word.bit_length() - 1, a * b]
    assert (highest_bit(np.uint64(word)), vmath.times(a, b)) == (word.bit_length() - 1, a * b)


# ---- columns


@kernel
def shift_columns(floats, ints, like, n):
    """Every lane but the last takes the state of its right neighbour."""
    for i in range(n - 1):
        store_column(floats, ints, i, load_column(floats, ints, i + 1, like), like)


@pytest.mark.parametrize("like", [(0.0, 0, 0.0, 0, 0), (0.0, 0.0), (0, 0, 0), 0.0, 0])
def test_columns(like):
    elements = like if isinstance(like, tuple) else (like,)
    n_floats = sum(isinstance(x, float) for x in elements)
    rng = np.random.default_rng(5)
    floats, ints = (
        rng.normal(size=(max(1, n_floats), LANES)),
        rng.integers(-9, 9, (max(1, len(elements) - n_floats), LANES)),
    )
    before = [load_column(floats, ints, i, like) for i in range(LANES)]
    assert [type(x) for x in np.atleast_1d(np.array(before[0], object))] == [type(x) for x in elements]
    copies = floats.copy(), ints.copy()
    shift_columns.function(*copies, like, LANES)
    shift_columns(floats, ints, like, LANES)
    assert [load_column(floats, ints, i, like) for i in range(LANES)] == [*before[1:], before[-1]]
    np.testing.assert_array_equal(floats, copies[0])
    np.testing.assert_array_equal(ints, copies[1])


def test_an_int_becomes_a_float_where_the_state_has_one():
    floats, ints = np.zeros((2, LANES)), np.zeros((1, LANES), np.int64)
    store_column(floats, ints, 3, (7, 8, 9.5), (0.0, 0, 0.0))
    assert load_column(floats, ints, 3, (0.0, 0, 0.0)) == (7.0, 8, 9.5)
