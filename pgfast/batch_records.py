"""Room for what several passes over a batch need: the workspace of a thread, and the record that all share."""

from __future__ import annotations

from typing import Any

import numpy as np

from pgfast.algorithms.ppo import Ppo
from pgfast.algorithms.trpo import Trpo
from pgfast.compiler import LANES
from pgfast.kernels.accounts import LINE
from pgfast.kernels.clipping import Clipping
from pgfast.kernels.passes import OWN, STATES, VECTORS
from pgfast.kernels.records import Record, record_fields
from pgfast.kernels.sparse_records import SparseRecord, sparse_record_fields
from pgfast.kernels.table_records import TableRecord, table_record_fields
from pgfast.kernels.trust import Trust
from pgfast.models import Model
from pgfast.policies.state_action import StateActionSoftmax
from pgfast.room import check_memory, zeros

METHODS = {Ppo: Clipping(), Trpo: Trust()}  # what is done in the passes of an algorithm


def recording_workspace(model: Model, like: Any, values: int) -> np.record:
    """A thread's record of lanes."""
    sizes = model.sizes(values)
    if model.tabular:
        return model.lanes(like, table_record_fields())
    if model.sparse:
        return model.lanes(like, sparse_record_fields(sizes, model.n_active, model.n_reals))
    return model.lanes(like, record_fields(sizes, model.n_reals))


def make_record(model: Model, algorithm: Any, values: int, tasks: int, runs: int, capacity: int, width: int) -> Record:
    """An empty record of so many tasks of `capacity` turns of `width` lanes."""
    trusts = isinstance(algorithm, Trpo)
    dense = not (model.tabular or model.sparse)
    own = model.width if dense else 0
    values_at = OWN + own if dense and isinstance(model.policy, StateActionSoftmax) else 0
    drawn_at = OWN + own + (values if values_at else 0)
    old_at = drawn_at + model.n_reals if trusts and not model.tabular else 0
    rows = drawn_at + model.n_reals + (model.n_coefficients if old_at else 0) + (2 if algorithm.passes > 1 else 0)
    marks = 1 if model.tabular else model.n_active + (0 if model.n_reals else 1)
    width = -(-width // LINE) * LINE
    check_steps(tasks * capacity * width, rows, marks)
    kind = TableRecord if model.tabular else SparseRecord if model.sparse else Record
    entries = model.n_rows if model.tabular and trusts else 0
    return kind(
        METHODS[type(algorithm)],
        pages((tasks, capacity, rows, width), float),
        pages((tasks, capacity, marks, width), np.int32),
        zeros(tasks, np.int64),
        zeros((tasks, capacity), np.int64),
        zeros((tasks, LANES + 1, 3), np.int64),
        zeros((runs, STATES)),
        zeros((runs, VECTORS if trusts else 0, model.n_parameters)),
        zeros((runs, 2, entries)),
        model.row, values_at, drawn_at, old_at,
    )  # fmt: skip


def pages(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros in huge pages, which NumPy doesn't ask for when asked for zeros; `check_steps` comes first."""
    array = np.empty(shape, dtype)
    array[:] = 0
    return array


def check_steps(steps: int, rows: int, marks: int) -> None:
    """Raise PgfastError where a record of so many steps is more than the machine's memory."""
    what = "What is written down of a batch that is gone over several times"
    check_memory(steps * (8 * rows + 4 * marks), what, "take a smaller batch, fewer runs, or fewer features")


def longer_record(record: Record) -> Record:
    """The same with room for twice as many turns."""
    tasks, capacity, rows, width = record.pages.shape
    check_steps(2 * tasks * capacity * width, rows, record.marks.shape[2])
    grown: Record = record.grown(0.0, 0)
    return grown
