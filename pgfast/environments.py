"""From what the user names to an environment that kernels can play.

A name is the id of a bundled environment, a file (``my_env.py`` or ``my_env.py:Corridor``) or the id of a Gymnasium
environment. Bundled environments are files too, and come in by the same door. Of Gymnasium's, those with a transition
table are played from that; all others are `Foreign`, and Gymnasium steps them.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from pgfast import spaces
from pgfast.collection import BUNDLED, NAMESPACE
from pgfast.errors import EnvironmentFault, PgfastError, unknown
from pgfast.files import line_in, load_class, load_function, packaged_folder
from pgfast.foreign import Foreign, from_maker, from_object, from_spec
from pgfast.functions import maximise
from pgfast.parameters import construct, normalised
from pgfast.tables import NoTableError, TabularMDP

_OF_VECTORS = (  # among the parameters of a spec
    "max_episode_steps",
    "num_envs",
    "render_mode",
    "vectorization_mode",
    "vector_kwargs",
)
_MOVING = {"clock", "isopen", "last_u", "lastaction", "render_mode", "s", "screen", "state", "steps_beyond_terminated"}
_MOVING |= {"_over", "_seeded"}  # of our own


@dataclass(frozen=True)
class Source:
    """An environment and where it came from."""

    env: Any  # a NamedTuple with step and reset, or a Foreign
    name: str  # id or path
    parameters: dict[str, Any]
    table: TabularMDP | None = None
    file: Path | None = None
    origin: Any = None  # the object whose method `table` gave the table
    features: Any = None  # the user's own, of what is observed

    @property
    def foreign(self) -> Foreign | None:
        """The environments, where Gymnasium steps them."""
        return self.env if isinstance(self.env, Foreign) else None

    @property
    def label(self) -> str:
        """What messages call it: ``my_env.py, Corridor``."""
        if self.table is not None:
            return self.table.name
        if isinstance(self.env, Foreign):
            return self.env.label
        name = type(self.env).__name__
        return f"{self.file.name}, {name}" if self.file is not None else name


def make(name: str, **parameters: Any) -> Any:
    """The environment of that name, with its parameters: a NamedTuple of the environment protocol, or a TabularMDP.

    Raises PgfastError for an unknown name or parameter, and for one that only Gymnasium can step; EnvironmentFault for
    a file that doesn't keep the protocol.
    """
    source = find(name, parameters)
    if source.foreign is not None:
        raise PgfastError(f"{source.label} is Gymnasium's to make and to step: give its name to Engine as it is.")
    return source.table if source.table is not None else source.env


def listed() -> list[str]:
    """The ids of the bundled environments."""
    return sorted(BUNDLED)


def definition(name: str) -> Any:
    """What makes the environment of an id or a file: its docstring describes the environment, its signature has the
    parameters."""
    name = _own_name(name)
    file, class_name = _place(name)
    if file is not None:
        function = _function(name, file, class_name)
        if function is not None:
            description = partial(maximise, function)
            description.__doc__ = function.__doc__
            return description
        return load_class(file, class_name, _bundled_module(file) if name in BUNDLED else None)
    return _entry(_spec(name))


def _entry(spec: Any) -> Any:
    """The class or function by which Gymnasium makes an environment."""
    from gymnasium.envs.registration import load_env_creator

    return load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point


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
    if hasattr(env, "unwrapped") and not isinstance(env, type):
        return _from_gymnasium_object(env)
    if callable(env) and not (isinstance(env, type) and issubclass(env, tuple)):
        name = getattr(env, "__qualname__", type(env).__name__)
        return Source(from_maker(env), f"{name}()", {})
    raise PgfastError(
        f"{env!r} is no environment: give an id (see `pgfast envs`), a file, a NamedTuple with step and "
        f"reset, a TabularMDP, or a Gymnasium environment."
    )


def in_file(env: Any) -> str | None:
    """`env` where it names a file of a user's, which a saved run may not find by itself any more; else None."""
    return env if isinstance(env, str) and env.partition(":")[0].endswith(".py") else None


def is_code(name: Any) -> bool:
    """Does a name that a run gives stand for a file of somebody's, or a module to import, rather than for what is
    installed here?"""
    return isinstance(name, str) and name not in BUNDLED and (in_file(name) is not None or ":" in name)


