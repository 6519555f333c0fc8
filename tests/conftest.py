"""Kernels are compiled once per run of the tests, into a folder that all processes share; property tests leave nothing
to chance; indices of kernels that run uncompiled are checked."""

import os
import tempfile

import hypothesis
from guards import call_guarded

from pgfast.compiler.kernel import Kernel

hypothesis.settings.register_profile("pgfast", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("pgfast")
Kernel.__call__ = call_guarded  # what runs uncompiled has no index outside


def pytest_configure(config):
    if "PGFAST_CACHE_DIR" not in os.environ:  # the workers of pytest-xdist inherit it
        folder = tempfile.TemporaryDirectory(prefix="pgfast-kernels-", ignore_cleanup_errors=True)
        os.environ["PGFAST_CACHE_DIR"] = folder.name
        config.add_cleanup(folder.cleanup)


def pytest_collection_modifyitems(items):
    """Those that read machine code come first: others find what they have compiled; what they found they couldn't
    read."""
    items.sort(key=lambda item: item.path.name != "test_assembly.py")
