"""The command line, as its users have it: a process with arguments, an exit code, stdout and stderr."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import PGFAST, answer, answer_here, here, pgfast

from pgfast.cli.options import given
from pgfast.cli.progress import compile_aloud
from pgfast.settings import Settings

SMALL = ["--episodes", "2048", "--evaluation-episodes", "500"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A run's folder and what `train --json` said of it."""
    folder = tmp_path_factory.mktemp("runs") / "lake"
    said = answer(
        "train", "FrozenLake-v1", "--episodes", 20480, "--batch", 128, "--runs", 2, "--seed", 7, "--out", folder
    )
    return folder, said


def test_train_says_what_it_did(lake: tuple[Path, dict]) -> None:
    folder, said = lake
    assert said["env"] == "FrozenLake-v1"
    assert (said["algorithm"], said["policy"], said["seed"]) == ("reinforce", "tabular", 7)
    assert (said["runs"], said["episodes"], said["run_dir"]) == (2, 20480, str(folder))
    assert said["steps"] > 2 * 20480
    assert said["optimum"] == pytest.approx(0.7402, abs=5e-5)
    assert len(bytes.fromhex(said["digest"])) == 32
    for name in ("final_return", "evaluation"):
        low, high = said[name]["ci95"]
        assert low <= said[name]["mean"] <= high
    assert said["evaluation"]["mean"] > 0.3  # a random policy reaches 0.014
    total = said["runs"] * said["episodes"]
    assert said["episodes_per_second"] == pytest.approx(total / said["train_seconds"])
    assert said["steps_per_second"] == pytest.approx(said["steps"] / said["train_seconds"])
    assert said["compile_seconds"] >= 0


def test_folder_holds_the_run(lake: tuple[Path, dict]) -> None:
    folder, said = lake
    names = {p.name for p in folder.iterdir()}
    assert names == {"config.toml", "origin.json", "policy.safetensors", "metrics.csv", "summary.json", "curve.png"}
    assert json.loads((folder / "summary.json").read_text("utf-8")) == said
    config = tomllib.loads((folder / "config.toml").read_text("utf-8"))
    assert (config["env"], config["runs"], config["seed"], config["episodes"]) == ("FrozenLake-v1", 2, 7, 20480)
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_metrics_add_up(lake: tuple[Path, dict]) -> None:
    folder, said = lake
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "run", "episode", "steps", "mean_return", "std_return", "entropy", "gradient_norm", "seconds",
    ]  # fmt: skip
    by_run = [[r for r in rows if r["run"] == str(k)] for k in range(2)]
    assert [r[-1]["episode"] for r in by_run] == ["20480", "20480"]
    assert sum(int(r[-1]["steps"]) for r in by_run) == said["steps"]
    numbers = np.array([[float(r[k]) for k in ("mean_return", "std_return", "entropy", "seconds")] for r in rows])
    mean, std, entropy, seconds = numbers.T
    assert np.all((mean >= 0) & (mean <= 1))
    assert np.all((std >= 0) & (std <= 0.51))
    assert np.all((entropy >= 0) & (entropy <= np.log(4) + 1e-12))
    assert np.all((seconds > 0) & (seconds <= said["train_seconds"] + 1e-9))


def test_config_repeats_the_run(lake: tuple[Path, dict], tmp_path: Path) -> None:
    folder, said = lake
    again = answer("train", "--config", folder / "config.toml", "--out", tmp_path / "again", "--threads", 1)
    assert again["digest"] == said["digest"]
    assert again["evaluation"] == said["evaluation"]
    other = answer("train", "--config", folder / "config.toml", "--out", tmp_path / "other", "--seed", 8)
    assert other["digest"] != said["digest"]


def test_evaluate_judges_the_saved_policy(lake: tuple[Path, dict]) -> None:
    folder, said = lake
    judged = answer("evaluate", folder, "--episodes", 4000)
    assert judged["digest"] == said["digest"]
    assert judged["episodes"] == 4000
    by_chance = 5 * np.hypot(said["evaluation"]["std"] / 100, judged["std"] / np.sqrt(8000))  # false alarm: 6e-7
    assert abs(judged["mean"] - said["evaluation"]["mean"]) < by_chance
    assert answer("evaluate", folder, "--deterministic")["mean"] > 0.3


