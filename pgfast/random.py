"""Randomness as a pure function: a number depends on (seed, run, episode, step, index) and on nothing else.

Philox4x32-7 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011, section 4.3 and
table 2, where 7 rounds pass BigCrush). The key is the 64-bit seed. The 128-bit counter is, from its first word up:

    word 0   step (32 bits): 0 in reset, t + 1 in the step at time t
    word 1   episode, low 32 bits
    word 2   run (24 bits) | episode, next 8 bits << 24
    word 3   block (16 bits) | family (2) << 16 | stream (2) << 18 | episode, high 12 bits << 20

so no two numbers of one seed share a counter: not across runs, episodes, steps, kinds of number, nor between training
and evaluation. A block gives two numbers of 52 bits. Of the first block of a step the policy takes one (which action)
and the environment the other, as ``uniform(key, 0)``; the kernels draw it once and hand the second number over in the
key. Where the environment's step draws nothing, steps 2j and 2j + 1 share the block of step 2j. The environment's
``uniform(key, i)`` is number 1 + i of its step.

In single precision a block gives four numbers of 24 bits, a word each, so twice as many steps share one: where the
environment's step draws, steps 2j and 2j + 1 have numbers 0, 1 and 2, 3 of the block of step 2j, else steps 4j to
4j + 3 one number each. ``uniform(key, i)`` with i > 0 is number 3 + i of its own step. Whole numbers from ``randint``
are those of double precision. The precision is that of the number in the key.

A policy of real actions takes standard normal numbers: pairs by Box and Muller (1958) from the numbers of a block,
block after block of the family POLICY. The first of the steps that share a block, two in double precision and four in
single where the environment's step draws nothing, else one and two, has the numbers of all of them, step after step.

Where a tabular policy plays a table (`pgfast.tables`), a block gives four numbers of 32 bits, float64s: steps 2j and
2j + 1 have numbers 0, 1 and 2, 3 of the block of step 2j. An action's probability is right to 2**-32 then, and a
transition's to 2**-32 for each entry of its row.

Words are uint64 values below 2**32: products stay exact and vectorise.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pgfast.compiler import as_bits, as_float, by_precision, compiled_as, leaf
from pgfast.vmath import cos, log, sincos, sqrt

TRAIN, EVALUATE, PREDICT, PROBE = 0, 1, 2, 3  # streams
UNIFORM, NORMAL, RANDINT, POLICY = 0, 1, 2, 3  # families

ROUNDS = 7
MAX_RUNS = 2**24
MAX_EPISODES = 2**52

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)  # multipliers
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)  # key increments: golden ratio, sqrt(3) - 1
_LOW = np.uint64(0xFFFFFFFF)
_BYTE, _12BITS = np.uint64(0xFF), np.uint64(0xFFF)
_40, _32, _24, _20 = np.uint64(40), np.uint64(32), np.uint64(24), np.uint64(20)
_18, _12, _8 = np.uint64(18), np.uint64(12), np.uint64(8)
_2, _1, _0 = np.uint64(2), np.uint64(1), np.uint64(0)
_ONE = np.uint64(0x3FF0000000000000)  # the bits of 1.0
_FAMILY = np.uint64(16)
_POLICY = np.uint64(POLICY << 16)


class Key(NamedTuple):
    """What a step draws its numbers from: the counter of its first block, the seed, and that block's second number."""

    c0: np.uint64
    c1: np.uint64
    c2: np.uint64
    c3: np.uint64
    k0: np.uint64
    k1: np.uint64
    first: float  # uniform(key, 0)


@leaf
def philox(c0, c1, c2, c3, k0, k1, rounds):
    """Philox4x32 with `rounds` rounds: four words of counter and two of key to four random words.

    Only the low 32 bits of each word count, on the way as in the result: the products need no masking in between.
    """
    for _ in range(rounds):
        p0 = _M0 * (c0 & _LOW)
        p1 = _M1 * (c2 & _LOW)
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1, (p0 >> _32) ^ c3 ^ k1, p0
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@leaf
def to_unit(high, low):
    """Two random words to a multiple of 2**-52 in [0, 1), uniform."""
    mantissa = ((high & _LOW) << _20) | ((low & _LOW) >> _12)
    return as_float(np.int64(mantissa | _ONE)) - 1.0  # type: ignore[arg-type]


