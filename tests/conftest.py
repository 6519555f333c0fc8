"""Kernels are compiled once per test session, into a folder that all of its processes share; nothing is left to chance
in property tests."""

import os
import tempfile

import hypothesis

hypothesis.settings.register_profile("pgfast", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("pgfast")


def pytest_configure(config):
    if "PGFAST_CACHE_DIR" not in os.environ:  # the workers of pytest-xdist inherit it
        folder = tempfile.TemporaryDirectory(prefix="pgfast-kernels-", ignore_cleanup_errors=True)
        os.environ["PGFAST_CACHE_DIR"] = folder.name
        config.add_cleanup(folder.cleanup)
