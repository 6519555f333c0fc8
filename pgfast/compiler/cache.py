"""The kernels' disk cache: one file per kernel and fingerprint, in one folder that only the user can read.

Numba's own cache misses whenever a function is found through a type or a closure, and returns old code after a callee
in another file has changed. Here the key is the fingerprint of all that the code depends on; what can't be
fingerprinted is compiled and not kept: slow, never wrong.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps

from pgfast.compiler.fingerprint import CannotFingerprint, environment_of_compilation, fingerprint

_HEADER = b"pgfast kernel 1 "


def cache_folder() -> Path:
    """Where compiled kernels are kept: ``$PGFAST_CACHE_DIR``, else the user's own cache folder."""
    chosen = os.environ.get("PGFAST_CACHE_DIR")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("pgfast", appauthor=False)) / "kernels"


def cached_files() -> list[Path]:
    """The kernels that are kept."""
    return sorted(cache_folder().glob("*.kernel"))


class KernelCache(FunctionCache):  # type: ignore[misc]
    """Keyed by strings only, so that a file can be found without importing what it was compiled for."""

    def __init__(self, function: Any, classes: tuple[type, ...] = ()) -> None:
        self._classes = classes
        self._name = function.__qualname__
        self._py_func = function
        self._impl = CompileResultCacheImpl.__new__(CompileResultCacheImpl)  # its locators are not wanted
        self._cache_path = ""
        self._cache_file = None
        self.enable()

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def flush(self) -> None:
        """Nothing is held in memory."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[str, ...]:
        arguments = sig.args if hasattr(sig, "args") else sig
        things = [*(str(a) for a in arguments), *self._classes, self._py_func]
        return (fingerprint(*things), environment_of_compilation(), *(str(s) for s in codegen.magic_tuple()))

    def _file(self, sig: Any, codegen: Any) -> Path | None:
        try:
            key = self._index_key(sig, codegen)
        except CannotFingerprint:
            return None
        digest = hashlib.sha256(repr(key).encode()).hexdigest()
        return cache_folder() / f"{self._name}-{digest[:32]}.kernel"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """As numba's, but without importing first what only compilation needs: that takes longer than loading."""
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        path = self._file(sig, target_context.codegen())
        if path is None or not _is_private(path.parent):
            return None
        try:
            content = path.read_bytes()
        except OSError:
            return None
        header, _, payload = content.partition(b"\n")
        if header != _HEADER + hashlib.sha256(payload).hexdigest().encode():
            return None
        return self._impl.rebuild(target_context, pickle.loads(payload))

    def _save_overload(self, sig: Any, data: Any) -> None:
        if not self._impl.check_cachable(data):
            return
        path = self._file(sig, data.codegen)
        if path is None:
            return
        try:
            _make_private(path.parent)
            payload = dumps(self._impl.reduce(data))
            _write_whole(path, _HEADER + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
        except (OSError, pickle.PicklingError):
            return  # a cache that can't be written only costs time


def _is_private(folder: Path) -> bool:
    """True when only this user can have written into `folder`: its files are unpickled."""
    try:
        status = folder.stat()
    except OSError:
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def _make_private(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not _is_private(folder):
        raise PermissionError(f"{folder} can be written by other users")


def _write_whole(path: Path, content: bytes) -> None:
    """Write so that a reader, or a process doing the same, sees the whole file or none."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".part", delete=False) as file:
        file.write(content)
    try:
        os.replace(file.name, path)
    except OSError:
        os.unlink(file.name)
        raise
