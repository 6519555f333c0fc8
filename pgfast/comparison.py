"""The estimators that an engine has, side by side: bias, variance, cost, and variance × cost.

An estimate of twice the cost is worth it if it has less than half the variance: as many of the cheaper one, averaged,
take as long (Hammersley & Handscomb 1964, chapter 5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pgfast.algorithms.catalogue import ALGORITHMS
from pgfast.algorithms.reinforce import BASELINES
from pgfast.choices import check
from pgfast.engine import Engine
from pgfast.environments import in_file
from pgfast.errors import PgfastError
from pgfast.estimates import Sample, by_differences, check_sample, known, random_theta, sample
from pgfast.settings import Settings

SWITCHES: dict[str, tuple[Any, ...]] = {
    "returns": ("to-go", "whole"),
    "discount_factor": (False, True),
    "baseline": tuple(BASELINES),
}
BATCHES = (1, 8, 64)
_PLAIN: dict[str, Any] = {"entropy": 0.0, "in_loop": False}  # without which an update is no estimate of ∇J


class Estimator(NamedTuple):
    """A combination of switches."""

    algorithm: str
    returns: str
    discount_factor: bool
    baseline: str

    @property
    def kind(self) -> str:
        """What it is but for the baseline."""
        return ", ".join([self.algorithm, self.returns, *["γᵗ"] * self.discount_factor])

    @property
    def name(self) -> str:
        """As in ``reinforce, whole, γᵗ, mean``."""
        return f"{self.kind}, {self.baseline}"


class Line(NamedTuple):
    """One estimator at one policy, with batches of one size."""

    policy: str  # "random" or "trained"
    gamma: float
    estimator: Estimator
    batch: int
    bias: float  # ‖E[estimate] − ∇J‖ / ‖∇J‖, 0 where no more is seen than chance explains
    noise: float  # what the mean of the estimates, were they unbiased, would differ from ∇J by, relative as well
    variance: float  # of one estimate, summed over parameters
    signal_to_noise: float  # ‖∇J‖ / √variance
    seconds: float  # of one estimate, in one thread
    steps: float  # of one estimate

    @property
    def variance_cost(self) -> float:
        """Variance × seconds."""
        return self.variance * self.seconds

    def data(self) -> dict[str, Any]:
        """As JSON has it."""
        own = {k: v for k, v in self._asdict().items() if k not in ("policy", "gamma", "estimator")}
        return {"policy": self.policy, **self.estimator._asdict(), **own, "variance_cost": self.variance_cost}


def estimators(settings: Settings) -> list[Estimator]:
    """All algorithms that estimate, with all combinations of the switches that go together; without the factor γᵗ where
    γ is 1 and it is the same."""
    found = []
    for algorithm, *values in product(ALGORITHMS, *SWITCHES.values()):
        estimator = Estimator(algorithm, **dict(zip(SWITCHES, values, strict=True)))
        if not ALGORITHMS[algorithm].estimates or (estimator.discount_factor and settings.gamma == 1.0):
            continue
        try:
            check(replace(settings, **estimator._asdict(), batch=2, log_every=None))
        except PgfastError:
            continue
        found.append(estimator)
    return found


def compare(
    env: Any,
    *,
    batches: Sequence[int] = BATCHES,
    estimates: int = 2000,
    warm_up: int = 256,
    trained: str | Path | None = None,
    trust: bool = False,
    **settings: Any,
) -> Iterator[Line]:
    """Every estimator at a random policy and at a trained one, that of the folder `trained` or one that is trained with
    these settings; they come as they are found. Files of code that the folder refers to are run only with `trust`.

    Raises PgfastError for a batch that can't be, and for a folder of a run with another policy.
    """
    for batch in batches:
        if batch < 1:
            raise PgfastError(f"batch is {batch}: it must be at least 1.")
    engine = Engine(env, **{**settings, "runs": 1})
    plain = Engine.from_settings(replace(engine.settings, **_PLAIN), engine.source)
    check_sample(plain.settings, estimates, warm_up)
    given = None if trained is None else _theta_of(engine, trained, trust)
    for policy, theta in (("random", random_theta(engine, engine.settings.seed)), ("trained", given)):
        at = _learned(engine) if theta is None else theta
        truth = _truth(plain, at, estimates * max(batches))
        for estimator in estimators(plain.settings):
            for batch in batches:
                if batch == 1 and estimator.baseline == "batch":
                    continue  # an episode has no others to be compared with
                chosen = replace(plain.settings, **estimator._asdict(), batch=batch, log_every=None)
                found = sample(Engine.from_settings(chosen, engine.source), at, estimates, warm_up, threads=1)
                yield _line(policy, chosen, estimator, found, truth)


def _learned(engine: Engine) -> np.ndarray:
    """The parameters (D,) that training ends with."""
    engine.learn()
    return np.ravel(engine.theta[0])


def _theta_of(engine: Engine, folder: str | Path, trust: bool) -> np.ndarray:
    """The parameters (D,) of the run in a folder."""
    loaded = Engine.load(folder, env=in_file(engine.settings.env), trust=trust)
    if (loaded.model.name, loaded.model.shape) != (engine.model.name, engine.model.shape):
        raise PgfastError(
            f"The run in {folder} has a {loaded.model.name} policy with parameters {loaded.model.shape}; here it is "
            f"{engine.model.name} with {engine.model.shape}."
        )
    return np.ravel(loaded.theta[0])


class _Truth(NamedTuple):
    """∇J exactly, or by finite differences of mean returns, and its standard error; both (D,)."""

    gradient: np.ndarray
    error: np.ndarray


def _truth(engine: Engine, theta: np.ndarray, episodes: int) -> _Truth:
    exactly = known(engine)
    if exactly is None:
        return _Truth(*by_differences(engine, theta, episodes))
    return _Truth(exactly.valued(theta)[1], np.zeros(len(theta)))


def _line(policy: str, settings: Settings, estimator: Estimator, found: Sample, truth: _Truth) -> Line:
    size = max(float(np.linalg.norm(truth.gradient)), 1e-300)
    off = float(np.sum((found.mean - truth.gradient) ** 2))
    noise = float(np.sum(found.error**2 + truth.error**2))
    variance = float(found.variance.sum())
    return Line(
        policy=policy,
        gamma=settings.gamma,
        estimator=estimator,
        batch=settings.batch,
        bias=max(0.0, off - noise) ** 0.5 / size,
        noise=noise**0.5 / size,
        variance=variance,
        signal_to_noise=size / max(variance, 1e-300) ** 0.5,
        seconds=found.seconds,
        steps=found.steps,
    )
