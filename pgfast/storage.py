"""An engine as a folder: settings as TOML, parameters as safetensors. Nothing that is read is ever executed."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pgfast.errors import PgfastError
from pgfast.tables import Outcomes, TabularMDP

if TYPE_CHECKING:
    from pgfast.engine import Engine

CONFIG, POLICY, TABLE = "config.toml", "policy.safetensors", "environment.safetensors"
AGENT = "agent.safetensors"  # what an agent holds beside the parameters, in the middle of an episode
E = TypeVar("E", bound="Engine")


def save(engine: Engine, folder: Path) -> None:
    """Settings and parameters."""
    from safetensors.numpy import save_file

    save_settings(engine, folder)
    tensors = {"runs": engine._learner.runs, "clock": engine._learner.clock}
    metadata = {
        "shape": json.dumps(engine.model.shape),
        "policy": engine.model.name,
        "evaluated": str(engine._evaluated),
    }
    (folder / AGENT).unlink(missing_ok=True)
    save_file({"theta": np.ascontiguousarray(engine.theta), **tensors}, str(folder / POLICY), metadata)


def save_settings(engine: Engine, folder: Path) -> None:
    """Settings and, for an environment given by arrays, its tables."""
    import tomli_w
    from safetensors.numpy import save_file

    make_folder(folder)
    settings = engine.settings.given()
    if engine.source.table is not None and not _findable(engine):
        settings["env"] = TABLE
        settings["env_parameters"] = {}
        save_file(_table_tensors(engine.source.table), str(folder / TABLE))
    given = {k: v for k, v in settings["env_parameters"].items() if v is not None}  # TOML has no word for it
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in given.items()}
    (folder / CONFIG).write_bytes(tomli_w.dumps({**settings, "env_parameters": plain}).encode())


def load(cls: type[E], folder: Path, env: Any = None, features: Any = None) -> E:
    """The engine in a folder; raises PgfastError for a file that is missing, damaged or doesn't fit the others."""
    from pgfast.environments import Source, find
    from pgfast.settings import validated

    settings = validated(**read_config(folder / CONFIG))
    source = None
    if env is not None:
        source = find(env, settings.env_parameters if isinstance(env, str | Path) else None)
    elif settings.env == TABLE:
        table = _read_table(folder / TABLE)
        source = Source(table.environment(), table.name, {}, table=table)
    if features is not None:
        source = replace(source or find(settings.env, settings.env_parameters), features=features)
    engine = cls.from_settings(settings, source)
    tensors, metadata = _read(folder / POLICY)
    learner = engine._learner
    for name, array in (("runs", learner.runs), ("clock", learner.clock)):
        given = tensors.get(name)
        if given is None or given.shape != array.shape or given.dtype != array.dtype:
            raise PgfastError(f"{folder / POLICY} doesn't fit {CONFIG}: {name} should have shape {array.shape}.")
        if name == "runs" and not np.all(np.isfinite(given)):
            raise PgfastError(f"{folder / POLICY} has parameters that are not finite.")
        array[:] = given
    engine._evaluated = int(metadata.get("evaluated", "0"))
    return engine


def save_agent(folder: Path, arrays: dict[str, np.ndarray], learn: str | None, waiting: bool) -> None:
    """What an agent holds, into a folder that has its engine."""
    from safetensors.numpy import save_file

    save_file(arrays, str(folder / AGENT), {"learn": learn or "", "waiting": str(int(waiting))})


def load_agent(folder: Path) -> tuple[dict[str, np.ndarray], str | None, bool]:
    """What `save_agent` was given; raises PgfastError for a file that is missing or damaged."""
    arrays, metadata = _read(folder / AGENT)
    return arrays, metadata.get("learn") or None, metadata.get("waiting") == "1"


def read_config(path: Path) -> dict[str, Any]:
    """The contents of a TOML file; raises PgfastError when it can't be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise PgfastError(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PgfastError(f"{path} can't be read: {error}") from None


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


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except FileNotFoundError:
        raise PgfastError(f"There is no file {path}.") from None
    except (OSError, SafetensorError) as error:
        raise PgfastError(f"{path} can't be read: {error}") from None


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
    tensors, _ = _read(path)
    try:
        outcomes = Outcomes(*(tensors[name] for name in Outcomes._fields))
        max_steps, seen = int(tensors["sizes"][2]) or None, tensors.get("observations")
        return TabularMDP.from_outcomes(outcomes, tensors["rho0"], observations=seen, max_steps=max_steps)
    except (KeyError, ValueError, IndexError) as error:
        raise PgfastError(f"{path} is no table of a finite MDP: {error}") from None
