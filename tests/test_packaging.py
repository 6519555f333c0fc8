"""What a wheel brings: pgfast and nothing beside it, working outside the checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = (".py", ".c", ".h")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources: what an earlier build has left behind is not in it."""
    folder = tmp_path_factory.mktemp("dist")
    sources = tmp_path_factory.mktemp("sources")
    for name in ("pgfast", "envs", "bench", "examples"):
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "cli.py"):
        shutil.copy(ROOT / name, sources)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_has_only_pgfast(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names} == {"pgfast", wheel.name.split("-py3")[0] + ".dist-info"}
    packaged = {n for n in names if Path(n).suffix in SOURCES}
    here = {p.relative_to(ROOT).as_posix() for p in (ROOT / "pgfast").rglob("*.py")}
    moved = {
        f"pgfast/{to}/{p.name}"
        for to, of in (("_envs", "envs"), ("_bench", "bench"))
        for p in (ROOT / of).iterdir()
        if p.suffix in SOURCES
    }
    assert packaged == here | moved


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Runs code with the wheel unpacked beside the dependencies of this environment, and the checkout out of sight;
    gives what it prints."""
    folder = tmp_path_factory.mktemp("elsewhere")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    site = str(folder / "site")
    hidden = (
        "import sys, importlib.util as u; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)];"
        f"sys.path.insert(0, {site!r}); import pgfast; assert pgfast.__file__.startswith({site!r}), pgfast.__file__\n"
    )

    def run(code: str) -> str:
        command = [sys.executable, "-c", hidden + code]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_wheel_works_elsewhere(elsewhere: Callable[[str], str]) -> None:
    said = elsewhere(
        "assert all(u.find_spec(name) is None for name in ('envs', 'cli', 'bench', 'examples'))\n"
        "from pgfast.cli import app; app(['envs', '--json'])"
    )
    assert "ShortCorridor" in {e["id"] for e in json.loads(said)["environments"]}


def test_numba_finds_the_functions_that_it_may_call(elsewhere: Callable[[str], str]) -> None:
    """Also where pgfast, which does without numba for as long as it can, was imported first."""
    said = elsewhere(
        "from pgfast import exp; assert 'numba' not in sys.modules\n"
        "from numba import njit; print(njit(lambda x: exp(x) + 1.0)(0.0))"
    )
    assert float(said) == 2.0
