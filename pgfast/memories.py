"""What a thread has for its lanes: REINFORCE's memory of the policy's kind, or what an algorithm has in its place."""

from __future__ import annotations

from typing import Any

import numpy as np

from pgfast.algorithms.expected import Expected
from pgfast.algorithms.gradient_bandit import GradientBandit
from pgfast.algorithms.pgpe import Pgpe
from pgfast.kernels.action_values import valuing_actions
from pgfast.kernels.exploration import Exploring, exploration_fields
from pgfast.kernels.lanes import lane_fields, make_workspace
from pgfast.kernels.pulls import Pulls


def workspace_and_memory(problem: Any, capacity: int, learn: bool) -> tuple[np.record, Any]:
    """The lanes of a `pgfast.training.Problem`, and what is remembered of them on a tape of so many steps."""
    model, values, algorithm, like = problem.model, problem.values, problem.algorithm, problem.traits.like
    if isinstance(algorithm, Pgpe):
        lanes = lane_fields(like, model.precision, model.n_reals)
        workspace = make_workspace(lanes, exploration_fields(model.sizes(values), model.precision))
        seed = np.uint64(problem.seed & 0xFFFFFFFF), np.uint64(problem.seed >> 32)
        return workspace, Exploring(model.policy, problem.sigma0, int(learn), *seed)
    memory = model.memory(algorithm.gamma, values, problem.in_loop, capacity)
    if isinstance(algorithm, Expected):
        return model.workspace(like, values, False, values), valuing_actions(memory)
    workspace = model.workspace(like, values, problem.in_loop)
    return workspace, Pulls(*memory) if isinstance(algorithm, GradientBandit) else memory
