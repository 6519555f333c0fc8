"""pgfast: policy gradients with tabular and linear policies at the speed of the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgfast.lazy import lazily

if TYPE_CHECKING:
    from pgfast.agent import Agent
    from pgfast.checker import Report, check
    from pgfast.checkpoints import Checkpoints
    from pgfast.engine import Engine
    from pgfast.environments import make
    from pgfast.errors import EnvironmentFault, PgfastError
    from pgfast.features.index_hash import IndexHashTable
    from pgfast.functions import maximise
    from pgfast.off_policy import OffPolicy
    from pgfast.random import Key, make_key, normal, randint, uniform
    from pgfast.recording import Recording, record
    from pgfast.results import Curve, Evaluation, Gaussian, Interval, Progress, Training
    from pgfast.stepwise import gaussian, softmax
    from pgfast.tables import TabularMDP
    from pgfast.vmath import cos, exp, log, sin, sqrt

_HOMES = {
    "pgfast.agent": ("Agent",),
    "pgfast.checker": ("Report", "check"),
    "pgfast.checkpoints": ("Checkpoints",),
    "pgfast.engine": ("Engine",),
    "pgfast.environments": ("make",),
    "pgfast.errors": ("EnvironmentFault", "PgfastError"),
    "pgfast.features.index_hash": ("IndexHashTable",),
    "pgfast.functions": ("maximise",),
    "pgfast.off_policy": ("OffPolicy",),
    "pgfast.random": ("Key", "make_key", "normal", "randint", "uniform"),
    "pgfast.recording": ("Recording", "record"),
    "pgfast.results": ("Curve", "Evaluation", "Gaussian", "Interval", "Progress", "Training"),
    "pgfast.stepwise": ("gaussian", "softmax"),
    "pgfast.tables": ("TabularMDP",),
    "pgfast.vmath": ("cos", "exp", "log", "sin", "sqrt"),
}
__all__ = [
    "Agent",
    "Checkpoints",
    "Curve",
    "Engine",
    "EnvironmentFault",
    "Evaluation",
    "Gaussian",
    "IndexHashTable",
    "Interval",
    "Key",
    "OffPolicy",
    "PgfastError",
    "Progress",
    "Recording",
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
    "record",
    "sin",
    "softmax",
    "sqrt",
    "uniform",
]


__getattr__, __dir__ = lazily(__name__, _HOMES)
