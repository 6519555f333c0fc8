"""An engine as a folder: settings as TOML, parameters as safetensors. Nothing that is read is ever executed."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pgfast.beginning import derive_all
from pgfast.environments import in_file, is_code
from pgfast.errors import PgfastError
from pgfast.files import write_whole
from pgfast.kernels.learner import EPISODES, FAILED, STEPS, UPDATES, Learner
from pgfast.models import Model
from pgfast.tables import Outcomes, TabularMDP

if TYPE_CHECKING:
    from pgfast.engine import Engine

CONFIG, POLICY, TABLE = "config.toml", "policy.safetensors", "environment.safetensors"
ORIGIN = "origin.json"
AGENT = "agent.safetensors"  # what an agent holds beside the parameters, in the middle of an episode
LARGEST = 2**53  # of a counter: up to there floats count exactly
E = TypeVar("E", bound="Engine")


def save(engine: Engine, folder: Path) -> None:
    """Settings and parameters."""
    save_settings(engine, folder)
    save_policy(engine, folder)


def save_policy(engine: Engine, folder: Path) -> None:
    """Parameters, into a folder that has the settings."""
    from safetensors.numpy import save as packed

    metadata = {
        "shape": json.dumps(engine.model.shape),
        "policy": engine.model.name,
        "evaluated": str(engine._evaluated),
    }
    (folder / AGENT).unlink(missing_ok=True)
    arrays = {"theta": np.ascontiguousarray(engine.theta), **learner_arrays(engine.model, engine._learner)}
    write(folder / POLICY, packed(arrays, metadata))


def save_settings(engine: Engine, folder: Path) -> None:
    """Settings and, for an environment given by arrays, its tables."""
    import tomli_w
    from safetensors.numpy import save as packed

    make_folder(folder)
    settings = engine.settings.given()
    if engine.source.table is not None and not _findable(engine):
        settings["env"] = TABLE
        settings["env_parameters"] = {}
        write(folder / TABLE, packed(_table_tensors(engine.source.table)))
    given = {k: v for k, v in settings["env_parameters"].items() if v is not None}  # TOML has no word for it
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in given.items()}
    write(folder / CONFIG, tomli_w.dumps({**settings, "env_parameters": plain}).encode())
    write(folder / ORIGIN, (json.dumps(origin(engine), indent=2) + "\n").encode())


def origin(engine: Engine) -> dict[str, Any]:
    """What a run is made with: all that its numbers depend on beside its settings."""
    from pgfast.compiler.machine import processor

    platform, name, features = processor()
    file = engine.source.file if in_file(engine.settings.env) else None
    return {
        "pgfast": version("pgfast"),
        "python": python_version(),
        "numpy": np.__version__,
        "platform": platform,
        "processor": name,
        "features": features,
        "environment": None if file is None else {"file": file.name, "sha256": sha256(file.read_bytes()).hexdigest()},
    }


def changes(engine: Engine, folder: Path) -> list[str]:
    """What is no longer as it was when the run in a folder was made, in words."""
    try:
        before = json.loads((folder / ORIGIN).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(before, dict):
        return []
    now = origin(engine)
    names = ("pgfast", "python", "numpy", "platform", "processor")
    found = [f"{name} {before.get(name)} is now {now[name]}" for name in names if before.get(name) != now[name]]
    if before.get("features") != now["features"] and before.get("processor") == now["processor"]:
        found.append("the processor's features are others")
    was, given = before.get("environment"), now["environment"]
    if isinstance(was, dict) and given is not None and was.get("sha256") != given["sha256"]:
        digests = f"its SHA-256 was {str(was.get('sha256'))[:12]}…, it is {given['sha256'][:12]}…"
        found.append(f"{given['file']} has changed: {digests}")
    return found


def load(cls: type[E], folder: Path, env: Any = None, features: Any = None, trust: bool = False) -> E:
    """The engine in a folder; raises PgfastError for a file that is missing, damaged or doesn't fit the others."""
    tensors, metadata = read_tensors(folder / POLICY)
    engine = configured(cls, folder, env, features, trust, most_runs=len(tensors.get("clock", ())))
    check_learner(engine.model, engine._learner, tensors, folder / POLICY)
    restore_learner(engine.model, engine._learner, tensors)
    evaluated = metadata.get("evaluated", "0")
    if not re.fullmatch(r"\d{1,15}", evaluated):
        raise PgfastError(f"{folder / POLICY} says that {evaluated!r} episodes were evaluated: that is no number.")
    engine._evaluated = int(evaluated)
    return engine


