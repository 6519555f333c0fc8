"""``pgfast gradcheck``: is the gradient that an algorithm estimates the gradient?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.cli.options import Env, Parameters, given, parameters, takes_settings
from pgfast.cli.output import Debug, Json, Quiet, answer, facts
from pgfast.cli.supervision import Threads, check_threads
from pgfast.settings import Settings

if TYPE_CHECKING:
    from pgfast.gradcheck import GradientCheck

NO_PART = ("runs", "episodes", "optimizer", "lr", "log_every", "evaluation_episodes", "schedule", "max_norm")
WORST = 10  # parameters that are shown


@takes_settings
def gradcheck(
    env: Env,
    estimates: Annotated[int, typer.Option(help="Independent estimates, each of a batch of episodes.")] = 2000,
    picture: Annotated[Path, typer.Option("--out", metavar="FILE", help="The picture.")] = Path("gradcheck.png"),
    env_parameters: Parameters = None,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
    **settings: Any,
) -> int:
    """Check the gradient that training estimates. It is held against the exact one, and against finite differences."""
    check_threads(threads)
    from pgfast.charts import draw_gradients
    from pgfast.errors import PgfastError
    from pgfast.figures import check_place
    from pgfast.gradcheck import check_gradient

    chosen = given(settings)
    for name in NO_PART:
        if name in chosen:
            raise PgfastError(
                f"{name} plays no part in a gradient check: --estimates and --batch say how much of it there is."
            )
    theta = chosen.pop("theta0", None)
    check_place(picture)
    found = check_gradient(
        env,
        estimates=estimates,
        batch=int(chosen.pop("batch", 16)),
        theta=theta,
        seed=int(chosen.pop("seed", 0)),
        threads=threads,
        env_parameters=parameters(env_parameters),
        **chosen,
    )
    data = {
        "env": env,
        "algorithm": chosen.get("algorithm", Settings.algorithm),
        "ok": found.ok,
        "estimates": estimates,
        "n_parameters": len(found.theta),
        "model_known": found.known,
        "largest_z": found.largest,
        "bound": found.bound,
        "bias": found.bias,
        "variance": float(found.variance.sum()),
        "signal_to_noise": found.signal_to_noise,
        "angle": found.angle,
        "difference": found.difference,
        "picture": str(picture),
    }
    arrays = {"theta": found.theta, "mean": found.mean, "expected": found.expected, "gradient": found.gradient,
              "standard_error": found.error, "z": found.z}  # fmt: skip
    draw_gradients(picture, found, f"{Path(env).name}: estimates of ∇J")
    answer({**data, **{k: v.tolist() for k, v in arrays.items()}}, lambda: _describe(data, found), as_json, quiet)
    return 0 if found.ok else 1


def _describe(data: dict[str, Any], found: GradientCheck) -> Any:
    import numpy as np
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    truth = "the exact gradient" if found.known else "finite differences of mean returns"
    rows = [
        ("verdict", "[green]as it should be[/]" if found.ok else "[red]off[/]"),
        ("largest |z|", f"{found.largest:.2f} of {len(found.theta):,} parameters; beyond {found.bound:.2f} it is off"),
        ("compared with", truth),
        ("bias", f"{found.bias:.3g} of the gradient's length"),
        ("variance", f"{data['variance']:.4g}, summed over parameters"),
        ("signal to noise", f"{found.signal_to_noise:.3g} of one estimate"),
        ("angle", f"{found.angle:.2f}° between the mean of {data['estimates']:,} estimates and the gradient"),
    ]
    if found.difference is not None:
        rows.append(("theorem", f"finite differences of J differ from it by {found.difference:.1e}, relative"))
    rows.append(("picture", data["picture"]))
    worst = np.argsort(-np.abs(found.z))[:WORST]
    table = Table("parameter", "mean", "standard error", "expected", "∇J", "z", box=None, padding=(0, 2, 0, 0))
    for k in worst:
        numbers = (found.mean[k], found.error[k], found.expected[k], found.gradient[k])
        table.add_row(str(k), *(f"{x:.5g}" for x in numbers), f"{found.z[k]:.2f}")
    return Group(facts(rows, title=f"{data['env']}: {data['algorithm']}"), Text(), table)
