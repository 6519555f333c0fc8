"""The kernels' disk cache: one file per kernel and fingerprint, in one folder that only the user can read.

Numba's own cache misses whenever a function is found through a type or a closure, and returns old code after a callee
in another file has changed. Here the key is the fingerprint of all that the code depends on; what can't be
fingerprinted is compiled and not kept: slow, never wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgfast.compiler.block import Form
from pgfast.compiler.fingerprint import CannotFingerprint, environment_of_compilation, fingerprint
from pgfast.files import write_whole

if TYPE_CHECKING:
    from pgfast.compiler.machine import MachineCode, ObjectFile

_HEADER = b"pgfast kernel 3 "
LONG = 120.0  # seconds; what nearly every kernel is compiled in, on a busy machine too


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
    from pgfast.compiler.machine import MachineCode, MissingSymbol

    file = object_file(_file(function, form))
    if file is None:
        return None
    try:
        return MachineCode(file)
    except MissingSymbol:
        import_module("pgfast.compiler.runtime")  # numba's own functions, such as its allocator, are there then
    try:
        return MachineCode(file)
    except MissingSymbol:
        return None


def object_file(path: Path | None) -> ObjectFile | None:
    """What was saved in a file; None where it is missing, damaged, or could be somebody else's."""
    from pgfast.compiler.machine import ObjectFile

    content = _content(path)
    if content is None:
        return None
    description, _, code = content.partition(b"\n")
    return ObjectFile(code, **json.loads(description))


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


@contextmanager
def turn(function: Any, form: Form) -> Iterator[None]:
    """Of processes that start cold together one compiles a kernel at a time, and the others find its code. A byte of
    one file stands for each kernel; the lock on it goes with the process, and children don't inherit it."""
    path = _file(function, form)
    descriptor = None if path is None else _open_locks(path.parent)
    if path is None or descriptor is None:
        yield
        return
    try:
        _wait(descriptor, byte=int(path.stem[-15:], 16))
        yield
    finally:
        os.close(descriptor)  # and the lock is gone


def _open_locks(folder: Path) -> int | None:
    """The file of the locks; None where there can't be one, which only costs time."""
    try:
        _make_private(folder)
        return os.open(folder / "locks", os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError:
        return None


def _wait(descriptor: int, byte: int) -> None:
    """Until nobody else has the lock on a byte, or for so long that whoever has it must have been stopped."""
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except (BlockingIOError, PermissionError):  # somebody has it
            time.sleep(0.02)
        except OSError:  # a file system without locks
            return
        else:
            return


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
    """What a file has behind its header, if that fits."""
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
