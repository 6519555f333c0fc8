"""Finite MDPs from arrays of any form, the look-up that plays them, large ones, and environments given as a table."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse, stats

from pgfast import Engine, EnvironmentFault, PgfastError, TabularMDP, check, make, make_key
from pgfast.exact import stationary
from pgfast.kernels.learner import derive, make_room
from pgfast.tables import Outcomes
from pgfast.tables.alias import alias_table, fill

FALSE_ALARM = 1e-6
LARGE = 100_000  # states


def arrays(n_states=5, n_actions=3):
    """P, R (S, A, S) and rho0 of an MDP with transitions that can't happen; the last state ends an episode."""
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(n_states), (n_states, n_actions)) * (rng.random((n_states, n_actions, n_states)) < 0.6)
    p[..., 0] += 0.1
    p[-1] = np.eye(n_states)[-1]
    p /= p.sum(axis=2, keepdims=True)
    r = rng.normal(size=p.shape) * (p > 0)
    r[-1] = 0.0
    return p, r, rng.dirichlet(np.ones(n_states))


def stacked(x):
    return sparse.csr_matrix(x.reshape(-1, x.shape[2]))


def by_action(x):
    return [sparse.csc_matrix(x[:, a]) for a in range(x.shape[1])]


def in_halves(x):
    """Every entry stored twice, in no order, and zeros stored too."""
    x = x.reshape(-1, x.shape[2])
    row, column = (i.ravel()[::-1] for i in np.indices(x.shape))
    return sparse.coo_array((np.tile(x[row, column] / 2, 2), (np.tile(row, 2), np.tile(column, 2))), x.shape)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.outcomes, b.outcomes, strict=True))


@pytest.mark.parametrize("form_of_p", [stacked, by_action, in_halves, np.asarray])
@pytest.mark.parametrize("form_of_r", [stacked, by_action, in_halves, np.asarray])
def test_sparse_arrays_are_the_dense_ones(form_of_p, form_of_r):
    p, r, rho0 = arrays()
    dense, given = TabularMDP(p, r, rho0), TabularMDP(form_of_p(p), form_of_r(r), rho0)
    assert (given.n_states, given.n_actions) == (5, 3)
    assert same(given, dense)
    assert given.outcomes.terminated.any()
    np.testing.assert_allclose(given.P, p, rtol=0, atol=0)
    np.testing.assert_allclose(given.R, (p * r).sum(axis=2), atol=1e-15)


def test_rewards_that_are_not_stored_are_zero():
    p, r, rho0 = arrays()
    assert not TabularMDP(stacked(p), sparse.csr_matrix((15, 5)), rho0, terminal=[]).outcomes.reward.any()
    half = np.where(np.arange(5) < 2, r, 0.0)
    assert same(TabularMDP(p, stacked(half), rho0, terminal=[]), TabularMDP(p, half, rho0, terminal=[]))


def test_sparse_transitions():
    p, r, rho0 = arrays()
    mdp = TabularMDP(p, r, rho0)
    np.testing.assert_array_equal(mdp.sparse_transitions().toarray().reshape(p.shape), mdp.P)
    np.testing.assert_array_equal(
        mdp.sparse_transitions(continuing=True).toarray().reshape(p.shape), mdp.continuation()
    )
    assert not mdp.continuation()[:, :, 4].any()


def changed(x, index, value):
    out = x.copy()
    out[index] = value
    return out


BAD = {
    "sum": (lambda p, r: (stacked(changed(p, (1, 2), p[1, 2] / 2)), r), "state 1 and action 2 sum to 0.5:"),
    "empty row": (lambda p, r: (by_action(changed(p, (3, 0), 0.0)), r), "state 3 and action 0 sum to 0:"),
    "negative": (
        lambda p, r: (by_action(changed(p, (2, 1, 0), -0.1)), r),
        r"P\[2, 1, 0\] is -0.1.*state 2 by action 1",
    ),
    "not a number": (lambda p, r: (stacked(changed(p, (0, 1, 3), np.nan)), r), r"P\[0, 1, 3\] is nan"),
    "reward": (lambda p, r: (p, by_action(changed(r, (4, 2, 4), np.inf))), r"R\[4, 2, 4\] is inf"),
    "rows": (lambda p, r: (stacked(p)[:14], r), r"P has shape \(14, 5\): a sparse matrix .* has shape \(S A, S\)"),
    "matrices": (lambda p, r: ([*by_action(p)[:2], stacked(p)], r), r"P\[2\] has shape \(15, 5\)"),
    "shape of R": (lambda p, r: (p, by_action(r)[:2]), r"one matrix of shape \(15, 5\), or 3 of shape \(5, 5\)"),
    "dense": (lambda p, r: (np.moveaxis(p, 1, 0), r), r"P has shape \(3, 5, 5\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arrays(name):
    spoil, words = BAD[name]
    p, r, rho0 = arrays()
    with pytest.raises(PgfastError, match=words):
        TabularMDP(*spoil(p, r), rho0)


def test_scipy_is_loaded_for_sparse_arrays_only():
    code = (
        "import sys, numpy as np, pgfast\n"
        "pgfast.TabularMDP(np.ones((1, 2, 1)), np.ones((1, 2)), [1.0], max_steps=3).environment()\n"
        "print('scipy.sparse' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# ---- the look-up


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=6).filter(lambda row: sum(row) > 1e-3), min_size=1))
def test_alias_tables_have_the_probabilities_they_were_made_from(rows):
    offsets = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
    chance, other = alias_table(offsets, np.concatenate(rows))
    width = chance.shape[1]
    for i, row in enumerate(rows):
        drawn = np.bincount(other[i], (1 - chance[i]) / width, minlength=width) + chance[i] / width
        np.testing.assert_allclose(drawn[: len(row)], np.array(row) / sum(row), atol=1e-14 * width)
        assert not drawn[len(row) :].any()


