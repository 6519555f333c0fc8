"""From what the user names to an environment that kernels can play.

A name is the id of a bundled environment, a file (``my_env.py`` or ``my_env.py:Corridor``) or the id of a Gymnasium
environment with a transition table. Bundled environments are files too, and come in by the same door.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import numpy as np

from pgfast.errors import EnvironmentFault, PgfastError, unknown
from pgfast.tables import TabularMDP

BUNDLED = {  # id -> file and class; a new environment is one line here
    "ShortCorridor": ("corridor.py", "ShortCorridor"),
    "CartPole-v1": ("cartpole.py", "CartPole"),
    "Garnet": ("garnet.py", "Garnet"),
}
TABLES = (  # Gymnasium's environments with a transition table, for listings; others work too
    "CliffWalking-v1",
    "CliffWalkingSlippery-v1",
    "FrozenLake-v1",
    "FrozenLake8x8-v1",
    "Taxi-v3",
    "Taxi-v4",
)


@dataclass(frozen=True)
class Source:
    """An environment and where it came from."""

    env: Any  # a NamedTuple with step and reset
    name: str  # id or path
    parameters: dict[str, Any]
    table: TabularMDP | None = None
    file: Path | None = None

    @property
    def label(self) -> str:
        """What messages call it: ``my_env.py, Corridor``."""
        if self.table is not None:
            return self.table.name
        name = type(self.env).__name__
        return f"{self.file.name}, {name}" if self.file is not None else name


def make(name: str, **parameters: Any) -> Any:
    """The environment of that name, with its parameters: a NamedTuple of the environment protocol, or a TabularMDP.

    Raises PgfastError for an unknown name or parameter, EnvironmentFault for a file that doesn't keep the protocol.
    """
    source = find(name, parameters)
    return source.table if source.table is not None else source.env


def listed() -> list[str]:
    """The ids that need no file: bundled environments, and tables that the installed Gymnasium has."""
    import gymnasium

    return sorted([*BUNDLED, *(name for name in TABLES if name in gymnasium.registry)])


def definition(name: str) -> Any:
    """The class behind an id or a file: its docstring describes the environment, its signature has the parameters."""
    file, class_name = _place(name)
    if file is not None:
        return load_class(file, class_name, _bundled_module(file) if name in BUNDLED else None)
    import gymnasium
    from gymnasium.envs.registration import load_env_creator

    entry = gymnasium.spec(name).entry_point
    return load_env_creator(entry) if isinstance(entry, str) else entry


def find(env: Any, parameters: Mapping[str, Any] | None = None) -> Source:
    """The source of an id, a path, an environment object or a TabularMDP."""
    given = dict(parameters or {})
    if isinstance(env, str | Path):
        return _find_by_name(str(env), given)
    if given:
        raise PgfastError(f"Parameters {', '.join(given)} were given beside an environment object: set them in it.")
    if isinstance(env, TabularMDP):
        return Source(env.environment(), env.name, {}, table=env)
    if isinstance(env, tuple) and hasattr(env, "_fields"):
        return _from_object(env)
    if hasattr(env, "unwrapped"):
        table = TabularMDP.from_gymnasium(env)
        return Source(table.environment(), table.name, {}, table=table)
    raise PgfastError(
        f"{env!r} is no environment: give an id (see `pgfast envs`), a file, a NamedTuple with step and "
        f"reset, or a TabularMDP."
    )


def _place(name: str) -> tuple[Path | None, str | None]:
    """The file and the class that a name stands for; no file for an id of Gymnasium's."""
    if name in BUNDLED:
        file, class_name = BUNDLED[name]
        return packaged_folder("envs") / file, class_name
    path_part, _, class_part = name.partition(":")
    if not path_part.endswith(".py"):
        return None, None
    path = Path(path_part).expanduser()
    if not path.is_file():
        raise PgfastError(f"There is no file {path_part!r} to take an environment from.")
    return path.resolve(), class_part or None


def _bundled_module(file: Path) -> str:
    return f"pgfast._envs.{file.stem}"


def _find_by_name(name: str, parameters: dict[str, Any]) -> Source:
    file, class_name = _place(name)
    if file is None:
        return _from_gymnasium(name, parameters)
    bundled = name in BUNDLED
    cls = load_class(file, class_name, _bundled_module(file) if bundled else None)
    full_name = name if bundled else f"{file}:{class_name}" if class_name else str(file)
    return _source(construct(cls, parameters), full_name, parameters, file)


def _source(env: Any, name: str, parameters: dict[str, Any], file: Path | None) -> Source:
    """The source of an object of the environment protocol, or of one whose method `table` gives the MDP to play."""
    if not hasattr(env, "table") or hasattr(env, "step"):
        return Source(env, name, parameters, file=file)
    cls = type(env).__name__
    place = f"{file.name}, " if file is not None else ""
    try:
        table = env.table()
    except PgfastError:
        raise
    except Exception as error:  # whatever a user's method raises
        place = f"{file.name}{line_in(error, str(file))}, " if file is not None else ""
        raise EnvironmentFault(f"{place}{cls}.table fails with {type(error).__name__}: {error}") from error
    if not isinstance(table, TabularMDP):
        raise EnvironmentFault(f"{place}{cls}.table gives {table!r}: it must be a pgfast.TabularMDP.")
    return Source(table.environment(), name, parameters, table=table, file=file)


