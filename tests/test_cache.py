"""The kernel cache: always hit by the same code, never by other code, read only where nobody else can write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from numba.core.codegen import JITCodeLibrary
from numba.core.typed_passes import NativeLowering

from pgfast.compiler import Kernel, cache
from pgfast.compiler.cache import cached_files
from pgfast.compiler.fingerprint import CannotFingerprint, fingerprint
from pgfast.compiler.parts import KernelLibrary, KernelLowering, PartLibrary, PartLowering
from pgfast.environments import find
from pgfast.kernels.samples import begin_turn, sample_plan, sample_workspace
from pgfast.probe import probe

ENVIRONMENT = """\
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Discrete
from near import shifted


class Stays(NamedTuple):
    place: int = 1
    table: np.ndarray = np.arange(3)

    BASE = 100

    @property
    def observation_space(self):
        return Discrete(1000)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        return self.BASE + shifted(self.place) + self.table[0]

    def step(self, state, action, key):
        return state, 0.0, False
"""
NEAR = "from far import SHIFT, Step, twice\n\n\ndef shifted(x):\n    return twice(x) + SHIFT[0] + Step.UP.value\n"
FAR = """\
import enum

SHIFT = (10,)


class Step(enum.Enum):
    UP = 1000 - 1000


def twice(x, factor=2):
    return factor * x
"""

# what Engine does, with a kernel that is compiled in a second
PLAY = """\
import json, sys
from pgfast.environments import find
from pgfast.kernels.samples import begin_turn, sample_plan, sample_workspace
from pgfast.probe import probe

source = find(sys.argv[1], dict(a.split("=") for a in sys.argv[2:]))
traits = probe(source)
w = sample_workspace(traits.like, traits.observation)
arguments = source.env, traits.like, traits.observation, sample_plan(0, 10, traits.actions), w
made = begin_turn.load(*arguments)
if made is None:
    from pgfast.rehearsal import rehearse

    rehearse(source.env, traits)
    made = begin_turn.compile(*arguments)
begin_turn(*arguments)
print(json.dumps({"hit": made.cache_hit, "state": int(w.lanes.state_int[0, 0])}))
"""
LEAN = "assert 'numba' not in sys.modules\n"  # a kernel is loaded and run without it


class Project:
    """A user's folder with an environment and two modules behind it, and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder, folder / "cache" / "kernels"
        self.write("my_env.py", ENVIRONMENT)
        self.write("near.py", NEAR)
        self.write("far.py", FAR)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, "utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        variables = {**os.environ, "PGFAST_CACHE_DIR": str(self.cache), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, *(arguments or ("-c", PLAY, "my_env.py"))]
        return subprocess.Popen(command, cwd=self.folder, env=variables, text=True, stdout=-1, stderr=-1)

    def play(self, *arguments: str) -> SimpleNamespace:
        """What a new process finds: was the kernel in the cache, and where does the environment start?"""
        return said(self.start(*arguments))


def said(process: subprocess.Popen[str]) -> SimpleNamespace:
    out, error = process.communicate()
    assert process.returncode == 0, error
    return SimpleNamespace(**json.loads(out.splitlines()[-1]))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# ---- hits and misses


def test_hits_and_misses(project: Project) -> None:
    assert vars(project.play()) == {"hit": False, "state": 112}
    assert vars(project.play()) == {"hit": True, "state": 112}
    assert vars(project.play("-c", PLAY + LEAN, "my_env.py", "place=2")) == {"hit": True, "state": 114}

    project.write("far.py", FAR.replace("return factor * x", "return factor * x + 1"))
    assert vars(project.play()) == {"hit": False, "state": 113}
    project.write("my_env.py", ENVIRONMENT.replace("BASE = 100", "BASE = 200"))
    assert vars(project.play()) == {"hit": False, "state": 213}
    assert vars(project.play()) == {"hit": True, "state": 213}

    project.write("far.py", FAR)
    project.write("my_env.py", ENVIRONMENT)
    assert vars(project.play()) == {"hit": True, "state": 112}  # as it was at first


