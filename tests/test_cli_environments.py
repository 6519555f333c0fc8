"""The commands that say what there is to play: envs, info and check."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import answer_here as answer
from commands import here as pgfast
from PIL import Image
from user_files import GOOD, RETURN

from pgfast import Engine
from pgfast.collection import BUNDLED, FAMILIES
from pgfast.environments import definition, find
from pgfast.facts import facts


def test_envs() -> None:
    found = answer("envs")["environments"]
    assert [e["id"] for e in found] == list(BUNDLED)
    assert {e["source"] for e in found} == set(FAMILIES)
    lake, cart, car = (next(e for e in found if e["id"] == name) for name in
                       ("FrozenLake-v1", "CartPole-v1", "MountainCarContinuous-v0"))  # fmt: skip
    assert (lake["observations"], lake["actions"], lake["max_steps"]) == (16, 4, 100)
    assert lake["optimum"] == Engine("FrozenLake-v1").optimum
    assert (cart["observations"], cart["observation_dimensions"], cart["optimum"]) == (None, [4], 500.0)
    assert (car["actions"], car["action_dimensions"]) == (None, [1])
    again = pgfast("envs")  # what was worked out is kept
    assert again.stderr == ""
    for entry in found:
        line = next(line for line in again.stdout.splitlines() if line.split()[:1] == [entry["id"]])
        assert entry["description"][:20] in line


def test_facts_that_are_kept_are_those_of_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGFAST_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("pgfast.facts.BUNDLED", {name: BUNDLED[name] for name in ("CartPole-v1", "Gridworld")})
    from pgfast.facts import FILE, listing

    said: list[str] = []
    found = listing(lambda: said.append("working"))
    assert found == [facts(find(name), definition(name)) for name in ("CartPole-v1", "Gridworld")]
    assert json.dumps(listing(lambda: said.append("again"))) == json.dumps(found)
    kept = json.loads((tmp_path / FILE).read_text("utf-8"))
    (tmp_path / FILE).write_text(json.dumps({**kept, "digest": "another", "environments": []}), "utf-8")
    assert listing(lambda: said.append("anew")) == found
    assert said == ["working", "anew"]


def test_info() -> None:
    said = answer("info", "ShortCorridor")
    assert said["parameters"] == {"length": 4, "switched": 1}
    assert said["optimum"] == pytest.approx(-(6 + 4 * np.sqrt(2)))
    assert said["settings"]["lr"] == 2.0**-9
    assert said["observation_space"] == "Discrete(1)"
    assert (said["source"], said["picture"], said["image"]) == ("Sutton & Barto", None, None)
    assert "switched" in pgfast("info", "ShortCorridor").stdout
    assert answer("info", "FrozenLake8x8-v1")["parameters"]["map_name"] == "8x8"
    exact = answer("info", "ShortCorridor", "--algorithm", "exact-npg")["settings"]
    assert (exact["algorithm"], exact["lr"], exact["baseline"]) == ("exact-npg", 1.0, "none")
    assert "There is no algorithm 'exact'" in pgfast("info", "ShortCorridor", "--algorithm", "exact").stderr


def test_pictures(tmp_path: Path) -> None:
    file = tmp_path / "lake.png"
    shown = pgfast("info", "FrozenLake-v1", "--image", file).stdout
    assert "[S] F  F  F" in shown
    with Image.open(file) as image:
        assert image.size == (400, 400)
    assert answer("info", "CartPole-v1", "--image", file)["image"] == str(file)
    done = pgfast("info", "Garnet", "--image", file)
    assert done.returncode == 2
    assert (
        done.stderr == "pgfast: Garnet has no picture: a method draw(self, state) or text(self, state) gives it one.\n"
    )
    done = pgfast("info", "CartPole-v1", "--image", tmp_path / "nowhere" / "cart.png")
    assert done.returncode == 2
    assert "The picture can't be written to" in done.stderr


def test_check(tmp_path: Path) -> None:
    file = tmp_path / "my_env.py"
    file.write_text(GOOD, "utf-8")
    assert answer("info", file)["source"] == "a file"
    said = answer("check", file, "-E", "length=5")
    assert said["ok"] is True
    assert all(c["ok"] for c in said["checks"])
    shown = pgfast("check", file)
    assert shown.returncode == 0
    assert f"{len(said['checks'])} checks, nothing found" in shown.stdout
    assert "in vector code" in shown.stdout

    outside = "        state = 99 if uniform(key, 1) < 0.001 else state\n"
    file.write_text(GOOD.replace(RETURN, outside + RETURN), "utf-8")
    said = answer("check", file, code=1)
    assert [c["name"] for c in said["checks"] if not c["ok"]] == ["observations"]
    assert "1 of 13 checks failed" in pgfast("check", file).stdout


@pytest.mark.slow
def test_an_environment_that_never_ends(tmp_path: Path) -> None:
    file, run = tmp_path / "my_env.py", tmp_path / "run"
    endless = GOOD.replace("    max_steps = 100\n", "").replace(RETURN, "        return min(state, 8), -1.0, False\n")
    file.write_text(endless, "utf-8")
    said = answer("check", file, code=1)
    (message,) = (c["message"] for c in said["checks"] if not c["ok"])
    assert message.startswith("my_env.py, Corridor: no episode ended in 1,312,768 steps of random play")
    small = ("--episodes", 64, "--batch", 64, "--evaluation-episodes", 64)
    trained = pgfast("train", file, *small, "--out", run)
    assert trained.returncode == 0
    words = "none of its own: the engine ends an episode after 100,000 steps; set max_steps"
    assert words in trained.stdout
    assert words in pgfast("evaluate", run, "--episodes", 4, "--trust").stdout
    assert words not in pgfast("train", file, *small, "--max-steps", 20, "--out", tmp_path / "other").stdout
