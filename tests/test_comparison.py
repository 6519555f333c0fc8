"""Estimators side by side: their bias and variance are those that the exact oracle says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from commands import answer_here as answer
from commands import here as pgfast
from problems import random_mdp

from pgfast import Engine, PgfastError, comparison, exact
from pgfast.comparison import Estimator, compare, estimators
from pgfast.estimates import Sample, known, random_theta, sample

SMALL = {"batches": (1, 4), "estimates": 2000, "warm_up": 32, "episodes": 64, "batch": 4}
GAMMA = 0.8
ESTIMATORS = {"reinforce": 24, "a2c": 2, "gpomdp": 2}  # how many of each, by the switches that they have
ALL = sum(ESTIMATORS.values())


@pytest.fixture(scope="module")
def lines():
    return list(compare(random_mdp(), gamma=GAMMA, **SMALL))


def test_every_combination_is_there(lines):
    assert Counter(estimator.algorithm for estimator in {line.estimator for line in lines}) == ESTIMATORS
    assert len(lines) == 2 * ((ALL - 4) * 2 + 4)  # with one episode none is left to compare with
    assert {line.policy for line in lines} == {"random", "trained"}
    assert len(estimators(Engine(random_mdp(), gamma=1.0).settings)) == ALL // 2  # γᵗ is 1


def test_variance_of_an_episode_is_the_exact_one(lines):
    """The variance of 2,000 estimates is within 30 %."""
    mdp = random_mdp()
    theta = random_theta(Engine(mdp, gamma=GAMMA), 0)
    policy = exact.table_policy(5, 3)
    pi, scores = policy.probabilities(theta), policy.scores(theta)
    for line in lines:
        if (line.policy, line.batch, line.estimator.baseline) == ("random", 1, "none"):
            choices = {"returns": line.estimator.returns, "discount_factor": line.estimator.discount_factor}
            truth = exact.episode_variance(mdp, pi, scores, gamma=GAMMA, horizon=9, **choices)
            assert line.variance == pytest.approx(truth.variance.sum(), rel=0.3)


def test_bias_is_seen_where_there_is_one(lines):
    """An unbiased one is five times its noise off less than once in a million."""
    for line in lines:
        right = line.estimator.discount_factor == (line.estimator.returns == "to-go")  # γᵗ once
        if right:
            assert line.bias < 5 * line.noise
        elif (line.policy, line.batch, line.estimator.returns) == ("random", 4, "to-go"):
            assert line.bias > 3 * line.noise
    assert all(line.seconds > 0 and line.variance_cost == line.variance * line.seconds for line in lines)
    by_size = [{(x.policy, x.estimator): x.steps for x in lines if x.batch == size} for size in (1, 4)]
    for key in by_size[0]:
        assert by_size[1][key] == pytest.approx(4 * by_size[0][key], rel=0.1)


def test_optimal_baselines_have_the_least_variance(lines):
    """Of constant ones, for every parameter one. Of two variances of 4,000 estimates, one is 16 % above the other by
    chance less than once in a million, and what is known of the baseline after 32 episodes costs less than that."""
    by_kind = {(x.policy, x.batch, x.estimator.kind, x.estimator.baseline): x.variance for x in lines}
    for (*kind, baseline), variance in by_kind.items():
        if baseline in ("optimal", "optimal-scalar"):
            assert variance < 1.16 * min(by_kind[*kind, other] for other in ("none", "mean", "optimal-scalar"))
    stepwise = {key: variance for key, variance in by_kind.items() if key[2].startswith("gpomdp")}
    assert len(stepwise) == 8
    for (policy, batch, kind, _), variance in stepwise.items():  # the same but for its baselines is REINFORCE to-go
        assert variance < 1.16 * by_kind[policy, batch, kind.replace("gpomdp", "reinforce"), "none"]


@pytest.mark.parametrize(("algorithm", "baseline"), [("gpomdp", "none"), ("reinforce", "optimal")])
def test_what_lowers_the_variance_leaves_every_component_right(algorithm, baseline):
    """That one of 15 is more than five standard errors off happens once in 100,000 times."""
    engine = Engine(random_mdp(), algorithm=algorithm, baseline=baseline, gamma=GAMMA, discount_factor=True, batch=4)
    theta = random_theta(engine, 1)
    found = sample(engine, theta, 4000, 32)
    seen = found.error > 0
    z = (found.mean - known(engine).valued(theta)[1])[seen] / found.error[seen]
    assert seen.sum() == 12  # all but those of the state that ends an episode
    assert np.abs(z).max() < 5


def test_an_algorithm_that_is_added_joins(monkeypatch):
    settings = Engine(random_mdp(), gamma=0.9).settings
    monkeypatch.setitem(comparison.ALGORITHMS, "twin", comparison.ALGORITHMS["reinforce"])
    assert {e.algorithm for e in estimators(settings)} == {*ESTIMATORS, "twin"}
    assert Estimator("twin", "to-go", True, "mean").name == "twin, to-go, γᵗ, mean"


def test_where_there_is_no_model_differences_are_the_truth_as_far_as_they_are_known(monkeypatch):
    """Their standard error is a part of the noise that a bias has to exceed."""
    monkeypatch.setattr(comparison, "known", lambda engine: None)
    differences = np.array([1.0, 2.0]), np.array([0.3, 0.4])
    monkeypatch.setattr(comparison, "by_differences", lambda engine, theta, episodes: differences)
    settings = Engine(random_mdp(), gamma=GAMMA).settings
    truth = comparison._truth(None, np.zeros(2), 100)
    found = Sample(np.zeros(2), np.array([[1.5, 2.0], [0.5, 2.5]]), seconds=1.0, steps=9.0)
    line = comparison._line("random", settings, Estimator("reinforce", "to-go", True, "none"), found, truth)
    assert line.noise == pytest.approx(np.sqrt((0.5**2 + 0.25**2 + 0.3**2 + 0.4**2) / 5))
    assert line.bias == 0.0
    exactly = comparison._line("random", settings, line.estimator, found, truth._replace(error=np.zeros(2)))
    assert exactly.noise < line.noise


def test_the_policy_of_another_run(tmp_path: Path):
    Engine("ShortCorridor", policy="state-action").save(tmp_path)
    with pytest.raises(PgfastError, match=r"has a state-action policy with parameters \(2,\); here it is tabular"):
        comparison._theta_of(Engine(random_mdp()), tmp_path, trust=False)
    Engine(random_mdp(), theta0=0.25).save(tmp_path / "run")
    np.testing.assert_array_equal(comparison._theta_of(Engine(random_mdp()), tmp_path / "run", trust=False), 0.25)


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is found is told as JSON, then, without being looked for again, as a table."""
    found: list[comparison.Line] = []
    monkeypatch.setattr(comparison, "compare", lambda *a, **k: found or found.extend(compare(*a, **k)) or found)
    picture = tmp_path / "estimators.png"
    arguments = ("compare-estimators", "Garnet", "-E", "n_states=6", "--estimates", 50, "--batches", "2",
                 "--episodes", 64, "--batch", 8, "--gamma", 0.9, "--out", picture)  # fmt: skip
    said = answer(*arguments)
    assert (said["env"], said["gamma"], said["estimates"]) == ("Garnet", 0.9, 50)
    assert len(said["estimators"]) == 2 * ALL
    first = said["estimators"][0]
    assert {"policy", "algorithm", "returns", "baseline", "batch", "bias", "variance", "seconds"} < set(first)
    assert picture.stat().st_size > 10_000
    shown = pgfast(*arguments).stdout
    for words in ("random policy, γ = 0.9", "trained policy", "to-go, γᵗ, value", "× cost", str(picture)[:20]):
        assert words in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["FrozenLake-v1", "--batches", "0,4"], "each must be a whole number of at least 1"),
        (["FrozenLake-v1", "--batches", "nan"], "each must be a whole number of at least 1"),
        (["FrozenLake-v1", "--batches", "few"], "batches is 'few'"),
        (["FrozenLake-v1", "--runs", "3"], "runs plays no part"),
        (["FrozenLake-v1", "--estimates", "3", "--run", "nowhere"], "at least 30"),
        (["FrozenLak-v1"], "did you mean"),
    ],
)
def test_what_cannot_be_compared(arguments, words):
    done = pgfast("compare-estimators", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