def test_two_processes_that_compile_at_once(project: Project) -> None:
    both = [said(process) for process in (project.start(), project.start())]
    assert [play.state for play in both] == [112, 112]
    assert sorted(play.hit for play in both) == [False, True]  # the second waits for the first one's code
    assert sorted(path.name.partition("-")[0] for path in project.cache.iterdir()) == ["begin_turn", "locks"]
    assert project.play().hit


def test_a_class_of_a_script(project: Project) -> None:
    """Of ``__main__``, where each process has a class of its own."""
    script = ENVIRONMENT + "\n\n" + PLAY.replace("find(sys.argv[1], dict(", "find(Stays(), dict(")
    project.write("script.py", script)
    assert vars(project.play("script.py")) == {"hit": False, "state": 112}
    assert vars(project.play("script.py")) == {"hit": True, "state": 112}


def test_a_kernel_that_owns_memory(project: Project) -> None:
    """It calls numba's allocator, which a process that compiles nothing hasn't set up."""
    project.write("my_env.py", ENVIRONMENT.replace("return self.BASE +", "return np.full(2, self.BASE).max() +"))
    assert vars(project.play()) == {"hit": False, "state": 112}
    assert vars(project.play()) == {"hit": True, "state": 112}


# ---- what a fingerprint sees

CLASS = "class f(NamedTuple):\n"
SEEN = {
    "code": ("def f(x):\n    return x + 1", "def f(x):\n    return x + 2"),
    "default": ("def f(x, y=1):\n    return x + y", "def f(x, y=2):\n    return x + y"),
    "keyword": ("def f(x, *, y=1):\n    return x + y", "def f(x, *, y=2):\n    return x + y"),
    "name": ("def f(x):\n    return x.real", "def f(x):\n    return x.imag"),
    "global": ("A = 1\ndef f(x):\n    return x + A", "A = 2\ndef f(x):\n    return x + A"),
    "type of a global": ("A = 1\ndef f(x):\n    return x + A", "A = 1.0\ndef f(x):\n    return x + A"),
    "array": ("A = np.zeros(2)\ndef f(x):\n    return A[x]", "A = np.ones(2)\ndef f(x):\n    return A[x]"),
    "dtype": ("A = np.zeros(2)\ndef f(x):\n    return A[x]", "A = np.zeros(2, 'i8')\ndef f(x):\n    return A[x]"),
    "callee": ("def g(x):\n    return x\ndef f(x):\n    return g(x)",
               "def g(x):\n    return -x\ndef f(x):\n    return g(x)"),
    "table of functions": ("def g(x):\n    return x\nT = (g,)\ndef f(x):\n    return T[0](x)",
                           "def g(x):\n    return -x\nT = (g,)\ndef f(x):\n    return T[0](x)"),
    "closure": ("def make(a):\n    return lambda x: x + a\nf = make(1)",
                "def make(a):\n    return lambda x: x + a\nf = make(2)"),
    "inner function": ("def f(x):\n    return max(i + 1 for i in range(x))",
                       "def f(x):\n    return max(i + 2 for i in range(x))"),
    "enumeration": ("class E(enum.Enum):\n    A = 1\ndef f(x):\n    return E.A.value",
                    "class E(enum.Enum):\n    A = 2\ndef f(x):\n    return E.A.value"),
    "helper method": (CLASS + "    def step(self):\n        return self.g()\n    def g(self):\n        return 1",
                      CLASS + "    def step(self):\n        return self.g()\n    def g(self):\n        return 2"),
    "property": (CLASS + "    def step(self):\n        return self.g\n    @property\n    def g(self): return 1",
                 CLASS + "    def step(self):\n        return self.g\n    @property\n    def g(self): return 2"),
    "constant": (CLASS + "    G = 1\n    def step(self, x):\n        return self.G",
                 CLASS + "    G = 2\n    def step(self, x):\n        return self.G"),
}  # fmt: skip


def digest_of(text: str) -> str:
    names: dict[str, Any] = {"__name__": "somebody"}
    exec("import enum, sys\nimport numpy as np\nfrom typing import NamedTuple\n" + text, names)
    return fingerprint(names["f"])


