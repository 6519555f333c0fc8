"""A function to be maximised: what it may be, what is learned of it, and that its gradient is the exact one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import pgfast
from pgfast import Engine, EnvironmentFault, PgfastError, make_key, maximise, normal, sin
from pgfast.compiler import kernel
from pgfast.protocol import step

FALSE_ALARM = 1e-6


def hill(x):  # type: ignore[no-untyped-def]
    """Highest at 3."""
    return 4.0 - (x - 3) ** 2


def noisy_hill(x, key):  # type: ignore[no-untyped-def]
    return hill(x) + normal(key, 0)


@kernel
def pay(env, x, key, out):  # type: ignore[no-untyped-def]
    """f(x), compiled."""
    out[0] = step(env, 0, x, key)[1]


def gradient(engine: Engine, episodes: int) -> np.ndarray:
    """Of one batch: what it moves θ by, divided by the step size."""
    before = engine.theta.ravel()
    engine.learn(episodes)
    return (engine.theta.ravel() - before) / engine.settings.lr


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """Settings of the bare estimator: a step along the mean of f(x) ∇log p(x) of a batch."""
    return {"optimizer": "sgd", "lr": 1.0, "baseline": "none", "batch": 200_000}


@pytest.mark.parametrize("f", [hill, noisy_hill])
def test_gradient_of_a_categorical_distribution(f: Callable[..., Any], plain: dict[str, Any]) -> None:
    """∂E[f(x)]/∂θ_k = p_k (f(k) − E[f(x)]); the estimate's variance is known as well."""
    n, theta = 6, np.array([0.5, -0.3, 0.0, -1.0, 0.8, 0.1])
    engine = Engine(maximise(f, n=n), theta0=theta, **plain)
    estimate = gradient(engine, plain["batch"])
    p, value = np.exp(theta) / np.exp(theta).sum(), hill(np.arange(n))
    exact = p * (value - p @ value)
    score = np.eye(n) - p  # of x in row x
    square = value**2 + (1.0 if f is noisy_hill else 0.0)
    variance = (p * square) @ score**2 - exact**2
    z = (estimate - exact) / np.sqrt(variance / plain["batch"])
    assert np.all(2 * stats.norm.sf(np.abs(z)) > FALSE_ALARM / n)


def test_gradient_of_a_gaussian_distribution(plain: dict[str, Any]) -> None:
    """Of N(μ, σ²), σ = exp ρ: ∂E[f(x)]/∂μ = −2 (μ − 3) and ∂E[f(x)]/∂ρ = −2 σ². Variances are integrals that Gauss and
    Hermite's rule has exactly."""
    mean, rho = 1.0, 0.3
    deviation = np.exp(rho)
    engine = Engine(maximise(hill, dimensions=1), theta0=[mean, rho], **plain)
    estimate = gradient(engine, plain["batch"])
    exact = np.array([-2 * (mean - 3.0), -2 * deviation**2])
    z, weight = np.polynomial.hermite_e.hermegauss(10)
    sample = hill(mean + deviation * z) * np.array([z / deviation, z**2 - 1])
    moments = [sample**k @ weight / weight.sum() for k in (1, 2)]
    np.testing.assert_allclose(moments[0], exact, rtol=1e-12)
    error = (estimate - exact) / np.sqrt((moments[1] - exact**2) / plain["batch"])
    assert np.all(2 * stats.norm.sf(np.abs(error)) > FALSE_ALARM / 2)


def test_the_best_point_is_learned() -> None:
    """Of a valley that lies askew."""
    engine = Engine(maximise(lambda x: -((x[0] - 1.5) ** 2) - (x[0] + x[1]) ** 2, dimensions=2))
    engine.learn()
    np.testing.assert_allclose(engine.theta[0, :, 0], [1.5, -1.5], atol=0.15)
    assert engine.evaluate().mean > -0.1


@pytest.mark.parametrize("f", [hill, noisy_hill])
def test_the_best_choice_is_learned(f: Callable[..., Any]) -> None:
    engine = Engine(maximise(f, n=6))
    engine.learn()
    assert engine.probabilities(0)[3] > 0.97
    assert engine.optimum == (4.0 if f is hill else None)