def _place(name: str) -> tuple[Path | None, str | None]:
    """The file and the class that a name stands for; no file for an id of Gymnasium's."""
    if name in BUNDLED:
        entry = BUNDLED[name]
        return packaged_folder("envs") / entry.file, entry.class_name
    if in_file(name) is None:
        return None, None
    path_part, _, class_part = name.partition(":")
    path = Path(path_part).expanduser()
    if not path.is_file():
        raise PgfastError(f"There is no file {path_part!r} to take an environment from.")
    return path.resolve(), class_part or None


def _own_name(name: str) -> str:
    """Without what stands before the ids of bundled environments in Gymnasium's registry."""
    own = name.removeprefix(f"{NAMESPACE}/")
    return own if own in BUNDLED else name


def _bundled_module(file: Path) -> str:
    return f"pgfast._envs.{file.stem}"


def _function(name: str, file: Path, function_name: str | None) -> FunctionType | None:
    """The function in a user's file that a name stands for: one to be maximised."""
    return load_function(file, function_name) if function_name is not None and name not in BUNDLED else None


def _find_by_name(name: str, parameters: dict[str, Any]) -> Source:
    name = _own_name(name)
    if name == spaces.NAME:
        simulation, plain = spaces.simulation(parameters)
        return Source(simulation, name, plain)
    if name.endswith("()"):
        raise PgfastError(
            f"{name} was an object of the program that saved it: give it again, as Engine.load(…, env=…)."
        )
    file, class_name = _place(name)
    if file is None:
        return _from_gymnasium(name, parameters)
    bundled = name in BUNDLED
    full_name = name if bundled else f"{file}:{class_name}" if class_name else str(file)
    function = _function(name, file, class_name)
    if function is not None:
        _check_parameters(definition(name), name, parameters)
        return Source(maximise(function, **parameters), full_name, parameters, file=file)
    cls = load_class(file, class_name, _bundled_module(file) if bundled else None)
    if not issubclass(cls, tuple):
        _check_parameters(cls, cls.__name__, parameters)
        found = from_maker(partial(cls, **parameters), f"{file.name}, {cls.__name__}")
        return Source(found, full_name, parameters, file=file)
    own = BUNDLED[name].parameters if bundled else {}
    return _source(construct(cls, {**own, **parameters}), full_name, parameters, file)


def _source(env: Any, name: str, parameters: dict[str, Any], file: Path | None) -> Source:
    """The source of an object of the environment protocol, or of one whose method `table` gives the MDP to play."""
    if not hasattr(env, "table") or hasattr(env, "step"):
        return Source(env, name, parameters, file=file)
    cls = type(env).__name__
    place = f"{file.name}, " if file is not None else ""
    try:
        table, player = _table(env)
    except PgfastError:
        raise
    except Exception as error:  # whatever a user's method raises
        place = f"{file.name}{line_in(error, str(file))}, " if file is not None else ""
        raise EnvironmentFault(f"{place}{cls}.table fails with {type(error).__name__}: {error}") from error
    if player is None:
        raise EnvironmentFault(f"{place}{cls}.table gives {table!r}: it must be a pgfast.TabularMDP.")
    return Source(player, name, parameters, table=table, file=file, origin=env)


def _table(env: Any) -> tuple[Any, Any]:
    """What the method `table` gives, and what plays it; some tables take seconds, and are kept."""
    try:
        return _kept_table(env)
    except TypeError:  # a field that can't be hashed, or a TypeError of the method's own
        return _kept_table.__wrapped__(env)


@lru_cache(maxsize=8, typed=True)
def _kept_table(env: Any) -> tuple[Any, Any]:
    table = env.table()
    return table, table.environment() if isinstance(table, TabularMDP) else None


def _lifted(env: Any) -> TabularMDP | None:
    """The table of an environment of Gymnasium's, if that is all there is to it."""
    try:
        return TabularMDP.from_gymnasium(env)
    except NoTableError:
        return None


