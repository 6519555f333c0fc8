"""pgfast's environments for Gymnasium: they keep its rules, and play what training plays."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from drifting import DriftEnv
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from problems import Drift, Raft, random_mdp
from user_files import GOOD

import pgfast.gym
from pgfast import EnvironmentFault, PgfastError, make_key
from pgfast.collection import BUNDLED
from pgfast.drawing import box
from pgfast.environments import find
from pgfast.gym import Env, VectorEnv
from pgfast.probe import probe

OPINIONS = (  # that Gymnasium has of its own environments too
    "A Box observation space (minimum|maximum) value is -?infinity",
    "For Box action spaces, we recommend using a symmetric and normalized space",
    "The environment pgfast/CartPole-v0 is out of date",
)
pytestmark = pytest.mark.filterwarnings("ignore:.*CartPole-v0 is out of date")


def make(name: str, **options: Any) -> Any:
    return gymnasium.make(f"pgfast/{name}", **options)


def make_vec(name: str, n: int, mode: str = "vector_entry_point", **options: Any) -> Any:
    return gymnasium.make_vec(f"pgfast/{name}", n, vectorization_mode=mode, **options)


def play(env: Any, steps: int, seed: int) -> list[Any]:
    """What comes of random actions in a vector environment."""
    rng = np.random.default_rng(seed)
    env.action_space.seed(int(rng.integers(2**31)))
    return [env.reset(seed=seed), *(env.step(env.action_space.sample()) for _ in range(steps))]


def same(a: Any, b: Any) -> bool:
    """Equal to the last bit, and of the same form."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray) and a.dtype == object:
        return same(list(a), list(b))
    return type(a) is type(b) and np.asarray(a).dtype == np.asarray(b).dtype and np.array_equal(a, b)


@pytest.mark.parametrize("name", BUNDLED)
def test_gymnasium_finds_nothing_wrong(name: str) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        env = make(name)
        check_env(env.unwrapped)
    assert [w for w in found if not re.search("|".join(OPINIONS), str(w.message))] == []
    traits = probe(find(name))
    assert env.spec.max_episode_steps == (traits.max_steps if traits.limited else None)


@pytest.mark.parametrize("name", BUNDLED)
def test_vector_environments_play_what_single_ones_do(name: str) -> None:
    vector, single = (play(make_vec(name, 3, mode), 60, 2**40) for mode in ("vector_entry_point", "sync"))
    assert same(vector, single)


def test_more_environments_than_lanes() -> None:
    vector, single = (play(make_vec("CartPole-v1", 70, mode), 100, 7) for mode in ("vector_entry_point", "sync"))
    assert same(vector, single)
    assert sum(step[2].sum() for step in vector[1:]) > 100  # episodes end, and the next ones begin


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2])
def test_episodes_begin_as_gymnasium_has_it(mode: AutoresetMode) -> None:
    vector = make_vec("CartPole-v1", 5, autoreset_mode=mode, max_episode_steps=20)
    single = make_vec("CartPole-v1", 5, "sync", vector_kwargs={"autoreset_mode": mode}, max_episode_steps=20)
    assert vector.metadata["autoreset_mode"] is mode
    steps = play(vector, 200, 3)
    assert same(steps, play(single, 200, 3))
    assert {bool(step[2].any()) for step in steps[1:]} == {bool(step[3].any()) for step in steps[1:]} == {True, False}


def test_episodes_that_begin_by_hand() -> None:
    vector = VectorEnv("CartPole-v1", 4, autoreset_mode="Disabled", max_episode_steps=30)
    vector.reset(seed=1)
    alone = Env("CartPole-v1")
    alone.reset(seed=3)
    for _ in range(31):
        seen, _, terminated, truncated, _ = vector.step(np.zeros(4, np.int64))
        over = terminated | truncated
        if over.any():
            break
    with pytest.raises(ResetNeeded):
        vector.step(np.zeros(4, np.int64))
    began, _ = vector.reset(options={"reset_mask": over})
    assert np.array_equal(began[~over], seen[~over])
    assert not np.any(np.all(began == seen, axis=1)[over])
    mask = np.array([False, False, True, False])
    assert np.array_equal(vector.reset(seed=1, options={"reset_mask": mask})[0][2], alone.reset(seed=3)[0])
    with pytest.raises(PgfastError, match="it must be an array of 4 truth values"):
        vector.reset(options={"reset_mask": [True] * 4})


