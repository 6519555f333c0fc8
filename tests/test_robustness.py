"""Bad input, a little of it each time (`python -m pgfast._bench.robustness` tries much more), and fences around what
kernels write into."""

import numba
import numpy as np
import problems
import pytest

from pgfast import training
from pgfast._bench.robustness import attempt, kinds

EXAMPLES = {
    "configurations": 40,
    "command lines": 4,
    "maps": 40,
    "tables": 40,
    "bytes of config.toml": 15,
    "bytes of policy.safetensors": 40,
    "bytes of a checkpoint": 20,
    "hostile environments": 15,
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict:
    found = kinds(tmp_path_factory.mktemp("kinds"))
    assert sorted(found) == sorted(EXAMPLES)
    return found


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_bad_input_gives_a_result_or_one_sentence(kind: str, tried: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "hostile environments":
        monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert attempt(tried[kind], EXAMPLES[kind]) >= EXAMPLES[kind] // 2


# ---- bounds

FENCE, POST = 4096, 0xA5  # bytes before and after an array, a whole number of cache lines, and what they hold


def fenced(tree: object, fences: list[np.ndarray]) -> object:
    """The same NamedTuples with their arrays between fences."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(fenced(branch, fences) for branch in tree))
    if not isinstance(tree, np.ndarray) or not tree.flags.c_contiguous:
        return tree
    raw = np.full(tree.nbytes + 2 * FENCE + 64, POST, np.uint8)
    start = FENCE + -(raw.ctypes.data + FENCE) % 64
    fences += [raw[:start], raw[start + tree.nbytes :]]
    copy = raw[start : start + tree.nbytes].view(tree.dtype).reshape(tree.shape)
    copy[...] = tree
    return copy


@pytest.mark.parametrize("name", ["linear batches", "linear runs", "tabular in_loop", "tabular runs", "tiles batches"])
def test_no_kernel_writes_beyond_its_arrays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, fences = problems.learned(name), []
    worker, accounts = training.Job._worker, training.Job._accounts

    def make_worker(job: training.Job) -> training.Worker:
        made = worker(job)
        return training.Worker(made.workspace, fenced(made.memory, fences), fenced(made.room, fences), made.accounts)

    monkeypatch.setattr(training.Job, "_worker", make_worker)
    monkeypatch.setattr(training.Job, "_accounts", lambda job, count: fenced(accounts(job, count), fences))
    engine = problems.short_engine(name)
    engine.learn(threads=1)
    np.testing.assert_array_equal(engine.theta, expected)
    assert len(fences) > 8
    assert all(np.all(fence == POST) for fence in fences)
