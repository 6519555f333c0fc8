"""``pgfast envs``, ``pgfast info`` and ``pgfast check``: what there is to play."""

from __future__ import annotations

import inspect
import math
from typing import Annotated, Any

import typer

from pgfast.cli.options import Parameters, parameters
from pgfast.cli.output import Debug, Json, Quiet, answer, facts

Env = Annotated[str, typer.Argument(help="An id (see `pgfast envs`), or a file: my_env.py, my_env.py:MyEnv.")]


def envs(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """List the environments that need no file."""
    from pgfast.collection import family
    from pgfast.environments import definition, listed

    found = [
        {
            "id": name,
            "source": family(name),
            "description": _summary(definition(name)),
        }
        for name in listed()
    ]
    answer({"environments": found}, lambda: _list(found), as_json, quiet)


def _list(found: list[dict[str, str]]) -> Any:
    from rich.table import Table

    table = Table("id", "source", "description", box=None, padding=(0, 2, 0, 0))
    for entry in found:
        table.add_row(entry["id"], entry["source"], entry["description"])
    return table


def _summary(definition: Any) -> str:
    """The first sentence of a docstring."""
    text = " ".join((inspect.getdoc(definition) or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".") + "." if text else ""


def info(
    env: Env,
    env_parameters: Parameters = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Describe an environment: parameters, spaces, time limit, optimum, and the settings it is trained with."""
    from pgfast.engine import Engine
    from pgfast.environments import definition

    engine = Engine(env, env_parameters=parameters(env_parameters))
    traits, cls = engine.traits, definition(env)
    settings = {k: v for k, v in engine.settings.given().items() if k not in ("env", "env_parameters")}
    own = _parameters(cls)
    data = {
        "env": env,
        "description": inspect.getdoc(cls) or "",
        "parameters": own,
        "observations": _observations(traits),
        "actions": _actions(traits),
        "max_steps": traits.max_steps if traits.limited else None,
        "optimum": engine.optimum,
        "policy": engine.model.name,
        "n_parameters": engine.model.n_parameters,
        "settings": settings,
    }
    answer(data, lambda: _describe(data), as_json, quiet)


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


def _actions_in_words(actions: Any) -> str:
    if isinstance(actions, int):
        return str(actions)
    low, high = (["∞" if x is None else f"{x:g}" for x in actions[bound]] for bound in ("low", "high"))
    spans = dict.fromkeys(f"{'−' * (a == '∞')}{a} to {b}" for a, b in zip(low, high, strict=True))
    return f"{actions['n']} real number{'s' if actions['n'] > 1 else ''}, from {', '.join(spans)}"


def _parameters(definition: Any) -> dict[str, Any]:
    """Names and default values of an environment's parameters."""
    found = {}
    for name, parameter in inspect.signature(definition).parameters.items():
        if name not in ("render_mode", "self") and parameter.kind is not parameter.VAR_KEYWORD:
            default = parameter.default
            known = default is not parameter.empty
            found[name] = default if isinstance(default, bool | int | float | str | None) and known else str(default)
    return found


def _describe(data: dict[str, Any]) -> Any:
    from rich.console import Group
    from rich.text import Text

    seen = data["observations"]
    rows = [
        ("observations", f"{seen['n']} different ones" if seen["discrete"] else f"{seen['n']} real numbers"),
        ("actions", _actions_in_words(data["actions"])),
        ("time limit", f"{data['max_steps']:,} steps" if data["max_steps"] else "none of its own"),
        ("optimum", f"{data['optimum']:.6g}" if data["optimum"] is not None else "not known"),
        ("policy", f"{data['policy']}, {data['n_parameters']:,} parameters"),
        ("parameters", ", ".join(f"{k}={v}" for k, v in data["parameters"].items()) or "none"),
        ("settings", ", ".join(f"{k}={v}" for k, v in data["settings"].items())),
    ]
    return Group(Text(data["description"]), Text(), facts(rows, title=data["env"]))


def check(
    env: Env,
    env_parameters: Parameters = None,
    precision: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """Check that an environment keeps the protocol, and that its compiled form plays as its Python does."""
    from pgfast.checker import check as examine
    from pgfast.environments import find

    report = examine(find(env, parameters(env_parameters)), precision=precision)
    data = {"env": env, "ok": report.ok, "checks": [c._asdict() for c in report.checks], "facts": report.facts}
    answer(data, lambda: _report(data), as_json, quiet)
    return 0 if report.ok else 1


def _report(data: dict[str, Any]) -> Any:
    marks = {True: "[green]ok[/]", False: "[red]failed[/]"}
    rows = [(marks[c["ok"]], f"{c['name']}{': ' if c['message'] else ''}{c['message']}") for c in data["checks"]]
    return facts([*rows, *((name, str(value)) for name, value in data["facts"].items())], title=data["env"])
