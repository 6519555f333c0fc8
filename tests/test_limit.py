"""The hand-written C learns the workloads, agrees with the engine, and is what it is said to be: vector code."""

import ctypes
import math
import platform
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from statistics import fmean, variance

import numpy as np
import pytest

from pgfast._bench import c_limit
from pgfast.workloads import WORKLOADS

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler called cc")
PEERS = {p.name: p for p in (c_limit.ONE_LANE, c_limit.ONE_LANE_FLOAT32, c_limit.LANES, c_limit.LANES_FLOAT32)}
TASKS = [(name, task) for name, peer in PEERS.items() for task in peer.learns]
SEEDS = range(12)

NUMBERS = """
#include "limit.h"
void numbers(word *state, int n, word *drawn, double *units) {
    generator g = {state[0], state[1], state[2], state[3]};
    for (int i = 0; i < n; i++) units[i] = above_one(drawn[i] = next(&g)) - 1;
}
void powers(int n, const real *x, real *y) {
    for (int i = 0; i < n; i++) y[i] = exp2_of(x[i]);
}
"""


@pytest.fixture(scope="module", params=[False, True], ids=["double", "single"])
def numbers(request, tmp_path_factory):
    """limit.h as a library, the type of its words and that of its reals."""
    folder = tmp_path_factory.mktemp("numbers")
    source, made = folder / "numbers.c", folder / "numbers.so"
    source.write_text(NUMBERS)
    single = ["-DSINGLE"] if request.param else []
    command = ["cc", *c_limit.flags(), *single, "-I", str(c_limit.SOURCES), "-shared", "-fPIC"]
    subprocess.run([*command, str(source), "-o", str(made)], check=True)
    return ctypes.CDLL(str(made)), *((np.uint32, np.float32) if request.param else (np.uint64, np.float64))


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def xoshiro(state, bits, shift, rotate, n):
    """xoshiro128+ or xoshiro256+ as published (Blackman & Vigna 2021, figure 3)."""
    a, b, c, d = state
    mask, drawn = (1 << bits) - 1, []
    for _ in range(n):
        drawn.append((a + d) & mask)
        t = (b << shift) & mask
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= t
        d = ((d << rotate) | (d >> (bits - rotate))) & mask
    return drawn


def test_generator_is_the_published_one(numbers):
    library, word, _ = numbers
    parameters = {np.uint64: (64, 17, 45), np.uint32: (32, 9, 11)}[word]
    state, drawn, units = np.array([1, 2, 3, 4], word), np.empty(10_000, word), np.empty(10_000)
    library.numbers(pointer(state), len(drawn), pointer(drawn), pointer(units))
    assert drawn.tolist() == xoshiro([1, 2, 3, 4], *parameters, len(drawn))
    first = {np.uint64: [5, 211106232532999, 211106635186183], np.uint32: [5, 12295, 25178119]}[word]
    assert drawn[:3].tolist() == first  # as others have computed them
    assert units.min() >= 0.0
    assert units.max() < 1.0
    assert np.abs(units - drawn / 2.0 ** parameters[0]).max() < 2.0**-22


def test_powers_of_two(numbers):
    library, _, real = numbers
    most = 126 if real is np.float32 else 1022
    x = np.concatenate((np.linspace(-most, most, 200_001), np.linspace(-2, 2, 200_001))).astype(real)
    y = np.empty_like(x)
    library.powers(len(x), pointer(x), pointer(y))
    exact = np.exp2(x.astype(np.longdouble))
    assert np.max(np.abs(y / exact - 1)) < 2 * np.finfo(real).eps
    ends = np.array([-1e30, 1e30], real)
    library.powers(2, pointer(ends), pointer(y))
    assert y[:2] == pytest.approx([2.0**-most, 2.0**most], rel=2 * float(np.finfo(real).eps))  # held, not overflown


@pytest.mark.slow
@pytest.mark.parametrize(("peer", "task"), TASKS)
def test_reaches_the_goal(peer, task):
    workload = WORKLOADS[task]
    learned = PEERS[peer].learns[task](workload, 0)
    assert learned.final_return >= workload.goal
    assert learned.seconds > 0
    assert learned.setup_seconds > 0


@cache
def short(task):
    """A workload that ends while there is much to learn."""
    workload = WORKLOADS[task]
    batch = workload.settings["batch"]
    return replace(workload, episodes=workload.episodes // batch // 80 * 10 * batch)


@cache
def of_engine(task):
    workload = short(task)
    tenth = workload.episodes // 10
    return [workload.engine(s, log_every=tenth).learn(workload.episodes).final_return.mean for s in SEEDS]


@pytest.mark.parametrize(("peer", "task"), TASKS)
def test_results_depend_on_the_seed_only(peer, task):
    learn = PEERS[peer].learns[task]
    one, again, other = (learn(short(task), seed) for seed in (1, 1, 2))
    assert (one.steps, one.final_return) == (again.steps, again.final_return)
    assert (one.steps, one.final_return) != (other.steps, other.final_return)


def standard_errors(a, b):
    return abs(fmean(a) - fmean(b)) / math.sqrt(variance(a) / len(a) + variance(b) / len(b))


@pytest.mark.slow
@pytest.mark.parametrize(("peer", "task"), TASKS)
def test_agrees_with_the_engine(peer, task):
    """Mean returns of 12 short runs each, over their last tenth, differ by less than 6.6 standard errors: with 22
    degrees of freedom or fewer more happens about once in a million, and the seeds are fixed."""
    returns = [PEERS[peer].learns[task](short(task), s).final_return for s in SEEDS]
    assert standard_errors(returns, of_engine(task)) < 6.6


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the registers looked for are those of x86")
@pytest.mark.parametrize(
    ("source", "options", "instruction"),
    [
        ("lanes_cartpole.c", [], "divpd"),
        ("lanes_cartpole.c", ["-DSINGLE"], "divps"),
        ("lanes_corridor.c", [], "divpd"),
        ("lanes_corridor.c", ["-DSINGLE"], "divps"),
        ("lanes_frozenlake.c", [], "vpermd"),
    ],
)
def test_lanes_are_vector_code(source, options, instruction):
    """A loop over lanes is vectorised as a whole or not at all: one of its instructions, on the widest registers that
    there are, stands for it. Below AVX-512 the lake has no tables in registers."""
    wide = "-mprefer-vector-width=512" in c_limit.flags()
    if instruction == "vpermd" and not wide:
        pytest.skip("the processor has no AVX-512")
    command = ["cc", *c_limit.flags(), *options, "-S", str(c_limit.SOURCES / source), "-o", "-"]
    assembly = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    register = "zmm" if wide else "ymm" if "ymm" in assembly else "xmm"
    assert any(instruction in line and register in line for line in assembly.splitlines())


def test_refuses_another_task():
    workload = WORKLOADS["frozenlake"]
    changed = replace(workload, settings=workload.settings | {"gamma": 0.9})
    with pytest.raises(c_limit.PgfastError, match=r"gamma is 0\.9 in frozenlake: the C sources only know 1\.0\."):
        c_limit.LANES.learns["frozenlake"](changed, 0)
