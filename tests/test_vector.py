"""Environments that Gymnasium steps: one learner whatever steps them, whole batches, seeds, and what goes wrong."""

from __future__ import annotations

import math
import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from drifting import STILL, DriftEnv, Lengths, length
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from problems import COMMON, PROBLEMS, Drift

import pgfast.vector
from pgfast import Engine, EnvironmentFault, PgfastError
from pgfast.foreign import PluginFault
from pgfast.kernels.lanes import RUNNING, TERMINATED, TRUNCATED, lane_fields, make_workspace
from pgfast.kernels.outside import EPISODE, FRESH, make_desk, receive
from pgfast.random import EVALUATE, TRAIN
from pgfast.vector import Player, Row, reset_seed

SETTINGS = {**COMMON, **PROBLEMS["linear"], "baseline": "value", "entropy": 0.1, "batch": 17}  # one kernel for all
MODES = list(AutoresetMode)


def foreign(env, **changes) -> Engine:
    return Engine(**{**SETTINGS, "env": env, "evaluation_episodes": 40, **changes})


@pytest.mark.slow
def test_same_as_compiled() -> None:
    """With the keys of its own episodes, everything that comes out is the same to the last bit."""
    changes = {"runs": 2, "episodes": 40, "log_every": 17}
    compiled = Engine(**{**SETTINGS, **changes, "evaluation_episodes": 40})
    outside = foreign(lambda: DriftEnv(Drift(), SETTINGS["seed"], 60), **changes, vector_envs=32)
    a, b = compiled.learn(), outside.learn()
    assert b.episodes == 40
    assert a.steps == b.steps
    np.testing.assert_array_equal(outside.theta, compiled.theta)
    np.testing.assert_array_equal(outside.value_weights, compiled.value_weights)
    for name in ("episode", "steps", "mean_return", "std_return", "entropy", "gradient_norm"):
        np.testing.assert_array_equal(getattr(a.curve, name), getattr(b.curve, name))
    x, y = compiled.evaluate(), outside.evaluate()
    assert (x.episodes, x.mean_length) == (y.episodes, y.mean_length)
    assert y.mean == pytest.approx(x.mean, rel=1e-13)  # summed up in another order


def vector_of(env_class, mode: AutoresetMode, count: int = 5, **options) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: env_class(**options)] * count, autoreset_mode=mode)


@pytest.fixture(scope="module")
def still() -> np.ndarray:
    """What is learned where only the policy draws."""
    engine = foreign(lambda: DriftEnv(STILL), episodes=51, vector_envs=5)
    engine.learn()
    assert not np.array_equal(engine.theta.ravel(), SETTINGS["theta0"])
    return engine.theta


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_autoreset_modes_are_one_learner(mode: AutoresetMode, still: np.ndarray) -> None:
    engine = foreign(vector_of(DriftEnv, mode), episodes=51)
    training = engine.learn()
    assert training.episodes == 51
    np.testing.assert_allclose(engine.theta, still, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 7, 17])
def test_number_of_environments_changes_the_rounding_only(count: int, still: np.ndarray) -> None:
    engine = foreign(lambda: DriftEnv(STILL), episodes=51, vector_envs=count)
    engine.learn()
    np.testing.assert_allclose(engine.theta, still, rtol=1e-12)


@pytest.mark.slow
def test_processes_of_their_own(still: np.ndarray) -> None:
    engine = foreign(lambda: DriftEnv(STILL), episodes=51, vector_envs=5, asynchronous=True)
    engine.learn()
    np.testing.assert_array_equal(engine.theta, still)
    first = engine._played.envs.processes
    engine.close()
    assert not any(process.is_alive() for process in first)
    assert engine.evaluate(5).episodes == 5
    engine.close()


@pytest.mark.slow
def test_going_on_is_as_if_never_stopped() -> None:
    whole, parts = (foreign(Lengths, episodes=68, vector_envs=4) for _ in range(2))
    whole.learn()
    parts.learn(34)
    parts.learn(34)
    np.testing.assert_array_equal(whole.theta, parts.theta)


