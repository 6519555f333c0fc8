"""Environment classes out of files: a user's own, and those that come with pgfast, by the same door. And how a file is
written."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TypeGuard

from pgfast.errors import EnvironmentFault, PgfastError, unknown

PART = ".part"  # ends the name of a file that is being written
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


@cache
def packaged_folder(name: str) -> Path:
    """Where a folder of the checkout is: `envs` and `bench` are installed as `pgfast._envs` and `pgfast._bench`."""
    spec = importlib.util.find_spec(f"pgfast._{name}")
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(__file__).resolve().parent.parent / name


def load_class(path: Path, class_name: str | None, module_name: str | None = None) -> type:
    """The environment class in a file: the one named, or the only one there is."""
    module = _load_module(path, module_name or _user_module(path))
    found = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and _is_environment(value)
    }
    if class_name is not None:
        if class_name not in found:
            functions = [name for name, value in vars(module).items() if _is_own_function(value, module)]
            if found or functions:
                raise unknown("environment" if found else "function", class_name, found or functions, of=path.name)
            raise _no_class(path, module)
        return found[class_name]
    candidates = {name: cls for name, cls in found.items() if hasattr(cls, "step") or hasattr(cls, "table")}
    if not candidates and found:
        candidates = found
    if not candidates:
        raise _no_class(path, module)
    if len(candidates) > 1:
        raise PgfastError(
            f"{path.name} has {len(candidates)} environments: say which, as {path.name}:{sorted(candidates)[0]}."
        )
    return next(iter(candidates.values()))


def load_function(path: Path, name: str) -> FunctionType | None:
    """The function of that name in a user's file, if there is one."""
    module = _load_module(path, _user_module(path))
    function = getattr(module, name, None)
    return function if _is_own_function(function, module) else None


def _is_own_function(value: object, module: ModuleType) -> TypeGuard[FunctionType]:
    return isinstance(value, FunctionType) and value.__module__ == module.__name__


def _user_module(path: Path) -> str:
    return f"pgfast_user_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def _is_environment(cls: type) -> bool:
    """A NamedTuple, or an environment of Gymnasium's."""
    gymnasium = sys.modules.get("gymnasium")
    foreign = gymnasium is not None and issubclass(cls, gymnasium.Env)
    return foreign or (issubclass(cls, tuple) and hasattr(cls, "_fields"))


def _no_class(path: Path, module: ModuleType) -> EnvironmentFault:
    for name, value in vars(module).items():
        if isinstance(value, type) and value.__module__ == module.__name__ and hasattr(value, "step"):
            return EnvironmentFault(
                f"{path.name}, {name} is no NamedTuple: write `class {name}(NamedTuple):`, with typing.NamedTuple."
            )
    return EnvironmentFault(
        f"{path.name} has no environment: write a class that derives from typing.NamedTuple, with methods reset "
        f"and step."
    )


def _load_module(path: Path, name: str) -> ModuleType:
    """Run a file as a module of a name that is the same in every process; again when the file has changed."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__pgfast_digest__", None) == digest:
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if not name.startswith("pgfast._envs") and str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # as for a script: its neighbours can be imported
    try:
        exec(compile(content, str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        del sys.modules[name]
        file = Path(error.filename or path).name
        raise EnvironmentFault(f"{file}, line {error.lineno}: syntax error: {error.msg}.") from error
    except Exception as error:
        del sys.modules[name]
        place = f"{path.name}{line_in(error, str(path))}"
        raise EnvironmentFault(f"{place}: the file can't be loaded: {type(error).__name__}: {error}") from error
    module.__dict__["__pgfast_digest__"] = digest
    return module


def line_in(error: BaseException, file: str) -> str:
    """``, line 7`` where an error came from line 7 of a file, or from something called there."""
    lines, trace = [], error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write so that whoever reads, now, at the same time or after a crash, finds all of it or what was there before.
    `mode` as of `os.open`."""
    part = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}{PART}")
    try:
        with open(part, "wb", opener=lambda path, flags: os.open(path, flags | _NO_LINK, mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    _sync(path.parent)


def put_elsewhere(write: Callable[[Path], object]) -> Path | None:
    """A folder of its own for what there is no room for where it belongs; None where there is none here, either."""
    import tempfile

    try:
        place = Path(tempfile.mkdtemp(prefix="pgfast-"))
        write(place)
    except (OSError, PgfastError):
        return None
    return place


def _sync(folder: Path) -> None:
    """Have the names in a folder on disk, where the system can do that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
