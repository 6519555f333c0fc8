"""``pgfast envs`` and ``pgfast info``: what there is to play."""

from __future__ import annotations

import inspect
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.cli.options import Env, Parameters, parameters
from pgfast.cli.output import Debug, Json, Quiet, answer, assignments, facts, threshold
from pgfast.errors import PgfastError

if TYPE_CHECKING:
    from pgfast.environments import Source


_WIDE = 110  # columns of a terminal from which on descriptions fit


def envs(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """List the environments that come with pgfast. Shows size, time limit and best return of each."""
    from pgfast.facts import listing

    def announce() -> None:
        if not quiet:
            print("working out the best returns; they are kept for the next time", file=sys.stderr)

    found = listing(announce)
    answer({"environments": found}, lambda: _list(found), as_json, quiet)


def _list(found: list[dict[str, Any]]) -> Any:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    wide = Console().width >= _WIDE
    table = Table(
        box=None, padding=(0, 2, 0, 0), expand=wide, caption_justify="left",
        caption="ℝⁿ: n real numbers; –: no time limit, or no best return known", caption_style="dim",
    )  # fmt: skip
    for column, justify in (("", "left"), ("states", "right"), ("actions", "right"), ("steps", "right")):
        table.add_column(column, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("best return", justify="right", no_wrap=True)
    if wide:
        table.add_column("", overflow="ellipsis", no_wrap=True, ratio=1)
    families = list(dict.fromkeys(entry["source"] for entry in found))
    for family in families:
        table.add_row(f"[bold]{escape(family)}[/]")
        for entry in found:
            if entry["source"] == family:
                table.add_row(*_row(entry), *([escape(entry["description"])] if wide else []))
        if family != families[-1]:
            table.add_row()
    return table


def _row(entry: dict[str, Any]) -> list[str]:
    limit, optimum = entry["max_steps"], entry["optimum"]
    return [
        f"  {entry['id']}",
        _count(entry["observations"], entry["observation_dimensions"]),
        _count(entry["actions"], entry["action_dimensions"]),
        f"{limit:,}" if limit else "–",
        f"{optimum:.6g}" if optimum is not None else "–",
    ]


def _count(number: int | None, dimensions: Any) -> str:
    """``16`` discrete ones, or ``ℝ⁴``."""
    if number is not None:
        return f"{number:,}"
    raised = str(math.prod(dimensions)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"ℝ{raised if raised != '¹' else ''}"


def info(
    env: Env,
    env_parameters: Parameters = None,
    algorithm: Annotated[str, typer.Option(metavar="NAME", help="Show the settings of training by this one.")] = (
        "reinforce"
    ),
    image: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Write a picture of where an episode begins.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Describe an environment. Shows parameters, spaces, time limit and optimum, what it looks like, and the settings
    it is trained with."""
    from pgfast.algorithms.catalogue import OF_ALGORITHMS
    from pgfast.choices import OF_SCHEDULES
    from pgfast.collection import BUNDLED, family
    from pgfast.engine import Engine
    from pgfast.environments import definition
    from pgfast.facts import description
    from pgfast.parametrisations import OF_POLICIES
    from pgfast.random import make_key

    engine = Engine(env, algorithm=algorithm, env_parameters=parameters(env_parameters))
    source, traits, cls = engine.source, engine.traits, definition(env)
    first = source.env.reset(make_key()) if source.foreign is None else None
    if image is not None:
        _draw(source, first, image)
    chosen = ((OF_ALGORITHMS, algorithm), (OF_POLICIES, engine.model.name), (OF_SCHEDULES, engine.settings.schedule))
    others = {choice for owners, name in chosen for choice, names in owners.items() if name not in names}
    idle = {"env", "env_parameters", *others}  # settings that say nothing here
    data = {
        "env": env,
        "description": description(cls),
        "source": family(env) if env in BUNDLED else "a file" if source.file is not None else "Gymnasium",
        "parameters": _parameters(env, cls),
        "observation_space": " ".join(str(source.env.observation_space).split()),
        "action_space": " ".join(str(source.env.action_space).split()),
        "observations": _observations(traits),
        "actions": _actions(traits),
        "max_steps": traits.max_steps if traits.limited else None,
        "optimum": engine.optimum,
        "threshold": threshold(engine.reach),
        "policy": engine.model.name,
        "n_parameters": engine.model.n_parameters,
        "settings": {k: v for k, v in engine.settings.given().items() if k not in idle and v != {}},
        "picture": _picture(source, first),
        "image": str(image) if image is not None else None,
    }
    answer(data, lambda: _describe(data, engine.reach.words), as_json, quiet)


def _picture(source: Source, state: Any) -> str | None:
    """The state in the environment's own text, if it has one."""
    from pgfast import rendering

    return rendering.text(source, state) if rendering.has_text(source) else None


def _draw(source: Source, state: Any, file: Path) -> None:
    from PIL import Image

    from pgfast import rendering

    if not rendering.has_picture(source):
        raise PgfastError(
            f"{source.label} has no picture: a method draw(self, state) or text(self, state) gives it one."
        )
    try:
        Image.fromarray(rendering.picture(source, state)).save(file)
    except (OSError, ValueError) as error:
        raise PgfastError(f"The picture can't be written to {str(file)!r}: {error}.") from None


def _observations(traits: Any) -> dict[str, Any]:
    if traits.n_observations is not None:
        return {"discrete": True, "n": traits.n_observations}
    return {"discrete": False, "n": len(traits.observation) if isinstance(traits.observation, tuple) else 1}


def _actions(traits: Any) -> Any:
    """How many there are; or of real ones, how many numbers and their bounds, None where there is none."""
    if traits.n_actions:
        return traits.n_actions
    low, high = ([x if math.isfinite(x) else None for x in bound] for bound in (traits.low, traits.high))
    return {"n": len(low), "low": low, "high": high}


def _parameters(env: str, definition: Any) -> dict[str, Any]:
    """Names and default values of an environment's parameters."""
    from pgfast.collection import BUNDLED

    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(definition).parameters.items():
        if name not in ("render_mode", "self") and parameter.kind is not parameter.VAR_KEYWORD:
            default = parameter.default
            known = default is not parameter.empty
            found[name] = default if isinstance(default, bool | int | float | str | None) and known else str(default)
    return found | dict(BUNDLED[env].parameters if env in BUNDLED else {})


def _describe(data: dict[str, Any], optimum: str) -> Any:
    from rich.console import Group
    from rich.markup import escape
    from rich.text import Text

    rows = [
        ("from", data["source"]),
        ("observations", data["observation_space"]),
        ("actions", data["action_space"]),
        ("time limit", f"{data['max_steps']:,} steps" if data["max_steps"] else "none of its own"),
        ("optimum", optimum),
        ("policy", f"{data['policy']}, {data['n_parameters']:,} parameters"),
        ("parameters", ", ".join(f"{k}={v}" for k, v in data["parameters"].items()) or "none"),
        ("settings", assignments(data["settings"])),
        *([("image", data["image"])] if data["image"] else []),
    ]
    picture = [Text(), Text(data["picture"])] if data["picture"] else []
    table = facts([(name, escape(text)) for name, text in rows], title=data["env"])
    return Group(Text(_flowing(data["description"])), Text(), table, *picture)


def _flowing(text: str) -> str:
    """A docstring without the line ends inside its paragraphs: the terminal breaks lines."""
    return re.sub(r"(?<!\n)\n(?!\n|\s|[-*]|[A-Z]\w*: )", " ", text)