@pytest.mark.slow
def test_every_episode_asked_for_and_no_other() -> None:
    """Short episodes are not preferred: the mean is that over exactly those seeds, which training has not seen."""
    engine = foreign(Lengths, vector_envs=6)
    first, second = engine.evaluate(30), engine.evaluate(11)
    lengths = [length(reset_seed(SETTINGS["seed"], 0, k, EVALUATE)) for k in range(41)]
    assert first.mean == pytest.approx(np.mean(lengths[:30]), rel=1e-12)
    assert first.mean_length == pytest.approx(np.mean(lengths[:30]), rel=1e-12)
    assert second.mean == pytest.approx(np.mean(lengths[30:]), rel=1e-12)
    training = engine.learn(51)
    assert training.steps == sum(length(reset_seed(SETTINGS["seed"], 0, k, TRAIN)) for k in range(51))


def test_seeds_never_meet() -> None:
    seeds = [reset_seed(s, run, k, stream) for s, run in ((0, 0), (0, 1)) for k in range(2000) for stream in (0, 1)]
    training, evaluation = set(seeds[::2]), set(seeds[1::2])
    assert not training & evaluation
    assert min(seeds) >= 0
    assert max(seeds) < 2**31
    one_run = {reset_seed(5, 3, k, TRAIN) for k in range(100_000)}
    assert len(one_run) == 100_000


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_what_is_observed_last_belongs_to_the_episode(mode: AutoresetMode) -> None:
    """A step is taken in with what it led to; what is acted on is the first observation of the next episode."""
    engine = foreign(vector_of(Lengths, mode, 3))
    engine.compile()
    job = engine._job(engine._learner, 0, 17)
    job.prepare()
    exchange = pgfast.vector.Exchange(job)
    call, ends, starts = exchange.call, [0], [0]

    def watched(take_in: bool, decide: bool) -> int:
        desk, playing = exchange.desk, exchange.playing.copy()
        here = (desk.absent == 0) & (playing[:, EPISODE] >= 0)
        if take_in:
            ended = here & ((desk.terminated | desk.truncated) == 1)
            np.testing.assert_array_equal(desk.real[ended, 0], desk.real[ended, 1])
            np.testing.assert_array_equal(desk.terminated[ended], desk.real[ended, 1] % 2 == 0)
            np.testing.assert_array_equal(desk.truncated[ended], desk.real[ended, 1] % 2 == 1)
            ends[0] += ended.sum()
        else:
            begun = here & (playing[:, FRESH] == 1)
            assert np.all(desk.real[begun, 0] == 0)
            starts[0] += begun.sum()
        return call(take_in, decide)

    exchange.call = watched
    player = Player(exchange, engine._played.envs, "Lengths")
    while not player.play(1.0):
        pass
    assert (ends[0], starts[0]) == (17, 17)


def test_an_end_is_a_termination_or_a_truncation() -> None:
    lanes = make_workspace(lane_fields(0.0), [("unused", "f8", (1,))]).lanes
    desk, n = make_desk(8, 1), 5
    lanes.control[0] = n
    lanes.seat[:n] = [4, 3, 2, 1, 0]
    lanes.counter[0] = [1, 1, 1, 9, 1] + [1] * 59
    desk.terminated[:5] = [1, 0, 0, 1, 0]
    desk.truncated[:5] = [0, 0, 1, 1, 0]
    desk.absent[4] = 1
    desk.reward[:5] = [1.0, 2.0, 3.0, 4.0, 5.0]

    class Plan:
        max_steps = np.uint64(9)

    assert receive(8, Plan, desk, lanes)
    assert lanes.done[:n].tolist() == [RUNNING, TERMINATED, TRUNCATED, TRUNCATED, TERMINATED]
    assert lanes.reward[:8].tolist() == [0.0, 4.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0]
    assert lanes.live[:8].tolist() == [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert lanes.counter[0, :n].tolist() == [1, 2, 2, 10, 2]  # the one that was absent has made no step


def test_a_row_lets_those_rest_that_have_ended() -> None:
    row = Row([Lengths] * 3)
    seen, _ = row.reset(seed=[3, 4, 5])
    lengths = seen[:, 1].astype(int)
    for t in range(1, 10):
        seen, _, terminated, truncated, _ = row.step(np.zeros(3, int))
        np.testing.assert_array_equal(seen[:, 0], np.minimum(t, lengths))
        np.testing.assert_array_equal(terminated | truncated, t >= lengths)
    seen, _ = row.reset(seed=[7, None, None], options={"reset_mask": np.array([True, False, False])})
    assert seen[:, 0].tolist() == [0, lengths[1], lengths[2]]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["made", "vector", "given"])
