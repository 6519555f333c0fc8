"""Feature maps: what they compute, what they cost, what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import problems
import pytest
import reference_features
from commands import answer_here as answer
from gymnasium.spaces import Box, Discrete
from reference import softmax
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import PolynomialFeatures

from pgfast import Engine, IndexHashTable, PgfastError
from pgfast.features.catalogue import FEATURES, described, options
from pgfast.gradcheck import check_gradient
from pgfast.kernels.batches import work_on_batches
from pgfast.state_features import values_at

RNG = np.random.default_rng(3)
SQUARE = Box(np.array([-1.0, 2.0]), np.array([3.0, 2.5]), dtype=np.float64)
POINTS = np.concatenate([RNG.uniform(SQUARE.low, SQUARE.high, (150, 2)), [SQUARE.low, SQUARE.high]])


def engine_for(name: Any, space: Any = SQUARE, **parameters: Any) -> Engine:
    """An engine that knows spaces only, and these features."""
    return Engine.for_spaces(space, Discrete(3), features=name, feature_parameters=parameters)


def found(engine: Engine, points: np.ndarray) -> np.ndarray:
    """x, or what is active of it, by the code of kernels."""
    model = engine.model
    return values_at(model.policy.features, engine.traits, points, model.workspace(engine.traits.observation, 0, True))


def unit(points: np.ndarray) -> np.ndarray:
    return (points - SQUARE.low) / (SQUARE.high - SQUARE.low)


# ---- what they compute


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("fourier", {}),
        ("fourier", {"order": 5, "scaling": False}),
        ("polynomial", {"degree": 4}),
        ("rbf", {"centres": 4, "width": 0.7}),
    ],
)
def test_dense_maps(name: str, parameters: dict[str, Any]) -> None:
    expected = [reference_features.MAPS[name](u, **parameters) for u in unit(POINTS)]
    np.testing.assert_allclose(found(engine_for(name, **parameters), POINTS), expected, rtol=1e-12, atol=1e-12)


def test_polynomials_are_those_of_scikit_learn() -> None:
    x = found(engine_for("polynomial", degree=3, scaled=False), POINTS)
    np.testing.assert_allclose(x, PolynomialFeatures(3).fit_transform(POINTS), rtol=1e-13)


def test_radial_basis_functions_are_those_of_scikit_learn() -> None:
    x = found(engine_for("rbf", centres=5, width=0.5), POINTS)
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * 2, indexing="ij"), -1).reshape(-1, 2)
    np.testing.assert_allclose(x[:, :-1], rbf_kernel(unit(POINTS), grid, gamma=0.5 / (0.5 / 4) ** 2), rtol=1e-10)
    np.testing.assert_array_equal(x[:, -1], 1.0)


def test_step_sizes_of_fourier_features() -> None:
    """Features divided by √‖c‖ with one step size change a value by as much as features with α / ‖c‖ each."""
    scaled, plain = (found(engine_for("fourier", order=2, scaling=s), POINTS) for s in (True, False))
    norms = np.array([max(np.hypot(a, b), 1.0) for a in range(3) for b in range(3)])
    np.testing.assert_allclose(scaled @ scaled[0], plain @ (plain[0] / norms), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("tilings", [1, 5, 8])
@pytest.mark.parametrize("wrap", [[False, False], [True, False], [True, True]])
def test_tiles_are_those_of_tiles3(tilings: int, wrap: list[bool]) -> None:
    """The same tiling up to the numbers that its index table gives out; points on the edges of tiles are among them."""
    grid = np.stack(np.meshgrid(*[np.arange(65) / 64] * 2), -1).reshape(-1, 2)[:: 1 + tilings]
    u = np.concatenate([grid, RNG.random((1000, 2))])
    space = Box(0.0, 1.0, (2,), np.float64)
    active = found(engine_for("tiles", space, tilings=tilings, bins=8, wrap=wrap), u)
    table = reference_features.IndexTable()
    wraps = [8 if around else None for around in wrap]
    theirs = np.array([reference_features.tiles3(table, tilings, 8 * point, wraps) for point in u])
    pairs = set(zip(active.ravel().tolist(), theirs.ravel().tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(table.numbers)
    assert np.all(np.diff(active, axis=1) > 0)


@pytest.mark.parametrize("wraps", [None, [5, None]])
def test_an_index_hash_table_gives_out_the_numbers_of_tiles3(wraps: Any) -> None:
    table, theirs = IndexHashTable(10_000), reference_features.IndexTable()
    for point in RNG.uniform(-3, 3, (500, 2)):
        expected = reference_features.tiles3(theirs, 8, point, wraps or [None, None])
        assert table.tiles(8, point, wrap=wraps) == expected
        assert table.tiles(8, point, wrap=wraps, readonly=True) == expected
    assert len(table) == len(theirs.numbers) > 100


def test_index_hash_tables_tell_whole_numbers_apart_and_know_when_they_are_full() -> None:
    table = IndexHashTable(8)
    assert table.tiles(4, [0.0, 0.9], [0]) == [0, 1, 2, 3]
    assert table.tiles(4, [0.0, 0.9], [1], readonly=True) == [None] * 4
    assert table.tiles(4, [0.0, 0.9], [1]) == [4, 5, 6, 7]
    with pytest.warns(RuntimeWarning, match="All 8 numbers are given out"):
        shared = table.tiles(2, [5.0], [2])
    assert shared == [hash((0, 5, 2)) % 8, hash((1, 5, 2)) % 8]
    assert (len(table), table.overflows) == (8, 2)
    assert table.tiles(4, [0.0, 0.9], [0]) == [0, 1, 2, 3]  # those that have one keep it


@pytest.mark.parametrize(
    ("size", "tilings", "floats", "wrap", "message"),
    [
        (0, 1, [0.0], None, "size is 0: it must be at least 1"),
        (9, 0, [0.0], None, "tilings is 0: it must be at least 1"),
        (9, 8, [np.nan], None, "they must be finite"),
        (9, 8, [np.inf], None, "they must be finite"),
        (9, 8, [0.0], [1, 2], "wrap has 2 entries for 1 numbers"),
    ],
)
def test_tiles_that_no_table_has(size: int, tilings: int, floats: Any, wrap: Any, message: str) -> None:
    with pytest.raises(PgfastError, match=message):
        IndexHashTable(size).tiles(tilings, floats, wrap=wrap)


def test_a_temperature_with_tiles() -> None:
    """π ∝ exp(h/τ)."""
    theta = RNG.normal(size=8 * 81 * 3).tolist()
    warm, cold = (
        Engine.for_spaces(SQUARE, Discrete(3), features="tiles", theta0=theta, temperature=t) for t in (1.0, 0.25)
    )
    p, q = warm.probabilities(POINTS), cold.probabilities(POINTS)
    np.testing.assert_allclose(q, p**4 / (p**4).sum(axis=1, keepdims=True), rtol=1e-10)


def test_hashed_tiles() -> None:
    """A tile keeps its number wherever in it a point is; few tiles of one tiling share one."""
    table, points = reference_features.IndexTable(), RNG.random((2000, 2))
    engine = engine_for("tiles", Box(0.0, 1.0, (2,), np.float64), bins=16, memory=8 * 2**14)
    active = found(engine, points)
    theirs = np.array([reference_features.tiles3(table, 8, 16 * p, [None, None]) for p in points])
    pairs = set(zip(active.ravel().tolist(), theirs.ravel().tolist(), strict=True))
    assert len(pairs) == len(table.numbers)
    assert len({a for a, _ in pairs}) > 0.98 * len(pairs)  # of 289 tiles 2.5 pairs in 2^14 places, in each of 8 tilings
    assert np.all(active // 2**14 == np.arange(8))


def test_aggregation() -> None:
    x = found(engine_for("aggregation", bins=[4, 2]), POINTS)[:, 0]
    u = unit(POINTS)
    np.testing.assert_array_equal(x, np.minimum(u[:, 0] * 4 // 1, 3) + 4 * np.minimum(u[:, 1] * 2 // 1, 1))
    states = engine_for("aggregation", Discrete(1000, start=1), bins=10)  # of example 9.1 of Sutton & Barto
    np.testing.assert_array_equal(found(states, np.arange(1, 1001))[:, 0], np.arange(1000) // 100)


def test_normalised_observations() -> None:
    given = engine_for("normalised", mean=[0.5, 2.0], std=[2.0, 0.01], clip=3.0)
    expected = np.clip((POINTS - [0.5, 2.0]) / [2.0, 0.01], -3.0, 3.0)
    np.testing.assert_allclose(found(given, POINTS), np.column_stack([expected, np.ones(len(POINTS))]), rtol=1e-12)
    with pytest.raises(PgfastError, match="can't be played beforehand: give the feature parameters mean and std"):
        engine_for("normalised")


def test_normalised_by_random_play() -> None:
    """Always the same, and within what can be observed."""
    one, other = (Engine(problems.Glider(), features="normalised").model.policy.features for _ in range(2))
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.inverse, other.inverse)
    assert np.all(abs(one.mean) < 1.8)  # where episodes end
    assert np.all(1 / one.inverse < 2 * 1.8)


def test_observations_beyond_their_bounds() -> None:
    far, near = np.array([[-9.0, 9.0]]), np.array([[-1.0, 2.5]])
    for name in ("fourier", "rbf", "tiles", "aggregation"):
        engine = engine_for(name)
        np.testing.assert_array_equal(found(engine, far), found(engine, near))


def waves(observation: Any) -> Any:
    x, y = observation
    return x * y, abs(x - y)


def test_a_users_own_function(tmp_path: Path) -> None:
    engine = engine_for(waves)
    np.testing.assert_allclose(found(engine, POINTS)[:, 1], abs(POINTS[:, 0] - POINTS[:, 1]), rtol=1e-15)
    engine.save(tmp_path / "one")
    with pytest.raises(PgfastError, match=r"give it again, as Engine.load"):
        Engine.load(tmp_path / "one", trust=True)
    again = Engine.load(tmp_path / "one", features=waves, trust=True)
    np.testing.assert_array_equal(found(again, POINTS), found(engine, POINTS))
    (tmp_path / "mine.py").write_text("def waves(observation):\n    return 2.0 * observation[0]\n")
    other = engine_for(f"{tmp_path / 'mine.py'}:waves")
    np.testing.assert_array_equal(found(other, POINTS), np.column_stack([2 * POINTS[:, 0], np.ones(len(POINTS))]))
    other.save(tmp_path / "two")
    assert Engine.load(tmp_path / "two", trust=True).model.policy.features.n_features == 2


@pytest.mark.slow
def test_an_estimate_with_tiles_is_the_gradient() -> None:
    """On average that of the policy gradient theorem, which is the slope of the exact J; see `check_gradient`."""
    found = check_gradient(
        problems.random_mdp(), features="tiles", feature_parameters={"tilings": 2, "bins": 2}, gamma=0.9,
        discount_factor=True, baseline="none", estimates=1000, batch=4,
    )  # fmt: skip
    assert found.theta.shape == (2 * 3 * 3,)
    assert found.ok


@pytest.mark.slow
def test_predictions() -> None:
    theta = RNG.normal(size=8 * 81 * 3).tolist()
    engine = Engine.for_spaces(SQUARE, Discrete(3), features="tiles", theta0=theta)
    x = np.array([reference_features.tiles(u) for u in unit(POINTS)])
    h = x @ np.reshape(theta, (-1, 3))
    np.testing.assert_allclose(engine.probabilities(POINTS), np.array([softmax(row) for row in h]), rtol=1e-12)
    np.testing.assert_array_equal(engine.predict(POINTS, deterministic=True), h.argmax(axis=1))
    assert engine.predict(POINTS[3], deterministic=True) == h[3].argmax()


# ---- what they cost


def test_a_step_touches_what_is_active() -> None:
    """However many tiles there are: an account lists the rows of θ that an episode has been in, and no others."""
    few, many = (_rows_touched(bins) for bins in (4, 12))
    assert 8 <= few <= many <= 8 * 9


def _rows_touched(bins: int) -> int:
    case = problems.PROBLEMS["tiles"]
    parameters = {**case["feature_parameters"], "tilings": 8, "bins": bins}
    engine = problems.engine("tiles", "batches", feature_parameters=parameters, theta0=0.0, batch=1, episodes=1, runs=1)
    before = engine.theta
    job = engine._job(engine._learner, 0, 1, threads=1, by_runs=False)
    assert job.shared.lists == 1
    with np.errstate(all="ignore"):
        work_on_batches.function(*job._arguments(job._worker(), 10_000))
    listed = job.shared.seen[0, 1 : 1 + job.shared.seen[0, 0]]
    moved = np.flatnonzero(np.any(engine.theta[0] != before[0], axis=1))
    assert 0 < len(moved)
    assert set(moved) <= set(listed.tolist())
    return len(listed)


# ---- what they refuse


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no bounds": (
        {"env": "CartPole-v1", "features": "tiles"},
        r"number 1 of an observation has no bounds.*low=\[-4.8, \?",
    ),
    "bounds the wrong way round": (
        {"features": "fourier", "feature_parameters": {"low": 1.0, "high": 0.0}},
        "Number 0 of an observation has low 1 and high 0: low must be less",
    ),
    "too large": (
        {"env": "Acrobot-v1", "features": "tiles", "feature_parameters": {"bins": 400}},
        r"features would take .* of memory, of which this machine has .*: take fewer bins",
    ),
    "too many to be counted": (
        {"env": "Acrobot-v1", "features": "tiles", "feature_parameters": {"bins": 2**53 - 1}},
        r"about 10\^97 features would take about 10\^99 bytes of memory",
    ),
    "too many for lanes": (
        {"env": "Acrobot-v1", "features": "fourier", "feature_parameters": {"order": 60}},
        r"51,520,374,361 features would take .* of memory, .*: take a smaller order",
    ),
    "no number": ({"features": "fourier", "feature_parameters": {"order": float("inf")}}, "order is inf: it must be"),
    "another map": ({"features": "tils"}, r"There is no feature map 'tils' \(did you mean 'tiles'\?\)"),
    "another parameter": (
        {"features": "tiles", "feature_parameters": {"bin": 3}},
        r"There is no feature parameter 'bin' of tiles \(did you mean 'bins'\?\)",
    ),
    "parameters of nothing": ({"env": "CartPole-v1", "feature_parameters": {"bins": 3}}, "no features are chosen"),
    "a number too many": (
        {"features": "tiles", "feature_parameters": {"bins": [1, 2, 3]}},
        "it must be a number, or one for each of the 2 of an observation",
    ),
    "half a bin": (
        {"features": "tiles", "feature_parameters": {"bins": 2.5}},
        "bins is 2.5: it must be a whole number",
    ),
    "no width": ({"features": "rbf", "feature_parameters": {"width": 0}}, "width is 0: it must be a positive number"),
    "too little memory": (
        {"features": "tiles", "feature_parameters": {"memory": 5}},
        "memory is 5: it must be at least 8, one for each of the tilings",
    ),
    "a table": (
        {"env": "FrozenLake-v1", "policy": "tabular", "features": "tiles"},
        "the policy 'tabular' has no use for: choose 'linear'",
    ),
    "real numbers as classes": ({"features": "one-hot"}, "the observations are real numbers: take 'aggregation'"),
    "no file": ({"features": "nowhere.py:waves"}, "There is no file 'nowhere.py'"),
    "words": ({"features": lambda observation: "x"}, "it must be a finite number, or a tuple of them"),
    "no function": ({"features": print}, "it must be a name that `pgfast features` lists, or a plain function"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_is_refused(case: str) -> None:
    settings, words = REFUSED[case]
    with pytest.raises(PgfastError, match=words):
        Engine(**{"env": "MountainCar-v0", **settings})


# ---- by name


def test_every_map_says_what_it_is() -> None:
    listed = answer("features")["features"]
    assert [entry["name"] for entry in listed] == list(FEATURES)
    for entry in listed:
        assert entry["description"] == described(entry["name"])[0]
        assert len(entry["reference"]) > 10
        assert entry["parameters"] == options(entry["name"])
