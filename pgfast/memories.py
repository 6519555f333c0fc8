"""What a thread has for its lanes, by the way in which an algorithm learns: their workspace, and the memory beside it.

A new way is a function here, and a line in WAYS for the algorithms that learn so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pgfast.algorithms.actor_critic import ActorCritic
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
from pgfast.kernels.continuing import reached_fields, state_rows
from pgfast.kernels.exploration import Exploring, exploration_fields
from pgfast.kernels.pulls import Pulls
from pgfast.kernels.row_traces import HEAD
from pgfast.kernels.sparse import sparse_fields
from pgfast.kernels.step_lists import (
    SparseSteps,
    TableSteps,
    list_size,
    make_step_lists,
    step_sparse_fields,
    step_table_fields,
)
from pgfast.kernels.step_traces import StepTraces
from pgfast.kernels.tables import table_fields
from pgfast.kernels.traces import make_traces, trace_fields
from pgfast.models import Model
from pgfast.problem import Problem

Room = tuple[np.record, Any]


def room_for_lanes(problem: Problem, capacity: int, learn: bool) -> Room:
    """The workspace of a problem, and what is remembered of it on a tape of so many steps."""
    return WAYS.get(type(problem.algorithm), _returns)(problem, capacity, learn)


def _returns(problem: Problem, capacity: int, learn: bool) -> Room:
    like, model = problem.traits.like, problem.model
    gamma, refinement = problem.algorithm.gamma, problem.refinement
    return (
        model.workspace(like, problem.values, problem.in_loop, refinement.lanes),
        model.memory(gamma, problem.values, problem.in_loop, capacity, refinement.form),
    )


def _advantages(problem: Problem, capacity: int, learn: bool) -> Room:
    like, model, sizes = problem.traits.like, problem.model, problem.model.sizes(problem.values)
    if not (model.tabular or model.sparse):
        traces = make_advantage_traces(sizes, problem.algorithm.n_steps, model.precision)
        return model.lanes(like, advantage_fields(sizes, model.precision)), traces
    ring = model.memory(problem.algorithm.gamma, problem.values, False, capacity)
    if model.tabular:
        return model.lanes(like, advantage_table_fields()), AdvantageTable(*ring)
    return model.lanes(like, advantage_sparse_fields(sizes, model.n_active)), AdvantageSparse(*ring)


def _steps(problem: Problem, capacity: int, learn: bool) -> Room:
    like, model, values = problem.traits.like, problem.model, problem.values
    sizes, algorithm, width = model.sizes(values), problem.algorithm, model.shape[-1]
    memory: Any
    if model.tabular:
        fields = step_table_fields(width, model.n_outputs)
        memory = make_step_lists(TableSteps, algorithm, width, *rows_listed(model))
    elif model.sparse:
        fields = step_sparse_fields(sizes, model.n_active)
        memory = make_step_lists(SparseSteps, algorithm, width, *rows_listed(model))
    else:
        fields, memory = trace_fields(sizes, model.precision), StepTraces(*make_traces())
    return model.lanes(like, [*fields, *reached_fields(like, model.precision)]), memory


def rows_listed(model: Model) -> tuple[int, int, int]:
    """Rows of θ that can have a trace, those of them that belong to a feature, and how many of these are active at a
    step: of a table, or of sparse features."""
    if model.tabular:
        return model.n_states, model.n_states, 1
    return model.n_states, model.policy.features.n_features, model.n_active


def carried(problem: Problem) -> tuple[int, int]:
    """How many numbers, and how many whole ones, a run is given when a lane leaves it in the middle of a task: its
    state and its traces, as `leave_state`, `leave_traces` and `leave_list` write them."""
    if not problem.continues:
        return 0, 0
    model, (n_floats, n_ints) = problem.model, state_rows(problem.traits.like)
    if model.tabular or model.sparse:
        entries = list_size(problem.algorithm, *rows_listed(model))
        return n_floats + HEAD + entries * (model.shape[-1] + 3), n_ints
    return n_floats + model.n_rows + problem.values, n_ints


def _action_values(problem: Problem, capacity: int, learn: bool) -> Room:
    like, model = problem.traits.like, problem.model
    memory = valuing_actions(model.memory(problem.algorithm.gamma, problem.values, False, capacity))
    if model.tabular:
        return model.lanes(like, table_fields()), memory
    sizes = model.sizes(problem.values, problem.values)
    if model.sparse:
        return model.lanes(like, sparse_fields(sizes, model.n_active)), memory
    return model.lanes(like, trace_fields(sizes, model.precision)), memory


def _parameters(problem: Problem, capacity: int, learn: bool) -> Room:
    model = problem.model
    workspace = model.lanes(problem.traits.like, exploration_fields(model.sizes(problem.values), model.precision))
    seed = np.uint64(problem.seed & 0xFFFFFFFF), np.uint64(problem.seed >> 32)
    return workspace, Exploring(model.policy, problem.sigma0, int(learn), *seed)


def _pulls(problem: Problem, capacity: int, learn: bool) -> Room:
    workspace, table = _returns(problem, capacity, learn)
    return workspace, Pulls(*table)


WAYS: dict[type, Callable[[Problem, int, bool], Room]] = {
    ActorCritic: _steps,
    Advantages: _advantages,
    Expected: _action_values,
    GradientBandit: _pulls,
    Pgpe: _parameters,
}