def test_cartpole_through_gymnasium_plays_as_compiled(form: str) -> None:
    """False alarms: 3e-7, five standard errors of the difference of two means."""
    settings = {"bias": False, "theta0": [0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4], "policy": "linear", "batch": 17}
    env = {
        "made": lambda: lambda: gymnasium.make("CartPole-v1"),
        "vector": lambda: gymnasium.make_vec("CartPole-v1", 8),
        "given": lambda: gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.make("CartPole-v1")),
    }[form]()
    a = Engine("CartPole-v1", **settings).evaluate(2000)
    b = Engine(env, **settings).evaluate(300)
    error = math.sqrt(a.std**2 / 2000 + b.std**2 / 300)
    assert abs(a.mean - b.mean) < 5 * error
    assert b.mean == b.mean_length


@pytest.fixture
def registered():
    gymnasium.register("pgfast-test/Lengths-v0", Lengths)
    yield "pgfast-test/Lengths-v0"
    del gymnasium.registry["pgfast-test/Lengths-v0"]


# ---- what goes wrong


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flaw", "kind", "message"),
    [
        ("observation", EnvironmentFault, r"Lengths: the observation \[5.0, .*, nan, 0.0\] has an entry"),
        ("reward", EnvironmentFault, "Lengths: step gave the reward inf: it must be a finite number"),
        ("raises", PluginFault, "Lengths: step raised RuntimeError: the motor is stuck"),
    ],
)
def test_faults_are_named(flaw: str, kind: type, message: str) -> None:
    engine = foreign(lambda: Lengths(flaw))
    with pytest.raises(kind, match=message) as caught:
        engine.learn(51)
    if kind is PluginFault:
        said = caught.value.details
        assert re.search(r'drifting.py", line \d+, in step\n(.*\n)*RuntimeError: the motor is stuck$', said)


@pytest.mark.slow
def test_what_never_ends_is_cut() -> None:
    engine = foreign(lambda: Lengths("endless"), max_steps=30)
    assert engine.evaluate(7).mean_length == 30
    assert engine.learn(17).steps == 17 * 30
    unlimited = foreign(lambda: Lengths("endless"))
    assert "without a time limit, episodes are cut after 100,000 steps" in unlimited.notice
    stubborn = foreign(vector_of(Lengths, AutoresetMode.NEXT_STEP, flaw="endless"), max_steps=30)
    with pytest.raises(EnvironmentFault, match="an episode has lasted 30 steps, and none of a vector that resets"):
        stubborn.learn(17)


class Shows(gymnasium.Env):
    def __init__(self, seen, actions):
        self.observation_space, self.action_space = seen, actions


_NUMBER = gymnasium.spaces.Box(-1, 1, (1,))


@pytest.mark.parametrize(
    ("seen", "actions", "message"),
    [
        (gymnasium.spaces.Dict(a=_NUMBER), None, "Shows observes Dict.*: wrap it in gymnasium.wrappers.FlattenObs"),
        (gymnasium.spaces.Tuple([_NUMBER]), None, "Shows observes Tuple.*: wrap it in gymnasium.wrappers.FlattenObs"),
        (gymnasium.spaces.MultiDiscrete([2, 3]), None, "observes MultiDiscrete.*FlattenObservation"),
        (gymnasium.spaces.Box(0, 255, (96, 96, 3), np.uint8), None, "observes 96x96x3 numbers, an image: .*Flatten"),
        (gymnasium.spaces.Box(0, 1, (513,)), None, "observes 513 numbers: .* up to 512; wrap it in .*TransformObs"),
        (gymnasium.spaces.Text(5), None, "has the observation space Text.*TransformObservation"),
        (_NUMBER, gymnasium.spaces.Box(0, 9, (2,), np.int64), r"has the action space Box.*TransformAction"),
        (_NUMBER, gymnasium.spaces.MultiBinary(2), r"has the action space MultiBinary\(2\).*TransformAction"),
    ],
)
def test_spaces_without_a_policy(seen, actions, message: str) -> None:
    with pytest.raises(PgfastError, match=message):
        Engine(Shows(seen, actions or gymnasium.spaces.Discrete(2)))


