"""Commands on environments that Gymnasium steps, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
PLUGIN = """
import gymnasium
from drifting import Lengths as Base


class Lengths(Base):
    \"\"\"Episodes of a random length.\"\"\"


gymnasium.register("Lengths-v0", Lengths)
"""
LEARN = ("--policy", "linear", "--baseline", "value", "--batch", "17", "--episodes", "51", "--theta0", "0.1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_lengths.py").write_text(PLUGIN, "utf-8")
    return tmp_path


def run(folder: Path, *args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pgfast", *map(str, args)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=False,
    )


def answer(folder: Path, *args: object) -> dict:
    done = run(folder, *args, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["my_lengths:Lengths-v0", "my_lengths.py"])
def test_train_and_evaluate(folder: Path, name: str) -> None:
    done = run(folder, "train", name, *LEARN, "--evaluation-episodes", 20, "--out", "run", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["episodes"] == 51
    assert said["evaluation"]["mean"] == pytest.approx(said["evaluation"]["mean_length"])
    lines = done.stderr.splitlines()
    assert sum("is stepped by Gymnasium, not compiled: about " in line for line in lines) == 1
    names = {p.name for p in (folder / "run").iterdir()}
    assert names == {"config.toml", "origin.json", "policy.safetensors", "metrics.csv", "summary.json", "curve.png"}
    again = answer(folder, "evaluate", "run", "--episodes", 7, "--trust")
    assert again["digest"] == said["digest"]
    assert again["episodes"] == 7


def test_info_and_check(folder: Path) -> None:
    told = answer(folder, "info", "my_lengths:Lengths-v0")
    assert told["parameters"] == {"flaw": ""}
    assert told["observations"] == {"discrete": False, "n": 4}
    assert told["max_steps"] is None
    report = answer(folder, "check", "my_lengths.py")
    assert {c["name"] for c in report["checks"]} >= {"spaces", "play", "repetition", "observations", "rewards", "ends"}
    assert report["facts"]["steps_per_second"] > 0


@pytest.mark.parametrize(
    ("flaw", "check", "message"),
    [("reward", "rewards", "the reward inf"), ("observation", "observations", "is outside Box")],
)
def test_check_finds(folder: Path, flaw: str, check: str, message: str) -> None:
    done = run(folder, "check", "my_lengths.py", "-E", f"flaw={flaw}", "--json")
    assert done.returncode == 1
    failed = [c for c in json.loads(done.stdout)["checks"] if not c["ok"]]
    assert [c["name"] for c in failed] == [check]
    assert message in failed[0]["message"]


def test_nothing_exact_is_known(folder: Path) -> None:
    done = run(folder, "exact", "my_lengths.py")
    assert done.returncode == 2
    assert (
        "my_lengths.py, Lengths is stepped by Gymnasium: its probabilities are not known; what there is" in done.stderr
    )


def test_what_a_plugin_raises_has_its_own_traceback(folder: Path) -> None:
    done = run(folder, "train", "my_lengths.py", "-E", "flaw=raises", *LEARN, "--out", "run")
    assert done.returncode == 2
    first, *trace = done.stderr.splitlines()
    assert re.fullmatch(
        r"pgfast: my_lengths.py, Lengths: step raised RuntimeError: the motor is stuck \(drifting.py, line \d+\)", first
    )
    assert trace[0] == "Traceback (most recent call last):"
    assert trace[-1] == "RuntimeError: the motor is stuck"
    assert "drifting.py" in done.stderr
    assert not (folder / "run").exists()


@pytest.mark.parametrize("processes", [(), ("--asynchronous", "--vector-envs", "2")], ids=["one", "many"])
def test_interruption_keeps_the_policy(folder: Path, processes: tuple[str, ...]) -> None:
    settings = [*LEARN, "--episodes", "1000000000", "--evaluation-episodes", "20", "--out", "run", "--json", *processes]
    process = subprocess.Popen(
        [sys.executable, "-m", "pgfast", "train", "my_lengths.py", *settings], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": str(HERE)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (folder / "run" / "config.toml").exists() and time.monotonic() < deadline:
        os.sched_yield()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    said = json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == 130
    assert said["stopped"]
    assert said["evaluation"] is None
    assert answer(folder, "evaluate", "run", "--episodes", 5, "--trust")["digest"] == said["digest"]


def test_lunar_lander(tmp_path: Path) -> None:
    if find_spec("Box2D") is None:
        pytest.skip("needs the extra box2d")
    settings = ("--baseline", "value", "--episodes", "32", "--evaluation-episodes", "8", "--vector-envs", "4")
    done = run(tmp_path, "train", "LunarLander-v3", *settings, "--out", "run", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["policy"], said["episodes"], said["evaluation"]["episodes"]) == ("linear", 32, 8)
    assert -2000 < said["evaluation"]["mean"] < 320
    assert "LunarLander-v3 is stepped by Gymnasium, not compiled: about " in done.stderr
    assert answer(tmp_path, "evaluate", "run", "--episodes", 3)["mean_length"] > 40
