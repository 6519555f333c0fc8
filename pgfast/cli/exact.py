"""``pgfast exact``: what a policy is worth, without playing an episode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.cli.options import Env, Parameters, parameters
from pgfast.cli.output import Debug, Json, Quiet, answer, facts

if TYPE_CHECKING:
    import numpy as np

    from pgfast.environments import Source
    from pgfast.exact import Enumeration, Evaluation

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
    env_parameters: Parameters = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Values, state distribution, gradient and optimum of an environment with a known model, computed exactly."""
    from pgfast import exact as oracle
    from pgfast.environments import find
    from pgfast.presets import preset
    from pgfast.probe import probe

    source = find(env, parameters(env_parameters))
    table = oracle.table_behind(source, probe(source))
    if gamma is None:
        gamma = preset(source.name)["gamma"] if setting in (None, "discounted") else 1.0
    case: dict[str, Any] = {"gamma": gamma, "setting": setting, "horizon": horizon}
    best = oracle.optimum(table.mdp, **case)
    if policy == "best":
        found, gradient = _best_of_its_kind(source, table, case)
    else:
        found, gradient = _judged(policy, table, best.policy, case, env)
    data = {
        "env": env,
        "policy": policy,
        "setting": found.setting,
        "gamma": found.gamma,
        "horizon": found.horizon,
        "n_states": table.mdp.n_states,
        "n_actions": table.mdp.n_actions,
        "J": found.J,
        "optimum": best.J,
        "gradient_norm": float((gradient**2).sum() ** 0.5),
        "residual": found.residual,
        "method": found.method,
    }
    arrays = {"V": found.V, "distribution": found.occupancy, "gradient": gradient}
    if as_json:
        data |= {name: array.tolist() for name, array in arrays.items() if full or array.size <= LARGE}
    answer(data, lambda: _describe(data, table, found, best.actions, full), as_json, quiet)


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
    name: str, table: Enumeration, best: np.ndarray, case: dict[str, Any], env: str
) -> tuple[Evaluation, np.ndarray]:
    """The policy of that name, evaluated, and the gradient by its parameters."""
    import numpy as np

    from pgfast.errors import PgfastError
    from pgfast.exact import evaluate

    shape = table.mdp.n_states, table.mdp.n_actions
    if name in ("uniform", "optimal"):
        found = evaluate(table.mdp, best if name == "optimal" else np.full(shape, 1.0 / shape[1]), **case)
        return found, found.gradient
    if not Path(name).is_dir():
        raise PgfastError(f"policy is {name!r}: it must be uniform, optimal, best or the folder of a run.")
    from pgfast.engine import Engine
    from pgfast.exact import observed_policy

    engine = Engine.load(name, env=env if env.partition(":")[0].endswith(".py") else None)
    if engine.traits.n_actions != shape[1]:
        raise PgfastError(f"The run in {name} has {engine.traits.n_actions} actions, {env} has {shape[1]}.")
    if engine.model.horizon and case["setting"] != "finite-horizon":
        raise PgfastError(f"The policy in {name} knows the time: choose --setting finite-horizon.")
    softmax = observed_policy(engine.model, engine.source.env, engine.traits, table.observations)
    theta = engine.theta[0]
    found = evaluate(table.mdp, softmax.probabilities(theta), **case)
    return found, softmax.at(theta).gradient(found).reshape(theta.shape)


def _describe(data: dict[str, Any], table: Enumeration, found: Evaluation, best: np.ndarray, full: bool) -> Any:
    from rich.console import Group
    from rich.text import Text

    words = f"{data['setting']}, γ = {data['gamma']:g}" + (f", {data['horizon']} steps" if data["horizon"] else "")
    rows = [
        ("states, actions", f"{data['n_states']:,}, {data['n_actions']}"),
        ("setting", words),
        ("J", f"{data['J']:.8g}" + (" a step" if data["setting"] == "average" else "")),
        ("optimum", f"{data['optimum']:.8g}"),
        ("gradient norm", f"{data['gradient_norm']:.6g}"),
        ("computed", f"{data['method']}, largest residual {data['residual']:.1e}"),
    ]
    parts: list[Any] = [facts(rows, title=f"{data['env']}: {data['policy']} policy")]
    n = data["n_states"]
    if n <= SHOWN or full:
        parts += [Text(), _by_state(table, found, best)]
    else:
        parts.append(Text(f"\n--full shows all {n:,} states."))
    return Group(*parts)


def _by_state(table: Enumeration, found: Evaluation, best: np.ndarray) -> Any:
    from rich.table import Table

    first = found.policy if found.policy.ndim == 2 else found.policy[0]
    greedy = best if best.ndim == 1 else best[0]
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