@pytest.mark.parametrize("name", SEEN)
def test_what_a_fingerprint_sees(name: str) -> None:
    one, other = SEEN[name]
    assert digest_of(one) == digest_of(one)
    assert digest_of(one) != digest_of(other)


def test_what_can_be_changed_without_a_new_fingerprint() -> None:
    text = "class f(NamedTuple):\n    size: int = 1\n    def step(self, x):\n        return self.size"
    assert digest_of(text) == digest_of(text.replace("= 1", "= 2") + "\n    def unused(self):\n        return 3")


@pytest.mark.parametrize("thing", ["{}", "object()", "sys.modules['json']", "type('Plain', (), {'A': 1})"])
def test_what_cannot_be_fingerprinted(thing: str) -> None:
    with pytest.raises(CannotFingerprint):
        digest_of(f"A = {thing}\ndef f(x):\n    return A")


# ---- the folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PGFAST_CACHE_DIR", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def prepared() -> bool:
    """Was it in the cache? Of a kernel that this process has never compiled."""
    source = find("ShortCorridor")
    traits = probe(source)
    workspace = sample_workspace(traits.like, traits.observation)
    arguments = source.env, traits.like, traits.observation, sample_plan(0, 10, traits.actions), workspace
    return Kernel(begin_turn.function).prepare(*arguments).cache_hit


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows has other permissions")
def test_the_folder_is_the_users_own(folder: Path) -> None:
    assert not prepared()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o077 for path in cached_files()] == [0]
    assert prepared()
    folder.chmod(0o777)
    assert not prepared()  # somebody else may have put it there
    os.utime(cached_files()[0], (0, 0))
    assert not prepared()
    assert cached_files()[0].stat().st_mtime == 0.0  # nor is anything written there
    folder.chmod(0o755)
    assert prepared()


HOLD = """\
import fcntl, sys

file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows has no such locks")
def test_nobody_waits_for_one_that_was_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(mode=0o700)
    command = [sys.executable, "-c", HOLD, str(folder / "locks")]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        monkeypatch.setattr(cache, "LONG", 0.1)
        assert not prepared()
        assert prepared()
        holder.communicate("")


def test_damaged_files_are_not_used(folder: Path) -> None:
    prepared()
    (file,) = cached_files()
    whole = file.read_bytes()
    flipped = bytes([whole[-1] ^ 1])
    for content in (b"", whole[:100], whole[:-1] + flipped, whole + b"x", b"pgfast kernel 0 " + whole[16:]):
        file.write_bytes(content)
        assert not prepared()
        assert len(file.read_bytes()) > len(whole) // 2  # written anew
        assert prepared()


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PGFAST_CACHE_DIR", str(tmp_path / "file" / "kernels"))
    assert not prepared()
    assert not prepared()


# ---- numba's internals, which move


def test_what_pgfast_replaces_in_numba_is_there() -> None:
    """Fails when numba moves or renames something that pgfast overrides or builds upon."""
    libraries = ["finalize", "_optimize_functions", "_get_module_for_linking", "add_ir_module", "add_linking_library",
                 "_optimize_final_module", "_finalize_final_module", "has_dynamic_globals"]  # fmt: skip
    for ours, theirs, names in (
        (PartLibrary, JITCodeLibrary, libraries),
        (KernelLibrary, JITCodeLibrary, libraries),
        (PartLowering, NativeLowering, ["run_pass"]),
        (KernelLowering, NativeLowering, ["run_pass"]),
    ):
        assert issubclass(ours, theirs)
        for name in names:
            assert hasattr(theirs, name), f"{theirs.__name__}.{name}"


def test_numba_that_lowers_otherwise_is_noticed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgfast.compiler.parts.NativeLowering", object)
    with pytest.raises(RuntimeError, match="in a way that pgfast doesn't know"):
        prepared()


def test_defaults_of_numba_are_known() -> None:
    """A flag that a program sets is told from one that nobody has touched by numba's defaults."""
    code = (
        "from numba import config; from pgfast.compiler.fingerprint import _DEFAULTS\n"
        "assert {k: getattr(config, k) for k in _DEFAULTS} == _DEFAULTS"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    subprocess.run([sys.executable, "-c", code], check=True, env=clean)