@leaf
def to_unit_single(word):
    """The highest 24 bits of a random word as a float32, a multiple of 2**-24 in [0, 1), uniform."""
    return np.float32(np.int32((word & _LOW) >> _8)) * 5.9604644775390625e-08


@leaf
def to_unit_word(word):
    """A random word to a multiple of 2**-32 in [0, 1), uniform, a float64."""
    return as_float(np.int64(((word & _LOW) << _20) | _ONE)) - 1.0  # type: ignore[arg-type]


@leaf
def first_block(c0, c1, c2, c3, k0, k1):
    """Numbers 0 and 1 of a step: the policy's, and the environment's ``uniform(key, 0)``."""
    w0, w1, w2, w3 = philox(c0, c1, c2, c3, k0, k1, ROUNDS)
    return to_unit(w0, w1), to_unit(w2, w3)


@leaf
def first_block_single(c0, c1, c2, c3, k0, k1):
    """The four numbers of a step's first block in single precision."""
    w0, w1, w2, w3 = philox(c0, c1, c2, c3, k0, k1, ROUNDS)
    return to_unit_single(w0), to_unit_single(w1), to_unit_single(w2), to_unit_single(w3)


@leaf
def first_block_words(c0, c1, c2, c3, k0, k1):
    """The four numbers of a step's first block where a tabular policy plays a table."""
    w0, w1, w2, w3 = philox(c0, c1, c2, c3, k0, k1, ROUNDS)
    return to_unit_word(w0), to_unit_word(w1), to_unit_word(w2), to_unit_word(w3)


def first_number_single(like, c0, c1, c2, c3, k0, k1):
    """As `first_number` in single precision."""
    late = c0 & _1 ^ _1 if c0 != _0 else _0  # 1 at odd times: the block is that of the step before
    _, early, _, second = first_block_single(c0 - late, c1, c2, c3, k0, k1)
    return second if late == _1 else early


@by_precision(first_number_single)
def first_number(like, c0, c1, c2, c3, k0, k1):
    """``uniform(key, 0)`` of the step with this counter, where steps draw numbers: in the precision of `like`."""
    return first_block(c0, c1, c2, c3, k0, k1)[1]


@leaf
def normal_pair(u, v):
    """Two independent standard normal numbers from two uniform ones (Box and Muller 1958)."""
    radius = sqrt(-2.0 * log(1.0 - u))
    sine, cosine = sincos(6.283185307179586 * v)
    return radius * cosine, radius * sine


@leaf
def policy_words(c0, c1, c2, c3, k0, k1, block):
    """The random words of a block of the policy's own."""
    return philox(c0, c1, c2, c3 + _POLICY + np.uint64(block), k0, k1, ROUNDS)


@leaf
def normal_block(c0, c1, c2, c3, k0, k1, block):
    """The policy's normal numbers 2 block and 2 block + 1."""
    w0, w1, w2, w3 = policy_words(c0, c1, c2, c3, k0, k1, block)
    return normal_pair(to_unit(w0, w1), to_unit(w2, w3))


@leaf
def normal_block_single(c0, c1, c2, c3, k0, k1, block):
    """The policy's normal numbers 4 block to 4 block + 3 in single precision."""
    w0, w1, w2, w3 = policy_words(c0, c1, c2, c3, k0, k1, block)
    first, second = normal_pair(to_unit_single(w0), to_unit_single(w1))
    third, fourth = normal_pair(to_unit_single(w2), to_unit_single(w3))
    return first, second, third, fourth


@leaf
def words(key, family, block):
    """The random words of a block of one family of a step."""
    c3 = key.c3 + (np.uint64(family) << _FAMILY) + block
    return philox(key.c0, key.c1, key.c2, c3, key.k0, key.k1, ROUNDS)


@leaf
def number_double(key, family, j):
    """The j-th uniform float64 in [0, 1) of one family; 0 <= j < 2**17."""
    j = np.uint64(j)
    w0, w1, w2, w3 = words(key, family, j >> _1)
    second = (j & _1) == _1
    return to_unit(w2 if second else w0, w3 if second else w1)


