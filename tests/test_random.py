"""Random numbers: the published generator, uniform, independent in every direction, and never used twice.

A statistical test here fails for the right numbers with a probability of at most FALSE_ALARM; seeds are fixed, so it
does so either always or never.
"""

import itertools
import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from scipy import stats

from pgfast import random
from pgfast.random import (
    EVALUATE,
    NORMAL,
    POLICY,
    PREDICT,
    PROBE,
    RANDINT,
    TRAIN,
    UNIFORM,
    Key,
    first_block,
    first_block_words,
    floor_index,
    make_key,
    normal,
    normal_block,
    normal_block_single,
    number,
    philox,
    randint,
    to_unit_single,
    uniform,
)

FALSE_ALARM = 1e-6
SEED = 2**63 + 12345

words = st.integers(0, 2**32 - 1)
seeds = st.integers(0, 2**64 - 1)
runs = st.integers(0, random.MAX_RUNS - 1)
episodes = st.integers(0, random.MAX_EPISODES - 1)
steps = st.integers(0, 2**32 - 1)
indices = st.integers(0, 2**17 - 2)
streams = st.sampled_from([TRAIN, EVALUATE, PREDICT, PROBE])
families = st.sampled_from([UNIFORM, NORMAL, RANDINT, POLICY])


# ---- the generator


