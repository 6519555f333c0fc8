"""Engines for real actions: what goes in, what comes out, where a policy begins, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import problems
import pytest
import reference
from gymnasium.spaces import Box

from pgfast import Engine, EnvironmentFault, PgfastError
from pgfast.kernels.predictions import predict


class Wide(NamedTuple):
    """A Box as the test wants it."""

    low: tuple[float, ...] = (-1.0,)
    high: tuple[float, ...] = (1.0,)
    scalar: int = 0

    max_steps = 5

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (2,), np.float64)

    @property
    def action_space(self):
        low, high = np.array(self.low), np.array(self.high)
        return Box(low[0], high[0], (), np.float64) if self.scalar else Box(low, high, dtype=np.float64)

    def reset(self, key):
        return 0.5, -1.0

    def step(self, state, action, key):
        return state, 0.0, False


def fresh(problem: str, **changes: Any) -> Engine:
    return problems.engine(problem, "runs", **{"runs": 1, **changes})


# ---- predictions


@pytest.mark.parametrize("problem", ["glider", "raft"])
def test_predictions(problem: str) -> None:
    engine, other = fresh(problem), fresh(problem)
    size = engine.model.n_reals
    seen = np.random.default_rng(7).normal(size=(1500, len(engine.traits.observation)))
    whole = engine.predict(seen)
    assert whole.shape == ((1500,) if size == 1 else (1500, size))
    alone = [other.predict(o) for o in seen[:70].tolist()]
    other.predict(seen[:5], deterministic=True)  # draws nothing
    np.testing.assert_array_equal(np.concatenate([alone, other.predict(seen[70:])]), whole)
    policy = reference.Gaussian(engine.source.env.action_space)
    mean = engine.distribution(seen).mean
    low, high = (b[0] if size == 1 else b for b in (policy.low, policy.high))
    np.testing.assert_allclose(engine.predict(seen, deterministic=True), np.clip(mean, low, high), rtol=1e-13)
    assert engine.predict(seen[:6].reshape(2, 3, -1)).shape == ((2, 3) if size == 1 else (2, 3, size))
    one = engine.predict(tuple(seen[0]))
    assert type(one) is float if size == 1 else one.shape == (size,)
    with pytest.raises(PgfastError, match="has an entry that is not finite"):
        engine.predict(np.full(seen.shape[1], np.nan))


def test_predictions_compiled_as_in_python() -> None:
    engine, plain = fresh("raft"), fresh("raft")._ready_to_predict()
    plain._call = lambda: int(predict.function(*plain._kept))
    seen = np.random.default_rng(7).normal(size=(100, 3))
    with np.errstate(all="ignore"):  # compiled code doesn't warn of what happens in lanes without work
        for deterministic in (False, True):
            actions = engine.predict(seen, deterministic=deterministic)
            np.testing.assert_array_equal(plain.predict(seen, deterministic, 0), actions)


# ---- where it begins


@pytest.mark.parametrize(
    ("low", "high", "middle", "std0"),
    [
        ((-2.0,), (2.0,), [0.0], [4 / math.sqrt(12)]),
        ((0.0, -1.0), (10.0, 3.0), [5.0, 1.0], [10 / math.sqrt(12), 4 / math.sqrt(12)]),
        ((-math.inf, 2.0, -math.inf), (math.inf, math.inf, -3.0), [0.0, 2.0, -3.0], [1.0, 1.0, 1.0]),
        ((-3.4e38, 5.0), (3.4e38, 5.0), [0.0, 5.0], [1.0, 1.0]),
    ],
)
def test_the_first_policy_suits_the_box(low: Any, high: Any, middle: Any, std0: Any) -> None:
    engine = Engine(Wide(low, high))
    assert engine.model.name == "gaussian"
    assert engine.theta.shape == (1, len(low), 4)
    assert not engine.theta.any()
    mean, std = engine.distribution((0.3, -0.7))
    np.testing.assert_allclose(np.atleast_1d(mean), middle, rtol=1e-15)
    np.testing.assert_allclose(np.atleast_1d(std), std0, rtol=1e-15)


def test_std0_and_theta0() -> None:
    box = Wide((-1.0, -1.0), (1.0, 1.0))
    assert Engine(box, std0=0.3).distribution((0.0, 0.0)).std.tolist() == [0.3, 0.3]
    assert Engine(box, std0=np.array([0.3, 2])).distribution((0.0, 0.0)).std.tolist() == [0.3, 2.0]
    engine = Engine(box, std0=0.5, theta0=[1, 2, 3, math.log(2), -1, -2, -3, 0.0])
    mean, std = engine.distribution((10.0, 100.0))
    assert mean.tolist() == [213.0, -213.0]
    np.testing.assert_allclose(std, [1.0, 0.5])
    assert Engine(box, bias=False).theta.shape == (1, 2, 3)


def test_a_box_of_one_number_or_of_no_axis() -> None:
    for env in (Wide(), Wide(scalar=1)):
        engine = Engine(env)
        assert isinstance(engine.distribution((0.0, 0.0)).mean, float)
        assert engine.traits.action == pytest.approx(0.0, abs=1.0)
        assert isinstance(engine.traits.action, float)


def test_it_is_saved(tmp_path: Path) -> None:
    engine = problems.short_engine("raft runs")
    engine.learn(threads=1)
    engine.save(tmp_path)
    loaded = Engine.load(tmp_path, env=problems.Raft())
    assert loaded.settings.std0 == [0.4, 0.9]
    assert loaded.digest() == engine.digest()
    seen = np.random.default_rng(3).normal(size=(50, 3))
    np.testing.assert_array_equal(loaded.predict(seen, run=1), engine.predict(seen, run=1))
    assert loaded.evaluate(30).by_run.tolist() == engine.evaluate(30).by_run.tolist()


# ---- bad input


@pytest.mark.parametrize("policy", ["tabular", "linear", "state-action"])
def test_policies_that_choose_among_actions(policy: str) -> None:
    words = rf"policy is '{policy}', but the actions are real numbers, Box\(-1.0, 1.0, \(1,\), float64\): choose 'gau"
    with pytest.raises(PgfastError, match=words) as caught:
        Engine(Wide(), policy=policy)
    assert not isinstance(caught.value, EnvironmentFault)


def test_wrong_choices() -> None:
    with pytest.raises(PgfastError, match=r"policy is 'gaussian', but the actions are discrete, Discrete\(2\): choose"):
        Engine("CartPole-v1", policy="gaussian")
    words = r"std0 is 0\.5, which the policy 'linear' has no use for: leave it out, or choose from gaussian, gaussian-l"
    with pytest.raises(PgfastError, match=words):
        Engine("CartPole-v1", std0=0.5)
    for wrong in (0.0, -1.0, [1.0, 2.0, 3.0], [1.0, -1.0], []):
        with pytest.raises(PgfastError, match=r"std0 is .*: it must be a positive number, or one for each of the 2"):
            Engine(Wide((-1.0, -1.0), (1.0, 1.0)), std0=wrong)
    with pytest.raises(PgfastError, match=r"theta0 has 3 numbers: the gaussian policy has 4 parameters, of shape \(1,"):
        Engine(Wide(), theta0=[1.0, 2.0, 3.0])
    with pytest.raises(PgfastError, match="std0 is nan"):
        Engine(Wide(), std0=math.nan)


def test_probabilities_and_distributions() -> None:
    with pytest.raises(PgfastError, match=r"have a density and no probabilities: use distribution\(obs\)"):
        Engine(Wide()).probabilities((0.0, 0.0))
    with pytest.raises(PgfastError, match=r"Discrete\(2\) are discrete and have no mean: use probabilities\(obs\)"):
        Engine("CartPole-v1").distribution((0.0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize("box", ["Box(-1.0, 1.0, (2, 2))", "Box(0, 9, (2,), np.int64)", "Box(-1.0, 1.0, (0,))"])
def test_boxes_that_are_no_actions(tmp_path: Path, box: str) -> None:
    path = tmp_path / "box_env.py"
    path.write_text(FILE.replace("Box(-1.0, 2.0, (2,))", box), "utf-8")
    words = r"box_env.py, Puck has the action space Box\(.*: it must be .*Discrete, or a Box of floats of shape \(\) or"
    with pytest.raises(EnvironmentFault, match=words):
        Engine(str(path))


FILE = """\
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box
from pgfast import normal


class Puck(NamedTuple):
    drag: float = 0.9

    max_steps = 20

    @property
    def observation_space(self):
        return Box(-np.inf, np.inf, (2,))

    @property
    def action_space(self):
        return Box(-1.0, 2.0, (2,))

    def reset(self, key):
        return normal(key, 0), normal(key, 1)

    def step(self, state, action, key):
        x = self.drag * state[0] + 0.3 * action[0] + 0.05 * normal(key, 0)
        y = self.drag * state[1] - 0.3 * action[1]
        return (x, y), -x * x - y * y, x * x + y * y > 50.0
"""


def test_a_users_file(tmp_path: Path) -> None:
    path = tmp_path / "puck.py"
    path.write_text(FILE, "utf-8")
    engine = Engine(str(path), batch=64, lr=0.02, episodes=64 * 60, gamma=0.9)
    before = engine.evaluate(2000)
    engine.learn()
    after = engine.evaluate(2000)
    assert after.ci95[0] > before.ci95[1]