def test_seeds_for_each_environment() -> None:
    vector = VectorEnv("CartPole-v1", 3)
    first, _ = vector.reset(seed=[5, 8, 5])
    assert np.array_equal(first[0], first[2])
    assert np.array_equal(first[1], Env("CartPole-v1").reset(seed=8)[0])
    second, _ = vector.reset(seed=[None, 8, 5])
    assert np.array_equal(second[1:], first[1:])
    assert not np.array_equal(second[0], first[0])
    with pytest.raises(PgfastError, match="There are 2 seeds for 3 environments"):
        vector.reset(seed=[1, 2])
    assert len({float(x) for x in VectorEnv("CartPole-v1", 3).reset()[0][:, 0]}) == 3


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_the_methods_in_python_give_the_same(seed: int) -> None:
    drift = Drift()
    env = Env(drift)
    rng = np.random.default_rng(0)
    for episode in range(20):
        seen, _ = env.reset(seed=seed) if episode == 0 else env.reset()
        state = drift.reset(make_key(seed, 0, episode, 0))
        assert env.state == state
        assert seen.tolist() == list(drift.observe(state))
        over, t = False, 0
        while not over:
            action = int(rng.integers(-1, 2))
            state, pay, ends = drift.step(state, action, make_key(seed, 0, episode, t + 1))
            seen, reward, terminated, truncated, info = env.step(np.int64(action))
            assert env.state == state
            assert (seen.tolist(), reward, terminated, info) == (list(drift.observe(state)), pay, ends, {})
            t += 1
            assert truncated == (t == Drift.max_steps)
            over = terminated or truncated


def test_time_limits() -> None:
    def length(env: Any) -> int:
        env.reset(seed=0)
        return next(t for t in range(1, 101) if any(env.step(0)[2:4]) or t == 100)

    assert make("CartPole-v1").spec.max_episode_steps == 500
    assert length(make("CartPole-v1")) < 15
    assert length(make("ShortCorridor", length=40, max_episode_steps=30)) == 30
    assert length(make("ShortCorridor", length=40, max_episode_steps=-1)) == 100
    assert length(make("Garnet", max_episode_steps=7)) == 7
    assert length(Env("Garnet", max_steps=7)) == 7
    with pytest.raises(PgfastError, match="give max_episode_steps instead"):
        make("Garnet", max_steps=7)
    with pytest.raises(PgfastError, match="give max_episode_steps instead"):
        make_vec("Garnet", 2, max_steps=7)
    assert length(Env(random_mdp())) <= 9
    vector = make_vec("ShortCorridor", 2, length=40, max_episode_steps=30)
    assert [bool(step[3].all()) for step in play(vector, 61, 0)[1:]] == [t in (30, 61) for t in range(1, 62)]


def test_parameters_files_and_objects(tmp_path: Path) -> None:
    file = tmp_path / "my_env.py"
    file.write_text(GOOD, "utf-8")
    assert Env(str(file), length=4).observation_space == gymnasium.spaces.Discrete(5)
    assert VectorEnv(Drift(), 2).action_space == gymnasium.spaces.MultiDiscrete([3, 3], start=[-1, -1])
    assert make("ShortCorridor", length=9).unwrapped.action_space == gymnasium.spaces.Discrete(2)
    seen, _ = Env(random_mdp()).reset(seed=0)
    assert type(seen) is np.int64
    with pytest.raises(PgfastError, match="no parameter 'lenght'"):
        make("ShortCorridor", lenght=9)


def test_a_state_to_begin_in() -> None:
    env = Env("CartPole-v1")
    state = 0.1, 0.2, 0.03, -0.4
    assert env.reset(seed=0, options={"state": state})[0].tolist() == list(state)
    assert env.step(1)[0].tolist() == list(pgfast.make("CartPole-v1").step(state, 1, make_key())[0])
    with pytest.raises(PgfastError, match=r"\(1, 2\) is no state: one looks like"):
        env.reset(options={"state": (1, 2)})
    with pytest.raises(PgfastError, match="the state is 16: it must be from 0 to 15"):
        Env("FrozenLake-v1").reset(options={"state": 16})
    with pytest.raises(PgfastError, match=r"it must be seen in Box"):
        env.reset(options={"state": (99.0, 0.0, 0.0, 0.0)})
    with pytest.raises(ResetNeeded):
        env.step(0)


def test_real_actions() -> None:
    env, vector = Env("Pendulum-v1"), VectorEnv(Raft(), 2)
    env.reset(seed=0)
    state = env.state
    expected = pgfast.make("Pendulum-v1").step(state, 2.0, make_key(0, 0, 0, 1))[0]
    env.step(np.array([5.0]))  # more than the motor has
    assert env.state == expected
    with pytest.raises(PgfastError, match="an action has a NaN in it"):
        env.step([np.nan])
    with pytest.raises(PgfastError, match=r"they must be real numbers of shape \(1, 1\)"):
        env.step(1.0)
    raft = Raft()
    vector.reset(seed=4)
    begun = [raft.reset(make_key(4 + p)) for p in range(2)]
    actions = vector.action_space.sample()
    _, rewards, *_ = vector.step(actions)
    pairs = zip(begun, actions.tolist(), strict=True)
    stepped = [raft.step(s, tuple(a), make_key(4 + p, 0, 0, 1)) for p, (s, a) in enumerate(pairs)]
    assert rewards.tolist() == [reward for _, reward, _ in stepped]