def test_unknown_ids_and_parameters(registered: str) -> None:
    with pytest.raises(PgfastError, match=r"no environment 'LunarLandr-v3' \(did you mean 'LunarLander-v3'\?\)"):
        Engine("LunarLandr-v3")
    with pytest.raises(PgfastError, match=r"no parameter 'flow' of .*Lengths-v0 \(did you mean 'flaw'\?\)"):
        Engine(registered, env_parameters={"flow": "endless"})
    with pytest.raises(PgfastError, match="Gymnasium can't make nowhere:Env-v0: ModuleNotFoundError: No module"):
        Engine("nowhere:Env-v0")
    with pytest.raises(PgfastError, match="vector_envs is 3, but Lengths was given as 1"):
        Engine(Lengths(), vector_envs=3)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(**parameters):
        raise gymnasium.error.DependencyNotInstalled("Box2D is not installed, run `pip install gymnasium[box2d]`")

    gymnasium.register("pgfast-test/Lacks-v0", lacks)
    try:
        with pytest.raises(PgfastError, match=r"can't make pgfast-test/Lacks-v0: .*pip install gymnasium\[box2d\]"):
            Engine("pgfast-test/Lacks-v0")
    finally:
        del gymnasium.registry["pgfast-test/Lacks-v0"]


@pytest.mark.slow
def test_real_actions_through_gymnasium_play_as_compiled() -> None:
    """False alarms: 6e-7, five standard errors."""
    settings = {"features": "observation", "theta0": [0.1, -0.4, -0.2, 0.1, -0.3], "batch": 16}
    a = Engine("Pendulum-v1", **settings).evaluate(2000)
    engine = Engine(lambda: gymnasium.make("Pendulum-v1"), **settings, vector_envs=5)
    assert engine.model.name == "gaussian"
    b = engine.evaluate(40)
    assert b.mean_length == 200
    assert abs(a.mean - b.mean) < 5 * math.sqrt(a.std**2 / 2000 + b.std**2 / 40)
    before = engine.theta
    assert engine.learn(16).steps == 16 * 200
    assert not np.any(engine.theta == before)


# ---- which way in


class Doors(gymnasium.Env):
    """Four steps; each pays 1 where the action is the number observed."""

    observation_space = gymnasium.spaces.Discrete(3, start=2)
    action_space = gymnasium.spaces.Discrete(3, start=2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.door = 0, int(self.np_random.integers(2, 5))
        return self.door, {}

    def step(self, action):
        paid, self.door, self.t = float(action == self.door), int(self.np_random.integers(2, 5)), self.t + 1
        return self.door, paid, self.t == 4, False, {}


@pytest.mark.slow
def test_whole_numbers_observed_are_a_table() -> None:
    engine = Engine(Doors, episodes=1200, lr=0.1)
    assert engine.model.name == "tabular"
    assert engine.theta.shape == (1, 3, 3)
    before = engine.evaluate(300)
    assert abs(before.mean - 4 / 3) < 5 * before.std / math.sqrt(300)
    engine.learn()
    assert engine.evaluate(300, deterministic=True).mean == 4.0
    with pytest.raises(EnvironmentFault, match="Wrong: an observation is outside its space: with 2 observations"):
        Engine(Wrong).evaluate(9)


class Wrong(Doors):
    observation_space = gymnasium.spaces.Discrete(2, start=2)


@pytest.mark.slow
def test_single_precision() -> None:
    engine = foreign(Lengths, vector_envs=6, precision="float32")
    lengths = [length(reset_seed(SETTINGS["seed"], 0, k, EVALUATE)) for k in range(30)]
    assert engine.evaluate(30).mean == pytest.approx(np.mean(lengths), rel=1e-6)
    engine.learn(34)
    assert not np.any(engine.theta == SETTINGS["theta0"][0])


# ---- saved and loaded


@pytest.mark.slow
def test_saved_and_loaded(registered: str, tmp_path: Path) -> None:
    engine = foreign(registered, episodes=34, vector_envs=3)
    engine.learn()
    engine.evaluate(5)
    engine.save(tmp_path)
    again = Engine.load(tmp_path)
    np.testing.assert_array_equal(again.theta, engine.theta)
    assert again.evaluate(9) == engine.evaluate(9)
    engine.learn(17)
    again.learn(17)
    np.testing.assert_array_equal(again.theta, engine.theta)


@pytest.mark.slow
def test_what_was_given_is_to_be_given_again(tmp_path: Path) -> None:
    foreign(Lengths, vector_envs=3).save(tmp_path)
    with pytest.raises(PgfastError, match=r"Lengths\(\) was an object of the program that saved it: .*env="):
        Engine.load(tmp_path)
    assert Engine.load(tmp_path, env=Lengths).evaluate(5).episodes == 5
