"""``pgfast exact``: what a policy is worth, without playing an episode."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.cli.options import Env, Parameters, parameters
from pgfast.cli.output import Debug, Json, Quiet, answer, facts
from pgfast.cli.resume import Trust
from pgfast.errors import PgfastError

if TYPE_CHECKING:
    import numpy as np

    from pgfast.environments import Source
    from pgfast.exact import Enumeration, Evaluation, Optimum
    from pgfast.exact.reach import Reach

SHOWN = 40  # states that the table for people has
LARGE = 10_000  # entries from which on an array is left out


def exact(
    env: Env,
    policy: Annotated[
        str,
        typer.Option(
            metavar="uniform|optimal|best|RUN",
            help="best: of the kind that is trained by default; RUN is the folder of a run.",
        ),
    ] = "uniform",
    trust: Trust = False,
    gamma: Annotated[
        float | None, typer.Option(help="Discount; by default that which the environment is trained with.")
    ] = None,
    setting: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="discounted, episodic, finite-horizon or average; by default what the discount says."
        ),
    ] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps of a finite horizon; by default the time limit.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Large arrays too.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The picture of a gridworld; by default exact.png.")
    ] = None,
    env_parameters: Parameters = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compute values, gradient and optimum exactly. No episode is played; the environment's model must be known."""
    from pgfast import exact as oracle
    from pgfast.environments import find
    from pgfast.exact.reach import reach
    from pgfast.figures import check_place
    from pgfast.presets import preset
    from pgfast.probe import probe

    if picture is not None:
        check_place(picture)
    source = find(env, parameters(env_parameters))
    traits = probe(source)
    table = oracle.table_behind(source, traits)
    if gamma is None:
        gamma = preset(source.name)["gamma"] if setting in (None, "discounted") else 1.0
    case: dict[str, Any] = {"gamma": gamma, "setting": setting, "horizon": horizon}
    best = oracle.optimum(table.mdp, **case)
    if policy == "best":
        found, gradient = _best_of_its_kind(source, table, case)
    else:
        found, gradient = _judged(policy, table, best.policy, case, env, trust)
    data = _data(env, table, found, best, gradient, full)
    title = f"{Path(env).name}: {policy} policy"
    drawn = _draw(picture or Path("exact.png"), title, source, table, found) if picture or not as_json else None
    if picture and not drawn:
        raise PgfastError(f"{env} has no map to draw on: leave --out away.")
    if found.method == "sparse" and not quiet:
        print(f"pgfast: {table.mdp.n_states:,} states: equations are solved by iteration on sparse matrices, no longer "
              f"by factorisation", file=sys.stderr)  # fmt: skip
    small = table.mdp.n_states <= LARGE  # to look for the best policy that doesn't know the time takes a while
    within = reach(source, traits) if small and not as_json else None
    answer(data, lambda: _describe(data, title, drawn, within, table, found, best, full), as_json, quiet)


def _data(
    env: str, table: Enumeration, found: Evaluation, best: Optimum, gradient: np.ndarray, full: bool
) -> dict[str, Any]:
    arrays = {"V": found.V, "distribution": found.occupancy, "gradient": gradient}
    return {
        "env": env,
        "setting": found.setting,
        "gamma": found.gamma,
        "n_states": table.mdp.n_states,
        "n_actions": table.mdp.n_actions,
        "J": found.J,
        "optimum": best.J,
        "gradient_norm": float((gradient**2).sum() ** 0.5),
        **{name: array.tolist() for name, array in arrays.items() if full or array.size <= LARGE},
    }


def _best_of_its_kind(source: Source, table: Enumeration, case: dict[str, Any]) -> tuple[Evaluation, np.ndarray]:
    """The best policy of the kind that an engine trains here by default, and the gradient by its parameters."""
    from pgfast.engine import Engine
    from pgfast.exact import best_in_class, observed_policy
    from pgfast.presets import preset
    from pgfast.settings import validated

    engine = Engine.from_settings(validated(env=source.name, **preset(source.name)), source)
    softmax = observed_policy(engine.model, source.env, engine.traits, table.observations)
    best = best_in_class(table.mdp, softmax, **case)
    return best.found, softmax.at(best.theta).gradient(best.found).reshape(engine.model.shape)


