"""What commands print: one JSON object, or a table for people; errors as one sentence on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def answer(data: dict[str, Any], render: Callable[[], RenderableType], as_json: bool, quiet: bool = False) -> None:
    """Print the outcome of a command."""
    if as_json:
        print(json.dumps(finite(data), ensure_ascii=False))
    elif not quiet:
        from rich.console import Console

        Console().print(render())


def fail(message: str, code: int, as_json: bool) -> int:
    """Print an error; returns its exit code."""
    print(f"pgfast: {message}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": message, "exit_code": code}, ensure_ascii=False))
    return code


def finite(value: Any) -> Any:
    """The same with null for the numbers that JSON doesn't have."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def facts(rows: Iterable[tuple[str, str]], title: str | None = None) -> RenderableType:
    """A table of names and what is said of them."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, text)
    return table


def catalogue(
    found: Iterable[dict[str, Any]], details: Callable[[dict[str, Any]], Iterable[str]], *notes: str
) -> RenderableType:
    """What there is to choose from: of each its name, description, details and reference; `notes` at the end."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[Any] = []
    for entry in found:
        lines = [Text(line) for line in (f"{entry['description']}.", *details(entry))]
        indented = [*lines, Text(f"{entry['reference']}.", "dim")]
        parts += [Text(entry["name"], "bold"), *(Padding(line, (0, 0, 0, 2), expand=False) for line in indented)]
    return Group(*parts, Text(), *map(Text, notes))


def assignments(choices: Mapping[str, Any]) -> str:
    """``bins=8, wrap=false, low``: the name alone of what is found where it is not given."""
    return ", ".join(
        name if value is None else f"{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in choices.items()
    )


def cut_off(engine: Any, mean_length: float) -> list[tuple[str, str]]:
    """A row about an environment without time limit whose episodes go on until the engine ends them, or none."""
    from pgfast.probe import ENGINE_LIMIT

    if engine.traits.limited or mean_length < ENGINE_LIMIT / 2:
        return []
    return [("time limit", f"none of its own: the engine ends an episode after {ENGINE_LIMIT:,} steps; set max_steps")]


def per_step(engine: Any, evaluation: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What an evaluation says of rewards per step, for `--json` and as a row; nothing where episodes count."""
    if not engine._problem.continues:
        return {}, []
    from pgfast.exact.reach import best_average

    length, best = evaluation.mean_length, best_average(engine.source, engine.traits)
    mean, low, high = (x / length for x in (evaluation.mean, *evaluation.ci95))
    words = f"{span(mean, low, high)}; optimum in the long run {'not known' if best is None else f'{best:.6g}'}"
    return {"reward_per_step": {"mean": mean, "ci95": [low, high], "optimum": best}}, [("reward per step", words)]


def threshold(reach: Any) -> dict[str, Any] | None:
    """What Gymnasium calls solved, and whether a policy can get there; None where it says nothing."""
    return None if reach.threshold is None else {"gymnasium": reach.threshold, "out_of_reach": reach.out_of_reach}


def short(number: float) -> str:
    """A number with three or four digits and k, M or G: 1.92 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def span(mean: float, low: float, high: float) -> str:
    """A mean and its interval with as many digits as the interval lets one see."""
    if not math.isfinite(mean):
        return "not known"
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{mean:.4g}"
    digits = max(0, min(6, 1 - math.floor(math.log10((high - low) / 2)))) if high > low else 3
    return f"{mean:z.{digits}f} [{low:z.{digits}f}, {high:z.{digits}f}]"
