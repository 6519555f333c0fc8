"""The kernels' disk cache: one file per kernel and fingerprint, in one folder that only the user can read.

Numba's own cache misses whenever a function is found through a type or a closure, and returns old code after a callee
in another file has changed. Here the key is the fingerprint of all that the code depends on; what can't be
fingerprinted is compiled and not kept: slow, never wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgfast.compiler.block import Form
from pgfast.compiler.fingerprint import CannotFingerprint, environment_of_compilation, fingerprint
from pgfast.files import write_whole

if TYPE_CHECKING:
    from pgfast.compiler.machine import MachineCode, ObjectFile

_HEADER = b"pgfast kernel 3 "


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


def load(function: Any, form: Form) -> MachineCode | None:
    """The code for this kernel and these arguments, if it was saved."""
    from pgfast.compiler.machine import MachineCode, MissingSymbol, ObjectFile

    content = _content(_file(function, form))
    if content is None:
        return None
    description, _, code = content.partition(b"\n")
    file = ObjectFile(code, **json.loads(description))
    try:
        return MachineCode(file)
    except MissingSymbol:
        import_module("pgfast.compiler.runtime")  # numba's own functions, such as its allocator, are there then
    try:
        return MachineCode(file)
    except MissingSymbol:
        return None


def save(function: Any, form: Form, file: ObjectFile) -> None:
    """Keep code for later; where that can't be, nothing happens."""
    path = _file(function, form)
    if path is None:
        return
    description = json.dumps({"symbols": file.symbols, "returns": file.returns})
    content = description.encode() + b"\n" + file.code
    try:
        _make_private(path.parent)
        write_whole(path, _HEADER + hashlib.sha256(content).hexdigest().encode() + b"\n" + content, mode=0o600)
    except OSError:
        return  # a cache that can't be written only costs time


def _file(function: Any, form: Form) -> Path | None:
    """Where the code is kept; None where what it depends on can't be told apart from a changed version of itself."""
    words, classes = form
    try:
        key = fingerprint(words, *classes, function), environment_of_compilation()
    except CannotFingerprint:
        return None
    digest = hashlib.sha256(repr(key).encode()).hexdigest()
    return cache_folder() / f"{function.__qualname__}-{digest[:32]}.kernel"


def _content(path: Path | None) -> bytes | None:
    """What was saved in a file; None where it is missing, damaged, or could be somebody else's."""
    if path is None or not _is_private(path.parent):
        return None
    try:
        content = path.read_bytes()
    except OSError:
        return None
    header, _, payload = content.partition(b"\n")
    return payload if header == _HEADER + hashlib.sha256(payload).hexdigest().encode() else None


def _is_private(folder: Path) -> bool:
    """True when only this user can have written into `folder`: its files are executed."""
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
