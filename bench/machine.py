"""Where a measurement was made: figures mean nothing without it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

OWN = ("pgfast", "numba", "llvmlite", "numpy", "gymnasium")
THEIRS = ("jax", "jaxlib", "gymnax", "stable-baselines3", "torch")


def machine() -> dict[str, Any]:
    """The processor, its vector registers, the memory and the system; what was busy when it was asked."""
    from pgfast.training import default_threads

    return {
        "processor": _processor(),
        "vector_bits": _vector_bits(),
        "processors": default_threads(),
        "memory_bytes": _memory(),
        "system": platform.platform(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Those of Python, the packages that are installed, and the C compiler where there is one."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if shutil.which("cc"):
        said = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=False).stdout
        found["cc"] = next(iter(said.splitlines()), "unknown")
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _vector_bits() -> int:
    from llvmlite.binding import get_host_cpu_features

    features = get_host_cpu_features()
    return 512 if features.get("avx512f") else 256 if features.get("avx2") else 128


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
