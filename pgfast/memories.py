"""What a thread has for its lanes, by the way in which an algorithm learns: their workspace, and the memory beside it.

A new way is a function here, and a line in WAYS for the algorithms that learn so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pgfast.algorithms.advantages import Advantages
from pgfast.algorithms.expected import Expected
from pgfast.algorithms.gradient_bandit import GradientBandit
from pgfast.algorithms.pgpe import Pgpe
from pgfast.kernels.action_values import valuing_actions
from pgfast.kernels.advantage_tapes import (
    AdvantageSparse,
    AdvantageTable,
    advantage_sparse_fields,
    advantage_table_fields,
)
from pgfast.kernels.advantage_traces import advantage_fields, make_advantage_traces
from pgfast.kernels.exploration import Exploring, exploration_fields
from pgfast.kernels.pulls import Pulls
from pgfast.kernels.sparse import sparse_fields
from pgfast.kernels.tables import table_fields
from pgfast.kernels.traces import trace_fields

Room = tuple[np.record, Any]


def room_for_lanes(problem: Any, capacity: int, learn: bool) -> Room:
    """The workspace of a `pgfast.training.Problem`, and what is remembered of it on a tape of so many steps."""
    return WAYS.get(type(problem.algorithm), _returns)(problem, capacity, learn)


def _returns(problem: Any, capacity: int, learn: bool) -> Room:
    like, model = problem.traits.like, problem.model
    gamma, refinement = problem.algorithm.gamma, problem.refinement
    return (
        model.workspace(like, problem.values, problem.in_loop, refinement.lanes),
        model.memory(gamma, problem.values, problem.in_loop, capacity, refinement.form),
    )


def _advantages(problem: Any, capacity: int, learn: bool) -> Room:
    like, model, sizes = problem.traits.like, problem.model, problem.model.sizes(problem.values)
    if not (model.tabular or model.sparse):
        traces = make_advantage_traces(sizes, problem.algorithm.n_steps, model.precision)
        return model.lanes(like, advantage_fields(sizes, model.precision)), traces
    ring = model.memory(problem.algorithm.gamma, problem.values, False, capacity)
    if model.tabular:
        return model.lanes(like, advantage_table_fields()), AdvantageTable(*ring)
    return model.lanes(like, advantage_sparse_fields(sizes, model.n_active)), AdvantageSparse(*ring)


def _action_values(problem: Any, capacity: int, learn: bool) -> Room:
    like, model = problem.traits.like, problem.model
    memory = valuing_actions(model.memory(problem.algorithm.gamma, problem.values, False, capacity))
    if model.tabular:
        return model.lanes(like, table_fields()), memory
    sizes = model.sizes(problem.values, problem.values)
    if model.sparse:
        return model.lanes(like, sparse_fields(sizes, model.n_active)), memory
    return model.lanes(like, trace_fields(sizes, model.precision)), memory


def _parameters(problem: Any, capacity: int, learn: bool) -> Room:
    model = problem.model
    workspace = model.lanes(problem.traits.like, exploration_fields(model.sizes(problem.values), model.precision))
    seed = np.uint64(problem.seed & 0xFFFFFFFF), np.uint64(problem.seed >> 32)
    return workspace, Exploring(model.policy, problem.sigma0, int(learn), *seed)


def _pulls(problem: Any, capacity: int, learn: bool) -> Room:
    workspace, table = _returns(problem, capacity, learn)
    return workspace, Pulls(*table)


WAYS: dict[type, Callable[[Any, int, bool], Room]] = {
    Advantages: _advantages,
    Expected: _action_values,
    GradientBandit: _pulls,
    Pgpe: _parameters,
}