def test_functions_of_one_place_are_told_apart() -> None:
    """By what they close over, in compiled code and in the cache."""

    def away_from(k: int) -> Callable[[int], int]:
        return lambda x: -abs(x - k)

    paid = np.ones((2, 1))
    for k, out in zip((1, 4), paid, strict=True):
        pay(maximise(away_from(k), n=6), 4, make_key(), out)
    assert paid.tolist() == [[-3.0], [0.0]]


def test_truth_values_are_numbers() -> None:
    assert maximise(lambda x: x == 2, n=3).step(0, 2, None) == (0, 1.0, True)


def test_a_function_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def f(x):\n    return -(x - 2) ** 2\n", "utf-8")
    engine = Engine(f"{file}:f", env_parameters={"n": 5})
    assert engine.optimum == 0.0
    engine.save(tmp_path / "run")
    assert Engine.load(tmp_path / "run", trust=True).digest() == engine.digest()
    for name, parameters, words in [
        ("g", {"n": 5}, "There is no function 'g' of mine.py: choose from f."),
        ("f", {"m": 5}, "There is no parameter 'm' of f: choose from dimensions, n."),
    ]:
        with pytest.raises(PgfastError, match=f"^{re.escape(words)}$"):
            Engine(f"{file}:{name}", env_parameters=parameters)


def test_an_engine_of_a_function_is_found_again(tmp_path: Path) -> None:
    """By the function's name and file."""
    engine = Engine(maximise(hill, n=4))
    engine.save(tmp_path / "run")
    assert Engine.load(tmp_path / "run", trust=True).source.env == engine.source.env


def test_it_passes_the_checker() -> None:
    assert pgfast.check(maximise(noisy_hill, n=3)).ok


ONLY_3 = {3: "word"}


@pytest.mark.parametrize(
    ("f", "size", "words"),
    [
        (lambda x: 1 / (x - 1), {"n": 3}, "f(1) fails with ZeroDivisionError: division by zero"),
        (lambda x: ONLY_3.get(x), {"n": 3}, "f(0) gives None: it must be a finite number."),
        (lambda x: ONLY_3.get(x, 0), {"n": 5}, "f(3) gives 'word': it must be a finite number."),
        (lambda x: float("nan"), {"n": 3}, "f(0) gives nan: it must be a finite number."),
        (lambda x: x[2], {"dimensions": 2}, "fails with IndexError: tuple index out of range"),
    ],
)
def test_functions_that_fail(f: Callable[[Any], Any], size: dict[str, int], words: str) -> None:
    with pytest.raises(EnvironmentFault, match=re.escape(words)):
        maximise(f, **size)


@pytest.mark.parametrize(
    ("f", "size", "words"),
    [
        (hill, {}, "hill needs to know what x is: give n"),
        (hill, {"n": 3, "dimensions": 2}, "hill needs to know what x is: give n"),
        (hill, {"n": 0}, "n is 0: it must be a whole number from 1 on."),
        (hill, {"dimensions": 1.5}, "dimensions is 1.5: it must be a whole number from 1 on."),
        (lambda a, b, c: 0, {"n": 3}, "f(a, b, c) can't be maximised: write it as f(x), or f(x, key)."),
        (lambda *a: 0, {"n": 3}, "f(*a) can't be maximised: write it as f(x), or f(x, key)."),
        (max, {"n": 3}, "it must be a plain function"),
    ],
)
def test_requests_that_make_no_sense(f: Callable[..., Any], size: dict[str, Any], words: str) -> None:
    with pytest.raises(PgfastError, match=re.escape(words)):
        maximise(f, **size)


TABLE = {0: 1.0}


def test_what_cannot_be_compiled_is_named() -> None:
    """With the line of f, and numba's reason."""

    def looked_up(x):  # type: ignore[no-untyped-def]
        return TABLE.get(x, 0.0)

    line = looked_up.__code__.co_firstlineno + 1
    with pytest.raises(EnvironmentFault) as caught:
        Engine(maximise(looked_up, n=2)).learn()
    assert str(caught.value).startswith(
        f"test_functions.py, line {line}, looked_up.step can't be compiled: TABLE is of a type that numba doesn't know"
    )


def test_functions_in_single_precision() -> None:
    """The float32s that f is given stay float32s in it."""
    hill = maximise(lambda x: -((x - 1.5) ** 2) + 0.1 * sin(x), dimensions=1)
    assert pgfast.check(hill, precision="float32").ok
