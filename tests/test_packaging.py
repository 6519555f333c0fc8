"""What a wheel brings: pgfast and nothing beside it, working outside the checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = (".py", ".c", ".h")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources: what an earlier build has left behind is not in it."""
    folder = tmp_path_factory.mktemp("dist")
    sources = tmp_path_factory.mktemp("sources")
    for name in ("pgfast", "envs", "bench"):
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


@pytest.mark.slow
def test_wheel_works_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """Unpacked beside the dependencies of this environment, with the checkout out of sight."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        "import sys, importlib.util as u; sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)];"
        f"sys.path.insert(0, {str(site)!r}); import pgfast;"
        f"assert pgfast.__file__.startswith({str(site)!r}), pgfast.__file__;"
        "assert all(u.find_spec(name) is None for name in ('envs', 'cli', 'bench'));"
        "from pgfast.cli import app; app(['envs', '--json'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "ShortCorridor" in {e["id"] for e in json.loads(done.stdout)["environments"]}