def configured(
    cls: type[E],
    folder: Path,
    env: Any = None,
    features: Any = None,
    trust: bool = False,
    most_runs: int | None = None,
) -> E:
    """The engine that a folder's settings make, as it was before it learned anything. Code that they refer to is run
    only where it is named again, or with `trust`."""
    from pgfast.environments import Source, find
    from pgfast.settings import validated

    settings = validated(**read_config(folder / CONFIG))
    if most_runs is not None and settings.runs > most_runs:
        raise PgfastError(f"{folder / POLICY} doesn't fit {CONFIG}: runs is {settings.runs}, it has {most_runs}.")
    source = None
    for name, again, given in (("env", env, settings.env), ("features", features, settings.features)):
        if again is None and not trust and is_code(given):
            raise PgfastError(
                f"The run in {folder} refers to code, {name} = {given!r}: name the file again, or trust this one "
                f"(--env FILE or --trust; in Python env=… or trust=True)."
            )
    if env is not None:
        source = find(env, settings.env_parameters if isinstance(env, str | Path) else None)
    elif settings.env == TABLE:
        table = _read_table(folder / TABLE)
        source = Source(table.environment(), table.name, {}, table=table)
    if features is not None:
        source = replace(source or find(settings.env, settings.env_parameters), features=features)
    return cls.from_settings(settings, source)


def learner_arrays(model: Model, learner: Learner) -> dict[str, np.ndarray]:
    """What a learner can be made again from, beside the log and what a task that doesn't end goes on with."""
    learned = np.ascontiguousarray(learner.runs[:, _lasting(model, learner)])  # safetensors writes memory as it lies
    return {"learned": learned, "clock": learner.clock}


def check_learner(
    model: Model, learner: Learner, arrays: dict[str, np.ndarray], place: Path, last: int = LARGEST
) -> None:
    """Raise PgfastError for arrays that `learner_arrays` can't have given, of a learner like this one. No run has gone
    beyond episode `last`."""
    clock, lasting = learner.clock, _lasting(model, learner)
    learned, given = arrays.get("learned"), arrays.get("clock")
    for name, array, shape, dtype in (
        ("learned", learned, (len(clock), int(lasting.sum())), "f8"),
        ("clock", given, clock.shape, "i8"),
    ):
        if array is None or array.shape != shape or array.dtype != np.dtype(dtype):
            raise PgfastError(f"{place} doesn't fit {CONFIG}: {name} should have shape {shape}.")
    assert learned is not None
    assert given is not None
    if not np.all(np.isfinite(learned)):
        raise PgfastError(f"{place} has parameters that are not finite.")
    counters = given[:, [EPISODES, STEPS, UPDATES]]
    if np.any(counters < 0) or np.any(counters > LARGEST) or np.any(given[:, EPISODES] > last):
        raise PgfastError(f"{place} counts episodes or steps that can't have been.")
    if np.any((given[:, FAILED] < -1) | (given[:, FAILED] > given[:, EPISODES])):
        raise PgfastError(f"{place} has a run that failed at an episode it never came to.")


def restore_learner(model: Model, learner: Learner, arrays: dict[str, np.ndarray]) -> None:
    """Put what `learner_arrays` gave into a fresh learner."""
    clock, given = learner.clock, arrays["clock"]
    learner.runs[:, _lasting(model, learner)] = arrays["learned"]
    clock[:, [EPISODES, STEPS, UPDATES, FAILED]] = given[:, [EPISODES, STEPS, UPDATES, FAILED]]
    if model.tabular:
        derive_all(model, learner)


