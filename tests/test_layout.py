"""The house: imports go one way, numba has one door, files can be read in one sitting, and importing costs nothing."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgfast
from pgfast.collection import BUNDLED
from pgfast.environments import definition

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "pgfast").rglob("*.py"))
ORDER = [  # each may import those of its own line and of the lines above it
    ["errors", "collection", "drawing", "lazy", "maps"],
    ["files", "parameters", "room"],
    ["compiler"],
    ["vmath32"],
    ["vmath", "protocol"],
    ["lessons", "random", "results", "settings"],
    ["features", "policies", "algorithms"],
    ["kernels", "stepwise"],
    ["functions", "tables"],
    ["foreign"],
    ["spaces"],
    ["environments"],
    ["bodies", "choices", "presets", "probe"],
    ["faults", "independence", "obstacles", "rehearsal", "rendering"],
    ["sample"],
    ["state_features"],
    ["models", "players"],
    ["logs", "parametrisations", "refinements"],
    ["problem"],
    ["batch_records", "memories"],
    ["training"],
    ["beginning", "inference"],
    ["continuation", "storage"],
    ["checkpoints"],
    ["course", "curves"],
    ["exact"],
    ["exact_training"],
    ["gridworld", "outside"],
    ["vector"],
    ["foreign_checker"],
    ["embedded"],
    ["agent", "checker", "engine", "facts", "gym"],
    ["estimates", "recording"],
    ["off_policy"],
    ["comparison", "gradcheck", "landscape"],
    ["figures"],
    ["charts", "painter", "plots", "run_folder", "workloads"],
    ["verification"],
    ["_bench"],
    ["cli"],
]
SECTIONS = ["State", "Actions", "Observations", "Reward", "End", "Parameters", "Reference"]  # of a docstring
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
LEAVES = (  # what an environment may use of pgfast
    "pgfast.drawing",
    "pgfast.errors",
    "pgfast.maps",
    "pgfast.random",
    "pgfast.tables",
    "pgfast.vmath",
)


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, at its top or in a function, but not for type checkers only."""
    waiting: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from whole if node.module == "pgfast" else [str(node.module)]
        waiting.extend(ast.iter_child_nodes(node))


def home(path: Path) -> str:
    """``kernels`` for pgfast/kernels/lanes.py, ``engine`` for pgfast/engine.py."""
    return path.relative_to(ROOT / "pgfast").with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    if home(path) in ("__init__", "__main__"):
        return
    assert home(path) in RANK, f"{path} has no place in ORDER"
    for module in imports(path):
        package, _, rest = module.partition(".")
        if package == "pgfast":
            assert RANK[rest.split(".")[0]] <= RANK[home(path)], f"{path} imports {module}"


def test_only_the_compiler_knows_numba() -> None:
    users = {home(p) for p in MODULES for module in imports(p) if module.split(".")[0] in ("numba", "llvmlite")}
    assert users == {"compiler"}


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.py")), ids=lambda path: path.name)
def test_environments_use_leaves_only(path: Path) -> None:
    leaves = {*LEAVES, *(f"pgfast.{name}" for leaf in LEAVES for name in pgfast._HOMES.get(leaf, ()))}
    for module in imports(path):
        assert module in {"math", "typing", "numpy", "gymnasium.spaces", *leaves}, f"{path.name} imports {module}"


@pytest.mark.parametrize("name", BUNDLED)
def test_docstrings_of_environments_have_the_same_sections(name: str) -> None:
    lines = (definition(name).__doc__ or "").splitlines()
    found = [word for line in lines if (word := line.strip().partition(":")[0]) in SECTIONS]
    assert found == SECTIONS


def test_files_can_be_read_in_one_sitting() -> None:
    files = [p for folder in ("pgfast", "envs", "tests", "bench", "examples") for p in (ROOT / folder).rglob("*.py")]
    long = {str(p.relative_to(ROOT)): n for p in files if (n := len(p.read_text("utf-8").splitlines())) > 400}
    assert long == {}


def test_importing_costs_nothing() -> None:
    code = "import sys, pgfast; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    dear = {
        "gymnasium",
        "llvmlite",
        "matplotlib",
        "numba",
        "numpy",
        "pydantic",
        "rich",
        "safetensors",
        "scipy",
        "typer",
    }
    assert not dear & set(done.stdout.split())


def test_public_names() -> None:
    assert pgfast.__all__ == sorted(pgfast.__all__)
    assert dir(pgfast) == pgfast.__all__
    homes = pgfast._HOMES
    assert list(homes) == sorted(homes)
    assert sorted(name for names in homes.values() for name in names) == pgfast.__all__
    for module, names in homes.items():
        assert list(names) == sorted(names)
        for name in names:
            assert getattr(pgfast, name) is getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pgfast.nothing
