"""A policy for an environment: what it is made of, and how much room it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfast.compiler import LANES
from pgfast.kernels.lanes import DOUBLE, Field, Precision, lane_fields, make_workspace
from pgfast.kernels.learner import UNREFINED
from pgfast.kernels.sparse import make_sparse, sparse_fields
from pgfast.kernels.sparse_tapes import make_sparse_tape
from pgfast.kernels.table_tapes import make_table_tape
from pgfast.kernels.tables import make_table, table_fields
from pgfast.kernels.tapes import make_tape
from pgfast.kernels.traces import Sizes, make_traces, preference_fields, trace_fields
from pgfast.policies.clocks import Timed
from pgfast.state_features import state_map

FIRST_TAPE = 128  # steps of a tape at first; it grows when an episode is longer


@dataclass(frozen=True)
class Model:
    """A policy for an environment, and how much room it needs."""

    name: str
    policy: Any
    shape: tuple[int, ...]  # of the parameters of one run
    n_rows: int  # of gradient
    n_prepared: int  # numbers that lanes use, derived from the parameters
    n_values: int  # weights of a learned baseline
    width: int  # features of a lane; 0 for a table, and where only those that are active are looked up
    n_outputs: int  # preferences, or the means of real actions
    n_coefficients: int  # of which a score is made
    n_reals: int = 0  # numbers of an action that is not a whole one
    n_active: int = 0  # of sparse features
    n_inputs: int = 0  # numbers that features are computed from
    theta0: float = 0.0  # every parameter at first, unless said otherwise
    precision: Precision = DOUBLE  # of what lanes compute

    @property
    def n_parameters(self) -> int:
        return math.prod(self.shape)

    @property
    def tabular(self) -> bool:
        return self.width == 0 and self.n_active == 0

    @property
    def sparse(self) -> bool:
        """Are most features 0, and only the others looked up?"""
        return self.n_active > 0

    @property
    def row(self) -> int:
        """Rows of gradient that belong together: those of a state of a table, or of one of many features; 0: all do."""
        return self.n_outputs if self.tabular or self.sparse else 0

    @property
    def n_actions(self) -> int:
        """Actions to choose from; 0 where they are real numbers."""
        return 0 if self.n_reals else self.n_outputs

    @property
    def n_states(self) -> int:
        """Rows of a table, or of the parameters of sparse features; 0 without one."""
        if self.tabular:
            return int(self.policy.n_states)
        return self.shape[0] if self.sparse else 0

    @property
    def horizon(self) -> int | None:
        """Steps that a policy that knows the time tells apart."""
        clock = getattr(self.policy, "clock", None)
        return clock.horizon if isinstance(clock, Timed) else None

    @property
    def n_scaled(self) -> int:
        """Numbers of an observation that are counted from a running mean."""
        return int(getattr(state_map(self.policy), "n_scaled", 0))

    def sizes(self, values: int, taken: int = 0) -> Sizes:
        """How much a lane has of everything; `values` weights of a learned baseline are used, or of q̂, which is then
        a function of `taken` features."""
        return Sizes(
            self.width, self.n_prepared, self.n_rows, self.n_parameters, self.n_outputs, self.n_coefficients,
            0 if self.sparse else values, self.n_inputs, taken,
        )  # fmt: skip

    def lanes(self, like: Any, fields: list[Field]) -> np.record:
        """A thread's record of lanes, with fields of the policy's own."""
        return make_workspace(lane_fields(like, self.precision, self.n_reals, self.n_scaled), fields)

    def workspace(self, like: Any, values: int, in_loop: bool, moments: tuple[int, ...] = (0, LANES)) -> np.record:
        """A thread's record of lanes for REINFORCE; what refines its gradients has an array of the shape `moments`."""
        sizes = self.sizes(values)
        if self.tabular:
            return self.lanes(like, table_fields())
        if self.sparse:
            return self.lanes(like, sparse_fields(sizes, self.n_active))
        if in_loop:
            return self.lanes(like, preference_fields(sizes, self.precision))
        return self.lanes(like, trace_fields(sizes, self.precision, moments))

    def memory(self, gamma: float, values: int, in_loop: bool, capacity: int, refinement: Any = UNREFINED) -> Any:
        """What a thread remembers beside its workspace: a tape of `capacity` steps where one is needed; and how what it
        sums up is refined."""
        if self.tabular:
            s, a = self.policy.n_states, self.n_actions
            return make_table_tape(s, a, capacity) if in_loop else make_table(s, a, gamma, capacity, refinement)
        if self.sparse:
            t, d = self.n_active, self.policy.features.n_features
            if in_loop:
                return make_sparse_tape(t, self.n_reals, capacity)
            return make_sparse(d, t, self.row, self.n_coefficients, gamma, capacity)
        return make_tape(self.width, values, self.n_reals, capacity) if in_loop else make_traces(refinement)
