"""Algorithms that go over a batch several times, against `reference_passes.py`; and what changes no bit of theirs."""

import numba
import numpy as np
import problems
import pytest
import reference
import reference_passes

from pgfast import Engine, PgfastError, exact, room
from pgfast.choices import check
from pgfast.presets import PRESETS, preset
from pgfast.settings import validated
from pgfast.training import Job

CHOICES = {"baseline": "value", "lam": 0.8, "batch": 17, "episodes": 17, "runs": 1}
PPO = {**CHOICES, "algorithm": "ppo", "epochs": 2, "entropy": 0.1}
TRPO = {**CHOICES, "algorithm": "trpo", "damping": 0.05, "cg_iterations": 14}
NATURAL = {**CHOICES, "algorithm": "natural", "solver": "passes", "lam": 1.0, "damping": 0.05, "cg_iterations": 14}
CARTPOLE = {"batch": 200, "episodes": 600, "bootstrap": True}  # several blocks


def make(problem, choices, **changes):
    return problems.engine(problem, "batches", **{**choices, **changes})


@pytest.fixture
def uncompiled(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with np.errstate(all="ignore"):  # compiled code doesn't warn of x / 0 in a lane that is idle
        yield


def trained(kind, engine):
    """The reference, where the engine is when it has learned."""
    return kind(engine, 0).train(engine.settings.episodes)


def assert_as(expected, engine, rtol):
    """θ is the reference's, to `rtol`, and so are the weights of v̂, for which no equations are solved."""
    np.testing.assert_allclose(engine.theta.reshape(-1), expected.theta, rtol=rtol, atol=rtol / 100)
    np.testing.assert_allclose(engine.value_weights[0], expected.weights, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("problem", "changes"),
    [
        ("linear", {"minibatches": 3, "optimizer": "adam"}),
        ("linear", {"episodes": 38, "normalise_advantages": False, "epochs": 1, "bootstrap": True}),
        ("features", {"episodes": 34, "bootstrap": True}),
        ("tabular", {"episodes": 38, "bootstrap": True}),
        ("escort", {}),
        ("raft", {}),
        ("squashed", {}),
        ("tiles", {"episodes": 34, "bootstrap": True}),
        ("tiled raft", {"lr": 0.001}),
    ],
)
def test_ppo_is_the_reference(uncompiled, problem, changes):
    engine = make(problem, PPO, **changes)
    curve = engine.learn(threads=1).curve
    expected = trained(reference_passes.Ppo, make(problem, PPO, **changes))
    assert_as(expected, engine, rtol=1e-8)
    norms = [np.sqrt(np.mean([n for d, n in expected.moves if d == done])) for done, _ in dict(expected.moves).items()]
    np.testing.assert_allclose(curve.gradient_norm[0], norms, rtol=1e-8)


@pytest.mark.parametrize(
    ("problem", "changes"),
    [
        ("linear", {}),
        ("tabular", {"episodes": 38, "bootstrap": True}),
        ("escort", {"max_kl": 0.3}),  # halved steps
        ("glider", {}),
        ("tiled raft", {"normalise_advantages": False, "damping": 3.0}),
    ],
)
def test_trpo_is_the_reference_with_its_equations_solved(uncompiled, problem, changes):
    engine = make(problem, TRPO, **changes)
    engine.learn(threads=1)
    expected = trained(reference_passes.Trpo, make(problem, TRPO, **changes))
    assert expected.gains  # steps were made, all within the bound
    assert_as(expected, engine, rtol=1e-6)


@pytest.mark.parametrize(
    ("problem", "changes"),
    [("tabular", {"episodes": 38, "max_kl": 0.0}), ("tiled raft", {"max_kl": 1e-3, "damping": 3.0, "lr": 0.5})],
)
def test_natural_gradients_without_a_matrix_are_the_reference(uncompiled, problem, changes):
    engine = make(problem, NATURAL, **changes)
    curve = engine.learn(threads=1).curve
    expected = trained(reference_passes.Natural, make(problem, NATURAL, **changes))
    assert_as(expected, engine, rtol=1e-6)
    np.testing.assert_allclose(curve.gradient_norm[0], [np.sqrt(norm) for _, norm in expected.moves], rtol=1e-8)


def test_trpo_stays_where_no_step_is_good(uncompiled):
    """So short a step changes no ratio, and so makes nothing better."""
    engine = make("tabular", TRPO, max_kl=1e-60)
    before = engine.theta
    engine.learn(threads=1)
    np.testing.assert_array_equal(engine.theta, before)


def test_the_first_step_of_ppo_is_that_of_reinforce_with_advantages(uncompiled):
    """At θ_old every ratio is 1; with λ = 1 the advantage is the return less the value."""
    choices = {"normalise_advantages": False, "lam": 1.0, "epochs": 1, "entropy": 0.0}
    ppo = make("tabular", PPO, **choices)
    plain = problems.engine("tabular", "batches", baseline="value", batch=17, episodes=17, runs=1)
    ppo.learn(threads=1)
    plain.learn(threads=1)
    np.testing.assert_allclose(ppo.theta, plain.theta, rtol=1e-12)
    np.testing.assert_allclose(ppo.value_weights, plain.value_weights, rtol=1e-12)


def test_advantages_with_lambda_one_are_returns_less_values():
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=7), rng.normal(size=7)
    expected = reference.discounted_returns(rewards, 0.9) - values
    np.testing.assert_allclose(reference_passes.advantages(rewards, values, 0.9, 1.0), expected)


