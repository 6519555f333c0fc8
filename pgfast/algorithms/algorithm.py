"""What an algorithm is to the rest of pgfast: its title and source, the settings it has, and its form in kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pgfast.errors import PgfastError
from pgfast.settings import Settings

NOTHING: Mapping[str, Any] = MappingProxyType({})


def allow(settings: Settings) -> None:
    """Nothing to object to."""


def weights_of_baseline(settings: Settings, model: Any, env: Any, traits: Any) -> int:
    """Those of v̂, where it is the baseline."""
    return int(model.n_values) if settings.baseline == "value" else 0


def check_fixed(what: str, fixed: Mapping[str, tuple[Any, str]], settings: Settings) -> None:
    """Raise PgfastError for a setting that has to be something else with `what`; `fixed` as of `Algorithm`."""
    for choice, (allowed, why) in fixed.items():
        given = getattr(settings, choice)
        if given != allowed:
            raise PgfastError(f"{choice} is {given!r}, but with {what} {why}: it must be {allowed!r}, or be left out.")


class Algorithm(NamedTuple):
    """A line of `pgfast.algorithms.catalogue.ALGORITHMS`."""

    title: str  # what it is, as `pgfast algorithms` shows it
    source: str
    make: Callable[[Settings], Any]  # its form in kernels, a NamedTuple
    defaults: Mapping[str, Any] = NOTHING  # settings that suit it, where the user says nothing
    own: tuple[str, ...] = ()  # settings that not all algorithms have
    fixed: Mapping[str, tuple[Any, str]] = NOTHING  # what a setting has to be, and why
    check: Callable[[Settings], None] = allow  # raises PgfastError for what it can't serve
    refinement: str | None = None  # what is made of a gradient before θ moves: a name of `pgfast.refinements`
    estimates: bool = True  # is what θ moves along an estimate of ∇J, whatever else it has learned?
    greedy: bool = False  # are the preferred actions played, in training and after?
    # how many weights are learned beside θ, by settings, model, environment and traits; raises PgfastError for what
    # can't be served
    weights: Callable[[Settings, Any, Any, Any], int] = weights_of_baseline
    rate: str = "lr_value"  # the setting that is the step size of these weights
    averages: bool = False  # do they move by averages, whatever the step rule is?
