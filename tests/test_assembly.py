"""Loops over lanes are vector code: one that LLVM fails to vectorise gives the same numbers, several times slower."""

import platform
import re

import llvmlite.binding as llvm
import numba
import problems
import pytest

from pgfast.compiler import Kernel
from pgfast.training import Job

ARITHMETIC = r"v(?:add|sub|mul|div|fn?m(?:add|sub)\d+)pd"
SINGLE = ARITHMETIC.replace("pd", "ps")
pytestmark = [
    pytest.mark.skipif(
        platform.machine().lower() not in ("x86_64", "amd64") or not llvm.get_host_cpu_features().get("avx2"),
        reason="the instructions counted are those of processors with AVX2",
    ),
    pytest.mark.skipif(bool(numba.config.BOUNDSCHECK), reason="a loop that checks its indices is no vector code"),
]


def machine_code(engine, monkeypatch, folder):
    """Of the kernel that trains `engine`; compiled anew if it was there, since code from the cache can't be read."""
    job = Job(engine._problem, engine._learner, engine.settings.runs, 0, 1, threads=1)
    job.prepare()
    if job.compile_seconds == 0.0:
        monkeypatch.setenv("PGFAST_CACHE_DIR", str(folder))
        job.kernel = Kernel(job.kernel.function)
        job.prepare()
    return job.kernel.assembly(*job._arguments(job.workers[0], 1))


def count(instruction, code):
    """How often it works on whole vector registers, of four or eight numbers."""
    return len(re.findall(rf"\b{instruction}\s.*[yz]mm", code))


@pytest.mark.parametrize(("problem", "schedule"), [("cartpole", "batches"), ("cartpole", "runs"), ("corridor", "runs")])
def test_lanes_are_vector_code(problem, schedule, monkeypatch, tmp_path):
    code = machine_code(problems.engine(problem, schedule), monkeypatch, tmp_path)
    assert count(ARITHMETIC, code) > 200  # on processors with AVX2 or AVX-512: from 360 on
    assert count("vdivpd", code) >= 6  # 9 to 23: in sigmoids, step rules and the cart's dynamics
    assert count("vpmuludq", code) >= 14  # two products in each of Philox's seven rounds


def test_lanes_with_real_actions_are_vector_code(monkeypatch, tmp_path):
    code = machine_code(problems.short_engine("glider batches"), monkeypatch, tmp_path)
    assert count(ARITHMETIC, code) > 200  # on processors with AVX2 or AVX-512: from 360 on
    assert count("vsqrtpd", code) >= 1  # of Box and Muller's radius
    assert count("vdivpd", code) >= 1  # in its logarithm
    assert count("vpmuludq", code) >= 14
    code = machine_code(problems.short_engine("glider batches in single precision"), monkeypatch, tmp_path)
    assert count(SINGLE, code) > 200
    assert count("vsqrtps", code) >= 1
    assert count(r"vcvt(?:ps2pd|pd2ps)", code) == 0


def test_lanes_in_single_precision_are_vector_code_without_conversions(monkeypatch, tmp_path):
    """One number of another width in a loop over lanes halves its speed."""
    code = machine_code(problems.short_engine("cartpole batches in single precision"), monkeypatch, tmp_path)
    assert count(SINGLE, code) > 200  # on processors with AVX2 or AVX-512: from 300 on
    assert count("vdivps", code) >= 4
    assert count("vpmuludq", code) >= 28  # as many products of double width as in double precision, for twice the lanes
    assert count(r"vcvt(?:ps2pd|pd2ps)", code) == 0
