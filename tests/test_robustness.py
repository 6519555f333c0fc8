"""Bad input, a little of it each time (`python -m pgfast._bench.robustness` tries much more), and fences around what
kernels write into."""

from pathlib import Path

import numba
import numpy as np
import problems
import pytest
from guards import guarded

from pgfast import Engine, EnvironmentFault
from pgfast._bench.bad_input import SMALLER, Damaged, kinds
from pgfast._bench.fences import Fences, fenced_workspace
from pgfast._bench.hostile import SELDOM, Wild
from pgfast._bench.robustness import attempt, attempt_everywhere
from pgfast.compiler import Kernel
from pgfast.kernels.lanes import lane_fields
from pgfast.kernels.learner import EPISODES

EXAMPLES = {
    "configurations": 40,
    "command lines": 4,
    "maps": 40,
    "tables": 40,
    "bytes of a checkpoint of AccessControl": 20,
    "bytes of a checkpoint of FrozenLake": 20,
    "bytes of config.toml": 15,
    "bytes of environment.safetensors": 20,
    "bytes of metrics.csv": 10,
    "bytes of origin.json": 20,
    "bytes of policy.safetensors": 40,
    "bytes of summary.json": 10,
    "checkpoints of AccessControl with the right digest": 30,
    "checkpoints of FrozenLake with the right digest": 30,
    "environments of Gymnasium's": 15,
    "environments of other types": 40,
    "hostile environments": 15,
    "numbers of parameters": 20,
}
UNCOMPILED = {"bytes of environment.safetensors", "environments of Gymnasium's", "hostile environments"}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict:
    found = kinds(tmp_path_factory.mktemp("kinds"))
    assert sorted(found) == sorted(EXAMPLES)
    return found


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_bad_input_gives_a_result_or_one_sentence(kind: str, tried: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind in UNCOMPILED:
        monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert attempt(tried[kind], EXAMPLES[kind]) >= EXAMPLES[kind] // 2


def test_returns_that_are_too_large_only_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each lane's sum of them is finite."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    engine = Engine(Wild(-1e308, 1.0, *SELDOM), **SMALLER)
    with (
        np.errstate(all="ignore"),
        pytest.raises(EnvironmentFault, match=r"too large to be squared .* of an evaluation"),
    ):
        engine.evaluate(threads=1)


@pytest.mark.parametrize("batch", [1, 32])
def test_gradients_that_are_too_large_to_be_squared(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adam would never move θ again: the run has failed, and what it keeps can be loaded."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    settings = {**SMALLER, "batch": batch, "runs": 1, "optimizer": "adam", "lr": 1e-3}
    engine = Engine(Wild(place=1e160), **settings)
    with np.errstate(all="ignore"):
        assert engine.learn(threads=1).failed
    engine.save(tmp_path / "run")
    again = Engine.load(tmp_path / "run", env=Wild(place=1e160))
    np.testing.assert_array_equal(again.theta, engine.theta)
    assert np.all(np.isfinite(again.theta))


def test_a_checkpoint_that_is_damaged_anywhere(tried: dict) -> None:
    file = tried["bytes of a checkpoint of FrozenLake"].take
    assert isinstance(file, Damaged)
    assert attempt_everywhere(file, apart=61) > 100  # in every array, and all over the header


# ---- bounds

_PASSES = {"baseline": "value", "lam": 0.8, "runs": 1, "episodes": 30, "lr": 0.02}
FENCED = {  # every memory, with kernels that other tests compile, too: problem, schedule, settings
    **{name: problems.SHORT[name] for name in problems.SHORT if "single" not in name},
    "a2c": ("cartpole", "batches", {"algorithm": "a2c", "bias": True, "theta0": 0.0, **_PASSES, "optimizer": "adam"}),
    "actor-critic": ("linear", "runs", {"algorithm": "actor-critic", "baseline": "value", "batch": 1}),
    "expected": ("tabular", "runs", {"algorithm": "expected", "baseline": "none", "optimizer": "adam"}),
    "natural": ("linear", "batches", {"algorithm": "natural", "baseline": "mean"}),
    "ppo": ("cartpole", "batches", {"algorithm": "ppo", **_PASSES}),
    "trpo": ("cartpole", "batches", {"algorithm": "trpo", "cg_iterations": 4, **_PASSES}),
}


@pytest.mark.parametrize("name", FENCED)
def test_no_kernel_writes_beyond_its_arrays(name: str) -> None:
    problem, schedule, changes = FENCED[name]
    engines = [problems.engine(problem, schedule, **changes) for _ in range(2)]
    engines[0].learn(threads=1)
    with Fences() as fences:
        assert engines[1].learn(threads=1).episodes == engines[0].settings.episodes
    np.testing.assert_array_equal(engines[1].theta, engines[0].theta)
    assert fences.arrays > 8


@pytest.mark.parametrize("name", ["linear runs", "tabular batches", "ppo"])
def test_runs_that_have_not_come_equally_far(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file may have it: no row of the log is before the first."""
    problem, schedule, changes = FENCED[name]
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    engine = problems.engine(problem, schedule, **{**changes, "runs": 2, "batch": 3})
    engine._learner.clock[0, EPISODES] = 9
    with np.errstate(all="ignore"):
        assert engine.learn(4, threads=1).curve.episode[-1] == 13


def test_a_kernel_that_writes_beside_its_arrays_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def spill(out: np.ndarray) -> None:
        np.lib.stride_tricks.as_strided(out, (4,))[3] = 1.0

    def spill_over(w: np.record) -> None:
        np.lib.stride_tricks.as_strided(w.lanes.reward, (65,))[64] = 1.0

    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with Fences() as fences, pytest.raises(AssertionError, match="spill wrote behind an array"):
        fences.call(Kernel(spill), np.zeros(3))
    with Fences() as fences, pytest.raises(AssertionError, match="spill_over wrote behind reward"):
        fences.call(Kernel(spill_over), fenced_workspace(lane_fields(0.0), []))
    with pytest.raises(IndexError, match=r"index \(0, -1\) is outside"):
        guarded(np.zeros((2, 2)))[0, -1]