@pytest.mark.parametrize("clip", [1e-6, 0.9])
def test_what_is_clipped_moves_nothing(uncompiled, clip):
    """With hardly any room every ratio is clipped that has moved as its advantage would have it."""
    one, three = (make("tabular", PPO, clip=clip, epochs=n, entropy=0.0) for n in (1, 3))
    norms = [engine.learn(threads=1).curve.gradient_norm[0, 0] for engine in (one, three)]
    assert (norms[1] < 0.7 * norms[0]) == (clip < 0.1)


def test_trpo_tends_to_the_natural_gradient():
    """Of a table, from 200,000 episodes: within 0.15 rad, where one direction of 180 is by chance. Eight seeds are
    within 0.05; of angles so spread one in 10⁶ would fail."""
    mdp, gamma = problems.random_mdp(n_actions=2, n_states=4), 0.9
    engine = Engine(
        mdp, algorithm="trpo", policy="tabular", batch=200_000, episodes=200_000, gamma=gamma, lam=1.0, max_kl=1e-6,
        damping=1e-6, cg_iterations=30, normalise_advantages=False, lr_value=1e-9, seed=1,
    )  # fmt: skip
    engine.learn()
    step = engine.theta[0, :3]
    step = (step - step.mean(axis=1, keepdims=True)).reshape(-1)
    expected = natural_direction(mdp, gamma)
    cosine = step @ expected / np.linalg.norm(step) / np.linalg.norm(expected)
    assert cosine > np.cos(0.15)


def natural_direction(mdp, gamma):
    """F⁻¹g at the uniform policy, where every visit counts the same: what the actions are worth, by state."""
    model = exact.model_of(mdp)
    on = model.steps.toarray().reshape(4, 2, 4)
    q = [np.zeros((4, 2))]
    for _ in range(9):
        q.insert(0, model.reward + gamma * on @ q[0].mean(axis=1))
    d, total, visits = model.rho0, np.zeros((4, 2)), np.zeros(4)
    for t in range(9):
        total += d[:, None] * (q[t] - q[t].mean(axis=1, keepdims=True))
        visits += d
        d = np.einsum("s,sat->t", d, on) / 2
    return (total[:3] / visits[:3, None]).reshape(-1)


# ---- compiled


