"""``pgfast explain``: what policy gradients differentiate, on numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.cli.options import Parameters, parameters
from pgfast.cli.output import Debug, Json, Quiet, answer

if TYPE_CHECKING:
    from pgfast.lessons import Lesson

TOPICS = ("softmax", "log-linear", "expectation")
LARGEST, MOST = 1e6, 1000  # numbers, and actions, that can be read in a table


def explain(
    topic: Annotated[
        str | None, typer.Argument(metavar="[softmax|log-linear|expectation]", help="All of them, where none is named.")
    ] = None,
    env: Annotated[str, typer.Option(help="softmax: an id or a file.")] = "FrozenLake-v1",
    policy: Annotated[str, typer.Option(help="softmax: tabular, linear or state-action.")] = "auto",
    state: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="softmax: what the policy sees; by default at the start.")
    ] = None,
    action: Annotated[int | None, typer.Option(help="The action that was taken.")] = None,
    theta: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="softmax: all of θ; by default random numbers.")
    ] = None,
    g: Annotated[float, typer.Option("--return", help="The return G that followed.")] = 1.0,
    lr: Annotated[float, typer.Option(help="softmax: the step size α.")] = 0.5,
    alpha: Annotated[float, typer.Option(help="log-linear: α.")] = -1.0,
    beta: Annotated[float, typer.Option(help="log-linear: β.")] = 0.3,
    samples: Annotated[int, typer.Option(min=2, help="expectation: how many.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of random numbers.")] = 0,
    env_parameters: Parameters = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show on numbers what policy gradients differentiate."""
    from pgfast.errors import PgfastError, unknown
    from pgfast.lessons import expectation_lesson, log_linear_lesson

    if topic is not None and topic not in TOPICS:
        raise unknown("topic", topic, TOPICS)
    for name, value in (("return", g), ("lr", lr), ("alpha", alpha), ("beta", beta)):
        if not abs(value) <= LARGEST:
            raise PgfastError(f"{name} is {value}: it must be a number from {-LARGEST:g} to {LARGEST:g}.")
    lessons = []
    if topic in (None, "softmax"):
        lessons.append(_softmax(env, parameters(env_parameters), policy, state, action, theta, g, lr, seed))
    if topic in (None, "log-linear"):
        a = 2 if action is None else action
        if not 0 <= a < MOST:
            raise PgfastError(f"action is {a}: where π(a) ∝ exp(α + βa) it must be from 0 to {MOST - 1}.")
        lessons.append(log_linear_lesson(alpha, beta, a, max(4, a + 1), g))
    if topic in (None, "expectation"):
        lessons.append(expectation_lesson(samples, seed))
    answer({"lessons": list(map(_as_data, lessons))}, lambda: _pages(lessons), as_json, quiet)


def _softmax(
    env: str,
    env_parameters: dict[str, Any],
    policy: str,
    state: str | None,
    action: int | None,
    theta: str | None,
    g: float,
    lr: float,
    seed: int,
) -> Lesson:
    import numpy as np

    from pgfast.cli.options import numbers
    from pgfast.engine import Engine
    from pgfast.errors import PgfastError
    from pgfast.inference import checked, preferences
    from pgfast.lessons import softmax_lesson

    chosen = None if theta is None else numbers("theta", theta)
    settings = {} if chosen is None else {"theta0": chosen}
    engine = Engine(env, policy=policy, env_parameters=env_parameters, **settings)
    model, traits = engine.model, engine.traits
    if not traits.n_actions:
        raise PgfastError(
            f"The actions of {env} are real numbers, {engine.source.env.action_space}: explained are policies that "
            f"choose; take an environment with discrete actions, such as CartPole-v1."
        )
    if model.name in ("escort", "mixed"):
        raise PgfastError(f"policy is {policy!r}: explained are policies whose preferences are linear in θ: 'tabular'.")
    action = traits.first_action + traits.n_actions - 1 if action is None else action
    if not traits.first_action <= action < traits.first_action + traits.n_actions:
        raise PgfastError(
            f"action is {action}: in {env} it must be from {traits.first_action} to "
            f"{traits.first_action + traits.n_actions - 1}."
        )
    seen = traits.observation if state is None else numbers("state", state)
    if traits.n_observations is not None and isinstance(seen, float) and seen.is_integer():
        seen = int(seen)
    observation = checked(traits, seen)
    if chosen is None:
        flat = np.random.default_rng(seed).normal(size=model.n_parameters).round(1)
    else:
        flat = engine.theta[0].reshape(-1)
    basis = np.eye(model.n_parameters).reshape(-1, *model.shape)
    x = np.stack([preferences(model, engine.source.env, traits, e, observation) for e in basis], axis=-1)
    names = ["θ(" + ", ".join(map(str, place)) + ")" for place in np.ndindex(model.shape)]
    at = action - traits.first_action
    lesson = softmax_lesson(x.reshape(traits.n_actions, -1), flat, names, at, traits.first_action, g, lr)
    return lesson._replace(title=f"The {model.name} policy of {env}, which sees {seen}, and takes action {action}")


def _as_data(lesson: Lesson) -> dict[str, Any]:
    sheets = [
        {"says": sheet.says, "columns": sheet.columns, "rows": [list(map(_plain, row)) for row in sheet.rows]}
        for sheet in lesson.sheets
    ]
    return {"title": lesson.title, "sheets": sheets}


def _plain(x: Any) -> Any:
    return x.item() if hasattr(x, "item") else x


def _pages(lessons: list[Lesson]) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = []
    for number, lesson in enumerate(lessons, 1):
        parts.append(Text(f"{number}. {lesson.title}\n", "bold"))
        for sheet in lesson.sheets:
            parts.append(Text(sheet.says))
            table = Table(*sheet.columns, box=None, padding=(0, 3, 0, 0))
            for row in sheet.rows:
                table.add_row(*(x if isinstance(x, str) else f"{x:.6g}" for x in row))
            parts += [table, Text()]
    return Group(*parts)