def test_compiled_alias_tables_are_those_of_python():
    rng = np.random.default_rng(0)
    offsets = np.concatenate(([0], np.cumsum(rng.integers(1, 9, 200))))
    probability = rng.random(offsets[-1]) * (rng.random(offsets[-1]) < 0.8)
    probability[offsets[:-1]] += 0.1
    made = []
    for build in (fill, fill.function):
        chance, other = np.ones((200, 8)), np.tile(np.arange(8), (200, 1))
        build(offsets, probability, chance, other, np.empty(8), np.empty(8, np.int64))
        made.append((chance, other))
    assert np.array_equal(made[0][0], made[1][0])
    assert np.array_equal(made[0][1], made[1][1])


def test_the_look_up_has_the_probabilities_and_rewards_of_the_arrays():
    """Steps with every number of a grid of n: an outcome's share is off by less than its columns' edges, 2/n each."""
    p, r, rho0 = arrays()
    r[2] = 0.0
    mdp = TabularMDP(p, r, rho0, terminal=[2])
    env, n = mdp.environment(), 4000
    keys = [make_key()._replace(first=(i + 0.5) / n) for i in range(n)]
    for s, a in np.ndindex(4, 3):
        share, paid = np.zeros(5), {}
        for key in keys:
            following, reward, terminated = env.step(s, a, key)
            share[following] += 1 / n
            paid[following] = reward
            assert terminated == (following == 2)
        np.testing.assert_allclose(share, p[s, a], atol=2 * env.width / n)
        assert paid == {f: r[s, a, f] for f in np.flatnonzero(share)}
    first = np.bincount([env.reset(key) for key in keys], minlength=5) / n
    np.testing.assert_allclose(first, rho0, atol=2 * 5 / n)


# ---- large tables


@pytest.fixture(scope="module")
def large():
    return make("Garnet", n_states=LARGE)


def test_a_large_table_is_never_made_dense(large):
    assert large.R.shape == (LARGE, 4)
    assert large.sparse_transitions().nnz == LARGE * 4 * 3
    for dense in (lambda: large.P, large.continuation):
        with pytest.raises(PgfastError, match=r"too large; take the sparse matrix of sparse_transitions\(\)"):
            dense()
    o = large.outcomes
    again = TabularMDP(
        large.sparse_transitions(), sparse.csr_matrix((o.reward, (o.rows(), o.following)), (LARGE * 4, LARGE)),
        large.rho0, max_steps=100,
    )  # fmt: skip
    np.testing.assert_allclose(again.R, large.R, atol=1e-12)


def test_rows_of_very_different_lengths_have_a_limit():
    n = 2**15
    one = sparse.csr_matrix((np.ones(n - 1), (np.arange(1, n), np.zeros(n - 1, int))), (n, n))
    spread = sparse.csr_matrix((np.full(n, 1.0 / n), (np.zeros(n, int), np.arange(n))), (n, n))
    mdp = TabularMDP([one + spread], np.zeros((n, 1)), np.full(n, 1 / n))
    with pytest.raises(PgfastError, match="32,768 states and 1 actions with up to 32,768 outcomes each"):
        mdp.environment()


def test_a_policy_for_a_large_table(large):
    """Equal preferences are equal probabilities; any policy's mean return is its value, by backward induction."""
    theta = np.random.default_rng(1).normal(size=LARGE * 4)
    engine = Engine(large, theta0=theta, max_steps=5)
    policy = np.exp(theta.reshape(-1, 4))
    policy /= policy.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(engine.probabilities(np.arange(0, LARGE, 999)), policy[::999], atol=1e-14)
    v, steps = np.zeros(LARGE), large.sparse_transitions()
    for _ in range(5):
        v = (policy * (large.R + (steps @ v).reshape(LARGE, 4))).sum(axis=1)
    found = engine.evaluate(200_000)
    z = (found.mean - large.rho0 @ v) / (found.std / np.sqrt(found.episodes))
    assert 2 * stats.norm.sf(abs(z)) > FALSE_ALARM