@pytest.mark.parametrize("choices", [PPO, TRPO], ids=["ppo", "trpo"])
def test_compiled_and_uncompiled_passes_agree_bit_for_bit(choices, monkeypatch):
    settings = {"episodes": 30, "lr": 0.02, "bootstrap": True, "max_steps": 20}
    if choices is TRPO:
        settings["cg_iterations"] = 4
    compiled = make("cartpole", choices, **settings)
    compiled.learn(threads=1)
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    plain = make("cartpole", choices, **settings)
    with np.errstate(all="ignore"):
        plain.learn(threads=1)
    np.testing.assert_array_equal(plain.theta, compiled.theta)


@pytest.mark.parametrize("choices", [PPO, TRPO], ids=["ppo", "trpo"])
def test_no_bit_depends_on_threads_calls_or_the_length_of_a_record(choices, monkeypatch):
    settings = {**CARTPOLE, "max_steps": 60, "runs": 2}
    digests = []
    for threads in (1, 2):
        engine = make("cartpole", choices, **settings)
        engine.learn(threads=threads)
        digests.append(engine.digest())
    whole = Job._arguments
    monkeypatch.setattr(Job, "_arguments", lambda job, worker, budget: whole(job, worker, min(budget, 20)))
    monkeypatch.setattr("pgfast.training.FIRST_TAPE", 2)
    engine = make("cartpole", choices, **settings)
    engine.learn(threads=2)
    assert {*digests, engine.digest()} == {digests[0]}


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo", "trpo"])
def test_cart_poles_are_balanced(algorithm):
    """With the settings that suit the two: 475 or more, in nine of ten runs at least."""
    engine = Engine("CartPole-v1", algorithm=algorithm, runs=10, seed=3)
    engine.learn()
    assert np.mean(engine.evaluate(100).by_run >= 475) >= 0.9


# ---- what can't be served

BAD = [
    ({"algorithm": "ppo", "clip": 1.0}, "clip is 1.0: it must be less than 1"),
    ({"algorithm": "ppo", "clip": 0.0}, "clip is 0.0: it must be more than 0"),
    ({"algorithm": "ppo", "epochs": 0}, "epochs is 0: it must be at least 1"),
    ({"algorithm": "ppo", "baseline": "mean"}, "baseline is 'mean', but with ppo advantages come from a learned value"),
    ({"algorithm": "trpo", "damping": 0.0}, "damping is 0.0: the Fisher matrix of a softmax policy is singular"),
    ({"algorithm": "natural", "solver": "passes"}, "baseline is 'mean', but with solver 'passes' advantages come from"),
    ({"algorithm": "natural", "solver": "passes", "baseline": "value", "damping": 0.0}, "damping is 0.0: the Fisher"),
    ({"algorithm": "enac", "solver": "passes"}, "solver is 'passes', which enac's regression doesn't have"),
    ({"algorithm": "trpo", "entropy": 0.1}, "entropy is 0.1, but with trpo the surrogate has no bonus"),
    ({"algorithm": "trpo", "clip": 0.3}, "clip is 0.3, which trpo has no use for"),
]


@pytest.mark.parametrize(("choices", "words"), BAD, ids=[words[:20] for _, words in BAD])
def test_settings_that_cannot_be_served(choices, words):
    with pytest.raises(PgfastError, match=f"^{words}"):
        Engine("CartPole-v1", **choices)


@pytest.mark.parametrize("algorithm", ["ppo", "trpo"])
def test_they_can_be_had_with_the_settings_of_every_environment(algorithm):
    for name in PRESETS:
        check(validated(env=name, algorithm=algorithm, **preset(name, algorithm=algorithm)))


def test_a_batch_that_takes_more_memory_than_there_is(monkeypatch):
    monkeypatch.setattr(room.os, "sysconf", lambda name: 1_000)
    with pytest.raises(PgfastError, match=r"^What is written down of a batch .* would take .* of which .* 1 MB: take"):
        Engine("CartPole-v1", algorithm="ppo", batch=10_000).learn()
