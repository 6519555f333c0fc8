"""Environments that the user has made with Gymnasium: played by their compiled twin, or as they are."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
import pytest

from pgfast import Engine, PgfastError, check, make
from pgfast.environments import definition, find
from pgfast.facts import description
from pgfast.gym import NAMESPACE

STILL = """\
import gymnasium


class Still(gymnasium.Env):
    observation_space = gymnasium.spaces.Discrete(1)
    action_space = gymnasium.spaces.Discrete(2)
"""


def test_an_object_is_played_compiled_unless_it_is_another() -> None:
    def steps_it(env) -> bool:
        return Engine(env).source.foreign is not None

    plain, changed = gymnasium.make("CartPole-v1"), gymnasium.make("CartPole-v1")
    changed.unwrapped.gravity = 1.6
    assert not steps_it(plain)
    plain.reset(seed=3)
    plain.step(1)
    assert not steps_it(plain)
    assert steps_it(changed)
    for name, attribute, value in [
        ("Pendulum-v1", "max_speed", 2),
        ("Acrobot-v1", "torque_noise_max", 1),
        ("Acrobot-v1", "AVAIL_TORQUE", [-5.0, 0.0, 5.0]),
        ("CartPole-v1", "_sutton_barto_reward", True),
    ]:
        another = gymnasium.make(name)
        setattr(another.unwrapped, attribute, value)
        assert steps_it(another), attribute
    assert steps_it(gymnasium.wrappers.RecordEpisodeStatistics(plain))
    assert Engine(gymnasium.make("FrozenLake-v1")).source.table is not None
    assert steps_it(gymnasium.wrappers.TransformReward(gymnasium.make("FrozenLake-v1"), lambda r: 2 * r))
    assert Engine(gymnasium.make("Taxi-v4", fickle_passenger=True)).source.table is not None


def test_a_time_limit_of_its_own_is_kept(tmp_path: Path) -> None:
    engine = Engine(gymnasium.make("CartPole-v1", max_episode_steps=50))
    assert engine.source.foreign is None
    assert engine.traits.max_steps == 50
    engine.save(tmp_path)
    assert Engine.load(tmp_path).traits.max_steps == 50


def test_our_own_are_known_by_the_ids_that_they_have_there() -> None:
    assert find("pgfast/FrozenLake-v1", {"is_slippery": False}) == find("FrozenLake-v1", {"is_slippery": False})
    assert definition("pgfast/CartPole-v1") is definition("CartPole-v1")
    assert find(gymnasium.make(f"{NAMESPACE}/Chain")).name == "Chain"
    shorter = find(gymnasium.make("pgfast/CartPole-v1", max_episode_steps=50))
    assert (shorter.name, shorter.parameters) == ("CartPole-v1", {"max_steps": 50})
    assert find(gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make("pgfast/Chain"))).foreign is not None


def test_make_is_for_what_is_compiled(tmp_path: Path) -> None:
    (tmp_path / "still.py").write_text(STILL)
    with pytest.raises(PgfastError, match=r"still\.py, Still is Gymnasium's to make and to step: give its name to Eng"):
        make(str(tmp_path / "still.py"))


@pytest.mark.parametrize(
    "env",
    [
        gymnasium.make_vec("CartPole-v1", 4),
        gymnasium.make_vec("FrozenLake-v1", 2),
    ],
    ids=["vector", "vector of tables"],
)
def test_what_its_id_does_not_stand_for_is_not_saved_under_it(env, tmp_path: Path) -> None:
    engine = Engine(env)
    engine.save(tmp_path)
    with pytest.raises(PgfastError, match="was an object of the program that saved it"):
        Engine.load(tmp_path)
    assert Engine.load(tmp_path, env=env).traits.max_steps == engine.traits.max_steps
    engine.close()


def test_a_description_is_of_the_class_itself() -> None:
    assert description(Endless).startswith("A number that grows")
    assert description(type("Nameless", (Endless,), {})) == ""
    assert description(NamedTuple("Nameless", [("length", int)])) == ""


class Endless(gymnasium.Env):
    """A number that grows; `flaw` says what is wrong beside that."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, flaw: str = "") -> None:
        self.flaw = flaw

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = np.zeros(2)
        return self.at if self.flaw == "old form" else (self.at, {})

    def step(self, action):
        self.at = self.at + action
        return self.at, 1.0, False, False, {}


def test_what_never_ends_is_a_finding() -> None:
    report = check(Endless)
    assert {c.name: c.ok for c in report.checks}["ends"] is False
    assert not report.ok
    assert next(c.message for c in report.checks if c.name == "speed").endswith("steps/s, 2 side by side")


def test_a_reset_of_the_old_form_is_told() -> None:
    report = check(lambda: Endless("old form"))
    failed = [c for c in report.checks if not c.ok]
    assert "reset gave array([0., 0.]), where Gymnasium has (observation, info)" in failed[0].message