def _from_gymnasium(name: str, parameters: dict[str, Any]) -> Source:
    """The table of an id of Gymnasium's, or the environments as they are."""
    import gymnasium

    try:
        spec = _spec(name)
        _check_parameters(_entry(spec), name, parameters)
        env = gymnasium.make(spec, **parameters)
    except PgfastError:
        raise
    except Exception as error:  # whatever its constructor raises: it is not ours
        raise PgfastError(f"Gymnasium can't make {name}: {type(error).__name__}: {error}") from error
    table = _lifted(env)
    if table is None:
        assert env.spec is not None
        return Source(from_spec(env.spec, env, name), name, parameters)
    env.close()
    return Source(table.environment(), name, parameters, table=table)


def _spec(name: str) -> Any:
    """Gymnasium's entry for an id, or ``module:id``, where the module is what registers it."""
    import gymnasium

    module, colon, own_name = name.partition(":")
    if colon:
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))  # as for a script: its neighbours can be imported
        import_module(module)
    if (own_name or name) not in gymnasium.registry:
        near = get_close_matches(name, [*listed(), *gymnasium.registry], n=1, cutoff=0.5)
        if near and near[0] not in listed():
            raise PgfastError(f"There is no environment {name!r} (did you mean {near[0]!r}?): see `pgfast envs`.")
        raise unknown("environment", name, listed())
    return gymnasium.spec(own_name or name)


def _from_gymnasium_object(env: Any) -> Source:
    """An environment, or a vector of them, that the user has made. What is bundled and hasn't been changed since, and
    what is no more than its table, is played from that."""
    spec = env.spec
    twin = _twin(env) if spec is not None and not hasattr(env, "num_envs") else None
    if twin is not None:
        return twin
    table = _lifted(env)
    if table is not None:
        return Source(table.environment(), table.name, {}, table=table)
    found = from_object(env)
    if spec is None or not _found_again(spec):
        return Source(found, f"{found.label}()", {})
    parameters = {
        k: v for k, v in spec.kwargs.items() if k not in _OF_VECTORS and isinstance(v, bool | int | float | str)
    }
    return Source(found, spec.id, parameters)


def _found_again(spec: Any) -> bool:
    """Is an environment made from this the one that its id stands for?"""
    import gymnasium

    known = gymnasium.registry.get(spec.id)
    if known is None or spec.additional_wrappers or _own_name(spec.id) in BUNDLED:
        return False
    limit = spec.kwargs.get("max_episode_steps", spec.max_episode_steps)  # of a vector it is among the others
    return bool(limit == known.max_episode_steps)


def _twin(env: Any) -> Source | None:
    """The bundled environment with the id of an environment of Gymnasium's; None where that has been changed, or made
    or wrapped in a way that the bundled one doesn't know."""
    import gymnasium

    spec = env.spec
    name = _own_name(spec.id)
    if name not in BUNDLED or spec.id not in gymnasium.registry or spec.additional_wrappers:
        return None
    parameters = {k: v for k, v in spec.kwargs.items() if k != "render_mode" and (k, v) != ("env", name)}
    try:
        source = _find_by_name(name, parameters)
        if spec.max_episode_steps != getattr(source.env, "max_steps", None):
            source = _find_by_name(name, {**parameters, "max_steps": spec.max_episode_steps})
        fresh = gymnasium.make(spec)
    except (PgfastError, gymnasium.error.Error):
        return None
    return source if _made_of(env) == _made_of(fresh) else None


def _made_of(env: Any) -> dict[str, str]:
    """What an environment of Gymnasium's computes with: its plain attributes, but for those that play changes."""
    plain = (bool, int, float, str, list, tuple, np.ndarray)
    return {
        name: repr(value.tolist() if isinstance(value, np.ndarray) else value)
        for name, value in vars(env.unwrapped).items()
        if isinstance(value, plain) and name not in _MOVING and not name.startswith("_np_random")
    }


def _check_parameters(entry: Any, name: str, parameters: Mapping[str, Any]) -> None:
    """Raise PgfastError for a parameter that a function, or what makes an environment of Gymnasium's, doesn't have."""
    if not parameters:
        return
    allowed = inspect.signature(entry).parameters
    if any(p.kind is p.VAR_KEYWORD for p in allowed.values()):
        return
    for given in parameters:
        if given not in allowed:
            raise unknown("parameter", given, [p for p in allowed if p != "render_mode"], of=name.rpartition(":")[2])


def _from_object(env: Any) -> Source:
    cls = type(env)
    known = [name for name, entry in BUNDLED.items() if cls.__name__ == entry.class_name and not entry.parameters]
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
