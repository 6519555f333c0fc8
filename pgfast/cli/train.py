"""``pgfast train``: from an environment's name to a trained policy, its score and its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pgfast.cli.options import ENV, Parameters, given, parameters, takes_settings
from pgfast.cli.output import Debug, Json, Quiet
from pgfast.cli.progress import Interruption
from pgfast.cli.supervision import Every, Supervision, Threads, check_threads
from pgfast.errors import PgfastError
from pgfast.painter import Painter

Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings from a TOML file; options override them.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="DIR", help="The run's folder; by default runs/<env>-<algorithm>-<seed>-<time>."
    ),
]


@takes_settings
def train(
    env: Annotated[str | None, ENV] = None,
    env_parameters: Parameters = None,
    config: Config = None,
    out: Out = None,
    checkpoint_every: Every = None,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
    **settings: Any,
) -> int:
    """Train a policy and judge it by fresh episodes."""
    check_threads(threads)
    with Painter() as painter, Interruption() as interruption:
        from pgfast.checkpoints import EVERY, Checkpoints
        from pgfast.engine import Engine
        from pgfast.run_folder import RunFolder, default_path

        name, choices = _choices(env, env_parameters, config, given(settings))
        engine = Engine(name, **choices)
        path = out or default_path(name, engine.settings.algorithm, engine.settings.seed)
        checkpoints = Checkpoints(path, checkpoint_every or EVERY)
        with RunFolder(path) as folder:
            return Supervision(painter, interruption, threads, as_json, quiet).run(engine, folder, checkpoints)


def _choices(
    env: str | None, pairs: list[str] | None, config: Path | None, chosen: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The environment's name and the settings: the file's, overridden by the command line's."""
    from pgfast.storage import read_config

    settings = read_config(config) if config is not None else {}
    configured = settings.pop("env", None)
    own = settings.pop("env_parameters", {}) if env in (None, configured) else {}
    name = env or configured
    if not isinstance(name, str):
        raise PgfastError("There is no environment to train on: name one, as in `pgfast train FrozenLake-v1`.")
    if not isinstance(own, dict):
        raise PgfastError(f"env_parameters is {own!r}: it must be a table of names and values.")
    settings.pop("env_parameters", None)
    return name, {**settings, **chosen, "env_parameters": {**own, **parameters(pairs)}}