def test_default_folder_and_table(tmp_path: Path) -> None:
    done = pgfast("train", "FrozenLake-v1", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("FrozenLake-v1-reinforce-0-")
    for word in ("mean return", "95 % interval", "optimum", "0.740165", "episodes/s", "compile time", folder.name):
        assert word in done.stdout
    assert done.stderr == ""


def test_quiet_says_nothing(tmp_path: Path) -> None:
    done = pgfast("train", "FrozenLake-v1", *SMALL, "--quiet", "--out", tmp_path / "run")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_folder_that_holds_a_run_is_refused(lake: tuple[Path, dict]) -> None:
    folder, _ = lake
    before = {p: p.read_bytes() for p in folder.iterdir()}
    done = here("train", "FrozenLake-v1", *SMALL, "--out", folder)
    assert done.returncode == 2
    assert "holds a run already" in done.stderr
    assert {p: p.read_bytes() for p in folder.iterdir()} == before


def test_divergence_keeps_the_last_good_policy(tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--optimizer", "sgd", "--lr", "1e308", "--batch", 32, "--episodes", 2048, "--out", out]
    said = answer("train", "CartPole-v1", *options, code=3)
    assert said["failed"][0]["run"] == 0
    assert said["failed"][0]["episode"] <= 2048
    assert said["final_return"] == {"mean": None, "ci95": [None, None]}  # the run never came to its last points
    assert json.loads((out / "summary.json").read_text("utf-8")) == said
    assert np.isfinite(answer("evaluate", out, "--episodes", 100)["mean"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_keeps_the_policy(number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ["--episodes", "1000000000", "--evaluation-episodes", "100", "--out", str(out), "--json"]
    command = [*PGFAST, "train", "FrozenLake-v1", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (out / "config.toml").exists() and time.monotonic() < deadline:  # written when training begins
        os.sched_yield()
    process.send_signal(number)
    out_text, err_text = process.communicate(timeout=60)
    said = json.loads(out_text)
    assert process.returncode == 128 + number
    assert said["stopped"]
    assert said["evaluation"] is None
    assert said["episodes"] < 1_000_000_000
    assert f"`pgfast resume {out}` goes on from episode {said['episodes']:,}." in err_text
    assert answer("evaluate", out, "--episodes", 50)["digest"] == said["digest"]


@pytest.mark.slow
def test_cache_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compiled ahead of time serves any batch size and number of runs, and predictions."""
    monkeypatch.setenv("PGFAST_CACHE_DIR", str(tmp_path / "kernels"))
    assert answer_here("cache", "status") == {"folder": str(tmp_path / "kernels"), "kernels": 0, "bytes": 0}
    warm = pgfast("cache", "warm", "ShortCorridor", "--baseline", "mean", "--json")
    (warmed,) = json.loads(warm.stdout)["environments"]
    assert warmed["compile_seconds"] > 0
    assert re.fullmatch(r"pgfast: compiling ShortCorridor, state-action policy … \d+\.\d s, .*\n", warm.stderr)
    full = answer_here("cache", "status")
    assert full["kernels"] == 3
    assert full["bytes"] > 1000
    assert pgfast("cache", "warm", "ShortCorridor", "--baseline", "mean").stderr == ""
    for batch, runs in ((1, 1), (1, 40), (512, 1)):
        out = tmp_path / f"{batch}-{runs}"
        options = ["--batch", batch, "--runs", runs, "--episodes", 1024, "--baseline", "mean", "--out", out, "--json"]
        done = pgfast("train", "ShortCorridor", *options)
        assert (json.loads(done.stdout)["compile_seconds"], done.stderr) == (0, "")
    code = f"import pgfast, sys; e = pgfast.Engine.load({str(out)!r}); e.predict(0); assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert answer_here("cache", "clear") == full
    assert answer_here("cache", "status")["kernels"] == 0


@pytest.mark.parametrize(("has_to", "quiet", "said"), [(True, False, True), (True, True, False), (False, False, False)])
def test_what_is_compiled_is_said(has_to: bool, quiet: bool, said: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Once for several kernels, on stderr; nothing where all is there, or to those who want quiet."""

    def compile_(everything: bool, announce: Callable[[], None]) -> str:
        for _ in range(2 * has_to):
            announce()
        return "made"

    engine: Any = SimpleNamespace(
        settings=SimpleNamespace(env="/home/me/my_env.py:Mine"), model=SimpleNamespace(name="linear"), compile=compile_
    )
    assert compile_aloud(engine, quiet=quiet) == "made"
    out, error = capsys.readouterr()
    assert out == ""
    line = r"pgfast: compiling my_env.py:Mine, linear policy … \d+\.\d s, kept for the next time\n"
    assert re.fullmatch(line if said else "", error)


def imported(code: str) -> set[str]:
    """The packages and modules that a process has imported when it ends."""
    ends = "import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
    done = subprocess.run([sys.executable, "-c", ends + code], capture_output=True, text=True, check=True)
    return {name for module in done.stderr.split() for name in (module, module.partition(".")[0])}


COMMAND = "from pgfast.cli import app\napp({!r})"
DEAR = {"llvmlite", "matplotlib", "numba", "numpy", "pydantic", "gymnasium", "safetensors", "scipy"}


def test_help_imports_little() -> None:
    assert not imported(COMMAND.format(["--help"])) & (DEAR | {"pgfast.engine"})


def test_training_without_compilation_imports_little(tmp_path: Path) -> None:
    """What is in the cache is run without numba; the picture is another process's; scipy's quantiles are not needed."""
    options = ["train", "ShortCorridor", "--episodes", "100", "--evaluation-episodes", "100", "--quiet", "--out"]
    pgfast(*options, tmp_path / "first")
    assert (tmp_path / "first" / "curve.png").exists()
    seen = imported(COMMAND.format([*options, str(tmp_path / "second")]))
    assert {"numpy", "llvmlite.binding", "pgfast.engine"} <= seen
    assert not seen & {"matplotlib", "numba", "scipy", "rich", "pgfast.checker", "pgfast.rehearsal", "pgfast.workloads"}


def test_help_and_version() -> None:
    done = pgfast("--help")
    assert done.returncode == 0
    for command in ("train", "evaluate", "envs", "info", "bench", "check", "cache"):
        assert command in done.stdout
    options = pgfast("train", "--help").stdout
    for option in ("--gamma", "--lr", "--baseline", "--batch", "--runs", "--seed", "--theta0", "--in-loop", "--out"):
        assert option in options
    assert pgfast("--version").stdout.startswith("pgfast 0.")


def test_options_that_take_several_numbers() -> None:
    assert given({"theta0": "1,0", "std0": "0.5", "gamma": None}) == {"theta0": [1.0, 0.0], "std0": 0.5}
    assert given({"statistics": "3"}) == {"statistics": 3}
    assert given({"statistics": "[[1, 0], [1, 1.5]]"}) == {"statistics": [[1, 0], [1, 1.5]]}
    assert "--precision NAME" in pgfast("train", "--help").stdout


def test_every_option_of_a_setting_is_documented() -> None:
    page = (Path(__file__).parent.parent / "docs" / "command-line.md").read_text("utf-8")
    named = {field.name for field in fields(Settings)} - {"env", "env_parameters", "feature_parameters"}
    assert [name for name in sorted(named) if f"`--{name.replace('_', '-')}`" not in page] == []


def test_door_at_the_top_level() -> None:
    door = Path(__file__).parent.parent / "cli.py"
    done = subprocess.run([sys.executable, door, "train", "Nowhere"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("pgfast: There is no environment 'Nowhere'")


BAD_INPUT = {
    "environment": (["train", "FrozenLak-v1"], "no environment 'FrozenLak-v1' (did you mean 'FrozenLake-v1'?)"),
    "no environment": (["train"], "name one"),
    "file": (["train", "nowhere.py"], "no file 'nowhere.py'"),
    "Gymnasium's environment": (["train", "LunarLandr-v3"], "(did you mean 'LunarLander-v3'?)"),
    "algorithm": (["train", "FrozenLake-v1", "--algorithm", "reinforc"], "(did you mean 'reinforce'?)"),
    "policy": (["train", "FrozenLake-v1", "--policy", "tabula"], "(did you mean 'tabular'?)"),
    "policy that can't be": (["train", "CartPole-v1", "--policy", "tabular"], "choose 'linear'"),
    "baseline": (["train", "FrozenLake-v1", "--baseline", "men"], "(did you mean 'mean'?)"),
    "optimizer": (["train", "FrozenLake-v1", "--optimizer", "adm"], "(did you mean 'adam'?)"),
    "returns": (["train", "FrozenLake-v1", "--returns", "all"], "it must be 'to-go' or 'whole'"),
    "vanishing gradient": (
        ["train", "FrozenLake-v1", "--baseline", "batch", "--batch", "1"],
        "take a batch of at least 2",
    ),
    "option": (["train", "FrozenLake-v1", "--gama", "1"], "no option --gama (did you mean --gamma?)"),
    "command": (["trian", "FrozenLake-v1"], "'trian'"),
    "parameter": (["train", "FrozenLake-v1", "-E", "slipery=1"], "(did you mean 'is_slippery'?)"),
    "parameter of a class": (["train", "ShortCorridor", "-E", "lenght=4"], "(did you mean 'length'?)"),
    "parameter's value": (["train", "ShortCorridor", "-E", "length=x"], "it must be a whole number"),
    "parameter's file": (["train", "FrozenLake-v1", "-E", "desc=@lake.txt"], "The file 'lake.txt' can't be read"),
    "map": (["train", "FrozenLake-v1", "-E", "desc=SFF/FXG"], "FrozenLake.desc has 'X' in row 1, column 1"),
    "no value": (["train", "ShortCorridor", "-E", "length"], "write it as -E name=value"),
    "gamma": (["train", "FrozenLake-v1", "--gamma", "1.1"], "gamma is 1.1: it must be at most 1"),
    "negative gamma": (["train", "FrozenLake-v1", "--gamma=-0.1"], "gamma is -0.1: it must be at least 0"),
    "episodes": (["train", "FrozenLake-v1", "--episodes=-5"], "episodes is -5: it must be at least 1"),
    "no number": (["train", "FrozenLake-v1", "--lr", "fast"], "lr is 'fast': it must be a valid number"),
    "not a number": (["train", "FrozenLake-v1", "--lr", "nan"], "lr is"),
    "threads": (["train", "FrozenLake-v1", "--threads", "0"], "threads is 0: it must be at least 1"),
    "theta0": (["train", "FrozenLake-v1", "--theta0", "1,2"], "the tabular policy has 64 parameters"),
    "log_every": (["train", "FrozenLake-v1", "--log-every", "100"], "such as 256"),
    "folder": (["train", "FrozenLake-v1", "--out", "/dev/null/run"], "can't be written"),
    "config": (["train", "--config", "nowhere.toml"], "no file nowhere.toml"),
    "run": (["evaluate", "nowhere"], "no file nowhere"),
    "workload": (["bench", "cartpol"], "(did you mean 'cartpole'?)"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input(name: str, tmp_path: Path) -> None:
    arguments, words = BAD_INPUT[name]
    done = here(*arguments, "--json", cwd=tmp_path)
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert said["exit_code"] == 2
    assert words in said["error"]
    assert done.stderr == f"pgfast: {said['error']}\n"  # one line, no traceback
    assert list(tmp_path.iterdir()) == []  # refused before any work


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("env = 'FrozenLake-v1'\ngama = 1.0\n", "no setting 'gama' (did you mean 'gamma'?)"),
        ("env = 'FrozenLake-v1'\nepisodes = 1.5\n", "episodes is 1.5: it must be a valid integer"),
        ("env = 'FrozenLake-v1\n", "can't be read"),
        ("env = 3\n", "name one"),
        ("env = 'FrozenLake-v1'\nenv_parameters = 3\n", "it must be a table"),
    ],
)
def test_bad_configuration(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text, "utf-8")
    done = here("train", "--config", file, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback() -> None:
    done = pgfast("train", "Nowhere", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "There is no environment 'Nowhere'" in done.stderr
