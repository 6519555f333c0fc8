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
from copy import copy
from pathlib import Path
from typing import Any

from llvmlite.binding import address_of_symbol
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps
from numba.core.typing import signature

from pgfast.compiler.fingerprint import CannotFingerprint, environment_of_compilation, fingerprint

_HEADER = b"pgfast kernel 2 "


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
        self.enable()

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def flush(self) -> None:
        """Nothing is held in memory."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[str, ...]:
        things = [*(str(a) for a in _arguments(sig)), *self._classes, self._py_func]
        return (fingerprint(*things), environment_of_compilation(), *(str(s) for s in codegen.magic_tuple()))

    def _file(self, sig: Any, codegen: Any) -> Path | None:
        try:
            key = self._index_key(sig, codegen)
        except CannotFingerprint:
            return None
        digest = hashlib.sha256(repr(key).encode()).hexdigest()
        return cache_folder() / f"{self._name}-{digest[:32]}.kernel"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """As numba's, but without importing first what compilation needs: that takes longer than loading."""
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def has(self, sig: Any, codegen: Any) -> bool:
        """Is there a file for this signature that can be used?"""
        return self._payload(sig, codegen) is not None

    def _payload(self, sig: Any, codegen: Any) -> bytes | None:
        """What was saved for this signature; None where it is missing, damaged, or could be somebody else's."""
        path = self._file(sig, codegen)
        if path is None or not _is_private(path.parent):
            return None
        try:
            content = path.read_bytes()
        except OSError:
            return None
        header, _, payload = content.partition(b"\n")
        return payload if header == _HEADER + hashlib.sha256(payload).hexdigest().encode() else None

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        payload = self._payload(sig, target_context.codegen())
        if payload is None:
            return None
        try:
            symbols, parts = pickle.loads(payload)
        except (ImportError, AttributeError):  # it raises an exception, say, whose module is not there this time
            return None
        if any(address_of_symbol(symbol) is None for symbol in symbols):
            target_context.refresh()  # numba's own functions, such as its allocator, have to be there then
        return self._impl.rebuild(target_context, _with_types(parts, sig))

    def _save_overload(self, sig: Any, data: Any) -> None:
        if not self._impl.check_cachable(data):
            return
        path = self._file(sig, data.codegen)
        if path is None:
            return
        try:
            _make_private(path.parent)
            payload = dumps((_symbols(data.library), _without_types(self._impl.reduce(data))))
            _write_whole(path, _HEADER + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
        except (OSError, pickle.PicklingError):
            return  # a cache that can't be written only costs time


def _symbols(library: Any) -> list[str]:
    """The functions that a kernel calls and doesn't contain."""
    functions = library._final_module.functions
    return sorted(f.name for f in functions if f.is_declaration and not f.name.startswith("llvm."))


def _without_types(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """The pieces of a compiled kernel without the types of its arguments: these have classes in them, and a class of a
    script or a notebook is another one in each process."""
    code, description, environment, typed, *rest = parts
    description = copy(description)
    description.argtypes = ()
    return code, description, environment, typed.return_type, *rest


def _with_types(parts: tuple[Any, ...], sig: Any) -> tuple[Any, ...]:
    """The pieces again with the types of the arguments that the kernel was asked for."""
    code, description, environment, returns, *rest = parts
    description.argtypes = _arguments(sig)
    return code, description, environment, signature(returns, *description.argtypes), *rest


def _arguments(sig: Any) -> tuple[Any, ...]:
    return tuple(sig.args if hasattr(sig, "args") else sig)


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