def number_single(key, family, j):
    """The j-th uniform float32 in [0, 1) of one family; 0 <= j < 2**18."""
    j = np.uint64(j)
    w0, w1, w2, w3 = words(key, family, j >> _2)
    odd, high = (j & _1) == _1, (j & _2) == _2
    low_word, high_word = w1 if odd else w0, w3 if odd else w2
    return to_unit_single(high_word if high else low_word)


number = by_precision(number_single)(number_double)


def uniform_single(key, i):
    """As `uniform` in single precision."""
    return key.first if i == 0 else number_single(key, UNIFORM, i + 3)


@by_precision(uniform_single)
def uniform(key, i):
    """The i-th number in [0, 1) of this step: a float64, a multiple of 2**-52, or a float32, a multiple of 2**-24;
    0 <= i < 131,071."""
    return key.first if i == 0 else number_double(key, UNIFORM, i + 1)


@leaf
def normal(key, i):
    """The i-th standard normal number of this step (Box and Muller 1958), independent of its uniforms; i < 65,536."""
    radius = sqrt(-2.0 * log(1.0 - number(key, NORMAL, 2 * i)))
    return radius * cos(6.283185307179586 * number(key, NORMAL, 2 * i + 1))


@leaf
def randint(key, i, n):
    """The i-th integer in {0, …, n - 1} of this step, independent of its uniforms; 1 <= n <= 2**31."""
    return floor_index(number_double(key, RANDINT, i), n)


@leaf
def floor_index(u, n):
    """floor(u n) of a number u in [0, 1) and an integer 1 <= n <= 2**31, without the conversion that AVX2 lacks."""
    scaled = u * n
    shifted = scaled + 6755399441055744.0  # 1.5 * 2**52: rounds to an integer held in the low bits
    nearest = shifted - 6755399441055744.0
    return as_bits(shifted) - 0x4338000000000000 - (1 if nearest > scaled else 0)


@leaf
def problem_key(key, problem):
    """The key of a random problem, the same in all steps and episodes, while learning and after: that of problem number
    `problem`, or if this is negative a key of its own for each run of each seed. (Problem n is that of run 0 with seed
    n. The numbers are float64s, and belong to the last step of the probe stream's first episode.)"""
    own = problem < 0
    run = key.c2 & np.uint64(MAX_RUNS - 1) if own else _0
    k0 = key.k0 if own else np.uint64(problem & 0xFFFFFFFF)
    k1 = key.k1 if own else np.uint64(problem >> 32)
    c3 = np.uint64(PROBE << 18)
    return Key(_LOW, _0, run, c3, k0, k1, first_block(_LOW, _0, run, c3, k0, k1)[1])


def double_key(seed=0, run=0, episode=0, step=0, stream=PROBE):
    """`make_key` in double precision."""
    k0, k1 = np.uint64(seed) & _LOW, np.uint64(seed) >> _32
    run, episode = np.uint64(run), np.uint64(episode)
    c0, c1 = np.uint64(step), episode & _LOW
    c2 = run | (((episode >> _32) & _BYTE) << _24)
    c3 = (np.uint64(stream) << _18) | (((episode >> _40) & _12BITS) << _20)
    return Key(c0, c1, c2, c3, k0, k1, first_number(0.0, c0, c1, c2, c3, k0, k1))


@compiled_as(double_key)
def make_key(
    seed: int = 0, run: int = 0, episode: int = 0, step: int = 0, stream: int = PROBE, precision: str = "float64"
) -> Key:
    """The key of one step, for calling an environment's methods from Python, and for a simulation's own draws.

    `step` 0 is reset's, t + 1 that of the step at time t. Numbers are those of the kernels where the environment's step
    draws any (in the probe stream by default, which no training or evaluation touches); their precision is "float64" or
    "float32". Compiled functions may call it too, without `precision`: there numbers are float64s.
    """
    key: Key = double_key(seed, run, episode, step, stream)
    if precision == "float64":
        return key
    return key._replace(first=first_number(np.dtype(precision).type(0.0), *key[:6]))
