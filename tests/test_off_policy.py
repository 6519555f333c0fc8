"""Importance sampling: by hand, against exact values, and against itself."""

import math

import numba
import numpy as np
import pytest
from commands import answer_here, here
from scipy.stats import chi2, norm
from user_files import GOOD as GOOD_FILE

from pgfast import Engine, OffPolicy, PgfastError, Recording, TabularMDP, exact, record
from pgfast.off_policy import ESTIMATORS

S, A, STEPS, GAMMA = 4, 2, 5, 0.9
RNG = np.random.default_rng(3)
P, R = RNG.dirichlet(np.ones(S), (S, A)), RNG.normal(size=(S, A, S))
R[-1] = 0.0
START = np.array([0.5, 0.3, 0.2, 0.0])
MDP = TabularMDP(P, R, START, terminal=[S - 1], max_steps=STEPS)
TABLE = exact.table_policy(S, A)
TARGET, OTHER = RNG.normal(size=(2, S * A)) * 0.4
BEHAVIOUR = TABLE.probabilities(OTHER)
CASE = {"gamma": GAMMA, "setting": "finite-horizon", "horizon": STEPS}
UNBIASED = ("ordinary", "per-decision")
FALSE_ALARM = 1e-6  # of each test that draws


def engine_of(theta=TARGET, env=MDP, **settings):
    return Engine(env, **{"policy": "tabular", "theta0": np.ravel(theta), **settings})


@pytest.fixture(scope="module")
def target():
    return engine_of()


def played(pi, episodes, seed, every_action=True):
    """Episodes of π (S, A), all at once."""
    rng = np.random.default_rng(seed)

    def draw(p):
        return (rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1).clip(max=p.shape[1] - 1)

    who, s, steps = np.arange(episodes), draw(np.tile(START, (episodes, 1))), []
    for t in range(STEPS):
        a = draw(pi[s])
        following = draw(P[s, a])
        ended = (following == S - 1) | (t == STEPS - 1)
        steps.append((who, s, a, R[s, a, following], ended, pi[s] if every_action else pi[s, a]))
        who, s = who[~ended], following[~ended]
    order = np.argsort(np.concatenate([step[0] for step in steps]), kind="stable")
    return Recording(*(np.concatenate([step[k] for step in steps])[order] for k in range(1, 6)))


def parts(recording):
    """(rewards, ratios) of each episode."""
    pi = TABLE.probabilities(TARGET)
    o, a = recording.observations, recording.actions
    ratio = pi[o, a] / recording.probabilities[np.arange(len(a)), a]
    cuts = recording.starts[1:]
    return list(zip(np.split(recording.rewards, cuts), np.split(ratio, cuts), strict=True))


def one_by_one(recording, estimator):
    """Ĵ as the books write it."""
    episodes = parts(recording)
    returns = [sum(GAMMA**t * x for t, x in enumerate(r)) for r, _ in episodes]
    whole = [np.prod(q) for _, q in episodes]
    if estimator == "ordinary":
        return np.mean(np.multiply(whole, returns))
    if estimator == "weighted":
        return np.dot(whole, returns) / np.sum(whole)
    rho = np.array([[np.prod(q[: t + 1]) for t in range(STEPS)] for _, q in episodes])
    pay = np.array([np.append(r, np.zeros(STEPS - len(r))) for r, _ in episodes])
    if estimator == "per-decision":
        return np.mean([sum(GAMMA**t * rho[i, t] * pay[i, t] for t in range(STEPS)) for i in range(len(episodes))])
    return sum(GAMMA**t * (rho[:, t] @ pay[:, t]) / rho[:, t].sum() for t in range(STEPS))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimates_and_their_gradients_are_those_of_the_formulas(target, estimator):
    recording = played(BEHAVIOUR, 50, seed=1)
    found = OffPolicy(target, recording, gamma=GAMMA)
    assert found.estimate(estimator).value == pytest.approx(one_by_one(recording, estimator), rel=1e-12)

    def at(theta):
        return OffPolicy(engine_of(theta), recording, gamma=GAMMA).estimate(estimator).value

    slopes = [exact.slope(at, TARGET, unit, 1e-3) for unit in np.eye(S * A)]
    np.testing.assert_allclose(found.gradient(estimator).ravel(), slopes, rtol=1e-8, atol=1e-10)


