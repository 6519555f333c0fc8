"""Bytes that look for a way through the code that reads them: files of a run and maps, fuzzed by atheris.

    pip install "pgfast[fuzz]"
    python -m pgfast._bench.robustness --seconds 60

calls this file for each kind of bytes, as a process of its own. As in `robustness`, an input is survived when it gives
a result, or one sentence that is a `PgfastError`; whatever else is raised ends the process with another code than 0.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

READERS = [  # what is watched; in between what has kernels in it, which are compiled from the bytecode as it is
    ["tomllib", "json", "safetensors", "pgfast.maps"],
    ["pgfast.storage", "pgfast.checkpoints", "pgfast.run_folder"],
]
FILES = ["config.toml", "policy.safetensors", "environment.safetensors", "origin.json", "summary.json", "metrics.csv"]
KINDS = [*FILES, "a checkpoint of FrozenLake", "a checkpoint of AccessControl", "a map"]


def is_possible() -> bool:
    """Is atheris here?"""
    return find_spec("atheris") is not None


def explore(kind: str, folder: Path, seconds: float) -> tuple[int, int]:
    """Fuzz bytes of a kind for so long, beginning with those in the folder of `bad_input.kinds`; how many were tried,
    and how many were not survived: one ends it."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, kind, str(folder), str(max(1, round(seconds)))],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    tried = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    if done.returncode != 0:
        print(done.stderr[-4000:], file=sys.stderr)
    return int(tried[1]) if tried else 0, int(done.returncode != 0)


def taker(kind: str, folder: Path) -> tuple[Callable[[bytes], None], bytes]:
    """What takes bytes of a kind, and some that are as they should be."""
    from pgfast._bench import bad_input

    if kind == "a map":
        return lambda data: bad_input.draw_map(data.decode("latin-1").split("\n")), b"SFFF\nFHFH\nFFFH\nHFFG"
    damaged = bad_input.files(folder)[kind]
    return lambda data: damaged(lambda _: data), damaged.file.read_bytes()


def main() -> None:
    kind, name, seconds = sys.argv[1:]
    import atheris

    for modules in READERS:
        with atheris.instrument_imports(include=modules):
            for module in modules:
                importlib.import_module(module)
        importlib.import_module("pgfast.beginning")
    from pgfast._bench.robustness import survives

    folder = Path(name)
    take, whole = taker(kind, folder)
    corpus = folder / f"corpus of {kind}"
    corpus.mkdir()
    (corpus / "whole").write_bytes(whole)
    options = [f"-max_total_time={seconds}", "-seed=1", "-print_final_stats=1", f"-artifact_prefix={corpus}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: survives(take, bytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