def test_mistakes() -> None:
    env, vector = Env("CartPole-v1"), VectorEnv(Drift(), 2)
    for thing, actions in ((env, 0), (vector, [0, 0])):
        with pytest.raises(ResetNeeded):
            thing.step(actions)
        thing.reset(seed=0)
    with pytest.raises(PgfastError, match="the action is 2: it must be from 0 to 1"):
        env.step(2)
    with pytest.raises(PgfastError, match=r"they must be whole numbers of shape \(1,\)"):
        env.step(0.5)
    with pytest.raises(PgfastError, match="the action is -2: it must be from -1 to 1"):
        vector.step([0, -2])
    for actions in (0, [0, 0, 0], [0.0, 1.0]):
        with pytest.raises(PgfastError, match=r"they must be whole numbers of shape \(2,\)"):
            vector.step(actions)
    with pytest.raises(PgfastError, match="There is no render mode 'human'"):
        Env("CartPole-v1", render_mode="human")
    with pytest.raises(PgfastError, match="There is no autoreset mode 'never'"):
        VectorEnv("CartPole-v1", autoreset_mode="never")
    with pytest.raises(PgfastError, match=r"DriftEnv.* is an environment of Gymnasium's, which gymnasium.make makes"):
        Env(DriftEnv)
    with pytest.raises(PgfastError, match="num_envs is 0"):
        VectorEnv("CartPole-v1", 0)
    with pytest.raises(PgfastError, match="it must be from 0 to"):
        env.reset(seed=2**64)
    while not any(env.step(0)[2:4]):
        pass
    with pytest.raises(ResetNeeded):
        env.step(0)


@pytest.mark.parametrize("name", BUNDLED)
def test_pictures(name: str) -> None:
    text, image = (make(name, render_mode=mode) for mode in ("ansi", "rgb_array"))
    text.reset(seed=0)
    image.reset(seed=0)
    words, colours = text.render(), image.render()
    assert isinstance(words, str)
    assert words.strip()
    assert colours.shape == (400, 400, 3)
    assert colours.dtype == np.uint8
    assert colours.min() < colours.max()


def test_pictures_of_many() -> None:
    vector = VectorEnv(Drift(), 3, render_mode="ansi")
    first, _ = vector.reset(seed=0)
    assert vector.render() == tuple(f"{x:g} 0 0" for x in first[:, 0])
    assert VectorEnv(Drift(), 3).render() is None


class Drawn(Drift):
    """With pictures of its own."""

    def text(self, state):
        return f"at {state[0]:.1f}"

    def draw(self, state):
        return [box(0.0, 0.0, 0.5, 1.0, "red")] if state[0] > 5 else ["red"]


def test_pictures_that_an_environment_draws() -> None:
    state = 9.0, 0.0, 0
    text, image = Env(Drawn(), render_mode="ansi"), Env(Drawn(), render_mode="rgb_array")
    text.reset(seed=0, options={"state": state})
    image.reset(seed=0, options={"state": state})
    assert text.render() == "at 9.0"
    assert image.render()[200, 100].tolist() == [255, 0, 0]
    image.reset()
    with pytest.raises(EnvironmentFault, match=r"test_gym.py, Drawn: draw gives \['red'\], which is no list of shapes"):
        image.render()


def test_wrappers_of_gymnasium() -> None:
    env = gymnasium.wrappers.RecordEpisodeStatistics(make("ShortCorridor"))
    env.reset(seed=0)
    rng, steps = np.random.default_rng(0), 1
    while not (last := env.step(rng.integers(2)))[2]:
        steps += 1
    assert (last[4]["episode"]["l"], last[4]["episode"]["r"]) == (steps, -steps)

    vector = gymnasium.wrappers.vector.RecordEpisodeStatistics(make_vec("CartPole-v1", 8))
    ended = [step[4]["episode"]["l"][step[4]["_episode"]] for step in play(vector, 300, 0)[1:] if "episode" in step[4]]
    mean = np.concatenate(ended).mean()
    assert 15 < mean < 30  # random play takes 22 steps; about a hundred episodes, of standard deviation 12


def test_importing_twice_registers_once() -> None:
    before = dict(gymnasium.registry)
    pgfast.gym.register()
    assert gymnasium.registry == before


def test_speed_of_stepping() -> None:
    """The measurement that the documentation names."""
    script = Path(__file__).parent.parent / "bench" / "stepping.py"
    command = [sys.executable, str(script), "--json", "--repeats", "1"]
    speeds = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert {s["num_envs"] for s in speeds} == {1, 64, 1024}
    assert len({s["way"] for s in speeds}) == 3
    assert all(0 < s["least"] <= s["steps_per_second"] <= s["largest"] for s in speeds)


def test_a_copy_steps_for_itself() -> None:
    env = Env("FrozenLake-v1", is_slippery=False)
    env.reset(seed=1)
    twin = copy.deepcopy(env)
    assert [twin.step(a)[0] for a in (1, 1, 2)] == [4, 8, 9]
    assert (env.state, twin.state) == (0, 9)
    assert env.step(2)[0] == 1
