"""The limit: hand-written C for this very processor, one episode at a time and in lanes.

Each C source beside this file is one complete training of one workload; limit.h says what they share. They are compiled
when they are first used, and do nothing but their workload: what a general engine is measured against.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from pgfast._bench.peer import Learn, Learned, Peer
from pgfast._bench.peers import COMPILER
from pgfast.errors import PgfastError
from pgfast.workloads import Workload

SOURCES = Path(__file__).parent
FLAGS = ("-std=c11", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
FLAGS += ("-ffinite-math-only", "-fno-signed-zeros")  # minima and maxima are one instruction each
_CORRIDOR = {"env": "ShortCorridor", "policy": "state-action", "baseline": "none", "batch": 1}
ASSUMED: dict[str, dict[str, Any]] = {  # what the sources have no choice about
    "cartpole": {"env": "CartPole-v1", "policy": "linear", "bias": False, "baseline": "mean"},
    "frozenlake": {"env": "FrozenLake-v1", "policy": "tabular", "baseline": "mean", "gamma": 1.0},
    "corridor": _CORRIDOR,
    "corridor-1": _CORRIDOR,
}


class Task(ctypes.Structure):
    """`training` of limit.h."""

    _fields_ = (
        ("seed", ctypes.c_uint64),
        ("runs", ctypes.c_int64),
        ("episodes", ctypes.c_int64),
        ("batch", ctypes.c_int64),
        ("gamma", ctypes.c_double),
        ("lr", ctypes.c_double),
        ("h0", ctypes.c_double),
        ("steps", ctypes.c_double),
        ("tail", ctypes.c_double),
        ("counted", ctypes.c_double),
    )


@dataclass(frozen=True)
class Compiled:
    """A C source as a library, and what compiling took."""

    library: ctypes.CDLL
    seconds: float


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="pgfast-limit-")  # gone when the process ends


def _cc(*arguments: str) -> str:
    """What the C compiler prints."""
    try:
        return subprocess.run(["cc", *arguments], capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        raise PgfastError(f"There is no C compiler called cc: install one with {COMPILER}.") from None
    except subprocess.CalledProcessError as error:
        raise PgfastError(f"cc {' '.join(arguments)} failed: {error.stderr.strip()}") from None


@cache
def flags() -> tuple[str, ...]:
    """How sources are compiled here; GCC takes the wide registers of AVX-512 only when told to."""
    wide = "__AVX512F__" in _cc("-march=native", "-dM", "-E", "-x", "c", "/dev/null")
    return (*FLAGS, *(["-mprefer-vector-width=512"] if wide else []))


@cache
def compiled(source: str, single: bool) -> Compiled:
    """The library made of a source of this folder, in single or double precision."""
    made = Path(_folder().name) / f"{Path(source).stem}-{'single' if single else 'double'}.so"
    options = flags()
    start = time.perf_counter()
    _cc(*options, *(["-DSINGLE"] if single else []), "-shared", "-fPIC", str(SOURCES / source), "-o", str(made))
    return Compiled(ctypes.CDLL(str(made)), time.perf_counter() - start)


def _task(workload: Workload, seed: int) -> Task:
    s = {"env": workload.env, **workload.settings}
    for name, value in ASSUMED[workload.name].items():
        if s[name] != value:
            raise PgfastError(f"{name} is {s[name]!r} in {workload.name}: the C sources only know {value!r}.")
    left, right = s.get("theta0", (0.0, 0.0))
    return Task(seed, s.get("runs", 1), workload.episodes, s["batch"], s["gamma"], s["lr"], right - left)


def learn(kind: str, single: bool, workload: Workload, seed: int) -> Learned:
    """One training by the source that is called <kind>_<task>.c."""
    name = workload.name.partition("-")[0]
    made, task = compiled(f"{kind}_{name}.c", single), _task(workload, seed)
    start = time.perf_counter()
    made.library.train(ctypes.byref(task))
    seconds = time.perf_counter() - start
    return Learned(int(task.steps), seconds, made.seconds, task.tail / task.counted)


def _learns(kind: str, single: bool) -> dict[str, Learn]:
    """All workloads but those that make no sense: a single run leaves lanes empty, and the lake in single precision
    would be the same integers again."""
    left_out = {"corridor-1" if kind == "lanes" else "", "frozenlake" if single else ""}
    return {name: partial(learn, kind, single) for name in ASSUMED if name not in left_out}


ONE_LANE = Peer("c-one-lane", "C, one episode at a time", _learns("one", False), limit=True)
ONE_LANE_FLOAT32 = Peer(
    "c-one-lane-float32", "C, one episode at a time", _learns("one", True), limit=True, precision="float32"
)
LANES = Peer("c-lanes", "C, vector registers full of episodes", _learns("lanes", False), limit=True, lanes=True)
LANES_FLOAT32 = Peer(
    "c-lanes-float32",
    "C, vector registers full of episodes",
    _learns("lanes", True),
    limit=True,
    lanes=True,
    precision="float32",
)
