"""``pgfast cache``: compiled kernels on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pgfast.cli.options import Parameters, given, parameters, takes_settings
from pgfast.cli.output import Debug, Json, Quiet, answer, facts
from pgfast.cli.progress import compile_aloud

app = typer.Typer(help="Compiled kernels on disk: status, warm, clear.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def status(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """Where compiled kernels are kept, how many, how large."""
    from pgfast.compiler.cache import cached_files

    data = _counted(cached_files())
    answer(data, lambda: facts(_rows(data), title="Kernel cache"), as_json, quiet)


@app.command()
@takes_settings
def warm(
    env: Annotated[
        list[str] | None, typer.Argument(help="Environments; by default all listed by `pgfast envs`.")
    ] = None,
    env_parameters: Parameters = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
    **settings: Any,
) -> None:
    """Compile all kernels that environments need with these settings, so that later runs start at once."""
    from pgfast.engine import Engine
    from pgfast.environments import listed

    done: list[dict[str, Any]] = []
    for name in env or listed():
        engine = Engine(name, env_parameters=parameters(env_parameters), **given(settings))
        made = compile_aloud(engine, quiet=quiet, everything=True)
        done.append({"env": name, "compile_seconds": made.compile_seconds, "load_seconds": made.load_seconds})

    def rows() -> list[tuple[str, str]]:
        return [
            (d["env"], f"compiled in {d['compile_seconds']:.1f} s" if d["compile_seconds"] else "was there")
            for d in done
        ]

    answer({"environments": done}, lambda: facts(rows()), as_json, quiet)


@app.command()
def clear(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """Delete all compiled kernels; they are compiled again when needed."""
    from pgfast.compiler.cache import cached_files

    files = cached_files()
    data = _counted(files)
    for file in files:
        file.unlink(missing_ok=True)
    answer(data, lambda: facts(_rows(data), title="Deleted"), as_json, quiet)


def _counted(files: list[Path]) -> dict[str, Any]:
    from pgfast.compiler.cache import cache_folder

    return {"folder": str(cache_folder()), "kernels": len(files), "bytes": sum(file.stat().st_size for file in files)}


def _rows(data: dict[str, Any]) -> list[tuple[str, str]]:
    return [("folder", data["folder"]), ("kernels", f"{data['kernels']}, {data['bytes'] / 1e6:.1f} MB")]