def test_the_prepared_table_is_the_same_compiled():
    engine = Engine("Garnet", theta0=np.random.default_rng(2).normal(size=4000))
    learner, room = engine._learner, make_room(4000, 0, 4)
    prepared = learner.runs.copy()
    learner.runs[:, learner.prepared_at : learner.decays_at] = 0.0
    derive.function(engine.model.policy, learner, room)
    assert np.array_equal(learner.runs, prepared)


def test_the_optimum_of_larger_tables(monkeypatch):
    """Fewer policies are tried, none is better than what the thorough search finds, and none far below."""
    mdp = make("Garnet", n_states=300)
    thorough = stationary.best_return(mdp, 100)
    monkeypatch.setattr(stationary, "_FAR", 0)
    quick = stationary.best_return(mdp, 100)
    assert thorough - 0.05 < quick <= thorough
    monkeypatch.setattr(stationary, "_MOST", 50 * 300 * 12)
    assert stationary.best_return(mdp, 100) is None


# ---- Garnet


def test_garnet_has_the_outcomes_it_promises():
    mdp = make("Garnet", n_states=200, n_actions=5, branching=4, seed=7)
    following = mdp.outcomes.following.reshape(-1, 4)
    assert all(len(set(row)) == 4 for row in following.tolist())
    assert stats.chisquare(np.bincount(following.ravel(), minlength=200)).pvalue > FALSE_ALARM
    lengths = mdp.outcomes.probability  # of four pieces of the unit interval: Beta(1, 3)
    assert stats.kstest(lengths[::4], "beta", (1, 3)).pvalue > FALSE_ALARM
    assert stats.kstest(mdp.outcomes.reward, "norm").pvalue > FALSE_ALARM
    assert not mdp.outcomes.terminated.any()
    assert mdp.max_steps == 100


def test_sets_of_successors_are_equally_likely():
    mdp = make("Garnet", n_states=5, n_actions=4000, branching=2)
    sets = np.sort(mdp.outcomes.following.reshape(-1, 2), axis=1)
    counts = np.bincount(sets[:, 0] * 5 + sets[:, 1])
    assert stats.chisquare(counts[counts > 0]).pvalue > FALSE_ALARM
    assert np.count_nonzero(counts) == 10


def test_garnet_is_a_function_of_its_parameters():
    assert same(make("Garnet"), make("Garnet", n_states=1000, seed=0))
    assert not same(make("Garnet"), make("Garnet", seed=1))
    half = make("Garnet", paying=0.5).outcomes.reward
    assert stats.binomtest(np.count_nonzero(half), len(half), 0.5).pvalue > FALSE_ALARM
    assert np.array_equal(
        make("Garnet", n_states=3, branching=3).outcomes.following.reshape(-1, 3).max(axis=1), [2] * 12
    )


@pytest.mark.parametrize("parameters", [{"branching": 0}, {"n_states": 2}, {"n_actions": 0}])
def test_no_such_garnet(parameters):
    with pytest.raises(PgfastError, match="branching at most n_states"):
        make("Garnet", **parameters)


# ---- a file whose class gives a table

RING = '''
from typing import NamedTuple
import numpy as np
from pgfast import TabularMDP

class Ring(NamedTuple):
    """A ring of states: on, or stay."""
    n: int = 4

    def table(self):
        p = np.zeros((self.n, 2, self.n))
        p[:, 0] = np.roll(np.eye(self.n), 1, axis=1)
        p[:, 1] = np.eye(self.n)
        return {result}
'''
GIVEN = "TabularMDP(p, np.eye(self.n)[:, [-1, 1]], np.eye(self.n)[0], terminal=[], max_steps=3 * self.n, name='Ring')"


def ring(folder, result=GIVEN):
    file = folder / "ring.py"
    file.write_text(RING.replace("{result}", result))
    return str(file)


def test_a_class_with_a_table_is_an_environment(tmp_path):
    file = ring(tmp_path)
    assert make(file, n=6).n_states == 6
    report = check(file)
    assert report.ok, report
    engine = Engine(file, env_parameters={"n": "5"}, episodes=64, batch=32)
    assert (engine.source.table.n_states, engine.traits.max_steps) == (5, 15)
    engine.learn()
    engine.save(tmp_path / "run")
    assert Engine.load(tmp_path / "run", trust=True).digest() == engine.digest()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("p", r"ring.py, Ring.table gives array\(.*: it must be a pgfast.TabularMDP"),
        ("1 / 0", "ring.py, line 14, Ring.table fails with ZeroDivisionError: division by zero"),
    ],
)
def test_a_table_that_is_none(tmp_path, result, words):
    with pytest.raises(EnvironmentFault, match=f"(?s){words}"):
        Engine(ring(tmp_path, result))


def test_outcomes_that_do_not_sum_to_one():
    outcomes = Outcomes(np.array([0, 0, 1]), np.ones(1), np.zeros(1, int), np.zeros(1), np.zeros(1, bool))
    with pytest.raises(PgfastError, match="state 0 and action 0 sum to 0"):
        TabularMDP.from_outcomes(outcomes, [1.0])
