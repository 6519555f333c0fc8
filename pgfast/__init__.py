"""pgfast: policy gradients with tabular and linear policies at the speed of the processor."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgfast.agent import Agent
    from pgfast.checker import Report, check
    from pgfast.engine import Engine
    from pgfast.environments import make
    from pgfast.errors import EnvironmentFault, PgfastError
    from pgfast.functions import maximise
    from pgfast.random import Key, make_key, normal, randint, uniform
    from pgfast.results import Curve, Evaluation, Gaussian, Interval, Progress, Training
    from pgfast.stepwise import gaussian, softmax
    from pgfast.tables import TabularMDP
    from pgfast.vmath import cos, exp, log, sin, sqrt

_HOMES = {
    "pgfast.agent": ("Agent",),
    "pgfast.checker": ("Report", "check"),
    "pgfast.engine": ("Engine",),
    "pgfast.environments": ("make",),
    "pgfast.errors": ("EnvironmentFault", "PgfastError"),
    "pgfast.functions": ("maximise",),
    "pgfast.random": ("Key", "make_key", "normal", "randint", "uniform"),
    "pgfast.results": ("Curve", "Evaluation", "Gaussian", "Interval", "Progress", "Training"),
    "pgfast.stepwise": ("gaussian", "softmax"),
    "pgfast.tables": ("TabularMDP",),
    "pgfast.vmath": ("cos", "exp", "log", "sin", "sqrt"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Agent",
    "Curve",
    "Engine",
    "EnvironmentFault",
    "Evaluation",
    "Gaussian",
    "Interval",
    "Key",
    "PgfastError",
    "Progress",
    "Report",
    "TabularMDP",
    "Training",
    "check",
    "cos",
    "exp",
    "gaussian",
    "log",
    "make",
    "make_key",
    "maximise",
    "normal",
    "randint",
    "sin",
    "softmax",
    "sqrt",
    "uniform",
]


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that ``import pgfast`` costs nothing."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'pgfast' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
