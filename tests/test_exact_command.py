"""``pgfast exact`` as its users have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import answer_here as answer
from commands import here as pgfast

from pgfast import Engine, exact, make


def test_uniform_policy_on_the_lake() -> None:
    said = answer("exact", "FrozenLake-v1", "--gamma", 0.99)
    lake = make("FrozenLake-v1")
    found = exact.evaluate(lake, np.full((16, 4), 0.25), gamma=0.99)
    assert (said["env"], said["setting"], said["gamma"]) == ("FrozenLake-v1", "discounted", 0.99)
    assert (said["n_states"], said["n_actions"]) == (16, 4)
    assert said["J"] == found.J
    assert said["optimum"] == pytest.approx(0.54203, abs=5e-6)
    fields = "env setting gamma n_states n_actions J optimum gradient_norm V distribution gradient"
    assert list(said) == fields.split()
    assert said["V"] == found.V.tolist()
    assert said["distribution"] == found.occupancy.tolist()
    assert said["gradient"] == found.gradient.tolist()
    assert said["gradient_norm"] == pytest.approx(np.linalg.norm(found.gradient), rel=1e-12)


def test_settings() -> None:
    limited = answer("exact", "FrozenLake-v1", "--policy", "optimal", "--setting", "finite-horizon")
    assert limited["J"] == limited["optimum"] == pytest.approx(0.7442, abs=5e-5)
    by_default = answer("exact", "ShortCorridor")
    assert (by_default["setting"], by_default["J"]) == ("episodic", -12.0)
    assert answer("exact", "Garnet", "--setting", "average")["setting"] == "average"


def test_large_arrays_are_left_out() -> None:
    parameters = ("-E", "n_states=3000")
    assert "gradient" not in answer("exact", "Garnet", *parameters)
    assert len(answer("exact", "Garnet", *parameters, "--full")["gradient"]) == 3000


def test_the_policy_of_a_run(tmp_path: Path) -> None:
    right = 0.3
    theta = [0.0, float(np.log(right / (1 - right)))]
    Engine("ShortCorridor", policy="state-action", theta0=theta).save(tmp_path / "run")
    said = answer("exact", "ShortCorridor", "--policy", tmp_path / "run")
    assert said["J"] == pytest.approx((2 * right - 4) / (right * (1 - right)), rel=1e-12)
    slope = (2 * right**2 - 8 * right + 4) / (right * (1 - right)) ** 2  # dJ/dp
    by_logit = slope * right * (1 - right)
    assert said["gradient"] == pytest.approx([-by_logit, by_logit], rel=1e-10)


def test_a_run_whose_features_are_in_a_file(tmp_path: Path) -> None:
    """What reads a run for its policy runs code that it refers to when it is trusted, as all commands do."""
    (tmp_path / "mine.py").write_text("def place(observation):\n    return 0.1 * observation, 1.0\n", "utf-8")
    run, settings = tmp_path / "run", {"features": f"{tmp_path / 'mine.py'}:place", "episodes": 64, "batch": 16}
    Engine("RandomWalk", policy="linear", **settings).save(run)
    picture = ["--out", tmp_path / "picture.png"]
    same = ["--policy", "linear", "--features", settings["features"]]
    compared = pgfast("compare-estimators", "RandomWalk", "--run", run, *same, *picture)
    assert (compared.returncode, "trust this one" in compared.stderr) == (2, True)
    for words in (["exact", "RandomWalk", "--policy", run], ["landscape", "RandomWalk", "--run", run, *picture]):
        refused = pgfast(*words)
        assert (refused.returncode, "trust this one" in refused.stderr) == (2, True)
        assert answer(*words, "--trust")["env"] == "RandomWalk"


def test_people_see_a_table(tmp_path: Path) -> None:
    done = pgfast("exact", "ShortCorridor", cwd=tmp_path)
    assert done.returncode == 0
    for words in ("uniform policy", "episodic, γ = 1", "-12", "optimum", "best action"):
        assert words in done.stdout


def test_a_gridworld_has_a_picture(tmp_path: Path) -> None:
    done = pgfast("exact", "FrozenLake-v1", "--policy", "optimal", cwd=tmp_path)
    assert "exact.png" in done.stdout
    assert (tmp_path / "exact.png").stat().st_size > 10_000
    answer("exact", "FrozenLake-v1", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["exact.png"]
    answer("exact", "CliffWalking-v1", "--gamma", 0.9, "--out", "cliff.png", cwd=tmp_path)
    assert (tmp_path / "cliff.png").exists()


def test_a_threshold_out_of_reach_is_said(tmp_path: Path) -> None:
    words = "Gymnasium's threshold of 8 is out of reach for every policy"
    for command in ("exact", "info"):
        assert words in " ".join(pgfast(command, "Taxi-v4", cwd=tmp_path).stdout.split())
        assert "threshold" not in pgfast(command, "FrozenLake-v1", cwd=tmp_path).stdout
    assert answer("info", "Taxi-v4")["threshold"] == {"gymnasium": 8.0, "out_of_reach": True}
    assert answer("info", "FrozenLake-v1")["threshold"] == {"gymnasium": 0.7, "out_of_reach": False}
    assert answer("info", "ShortCorridor")["threshold"] is None


def test_large_equations_are_told(tmp_path: Path) -> None:
    done = pgfast("exact", "Garnet", "-E", "n_states=3000", cwd=tmp_path)
    assert done.stderr.count("by iteration on sparse matrices") == 1
    assert "sparse, largest residual" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["CartPole-v1"], "has no table"),
        (["ShortCorridor", "--out", "x.png"], "ShortCorridor has no map to draw on"),
        (["FrozenLake-v1", "--out", "nowhere/x.png"], "can't be written"),
        (["FrozenLake-v1", "--out", "x.doc"], "No picture can be a .doc file: choose png, svg or pdf in --out."),
        (["FrozenLake-v1", "--policy", "nowhere"], "it must be uniform, optimal, best or the folder of a run"),
        (["FrozenLake-v1", "--gamma", "2"], "gamma is 2.0: it must be from 0 to 1"),
        (["FrozenLake-v1", "--setting", "endless"], "setting"),
        (["Garnet", "--setting", "episodic"], "never ends from state"),
    ],
)
def test_what_cannot_be_served(arguments: list[str], words: str) -> None:
    done = pgfast("exact", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
