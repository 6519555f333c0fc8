"""The exact J along a line or in a plane of θ, with the path that training took, and where it is flat.

Directions are random ones, the way from the first to the last θ, or the principal directions of the path (Li, Xu,
Taylor, Studer & Goldstein 2018, section 7). The path is found by training again: the same settings give the same bits,
however the episodes are cut into pieces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pgfast import exact
from pgfast.engine import Engine
from pgfast.environments import in_file
from pgfast.errors import PgfastError, unknown
from pgfast.estimates import Known, case_of
from pgfast.storage import policy_in

ALONG = ("path", "random", "principal")
_LINE, _PLANE = 101, 31  # points of an axis
_BEYOND = 0.25  # of the path's extent, shown on both sides of it
_LONGEST = 2000  # steps of a time limit that counts: with one beyond, J is that until the end, which is solved for
_LEAST = 3  # points of what is called a plateau
_TOP = 0.01  # of the range of J: nearer to the largest it is the top


class Plateau(NamedTuple):
    """Where J is flat: neighbouring points at which the gradient is short."""

    low: tuple[float, ...]  # its smallest coordinates, one for each direction
    high: tuple[float, ...]  # and its largest
    share: float  # of the points looked at
    J: float  # the mean there
    top: bool  # is that as good as the best point looked at?

    @property
    def width(self) -> tuple[float, ...]:
        """Its extent in each direction, in lengths of θ."""
        return tuple(b - a for a, b in zip(self.low, self.high, strict=True))


@dataclass(frozen=True, eq=False)
class Landscape:
    """J at the points origin + Σ_k x_k direction_k; N, M points on an axis, K = 1 or 2 directions, P on the path."""

    setting: str
    gamma: float
    along: str
    origin: np.ndarray  # (D,)
    directions: np.ndarray  # (K, D), of length 1
    axes: tuple[np.ndarray, ...]  # (N,), and (M,) in a plane
    J: np.ndarray  # (N,) or (N, M)
    gradient_norm: np.ndarray  # of the same shape: ‖∇J‖, of all of θ
    path: np.ndarray  # (P, K): coordinates of where training was, seen along the directions
    J_path: np.ndarray  # (P,): what the policy was worth there
    path_episode: np.ndarray  # int64 (P,)
    flat: float  # ‖∇J‖ below which it is flat
    plateaus: tuple[Plateau, ...]
    optimum: float | None  # the largest J of any policy, in the same setting; None where states look the same to it


def survey(
    env: Any = None,
    *,
    run: str | Path | None = None,
    along: str = "path",
    plane: bool = False,
    points: int | None = None,
    radius: float | None = None,
    flat: float = 0.01,
    stops: int = 50,
    direction_seed: int = 0,
    trust: bool = False,
    **settings: Any,
) -> Landscape:
    """Look at J around the policy that training with these settings ends with, or that of the folder `run`.

    Parameters
    ----------
    along : str
        ``"path"``, from the first to the last θ, and in a plane the direction in which the path is widest beside it;
        ``"principal"``; ``"random"``, by `direction_seed`.
    points : int
        On an axis.
    radius : float
        How far from the last θ it looks; by default a little further than the path, in random directions as far as
        the first θ is.
    flat : float
        Fraction of the largest ‖∇J‖ seen, below which it is flat.
    stops : int
        Points of the path.
    trust : bool
        Run files of code that the folder refers to.

    Raises PgfastError where the environment has no table.
    """
    n = points if points is not None else _PLANE if plane else _LINE
    _check(along, n, radius, flat, stops)
    engine = _engine(env, run, trust, settings)
    table = exact.table_behind(engine.source, engine.traits)
    policy = exact.observed_policy(engine.model, engine.source.env, engine.traits, table.observations)
    case = case_of(engine)
    if case.get("horizon", 0) > _LONGEST and not engine.model.horizon:
        case = {"gamma": case["gamma"]}
    known = Known(exact.model_of(table.mdp), policy, case)
    episode, path = _walked(engine, stops)
    if run is not None:
        _check_end(path[-1], run)
    directions = _directions(path, along, 2 if plane else 1, direction_seed)
    origin, apart = path[-1], len(set(table.observations)) == len(table.observations)
    seen = (path - origin) @ directions.T
    if along == "random" and radius is None:
        radius = max(float(np.linalg.norm(path[0] - origin)), 1.0)
    axes = tuple(_axis(x, n, radius) for x in seen.T)
    j, norm = _looked_at(known, origin, directions, axes)
    bound = flat * float(norm.max())
    walked = [known.judged(theta) for theta in path]
    return Landscape(
        walked[0].setting, engine.settings.gamma, along, origin, directions, axes, j, norm, seen,
        np.array([e.J for e in walked]), episode, bound, _plateaus(axes, j, norm, bound),
        exact.optimum(known.model, **known.case).J if apart else None,
    )  # fmt: skip


def _check(along: str, points: int, radius: float | None, flat: float, stops: int) -> None:
    """Raise PgfastError for what can't be looked at."""
    if along not in ALONG:
        raise unknown("along", along, ALONG)
    for name, value, right, allowed in (
        ("points", points, points >= _LEAST, f"at least {_LEAST}"),
        ("radius", radius, radius is None or 0.0 < radius < np.inf, "a positive number"),
        ("flat", flat, 0.0 < flat < 1.0, "between 0 and 1"),
        ("stops", stops, stops >= 1, "at least 1"),
    ):
        if not right:
            raise PgfastError(f"{name} is {value}: it must be {allowed}.")


