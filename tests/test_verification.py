"""What `pgfast verify` proves, and what it notices; and what a run from a stranger can't do."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from commands import answer, answer_here, here
from safetensors.numpy import load_file, save_file

from pgfast import Engine, PgfastError, verification
from pgfast.run_folder import METRICS, SUMMARY
from pgfast.storage import CONFIG, ORIGIN, POLICY

SETTINGS = ["--episodes", 2_000, "--evaluation-episodes", 100, "--baseline", "mean"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    answer_here("train", "FrozenLake-v1", *SETTINGS, "--out", tmp_path / "run")
    return tmp_path / "run"


def test_a_run_repeats_itself(run: Path) -> None:
    said = answer_here("verify", run)
    assert said["verified"]
    assert [finding["claim"] for finding in said["findings"]] == [
        "parameters", "digest in summary.json", "metrics.csv", "evaluation",
    ]  # fmt: skip


def test_what_differs_is_noticed(run: Path) -> None:
    metrics = (run / METRICS).read_text("utf-8")
    (run / METRICS).write_text(metrics.replace("0.0", "0.1", 1), "utf-8")
    theta = load_file(run / POLICY)
    theta["theta"][0, 0, 0] = np.nextafter(theta["theta"][0, 0, 0], 1)
    save_file(theta, run / POLICY)
    origin = json.loads((run / ORIGIN).read_text("utf-8"))
    (run / ORIGIN).write_text(json.dumps({**origin, "processor": "abacus"}), "utf-8")
    said = answer_here("verify", run, code=1)
    wrong = {finding["claim"] for finding in said["findings"] if not finding["holds"]}
    assert wrong == {"parameters", METRICS}
    assert said["findings"][-1]["said"].startswith("no: processor abacus is now ")


def test_metrics_that_are_no_table_are_others(run: Path) -> None:
    (run / METRICS).write_text("7" * 200_000, "utf-8")
    assert [finding.claim for finding in verification.repeat(run) if not finding.holds] == [METRICS]


def test_a_run_that_was_stopped_is_not_verified(run: Path) -> None:
    summary = json.loads((run / SUMMARY).read_text("utf-8"))
    (run / SUMMARY).write_text(json.dumps({**summary, "stopped": True}), "utf-8")
    assert "is not complete: `pgfast resume" in here("verify", run).stderr
    assert f"There is no run in {run / 'none'}" in here("verify", run / "none").stderr
    assert here("verify").returncode == 2


@pytest.mark.slow
def test_every_claim_holds_on_this_machine() -> None:
    said = answer("verify", "--quick")  # in a process of its own: it forks, which threads of other tests may forbid
    assert said["verified"]
    assert [finding["claim"] for finding in said["findings"] if not finding["holds"]] == []
    assert len(said["findings"]) == len(verification._WAYS) - (not hasattr(os, "fork"))


# ---- strangers


def test_code_is_run_only_when_it_is_named_or_trusted(tmp_path: Path) -> None:
    """…and when it has changed, that is said."""
    file = tmp_path / "my_env.py"
    file.write_text(CORRIDOR, "utf-8")
    here("train", file, "--episodes", 64, "--evaluation-episodes", 8, "--out", tmp_path / "run")
    file.write_text(CORRIDOR + f"\nopen({str(tmp_path / 'ran')!r}, 'w').close()\n", "utf-8")
    done = here("evaluate", tmp_path / "run")
    assert done.returncode == 2
    assert f"refers to code, env = {str(file)!r}: name the file again, or trust this one" in done.stderr
    with pytest.raises(PgfastError, match="refers to code"):
        Engine.load(tmp_path / "run")
    assert not (tmp_path / "ran").exists()
    trusted = here("evaluate", tmp_path / "run", "--episodes", 8, "--trust")
    assert (tmp_path / "ran").exists()
    assert trusted.returncode == 0
    assert "my_env.py has changed: its SHA-256 was " in trusted.stderr
    assert here("evaluate", tmp_path / "run", "--episodes", 8, "--env", file).returncode == 0


CORRIDOR = '''
"""A short walk."""
from typing import NamedTuple
from gymnasium.spaces import Discrete


class Walk(NamedTuple):
    length: int = 4

    max_steps = 20

    @property
    def observation_space(self):
        return Discrete(self.length)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return 0

    def step(self, state, action, key):
        state = max(0, state + (1 if action == 1 else -1))
        return state, -1.0, state >= self.length - 1
'''


@pytest.mark.parametrize("name", [CONFIG, METRICS, SUMMARY, POLICY, ORIGIN, "curve.png"])
def test_no_link_in_a_folder_is_followed(name: str, tmp_path: Path) -> None:
    """A stranger's folder may hold links to files of the user's: they are replaced, not written through."""
    run, victim = tmp_path / "run", tmp_path / "victim"
    victim.write_text("precious", "utf-8")
    run.mkdir()
    done = here("train", "FrozenLake-v1", *SETTINGS, "--out", run)
    assert done.returncode == 0
    (run / name).unlink()
    (run / name).symlink_to(victim)
    (run / SUMMARY).unlink()
    if name in (CONFIG, ORIGIN):  # written when a run begins
        Engine("FrozenLake-v1").save(run)
    else:
        assert here("resume", run).returncode == 0
    assert not (run / name).is_symlink()
    assert victim.read_text("utf-8") == "precious"


def test_a_table_of_cumulative_probabilities_is_never_read(run: Path) -> None:
    """What lanes look up is derived anew, whatever a file holds."""
    kept = load_file(run / POLICY)
    assert kept["learned"].shape[1] < Engine("FrozenLake-v1")._learner.runs.shape[1] - 64
    engine = Engine.load(run)
    fresh = Engine("FrozenLake-v1", episodes=2_000, baseline="mean", evaluation_episodes=100)
    fresh.learn()
    np.testing.assert_array_equal(engine._learner.runs, fresh._learner.runs)


@pytest.mark.parametrize("change", [{"runs": 10**6}, {"runs": 2}, {"batch": 0}, {"policy": "linear"}])
def test_settings_that_do_not_fit_the_file(change: dict, run: Path) -> None:
    lines = (run / CONFIG).read_text("utf-8").splitlines()
    kept = [line for line in lines if line.split(" = ")[0] not in change]
    (run / CONFIG).write_text("\n".join([f"{k} = {json.dumps(v)}" for k, v in change.items()] + kept), "utf-8")
    with pytest.raises(PgfastError, match=r"doesn't fit|must be at least"):
        Engine.load(run)
