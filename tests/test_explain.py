"""``pgfast explain``: every number in it twice, and as it should be."""

from __future__ import annotations

import numpy as np
import pytest
from commands import answer_here as answer
from commands import here as pgfast
from reference import score, softmax

from pgfast import Engine
from pgfast.lessons import expectation_lesson, log_linear_lesson, softmax_lesson


def test_softmax_by_the_reference() -> None:
    random = np.random.default_rng(0)
    x, theta = random.normal(size=(3, 4)), random.normal(size=4)
    lesson = softmax_lesson(x, theta, list("abcd"), action=1, first_action=-1, g=2.0, alpha=0.25)
    policy, derivative, update, result = (sheet.rows for sheet in lesson.sheets)
    np.testing.assert_allclose([row[2] for row in policy], softmax(x @ theta), rtol=1e-14)
    np.testing.assert_allclose([row[3] for row in policy], np.log(softmax(x @ theta)), rtol=1e-13)
    np.testing.assert_allclose([row[2] for row in derivative], score(x, theta, 1), rtol=1e-12)
    np.testing.assert_allclose([row[3] for row in derivative], score(x, theta, 1), atol=1e-9)
    new = theta + 0.5 * score(x, theta, 1)
    np.testing.assert_allclose([row[3] for row in update], new, rtol=1e-14)
    np.testing.assert_allclose([row[2] for row in result], softmax(x @ new), rtol=1e-13)
    assert [row[0] for row in policy] == [-1, 0, 1]


@pytest.mark.parametrize(("action", "n_actions"), [(0, 2), (2, 4), (7, 8)])
def test_log_linear(action: int, n_actions: int) -> None:
    plain, proper = log_linear_lesson(alpha=-0.4, beta=0.3, action=action, n_actions=n_actions, g=2.5).sheets
    assert [row[2] for row in plain.rows] == [1.0, action]
    assert [row[4] for row in plain.rows] == pytest.approx([-0.4 + 2.5, 0.3 + 2.5 * action])
    pi = softmax(0.3 * np.arange(n_actions))
    assert [row[2] for row in proper.rows] == pytest.approx([0.0, action - pi @ np.arange(n_actions)])
    for row in (*plain.rows, *proper.rows):
        assert row[3] == pytest.approx(row[2], abs=1e-9)


def test_expectations() -> None:
    """Five estimates from as many samples as here are further off than five standard errors once in a million."""
    gaussian, categorical = expectation_lesson(200_000, seed=3).sheets
    assert [row[4] for row in gaussian.rows] == pytest.approx([3.0, 1.6])
    p, f = softmax(np.array([0.5, 0.0, -0.5])), np.array([1.0, 4.0, 2.0])
    assert [row[4] for row in categorical.rows] == pytest.approx(p * (f - p @ f))
    for _, _, estimate, error, exact, z in (*gaussian.rows, *categorical.rows):
        assert z == pytest.approx((estimate - exact) / error)
        assert abs(z) < 5
        assert 0 < error < 0.05


def test_on_the_command_line() -> None:
    whole = pgfast("explain")
    assert whole.returncode == 0
    for words in ("1. The tabular policy of FrozenLake-v1", "2. Two parameters", "3. The derivative", "by difference"):
        assert words in whole.stdout
    said = answer("explain", "softmax", "--env", "CartPole-v1", "--state", "0.1,0.2,-0.1,0.05", "--action", 0,
                  "--theta", "0.1,0.2,0.3,0.4,-0.1,-0.2,-0.3,-0.4")  # fmt: skip
    engine = Engine("CartPole-v1", theta0=[0.1, 0.2, 0.3, 0.4, -0.1, -0.2, -0.3, -0.4])
    rows = said["lessons"][0]["sheets"][0]["rows"]
    assert [row[2] for row in rows] == pytest.approx(engine.probabilities((0.1, 0.2, -0.1, 0.05)).tolist())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["smax"], "did you mean 'softmax'"),
        (["--action", "7"], "action is 7: in FrozenLake-v1 it must be from 0 to 3"),
        (["log-linear", "--action", "-1"], "action is -1: where π(a) ∝ exp(α + βa) it must be from 0 to 999"),
        (["log-linear", "--alpha", "nan"], "alpha is nan: it must be a number from"),
        (["softmax", "--return", "inf"], "return is inf: it must be a number from"),
        (["--state", "99"], "not from 0 to 15"),
        (["--theta", "1,x"], "theta is '1,x'"),
    ],
)
def test_what_cannot_be_explained(arguments: list[str], words: str) -> None:
    done = pgfast("explain", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