def _lasting(model: Model, learner: Learner) -> np.ndarray:
    """The columns of `learner.runs` that are kept, as a mask. What lanes look up in tables is not: no file may say what
    they find there. What they multiply by is: in single precision they make it themselves."""
    lasting = np.arange(learner.runs.shape[1]) < learner.carried_at
    if model.tabular:
        lasting[learner.prepared_at : learner.decays_at] = False
    return lasting


def policy_in(folder: Path) -> np.ndarray:
    """The parameters of the policy in a folder, a run after the other."""
    tensors, _ = read_tensors(folder / POLICY)
    if "theta" not in tensors:
        raise PgfastError(f"{folder / POLICY} has no parameters.")
    return tensors["theta"]


def save_agent(folder: Path, arrays: dict[str, np.ndarray], learn: str | None, waiting: bool) -> None:
    """What an agent holds, into a folder that has its engine."""
    from safetensors.numpy import save as packed

    write(folder / AGENT, packed(arrays, {"learn": learn or "", "waiting": str(int(waiting))}))


def load_agent(folder: Path) -> tuple[dict[str, np.ndarray], str | None, bool]:
    """What `save_agent` was given; raises PgfastError for a file that is missing or damaged."""
    arrays, metadata = read_tensors(folder / AGENT)
    return arrays, metadata.get("learn") or None, metadata.get("waiting") == "1"


def read_config(path: Path) -> dict[str, Any]:
    """The contents of a TOML file; raises PgfastError when it can't be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise PgfastError(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PgfastError(f"{path} can't be read: {error}.") from None


def write(path: Path, content: bytes) -> None:
    """Write a file whole; raises PgfastError, and leaves what was there, when that can't be."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise PgfastError(f"{path} can't be written: {error.strerror or error}.") from None


def make_folder(folder: Path) -> None:
    """Make a folder that can be written into; raises PgfastError when that can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".pgfast"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise PgfastError(
            f"The folder {folder} can't be written: {error.strerror}; choose another with --out."
        ) from None


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except FileNotFoundError:
        raise PgfastError(f"There is no file {path}.") from None
    except (OSError, SafetensorError) as error:
        raise PgfastError(f"{path} can't be read: {error}.") from None


def _findable(engine: Engine) -> bool:
    """Can the environment be made again from its name alone?"""
    return engine.source.table is None or _same_table(engine)


def _same_table(engine: Engine) -> bool:
    from pgfast.environments import find

    try:
        table = find(engine.settings.env, engine.settings.env_parameters).table
    except PgfastError:
        return False
    mine = engine.source.table
    assert mine is not None
    if table is None:
        return False
    theirs, ours = _table_tensors(table), _table_tensors(mine)
    return theirs.keys() == ours.keys() and all(np.array_equal(theirs[name], ours[name]) for name in ours)


def _table_tensors(table: TabularMDP) -> dict[str, np.ndarray]:
    sizes = np.array([table.n_states, table.n_actions, table.max_steps or 0], np.int64)
    arrays = {**table.outcomes._asdict(), "rho0": table.rho0, "sizes": sizes}
    if table.observations is not None:
        arrays["observations"] = table.observations
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _read_table(path: Path) -> TabularMDP:
    tensors, _ = read_tensors(path)
    try:
        outcomes = Outcomes(*(tensors[name] for name in Outcomes._fields))
        max_steps, seen = int(tensors["sizes"][2]) or None, tensors.get("observations")
        return TabularMDP.from_outcomes(outcomes, tensors["rho0"], observations=seen, max_steps=max_steps)
    except (KeyError, ValueError, IndexError) as error:
        raise PgfastError(f"{path} is no table of a finite MDP: {error}") from None
