"""Peers keep one interface, play the same environments and learn them; a missing one is named with what installs it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from pgfast._bench import numpy_vector, peers, tune, tutorial
from pgfast._bench.peer import Learned, Peer
from pgfast.workloads import WORKLOADS

PYTHON = [name for name, entry in peers.PEERS.items() if not entry.compiler]
SMALL = {  # a run of a few seconds that still reaches the goal
    ("tutorial", "corridor"): {"runs": 10},
    ("numpy-vector", "cartpole"): {"envs": 512},
    ("jax", "cartpole"): {"lanes": 512},
    ("jax", "frozenlake"): {},
    ("jax", "corridor"): {"runs": 1024},
    ("jax-polynomials", "cartpole"): {"lanes": 512},
    ("gymnax", "cartpole"): {"lanes": 512},
    ("sb3", "cartpole"): {},
    ("plain", "cartpole"): {},
    ("plain", "frozenlake"): {},
    ("plain", "corridor"): {},
    ("plain", "corridor-1"): {},
}


def installed(name: str) -> Peer:
    """The peer, or the test is skipped with the line that installs it."""
    if needed := peers.install_line(name):
        pytest.skip(f"{name} is not installed: {needed}")
    return peers.load(name)


@pytest.mark.parametrize("name", PYTHON)
def test_a_peer_is_what_the_table_says(name: str) -> None:
    peer = installed(name)
    assert peer.name == name
    assert "\n" not in peer.title
    assert set(peer.learns) <= set(WORKLOADS)
    assert peer.precision in ("float32", "float64")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "workload"), SMALL)
def test_peers_learn(name: str, workload: str) -> None:
    learn: Any = installed(name).learns[workload]
    learned = learn(WORKLOADS[workload], 1, **SMALL[name, workload])
    assert isinstance(learned, Learned)
    assert learned.final_return >= WORKLOADS[workload].goal
    assert learned.steps > 0
    assert learned.seconds > 0
    assert learned.setup_seconds >= 0


@pytest.mark.slow
def test_the_tutorial_loop_gets_better_at_cartpole() -> None:
    """A random policy balances the pole for 22 steps."""
    assert tutorial.learn_cartpole(WORKLOADS["cartpole"], 1, episodes=500, batch=10, lr=0.005).final_return > 66


def test_missing_packages_are_named_with_what_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    for name, entry in peers.PEERS.items():
        assert (peers.install_line(name) is None) == (not entry.packages and not entry.compiler)
    assert peers.install_line("jax") == 'pip install -e ".[peers]"'
    assert peers.install_line("c-lanes") == peers.COMPILER
    assert peers.install_line("tutorial") is None


def test_the_extra_installs_what_the_peers_need() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
    extra = {re.split(r"[><=]", line)[0].replace("-", "_") for line in project["optional-dependencies"]["peers"]}
    assert {package for entry in peers.PEERS.values() for package in entry.packages} <= extra


def test_jax_and_gymnax_play_gymnasiums_cartpole() -> None:
    installed("gymnax")
    from pgfast._bench.gymnax_cartpole import step as gymnax_step
    from pgfast._bench.jax_lanes import cartpole_step

    env = gymnasium.make("CartPole-v1").unwrapped
    env.reset(seed=3)
    for action in (1, 1, 0, 1, 0, 0, 0, 0):
        before = tuple(np.float32(x) for x in env.state)
        env.step(action)
        for step in (cartpole_step, gymnax_step):
            after = [float(x) for x in step(before, np.bool_(action))]
            np.testing.assert_allclose(after, np.array(env.state, float), rtol=1e-5, atol=1e-6)


def test_the_tutorials_corridor_is_pgfasts() -> None:
    env = gymnasium.make("pgfast-bench/ShortCorridor")
    position, _ = env.reset()
    assert position == 0
    visited = []
    for action in (0, 1, 1, 1, 0, 1):  # left at the wall, right, then what is called right leads back
        _, reward, terminated, truncated, _ = env.step(action)
        visited.append(env.unwrapped.position)
        assert (reward, truncated) == (-1.0, False)
    assert visited == [0, 1, 0, 1, 2, 3]
    assert terminated


def test_returns_to_go() -> None:
    np.testing.assert_allclose(tutorial.returns_to_go([1.0, 2.0, 4.0], 0.5), [3.0, 4.0, 4.0])


def test_vectorised_episodes_are_credited_up_to_their_own_end() -> None:
    """One environment: two steps, the step that resets, one step, the step that resets, and an episode without end."""
    ends = np.array([0, 1, 0, 1, 0, 0], bool)[:, None]
    real = np.array([1, 1, 0, 1, 0, 1], bool)[:, None]
    returns, known = numpy_vector.credit(ends, real, 0.5)
    assert known.ravel().tolist() == [True, True, False, True, False, False]
    np.testing.assert_allclose(returns[known], [1.5, 1, 1])


def test_tune_tries_every_combination(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["tune", "tutorial", "corridor", "runs=1,2", "--seeds", "1"]
    monkeypatch.setattr("sys.argv", arguments)
    tune.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["runs=1", "runs=2"]
    assert all(re.search(r"\d ns/step +goal [01]/1 ", line) for line in lines)
