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
    assert said["V"] == found.V.tolist()
    assert said["distribution"] == found.occupancy.tolist()
    assert said["gradient"] == found.gradient.tolist()
    assert said["gradient_norm"] == pytest.approx(np.linalg.norm(found.gradient), rel=1e-12)


def test_settings() -> None:
    limited = answer("exact", "FrozenLake-v1", "--policy", "optimal", "--setting", "finite-horizon")
    assert limited["J"] == limited["optimum"] == pytest.approx(0.7442, abs=5e-5)
    assert limited["horizon"] == 100
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


def test_people_see_a_table() -> None:
    done = pgfast("exact", "ShortCorridor")
    assert done.returncode == 0
    for words in ("uniform policy", "episodic, γ = 1", "-12", "optimum", "best action"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["CartPole-v1"], "has no table"),
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