def test_two_episodes_by_hand():
    """One state, both actions as probable under π; the first episode is a, b, the second b. Ratios: a 2, b 2/3."""
    p = np.ones((1, 2, 1))
    engine = engine_of([0.0, 0.0], TabularMDP(p, np.ones((1, 2)), [1.0], max_steps=2, terminal=[]))
    recording = Recording([0, 0, 0], [0, 1, 1], [1.0, 4.0, 3.0], [False, True, True], [0.25, 0.75, 0.75])
    found = OffPolicy(engine, recording, gamma=0.5)
    np.testing.assert_allclose(found.weights, [4 / 3, 2 / 3])
    assert found.effective_episodes == pytest.approx(2.0**2 / (16 / 9 + 4 / 9))
    expected = {
        "ordinary": (4 / 3 * (1 + 2) + 2 / 3 * 3) / 2,
        "weighted": (4 / 3 * (1 + 2) + 2 / 3 * 3) / 2,  # the ratios happen to add up to 2
        "per-decision": (2 * 1 + 4 / 3 * 2 + 2 / 3 * 3) / 2,
        "weighted-per-decision": (2 * 1 + 2 / 3 * 3) / (8 / 3) + 4 / 3 * 2 / (4 / 3 + 2 / 3),
    }
    for estimator, value in expected.items():
        assert found.estimate(estimator).value == pytest.approx(value, rel=1e-14), estimator


@pytest.fixture(scope="module")
def many(target):
    """200 recordings of 500 episodes."""
    return [OffPolicy(target, played(BEHAVIOUR, 500, seed), gamma=GAMMA) for seed in range(200)]


@pytest.mark.parametrize("estimator", UNBIASED)
def test_unbiased(many, estimator):
    numbers = np.array([[f.estimate(estimator).value, *f.gradient(estimator).ravel()] for f in many])
    judged = exact.evaluate(MDP, TABLE.probabilities(TARGET), **CASE)
    expected = np.array([judged.J, *TABLE.at(TARGET).gradient(judged)])
    varies = numbers.std(axis=0) > 1e-12  # no step is taken in the last state
    np.testing.assert_allclose(numbers[:, ~varies], 0.0, atol=1e-12)
    z = (numbers.mean(axis=0) - expected)[varies] / (numbers.std(axis=0, ddof=1)[varies] / math.sqrt(len(numbers)))
    assert np.abs(z).max() < norm.isf(FALSE_ALARM / (2 * len(z)))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_standard_errors_say_how_far_estimates_are_apart(many, estimator):
    estimates = [f.estimate(estimator) for f in many]
    variance = np.var([e.value for e in estimates], ddof=1)
    said = np.mean([e.standard_error**2 for e in estimates])
    below, above = chi2.ppf([FALSE_ALARM / 2, 1 - FALSE_ALARM / 2], len(many) - 1) / (len(many) - 1)
    assert below < variance / said < above
    assert all(e.interval.low < e.value < e.interval.high for e in estimates)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_consistent(large, estimator):
    """The bias of a ratio is of the order 1/n, its standard error of 1/√n."""
    found = large.estimate(estimator)
    truth = exact.evaluate(MDP, TABLE.probabilities(TARGET), **CASE).J
    assert abs(found.value - truth) < norm.isf(FALSE_ALARM / 2) * found.standard_error
    assert found.standard_error < 0.01


@pytest.fixture(scope="module")
def large(target):
    return OffPolicy(target, played(BEHAVIOUR, 200_000, seed=999), gamma=GAMMA)


def test_weighting_varies_less_where_policies_are_far_apart():
    far = engine_of(TARGET * 8)
    found = [OffPolicy(far, played(BEHAVIOUR, 100, seed), gamma=GAMMA) for seed in range(100)]
    spread = {e: np.std([f.estimate(e).value for f in found]) for e in ESTIMATORS}
    assert spread["weighted-per-decision"] < spread["weighted"] < spread["ordinary"]
    assert spread["weighted-per-decision"] < spread["per-decision"]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_policy_itself_gives_the_on_policy_estimate(target, estimator):
    own = played(target.probabilities(np.arange(S)), 64, seed=5)
    found = OffPolicy(target, own, gamma=1.0)
    np.testing.assert_array_equal(found.weights, 1.0)
    assert found.effective_episodes == 64
    returns = np.add.reduceat(own.rewards, own.starts)
    estimate = found.estimate(estimator)
    assert estimate.value == pytest.approx(returns.mean(), rel=1e-13)
    if estimator != "weighted-per-decision":  # which pools steps of all episodes
        assert estimate.standard_error == pytest.approx(returns.std(ddof=1) / 8, rel=1e-12)