def _from_gymnasium(name: str, parameters: dict[str, Any]) -> Source:
    import gymnasium

    if name.partition(":")[2] == "" and name not in gymnasium.registry:
        raise unknown("environment", name, listed())
    _check_parameters(name, parameters)
    try:
        env = gymnasium.make(name, **parameters)
    except Exception as error:  # whatever its constructor raises: it is not ours
        raise PgfastError(f"Gymnasium can't make {name}: {type(error).__name__}: {error}") from error
    if not isinstance(getattr(env.unwrapped, "P", None), dict):
        raise PgfastError(
            f"{name} is a Gymnasium environment without a transition table: pgfast can't compile it; write its "
            f"dynamics as a file (see docs/environments.md), or choose from {', '.join(listed())}."
        )
    table = TabularMDP.from_gymnasium(env)
    env.close()
    return Source(table.environment(), name, parameters, table=table)


def _check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise PgfastError for a parameter that Gymnasium's environment doesn't have."""
    if not parameters:
        return
    allowed = inspect.signature(definition(name)).parameters
    if any(p.kind is p.VAR_KEYWORD for p in allowed.values()):
        return
    for given in parameters:
        if given not in allowed:
            raise unknown("parameter", given, [p for p in allowed if p != "render_mode"], of=name)


def _from_object(env: Any) -> Source:
    cls = type(env)
    known = [name for name, (_, class_name) in BUNDLED.items() if cls.__name__ == class_name]
    parameters = {
        k: v for k, v in env._asdict().items() if k not in env._field_defaults or v is not env._field_defaults[k]
    }
    if known and cls.__module__.startswith("pgfast._envs"):
        return _source(normalised(env), known[0], parameters, None)
    try:
        file: Path | None = Path(inspect.getfile(cls)).resolve()
    except (TypeError, OSError):
        file = None
    name = f"{file}:{cls.__qualname__}" if file is not None and file.suffix == ".py" else cls.__qualname__
    return _source(normalised(env), name, parameters, file)


@cache
def packaged_folder(name: str) -> Path:
    """Where a folder of the checkout is: `envs` and `bench` are installed as `pgfast._envs` and `pgfast._bench`."""
    spec = importlib.util.find_spec(f"pgfast._{name}")
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(__file__).resolve().parent.parent / name


def load_class(path: Path, class_name: str | None, module_name: str | None = None) -> type:
    """The environment class in a file: the one named, or the only one there is."""
    module = _load_module(
        path, module_name or f"pgfast_user_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    )
    found = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, tuple)
        and hasattr(value, "_fields")
        and value.__module__ == module.__name__
    }
    if class_name is not None:
        if class_name not in found:
            raise unknown("environment", class_name, found, of=path.name) if found else _no_class(path, module)
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


def construct(cls: type, parameters: Mapping[str, Any]) -> Any:
    """An environment with parameters given by name; strings, as the command line has them, become numbers."""
    fields: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]
    for name in parameters:
        if name not in fields:
            if not fields:
                raise PgfastError(f"{cls.__name__} has no parameters, so {name!r} can't be set.")
            raise unknown("parameter", name, fields, of=cls.__name__)
    missing = [f for f in fields if f not in cls._field_defaults and f not in parameters]  # type: ignore[attr-defined]
    if missing:
        raise PgfastError(f"{cls.__name__} needs a value for its parameter {missing[0]!r}.")
    return normalised(cls(**parameters))


def normalised(env: Any) -> Any:
    """The same environment with every parameter of the type it is declared with, so that none changes what is
    compiled."""
    cls = type(env)
    try:
        hints = get_type_hints(cls)
    except Exception:  # a hint that can't be evaluated says nothing
        hints = {}
    values = {}
    for name, value in env._asdict().items():
        default = cls._field_defaults.get(name)
        kind = hints.get(name, type(default))
        kind = type(default) if kind not in (int, float, bool) and isinstance(default, bool | int | float) else kind
        if isinstance(value, np.ndarray) or isinstance(default, np.ndarray) or kind is np.ndarray:
            values[name] = _as_array(cls, name, value, default)
        else:
            values[name] = _as_kind(cls, name, value, kind)
    return cls(**values)


def in_precision(env: Any, real: str) -> Any:
    """The environment with the floats of its parameters in single precision where `real` is "f4"."""
    return type(env)(*(_single(value) for value in env)) if real == "f4" else env


def _single(value: Any) -> Any:
    """A parameter whose floats, if it has any, are float32s."""
    if isinstance(value, tuple):
        return tuple(map(_single, value))
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(np.float32)
    return np.float32(value) if isinstance(value, float | np.floating) else value


def _as_array(cls: type, name: str, value: Any, default: Any) -> np.ndarray:
    """An array of the default's dtype; lists, as configuration files have them, become arrays."""
    dtype = default.dtype if isinstance(default, np.ndarray) else None
    try:
        array = np.ascontiguousarray(value, dtype)
    except (TypeError, ValueError):
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        raise PgfastError(f"{cls.__name__}.{name} is {value!r}: it must be an array of numbers.")
    return array


def _as_kind(cls: type, name: str, value: Any, kind: Any) -> Any:
    if kind is bool:
        truths = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
        if isinstance(value, str) and value.lower() in truths:
            return truths[value.lower()]
        return bool(value)
    if kind in (int, float):
        try:
            number = kind(value)
        except (TypeError, ValueError):
            raise PgfastError(
                f"{cls.__name__}.{name} is {value!r}: it must be {'a whole number' if kind is int else 'a number'}."
            ) from None
        if kind is int and not isinstance(value, str) and number != value:
            raise PgfastError(f"{cls.__name__}.{name} is {value!r}: it must be a whole number.")
        return number
    return value