def _engine(env: Any, run: str | Path | None, trust: bool, settings: dict[str, Any]) -> Engine:
    """The engine whose training is looked at, at its first θ."""
    if run is None:
        engine = Engine(env, **settings)
    else:
        if settings.keys() - {"env_parameters"}:
            raise PgfastError(f"The run in {run} has its settings already: leave out {', '.join(settings)}.")
        engine = Engine.load(run, env=in_file(env), trust=trust)
    return Engine.from_settings(replace(engine.settings, runs=1, log_every=None), engine.source)


def _walked(engine: Engine, stops: int) -> tuple[np.ndarray, np.ndarray]:
    """Episodes and θ (P, D) at some points of training, its first and its last among them."""
    episodes, batch = engine.settings.episodes, engine.settings.batch
    piece = max(1, round(episodes / stops / batch)) * batch
    at, path = [0], [engine.theta.reshape(-1)]
    while at[-1] < episodes:
        engine.learn(min(piece, episodes - at[-1]))
        at.append(min(at[-1] + piece, episodes))
        path.append(engine.theta.reshape(-1))
    return np.array(at), np.array(path)


def _check_end(theta: np.ndarray, run: str | Path) -> None:
    """Raise PgfastError unless the path has led to the policy of the run."""
    saved = policy_in(Path(run))[0].reshape(-1)
    if not np.allclose(theta, saved, rtol=1e-9, atol=1e-9):
        raise PgfastError(
            f"The settings in {run} don't lead to the policy there: it was interrupted, trained on, or by another "
            f"version; leave --run out to train one."
        )


def _directions(path: np.ndarray, along: str, count: int, seed: int) -> np.ndarray:
    """Unit vectors at right angles to each other, (count, D)."""
    d = path.shape[1]
    if count > d:
        raise PgfastError(f"θ has {d} number{'s' * (d > 1)}: there is no plane to look at.")
    away = path - path[-1]
    spare = np.random.default_rng(seed).normal(size=(count, d))
    if along == "random":
        wanted = spare
    elif along == "principal":
        wanted = np.linalg.svd(away, full_matrices=False)[2][:count]
    else:
        first = away[0] / max(float(np.linalg.norm(away[0])), 1e-300)
        beside = np.linalg.svd(away - np.outer(away @ first, first), full_matrices=False)[2][:1]
        wanted = np.concatenate([-first[None], beside])[:count]
    found: list[np.ndarray] = []
    for x in np.concatenate([wanted, spare]):  # a path that is no longer than a point has no direction of its own
        for u in found:
            x = x - (x @ u) * u
        length = float(np.linalg.norm(x))
        if length > 1e-9 and len(found) < count:
            found.append(x / length)
    return np.array(found)


def _axis(x: np.ndarray, n: int, radius: float | None) -> np.ndarray:
    """Coordinates, with the last point of the path at 0 in the middle, or so that the path is seen."""
    if radius is not None:
        return np.linspace(-radius, radius, n)
    low, high = float(x.min()), float(x.max())
    beyond = max(_BEYOND * (high - low), 1.0)
    return np.linspace(low - beyond, high + beyond, n)


def _looked_at(
    known: Known, origin: np.ndarray, directions: np.ndarray, axes: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """J and ‖∇J‖ at all points of the axes' grid."""
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    found = [known.valued(origin + x @ directions) for x in grid.reshape(-1, len(axes))]
    j = np.array([value for value, _ in found]).reshape(grid.shape[:-1])
    return j, np.array([np.linalg.norm(gradient) for _, gradient in found]).reshape(j.shape)


def _plateaus(axes: tuple[np.ndarray, ...], j: np.ndarray, norm: np.ndarray, bound: float) -> tuple[Plateau, ...]:
    """Neighbouring points with a gradient below the bound, the largest first."""
    from scipy.ndimage import label

    labels, count = label(norm < bound)
    best, range_ = float(j.max()), float(np.ptp(j))
    found = []
    for k in range(1, count + 1):
        where = np.nonzero(labels == k)
        if len(where[0]) >= _LEAST:
            mean = float(j[where].mean())
            low, high = (
                tuple(float(f(axis[i])) for axis, i in zip(axes, where, strict=True)) for f in (np.min, np.max)
            )
            found.append(Plateau(low, high, len(where[0]) / j.size, mean, best - mean <= _TOP * range_))
    return tuple(sorted(found, key=lambda p: -p.share))
