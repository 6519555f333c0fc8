"""``pgfast landscape``: what training climbs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgfast.cli.exact import LARGE
from pgfast.cli.options import Env, Parameters, given, parameters, takes_settings
from pgfast.cli.output import Debug, Json, Quiet, answer, facts
from pgfast.cli.progress import Bar
from pgfast.cli.resume import Trust

if TYPE_CHECKING:
    from pgfast.landscape import Landscape, Plateau


@takes_settings
def landscape(
    env: Env,
    run: Annotated[
        Path | None, typer.Option(metavar="RUN", help="The folder of a run, whose training is repeated for its path.")
    ] = None,
    trust: Trust = False,
    along: Annotated[
        str,
        typer.Option(
            metavar="path|principal|random", help="From the first to the last θ; where the path is widest; anywhere."
        ),
    ] = "path",
    plane: Annotated[bool, typer.Option("--plane/--line", help="Two directions, or one.")] = False,
    points: Annotated[int | None, typer.Option(help="Of an axis; by default 101, in a plane 31.")] = None,
    radius: Annotated[float | None, typer.Option(help="How far from the last θ; by default as the path goes.")] = None,
    flat: Annotated[float, typer.Option(help="Fraction of the largest gradient below which it is called flat.")] = 0.01,
    stops: Annotated[int, typer.Option(help="Points of the path.")] = 50,
    picture: Annotated[Path, typer.Option("--out", metavar="FILE", help="The picture.")] = Path("landscape.png"),
    full: Annotated[bool, typer.Option("--full", help="Large arrays too.")] = False,
    env_parameters: Parameters = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
    **settings: Any,
) -> None:
    """Draw J along a line or in a plane of θ. It is computed exactly; shows the path of training and where J is flat;
    settings are those of the training."""
    from pgfast.charts import draw_landscape
    from pgfast.figures import check_place
    from pgfast.landscape import survey

    chosen = given(settings)
    if env_parameters:
        chosen["env_parameters"] = parameters(env_parameters)
    seed = chosen.pop("seed", 0) if run is not None else chosen.get("seed", 0)
    check_place(picture)
    with Bar(not (as_json or quiet)) as bar:
        bar.stage("looking")
        found = survey(env, run=run, trust=trust, along=along, plane=plane, points=points, radius=radius, flat=flat,
                       stops=stops, direction_seed=int(seed), **chosen)  # fmt: skip
    draw_landscape(picture, found, f"{Path(env).name}: J, γ = {found.gamma:g}")
    data = {
        "env": env,
        "setting": found.setting,
        "gamma": found.gamma,
        "along": along,
        "J": {"first": float(found.J_path[0]), "last": float(found.J_path[-1]), "largest": float(found.J.max())},
        "optimum": found.optimum,
        "flat_below": found.flat,
        "plateaus": [{**p._asdict(), "width": p.width} for p in found.plateaus],
        "picture": str(picture),
    }
    arrays = {
        "origin": found.origin, "directions": found.directions, "values": found.J,
        "gradient_norm": found.gradient_norm, "path": found.path, "J_path": found.J_path,
        "path_episode": found.path_episode,
    }  # fmt: skip
    data["axes"] = [axis.tolist() for axis in found.axes]
    data |= {name: array.tolist() for name, array in arrays.items() if full or array.size <= LARGE}
    answer(data, lambda: _describe(data, found), as_json, quiet)


def _describe(data: dict[str, Any], found: Landscape) -> Any:
    j = data["J"]
    rows = [
        ("J", f"{j['first']:.6g} at the first θ, {j['last']:.6g} at the last; the best seen is {j['largest']:.6g}"),
        ("optimum", "not known" if found.optimum is None else f"{found.optimum:.6g}"),
        ("setting", f"{data['setting']}, γ = {data['gamma']:g}"),
        ("looked at", " × ".join(_range(axis[0], axis[-1]) for axis in found.axes) + ", 0 being the last θ"),
        *[(f"plateau {k}", _named(p, found.flat)) for k, p in enumerate(found.plateaus, 1)],
        *([] if found.plateaus else [("plateaus", f"none where ‖∇J‖ stays below {found.flat:.3g}")]),
        ("picture", data["picture"]),
    ]
    return facts(rows, title=f"{Path(data['env']).name}: J in θ, along {data['along']}")


def _range(low: float, high: float) -> str:
    return f"{low:.4g} … {high:.4g}"


def _named(plateau: Plateau, bound: float) -> str:
    where = " × ".join(_range(a, b) for a, b in zip(plateau.low, plateau.high, strict=True))
    wide = " × ".join(f"{w:.4g}" for w in plateau.width)
    height = "the top" if plateau.top else "below the top"
    return (
        f"{where}: {wide} wide, {plateau.share:.0%} of what was looked at, ‖∇J‖ below {bound:.3g}, J about "
        f"{plateau.J:.5g}, {height}"
    )