@pytest.mark.parametrize(
    ("rounds", "word", "expected"),
    [  # known answers of the Random123 distribution: counter and key all zeros, or all ones
        (7, 0x00000000, (0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48)),
        (10, 0x00000000, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (10, 0xFFFFFFFF, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ],
)
def test_known_answers(rounds, word, expected):
    found = philox(*[np.uint64(word)] * 6, rounds)
    assert tuple(int(w) & 0xFFFFFFFF for w in found) == expected
    assert reference.philox4x32([word] * 4, [word] * 2, rounds) == expected


@given(st.tuples(words, words, words, words), st.tuples(words, words), st.integers(1, 12))
def test_philox_is_the_reference(counter, key, rounds):
    found = philox(*map(np.uint64, (*counter, *key)), rounds)
    assert tuple(int(w) & 0xFFFFFFFF for w in found) == reference.philox4x32(counter, key, rounds)


@given(seeds, episodes, steps)
def test_a_block_gives_four_numbers_of_32_bits_to_tables(seed, episode, step):
    found = first_block_words(*make_key(seed, 0, episode, step, TRAIN)[:6])
    assert found == tuple(reference.number_single(seed, 0, episode, step, j, bits=32) for j in range(4))


@given(seeds, runs, episodes, steps, indices, streams)
def test_every_number_has_its_place_in_the_counter(seed, run, episode, step, i, stream):
    key = make_key(seed, run, episode, step, stream)
    assert uniform(key, i) == reference.number(seed, run, episode, step, i + 1, UNIFORM, stream)
    for family in (UNIFORM, NORMAL, RANDINT, POLICY):
        assert number(key, family, i) == reference.number(seed, run, episode, step, i, family, stream)


@given(seeds, runs, episodes, steps, indices, streams)
def test_single_precision_takes_a_number_from_each_word(seed, run, episode, step, i, stream):
    key = make_key(seed, run, episode, step, stream, "float32")
    late = step > 0 and step % 2 == 0  # the second of two steps that share a block
    assert key.first == reference.number_single(seed, run, episode, step - late, 3 if late else 1, UNIFORM, stream)
    assert uniform(key, 0) == key.first
    assert uniform(key, i + 1) == reference.number_single(seed, run, episode, step, i + 4, UNIFORM, stream)
    for family in (UNIFORM, NORMAL, POLICY):
        assert number(key, family, i) == reference.number_single(seed, run, episode, step, i, family, stream)
    assert randint(key, i, 10**6) == randint(make_key(seed, run, episode, step, stream), i, 10**6)


@given(seeds, episodes, steps, indices)
def test_numbers_in_single_precision_are_in_range(seed, episode, step, i):
    key = make_key(seed, 0, episode, step, precision="float32")
    u = uniform(key, i)
    assert isinstance(u, np.float32)
    assert 0.0 <= u < 1.0
    assert float(u) * 2**24 == int(float(u) * 2**24)
    assert isinstance(normal(key, i // 2), np.float32)
    assert math.isfinite(normal(key, i // 2))


def test_the_largest_number_in_single_precision_is_below_one():
    assert to_unit_single(np.uint64(0xFFFFFFFF)) == np.float32(1 - 2.0**-24) < 1.0
    assert to_unit_single(np.uint64(0xFF)) == 0.0


places = st.tuples(runs, episodes, steps, st.integers(0, 2**16 - 1), families, streams)


@given(places, places)
def test_no_two_numbers_share_a_counter(a, b):
    assert (reference.counter(*a) == reference.counter(*b)) == (a == b)
    assert all(0 <= word < 2**32 for word in reference.counter(*a))


def test_streams_kinds_and_neighbours_differ():
    """Every corner of the counter's fields, and its neighbours there."""
    ends = [
        (0, 1, 2**24 - 1),
        (0, 1, 2**32 - 1, 2**32, 2**40 - 1, 2**40, 2**52 - 1),
        (0, 1, 2**32 - 1),
        (0, 1, 2**16 - 1),
    ]
    corners = list(itertools.product(*ends, range(4), range(4)))
    assert len({reference.counter(*corner) for corner in corners}) == len(corners)


# ---- what numbers are made of it


@given(seeds, runs, episodes, steps, indices)
def test_numbers_are_in_range(seed, run, episode, step, i):
    key = make_key(seed, run, episode, step)
    u = uniform(key, i)
    assert 0.0 <= u < 1.0
    assert u * 2**52 == int(u * 2**52)
    assert math.isfinite(normal(key, i // 2))
    assert 0 <= randint(key, i, 6) < 6
    assert randint(key, i, 1) == 0


@given(st.integers(0, 2**52 - 1) | st.integers(2**52 - 8, 2**52 - 1), st.integers(1, 2**31))
def test_floor_index(mantissa, n):
    u = mantissa / 2**52
    assert floor_index(u, n) == math.floor(u * n)
    assert 0 <= floor_index(u, n) < n


@njit(error_model="numpy")
def draw(c0, c1, c2, c3, k0, k1, numbers):
    """Two numbers of the first block, three uniforms, two normals, two ints, and four normals of the policy's for each
    counter; numbers (N, 13)."""
    for i in range(len(c0)):
        numbers[i, 0], numbers[i, 1] = first_block(c0[i], c1[i], c2[i], c3[i], k0, k1)
        key = Key(c0[i], c1[i], c2[i], c3[i], k0, k1, numbers[i, 1])
        for j in range(3):
            numbers[i, 2 + j] = uniform(key, j)
        for j in range(2):
            numbers[i, 5 + j] = normal(key, j)
            numbers[i, 7 + j] = randint(key, j, 1000)
            numbers[i, 9 + 2 * j], numbers[i, 10 + 2 * j] = normal_block(c0[i], c1[i], c2[i], c3[i], k0, k1, j)


def drawn(run, episode, step, stream=TRAIN, seed=SEED):
    """Numbers of many steps at once, compiled; run, episode, step and stream are ints or arrays."""
    places = np.broadcast_arrays(*(np.asarray(x, np.uint64) for x in (run, episode, step, stream)))
    run, episode, step, stream = (p.reshape(-1).copy() for p in places)
    low, byte, bits = np.uint64(0xFFFFFFFF), np.uint64(0xFF), np.uint64(0xFFF)
    c2 = run | (episode >> np.uint64(32) & byte) << np.uint64(24)
    c3 = stream << np.uint64(18) | (episode >> np.uint64(40) & bits) << np.uint64(20)
    numbers = np.empty((len(run), 13))
    draw(step, episode & low, c2, c3, np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32), numbers)
    return numbers


def test_compiled_and_uncompiled_numbers_are_the_same_bits():
    rng = np.random.default_rng(0)
    run, episode = rng.integers(0, random.MAX_RUNS, 300), rng.integers(0, random.MAX_EPISODES, 300)
    step, stream = rng.integers(0, 2**32, 300), rng.integers(0, 4, 300)
    compiled = drawn(run, episode, step, stream)
    for row, (r, e, t, s) in zip(compiled, zip(run, episode, step, stream, strict=True), strict=True):
        key = make_key(SEED, int(r), int(e), int(t), int(s))
        expected = [
            *first_block(*key[:6]),
            *(uniform(key, j) for j in range(3)),
            *(normal(key, j) for j in range(2)),
            *(randint(key, j, 1000) for j in range(2)),
            *(x for j in range(2) for x in normal_block(*key[:6], j)),
        ]
        np.testing.assert_array_equal(row, expected)


# ---- statistics

N = 2**19
DIRECTIONS = {  # what changes from one number to the next
    "step": {"run": 3, "episode": 5, "step": np.arange(N)},
    "episode": {"run": 3, "episode": np.arange(N), "step": 1},
    "run": {"run": np.arange(N), "episode": 5, "step": 1},
    "high words of the episode": {"run": 3, "episode": np.arange(N) << 32, "step": 1},
}


def p_of_pairs(u, v, cells=32):
    """The p-value of (u, v) being uniform on the unit square: a chi-square test on a grid."""
    counts = np.histogram2d(u, v, bins=cells, range=[[0, 1], [0, 1]])[0]
    return stats.chisquare(counts.reshape(-1)).pvalue


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_uniform_and_independent_in_every_direction(direction):
    numbers = drawn(**DIRECTIONS[direction])
    policy, u0, u1, u2 = numbers[:, 0], numbers[:, 2], numbers[:, 3], numbers[:, 4]
    p = [stats.chisquare(np.histogram(x, 1024, (0, 1))[0]).pvalue for x in (policy, u0, u1, u2)]
    p += [stats.kstest(x, "uniform").pvalue for x in (policy, u0, u1, u2)]
    p += [p_of_pairs(x[:-1], x[1:]) for x in (policy, u0, u1, u2)]  # neighbours in this direction
    p += [p_of_pairs(a, b) for a, b in itertools.combinations((policy, u0, u1, u2), 2)]  # numbers of a step
    assert min(p) > FALSE_ALARM / len(p)


def test_every_bit_is_fair():
    numbers = drawn(**DIRECTIONS["step"])[:, [0, 2, 3]]
    mantissas = (numbers * 2.0**52).astype(np.uint64)
    for bit in range(52):
        ones = ((mantissas >> np.uint64(bit)) & np.uint64(1)).sum()
        assert stats.binomtest(int(ones), mantissas.size).pvalue > FALSE_ALARM / 52


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(range(4), 2)))
def test_streams_are_independent(a, b):
    place = DIRECTIONS["step"]
    assert p_of_pairs(drawn(**place, stream=a)[:, 2], drawn(**place, stream=b)[:, 2]) > FALSE_ALARM


def test_seeds_are_independent():
    place = DIRECTIONS["step"]
    for seed in (SEED + 1, SEED ^ 2**63, SEED + 2**32):
        assert p_of_pairs(drawn(**place)[:, 2], drawn(**place, seed=seed)[:, 2]) > FALSE_ALARM / 3


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_normal(direction):
    numbers = drawn(**DIRECTIONS[direction])
    first, second = numbers[:, 5], numbers[:, 6]
    p = [stats.kstest(x, "norm").pvalue for x in (first, second)]
    p += [p_of_pairs(stats.norm.cdf(a), stats.norm.cdf(b)) for a, b in ((first, second), (first[:-1], first[1:]))]
    p += [p_of_pairs(stats.norm.cdf(first), numbers[:, k]) for k in (0, 2, 3)]  # and of the step's uniforms
    assert min(p) > FALSE_ALARM / len(p)
    bound = stats.norm.isf(FALSE_ALARM / 8)  # z of the moments, which for powers of a normal number are known
    assert abs(first.mean()) < bound * math.sqrt(1 / N)
    assert abs((first**2).mean() - 1) < bound * math.sqrt(2 / N)
    assert abs((first**3).mean()) < bound * math.sqrt(15 / N)
    assert abs((first**4).mean() - 3) < bound * math.sqrt(96 / N)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_normal_numbers_of_the_policy(direction):
    numbers = drawn(**DIRECTIONS[direction])
    own = [numbers[:, k] for k in range(9, 13)]
    p = [stats.kstest(x, "norm").pvalue for x in own]
    own = [stats.norm.cdf(x) for x in own]
    p += [p_of_pairs(a, b) for a, b in itertools.combinations(own, 2)]
    p += [p_of_pairs(x[:-1], x[1:]) for x in own]
    p += [p_of_pairs(own[0], x) for x in (numbers[:, 2], stats.norm.cdf(numbers[:, 5]))]  # the environment's
    assert min(p) > FALSE_ALARM / len(p)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_normal_numbers_of_the_policy_are_box_and_mullers(precision):
    blocks, close = {"float64": (normal_block, 1e-14), "float32": (normal_block_single, 1e-5)}[precision]
    for episode in range(20):
        key = make_key(SEED, 3, episode, 5, TRAIN)
        found = [x for block in range(3) for x in blocks(*key[:6], block)]
        place = reference.Numbers(SEED, 3, episode, 4, False, precision)
        expected = [place.normal(k, len(found)) for k in range(len(found))]
        np.testing.assert_allclose(found, expected, rtol=close, atol=close)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_randint(direction):
    numbers = drawn(**DIRECTIONS[direction])
    counts = [np.bincount(numbers[:, k].astype(int), minlength=1000) for k in (7, 8)]
    assert all(len(c) == 1000 for c in counts)
    p = [stats.chisquare(c).pvalue for c in counts]
    p += [p_of_pairs((numbers[:, 7] + 0.5) / 1000, numbers[:, k], cells=20) for k in (0, 2, 3)]
    assert min(p) > FALSE_ALARM / len(p)