def test_the_gradient_of_the_policy_itself_is_that_of_reinforce(target):
    own = played(target.probabilities(np.arange(S)), 30, seed=6)
    estimate, score = np.zeros((S, A)), np.eye(A) - target.probabilities(np.arange(S))[:, None, :]
    for first, length in zip(own.starts, own.lengths, strict=True):
        steps = range(first, first + length)
        for k in steps:
            credit = sum(GAMMA ** (j - first) * own.rewards[j] for j in steps if j >= k)
            estimate[own.observations[k]] += credit * score[own.observations[k], own.actions[k]] / 30
    np.testing.assert_allclose(OffPolicy(target, own, gamma=GAMMA).gradient("per-decision"), estimate, atol=1e-13)


def test_probabilities_of_the_actions_taken_are_enough(target):
    every, taken = (played(BEHAVIOUR, 30, 2, every_action=which) for which in (True, False))
    for estimator in ESTIMATORS:
        assert OffPolicy(target, every).estimate(estimator) == OffPolicy(target, taken).estimate(estimator)


# ---- recording


@pytest.fixture
def plain(monkeypatch):
    """Kernels as plain Python."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):
        yield


def test_recordings_are_of_the_behaviour_policy(target, plain):
    behaviour = engine_of(OTHER, seed=4)
    recording = record(behaviour, 40, seed=9)
    assert len(recording.starts) == 40
    assert recording.lengths.max() <= STEPS
    np.testing.assert_array_equal(recording.probabilities, behaviour.probabilities(recording.observations))
    inside = ~recording.ends
    after = recording.observations[1:][inside[:-1]]
    np.testing.assert_array_equal(  # what is paid is what the table says of a step from here to there
        recording.rewards[inside], R[recording.observations[inside], recording.actions[inside], after]
    )
    again = record(engine_of(OTHER, seed=4), 40, seed=9)
    np.testing.assert_array_equal(again.actions, recording.actions)
    assert (record(engine_of(OTHER, seed=4), 40, seed=10).observations[:9] != recording.observations[:9]).any()


def test_a_policy_that_knows_the_time(plain):
    timed = engine_of(np.linspace(-1, 1, STEPS * S * A), policy="timed")
    recording = record(timed, 20)
    np.testing.assert_array_equal(OffPolicy(timed, recording).weights, 1.0)
    found = OffPolicy(timed, played(BEHAVIOUR, 20, 0), gamma=GAMMA)
    gradient = found.gradient("per-decision")
    assert gradient.shape == (STEPS, S, A)

    def at(theta):
        other = OffPolicy(engine_of(theta, policy="timed"), found.recording, gamma=GAMMA)
        return other.estimate("per-decision").value

    direction = np.random.default_rng(0).normal(size=gradient.size)
    assert gradient.ravel() @ direction == pytest.approx(
        exact.slope(at, timed.theta.ravel(), direction, 1e-3), rel=1e-8
    )


def test_real_observations(plain):
    """A linear policy: the gradient is that of the estimate."""
    from problems import Drift

    theta = np.linspace(-0.5, 0.4, 15)
    behaviour = engine_of(theta * 0.5, Drift(), policy="linear")
    recording = record(behaviour, 10)
    found = OffPolicy(engine_of(theta, Drift(), policy="linear"), recording)

    def at(theta):
        return OffPolicy(engine_of(theta, Drift(), policy="linear"), recording).estimate().value

    direction = np.random.default_rng(0).normal(size=theta.size)
    slope = exact.slope(at, theta, direction, 1e-3)
    assert found.gradient().ravel() @ direction == pytest.approx(slope, rel=1e-7)


def test_the_command(tmp_path, plain):
    folders = [tmp_path / name for name in ("target", "behaviour")]
    for folder, theta in zip(folders, (TARGET, OTHER), strict=True):
        engine_of(theta).save(folder)
    found = answer_here("off-policy", folders[0], "--behaviour", folders[1], "--episodes", "50", "--gamma", "0.9")
    assert list(found["estimates"]) == list(ESTIMATORS)
    assert found["episodes"] == 50
    assert 0 < found["effective_episodes"] <= 50
    assert found["exact"] == pytest.approx(exact.evaluate(MDP, TABLE.probabilities(TARGET), **CASE).J, rel=1e-12)
    shown = here("off-policy", folders[0], "--behaviour", folders[1], "--episodes", "50")
    assert shown.returncode == 0, shown.stderr
    for words in ("effective episodes", "on-policy", "exact", *ESTIMATORS):
        assert words in shown.stdout
    failed = here("off-policy", folders[0], "--behaviour", tmp_path / "nothing")
    assert failed.returncode == 2
    assert "There is no file" in failed.stderr


def test_runs_of_a_file_are_loaded_where_it_is_named_again_or_trusted(tmp_path, plain):
    file, run = tmp_path / "corridor.py", tmp_path / "run"
    file.write_text(GOOD_FILE, "utf-8")
    Engine(file).save(run)
    asked = ("off-policy", run, "--behaviour", run, "--episodes", "3")
    assert "name the file again, or trust this one (--env FILE or --trust" in here(*asked).stderr
    for given in (("--env", file), ("--trust",)):
        assert here(*asked, *given).returncode == 0


# ---- what can't be

GOOD = {
    "observations": [0, 1],
    "actions": [0, 1],
    "rewards": [1.0, 2.0],
    "ends": [False, True],
    "probabilities": [0.5, 0.5],
}
NEVER = [[1.0, 0.0], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rewards": [1.0]}, r"There are 2 actions and 1 rewards: one for each step"),
        ({"rewards": [1.0, math.nan]}, r"rewards recorded must be finite"),
        ({"rewards": ["a", "b"]}, r"rewards is no array of numbers"),
        ({"ends": [False, False]}, r"The last episode recorded has no end"),
        ({"ends": [2, 1]}, r"ends must have truth values"),
        ({"actions": [0.0, 1.0]}, r"actions recorded must be whole numbers"),
        ({"actions": [0, 2]}, r"An action recorded is 2: it must be from 0 to 1"),
        ({"observations": [0, 7]}, r"is not from 0 to 3"),
        ({"probabilities": [0.5, 0.0]}, r"An action recorded has probability 0"),
        ({"probabilities": [0.5, 1.5]}, r"A probability of the behaviour policy is 1\.5"),
        ({"probabilities": [0.5, math.nan]}, r"A probability of the behaviour policy is nan"),
        ({"probabilities": [[0.5, 0.4], [0.5, 0.5]]}, r"must add up to 1"),
        ({"probabilities": [[0.5, 0.3, 0.2]] * 2}, r"have shape \(2, 3\): they must be those of the actions taken"),
        ({"probabilities": NEVER}, r"never takes action 1 at observation 0, and the policy that is judged does"),
        (dict.fromkeys(GOOD, ()), r"Nothing is recorded"),
        ({"probabilities": 1.0}, r"probabilities is 1\.0: there must be one for each step"),
        ({"probabilities": [1e-200, 1e-200]}, r"times as probable under the policy that is judged"),
    ],
)  # fmt: skip
def test_recordings_that_cannot_be(target, changes, message):
    with pytest.raises(PgfastError, match=message):
        OffPolicy(target, Recording(**{**GOOD, **changes}))


def test_questions_that_cannot_be(target):
    recording = Recording(**GOOD)
    with pytest.raises(PgfastError, match=r"gamma is 1\.5: it must be from 0 to 1"):
        OffPolicy(target, recording, gamma=1.5)
    with pytest.raises(PgfastError, match=r"run is 1: it must be from 0 to 0"):
        OffPolicy(target, recording, run=1)
    with pytest.raises(PgfastError, match=r"no estimator 'wighted' \(did you mean 'weighted'"):
        OffPolicy(target, recording).estimate("wighted")
    with pytest.raises(PgfastError, match=r"None of the episodes recorded can be one of the policy"):
        OffPolicy(engine_of(np.array([[-1e300, 1e300]] * S)), recording).estimate("weighted")
    assert OffPolicy(engine_of(np.array([[-1e300, 1e300]] * S)), recording).estimate("ordinary").value == 0.0
    alone = OffPolicy(target, recording).estimate("ordinary")
    assert math.isnan(alone.standard_error)
    with pytest.raises(PgfastError, match=r"episodes is 0"):
        record(target, 0)
    with pytest.raises(PgfastError, match=r"The behaviour policy has the observation space Discrete\(16\), not Dis"):
        record(Engine("FrozenLake-v1"), 1, on=target)
    with pytest.raises(PgfastError, match=r"have densities"):
        record(Engine("Pendulum-v1"), 1)
