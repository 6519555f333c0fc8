"""What a task that doesn't end goes on with, in files: the state that each run has come to, and its traces.

Whoever writes a file chooses the state that an environment's code then goes on from, so no state may lead that code
outside its arrays. One of a table is a number from 0 to S − 1; pgfast's other environments compute with their states,
and look nothing up by them; of a user's code nobody knows, and the user has to trust the file. Traces name rows of θ,
and have limited room. R̄ stands where other algorithms have their running mean.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pgfast.collection import BUNDLED
from pgfast.errors import PgfastError
from pgfast.kernels.continuing import state_rows
from pgfast.kernels.learner import EPISODES, FAILED, GOES_ON, Learner, carries
from pgfast.kernels.row_traces import entries_left
from pgfast.kernels.step_lists import list_size
from pgfast.memories import rows_listed
from pgfast.state_features import AUTO

if TYPE_CHECKING:
    from pgfast.engine import Engine

STATE = GOES_ON + 1  # the first of a state's whole numbers in `clock`


def carried_arrays(learner: Learner) -> dict[str, np.ndarray]:
    """What runs go on with, beside `learner_arrays`; nothing where tasks end."""
    return {"carried": np.ascontiguousarray(learner.runs[:, learner.carried_at :])} if carries(learner) else {}


def check_carried(engine: Engine, arrays: dict[str, np.ndarray], place: Path, last: int, trust: bool) -> None:
    """Raise PgfastError for what `carried_arrays` can't have given, of runs that go on up to episode `last`, beside
    arrays that `check_learner` has seen; and for states that only somebody who trusts them may go on from."""
    learner, clock, carried = engine._learner, arrays["clock"], arrays.get("carried")
    if not carries(learner):
        return
    shape = learner.runs[:, learner.carried_at :].shape
    if carried is None or carried.shape != shape or carried.dtype != np.dtype("f8"):
        raise PgfastError(f"{place} doesn't fit its settings: carried should have shape {shape}.")
    going = (clock[:, GOES_ON] == 1) & (clock[:, FAILED] < 0) & (clock[:, EPISODES] < last)
    n_floats, n_ints = state_rows(engine.traits.like)
    state, traces, whole = carried[going, :n_floats], carried[going, n_floats:], clock[going, STATE : STATE + n_ints]
    if not np.all(np.isfinite(traces)) or not _could_be(engine, traces):
        raise PgfastError(f"{place} has traces that can't have been.")
    if engine.source.table is not None:
        if np.any((whole < 0) | (whole >= engine.source.table.n_states)):
            raise PgfastError(f"{place} has a state that {engine.source.label} doesn't have.")
    elif _is_all_ours(engine):
        if not np.all(np.isfinite(state)):
            raise PgfastError(f"{place} has a state that is not finite.")
    elif len(whole) and not trust:
        raise PgfastError(
            f"{place} says from which states {engine.source.label} is to go on, and nobody can check them: if that is "
            f"your own, trust it (--trust; in Python Checkpoints(…, trust=True))."
        )


def restore_carried(learner: Learner, arrays: dict[str, np.ndarray]) -> None:
    """Put what `carried_arrays` gave into a fresh learner."""
    if carries(learner):
        learner.runs[:, learner.carried_at :] = arrays["carried"]
        learner.clock[:, GOES_ON:] = arrays["clock"][:, GOES_ON:]


def _is_all_ours(engine: Engine) -> bool:
    """Do environment and features come with pgfast?"""
    from pgfast.features.catalogue import FEATURES

    source = engine.source
    return source.name in BUNDLED and source.features is None and engine.settings.features in (AUTO, *FEATURES)


def _could_be(engine: Engine, traces: np.ndarray) -> bool:
    """Can kernels have left these traces, (runs, …)? Lists name rows, and have room for as many as can have been active
    in the steps for which they are kept."""
    model, algorithm = engine.model, engine._problem.algorithm
    if not (model.tabular or model.sparse):
        return True
    rows, values, active = rows_listed(model)
    size = list_size(algorithm, rows, values, active)
    count, row, age = entries_left(traces, size, model.shape[-1])
    there = np.arange(size) < count
    return (
        _whole(count, 0, size)
        and _whole(row[there], 0, rows - 1)
        and _whole(age[there], 1, algorithm.window)
        and _differ(row, there)
        and _differ(age, there & (row < values), active)
    )


def _whole(numbers: np.ndarray, least: int, most: int) -> bool:
    """Are these whole numbers within bounds?"""
    return bool(np.all((numbers >= least) & (numbers <= most) & (numbers == np.floor(numbers))))


def _differ(numbers: np.ndarray, counted: np.ndarray, most: int = 1) -> bool:
    """Are no more than `most` of a run's numbers, of at least 0 where they are counted, the same?"""
    others = -1.0 - np.arange(numbers.shape[1])
    ordered = np.sort(np.where(counted, numbers, others), axis=1)
    return not np.any(ordered[:, most:] == ordered[:, :-most])
