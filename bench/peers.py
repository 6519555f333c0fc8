"""The peers that `pgfast bench --peers` runs, by name.

A new peer is a file of this folder and a line of PEERS. Its packages are listed here, so that the file, which imports
them, is only loaded where they are installed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from pgfast._bench.peer import Peer

EXTRA = 'pip install -e ".[peers]"'  # installs all of their packages
COMPILER = "apt-get install gcc  (or any C compiler that is called cc)"


@dataclass(frozen=True)
class Entry:
    """Where a peer is found and what it needs beside pgfast's own dependencies."""

    module: str  # of this folder
    attribute: str = "PEER"
    packages: tuple[str, ...] = ()  # modules that must be importable
    compiler: bool = False  # True: compiled by cc when it runs


PEERS = {
    "tutorial": Entry("tutorial"),
    "numpy-vector": Entry("numpy_vector"),
    "sb3": Entry("sb3", packages=("stable_baselines3",)),
    "jax": Entry("jax_lanes", packages=("jax",)),
    "jax-polynomials": Entry("jax_polynomials", packages=("jax",)),
    "gymnax": Entry("gymnax_cartpole", packages=("jax", "gymnax")),
    "plain": Entry("plain"),
    "c-one-lane": Entry("c_limit", "ONE_LANE", compiler=True),
    "c-one-lane-float32": Entry("c_limit", "ONE_LANE_FLOAT32", compiler=True),
    "c-lanes": Entry("c_limit", "LANES", compiler=True),
    "c-lanes-float32": Entry("c_limit", "LANES_FLOAT32", compiler=True),
}


def install_line(name: str) -> str | None:
    """The command that installs what the peer lacks; None where nothing is missing."""
    entry = PEERS[name]
    if any(find_spec(package) is None for package in entry.packages):
        return EXTRA
    if entry.compiler and shutil.which("cc") is None:
        return COMPILER
    return None


def load(name: str) -> Peer:
    """The peer itself; its packages are imported, which takes seconds for some."""
    entry = PEERS[name]
    peer = getattr(import_module(f"pgfast._bench.{entry.module}"), entry.attribute)
    assert isinstance(peer, Peer)
    return peer