def _judged(
    name: str, table: Enumeration, best: np.ndarray, case: dict[str, Any], env: str, trust: bool
) -> tuple[Evaluation, np.ndarray]:
    """The policy of that name, evaluated, and the gradient by its parameters."""
    import numpy as np

    from pgfast.exact import evaluate

    shape = table.mdp.n_states, table.mdp.n_actions
    if name in ("uniform", "optimal"):
        found = evaluate(table.mdp, best if name == "optimal" else np.full(shape, 1.0 / shape[1]), **case)
        return found, found.gradient
    if not Path(name).is_dir():
        raise PgfastError(f"policy is {name!r}: it must be uniform, optimal, best or the folder of a run.")
    from pgfast.engine import Engine
    from pgfast.environments import in_file
    from pgfast.exact import observed_policy

    engine = Engine.load(name, env=in_file(env), trust=trust)
    if engine.traits.n_actions != shape[1]:
        raise PgfastError(f"The run in {name} has {engine.traits.n_actions} actions, {env} has {shape[1]}.")
    if engine.model.horizon and case["setting"] != "finite-horizon":
        raise PgfastError(f"The policy in {name} knows the time: choose --setting finite-horizon.")
    softmax = observed_policy(engine.model, engine.source.env, engine.traits, table.observations)
    theta = engine.theta[0]
    found = evaluate(table.mdp, softmax.probabilities(theta), **case)
    return found, softmax.at(theta).gradient(found).reshape(theta.shape)


def _draw(file: Path, title: str, source: Source, table: Enumeration, found: Evaluation) -> Path | None:
    """The picture of a gridworld; None where there is no map."""
    from pgfast.gridworld import gridworld

    world = gridworld(source, table)
    if world is None:
        return None
    from pgfast.charts import draw_gridworld

    draw_gridworld(file, world, found.V, _first(found.policy, 2), found.occupancy, f"{title}, {_setting(found)}")
    return file


def _setting(found: Evaluation) -> str:
    return f"{found.setting}, γ = {found.gamma:g}" + (f", {found.horizon} steps" if found.horizon else "")


def _first(array: np.ndarray, dimensions: int) -> np.ndarray:
    """Of what there is for each step, that of the first."""
    return array if array.ndim == dimensions else array[0]


def _describe(
    data: dict[str, Any],
    title: str,
    drawn: Path | None,
    reach: Reach | None,
    table: Enumeration,
    found: Evaluation,
    best: Optimum,
    full: bool,
) -> Any:
    from rich.console import Group
    from rich.text import Text

    rows = [
        ("states, actions", f"{data['n_states']:,}, {data['n_actions']}"),
        ("setting", _setting(found)),
        ("J", f"{found.J:.8g}" + (" a step" if found.setting == "average" else "")),
        ("optimum", f"{best.J:.8g}" + ("; its policy knows the time" if best.policy.ndim == 3 else "")),
        *([] if reach is None else [("best return", reach.words)]),
        ("gradient norm", f"{data['gradient_norm']:.6g}"),
        ("computed", f"{found.method}, largest residual {max(found.residual, best.residual):.1e}"),
        *([("picture", str(drawn))] if drawn else []),
    ]
    parts: list[Any] = [facts(rows, title=title)]
    n = data["n_states"]
    if n <= SHOWN or full:
        parts += [Text(), _by_state(table, found, best.actions)]
    else:
        parts.append(Text(f"\n--full shows all {n:,} states."))
    return Group(*parts)


def _by_state(table: Enumeration, found: Evaluation, best: np.ndarray) -> Any:
    from rich.table import Table

    first, greedy = _first(found.policy, 2), _first(best, 1)
    heads = ("state", "V", "distribution", "π(·|s)", "Q(s, ·)", "best action")
    shown = Table(*heads, box=None, padding=(0, 2, 0, 0))
    for k, state in enumerate(table.states):
        shown.add_row(
            str(state),
            f"{found.V[k]:.5g}",
            f"{found.occupancy[k]:.4g}",
            " ".join(f"{p:.2f}" for p in first[k]),
            " ".join(f"{q:.3g}" for q in found.Q[k]),
            str(greedy[k]),
        )
    return shown
