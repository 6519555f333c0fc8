"""Random play one turn at a time, to see what an environment does: the same steps as in training, without a policy."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any

import numpy as np

from pgfast.compiler import LANES, Kernel, kernel, load_column, store_column
from pgfast.kernels.lanes import (
    DOUBLE,
    RUNNING,
    TERMINATED,
    Field,
    Precision,
    lane_fields,
    make_workspace,
    step_environment,
)
from pgfast.kernels.plan import Plan
from pgfast.kernels.starts import begin_episode
from pgfast.protocol import observe
from pgfast.random import PROBE, first_number


def sample_plan(seed: int, max_steps: int, actions: Any, precision: Precision = DOUBLE) -> Plan:
    """Episodes with actions of a kind, in the stream of numbers that `make_key` draws from."""
    fields = dict.fromkeys(Plan._fields, 0)
    return Plan(**fields)._replace(
        stream=PROBE,
        max_steps=np.dtype(precision.word).type(max_steps),
        actions=actions,
        k0=np.uint64(seed & 0xFFFFFFFF),
        k1=np.uint64(seed >> 32),
    )


def sample_workspace(like: Any, observation: Any, precision: Precision = DOUBLE, n_reals: int = 0) -> np.record:
    """Lanes that have all ended, and room for an observation of each; `n_reals` numbers of an action that is not a
    whole one."""
    seen = {
        name: (kind, shape) for name, kind, shape in lane_fields(observation, precision) if name.startswith("state")
    }
    memory: list[Field] = [(name.replace("state", "seen"), *form) for name, form in seen.items()]
    workspace = make_workspace(lane_fields(like, precision, n_reals), memory)
    workspace.lanes.done[:] = TERMINATED
    workspace.lanes.episode[:] = np.arange(LANES)
    return workspace


@kernel
def begin_turn(env, like, seen, plan, w):
    """Begin the next episode in lanes whose last one has ended; then, in all, observe, and draw the number that the
    environment is given. `seen` is an example of an observation."""
    lanes, memory = w.lanes, w.memory
    for i in range(LANES):
        if lanes.done[i] != RUNNING:
            begin_episode(env, like, plan, lanes, i)
        state = load_column(lanes.state, lanes.state_int, i, like)
        store_column(memory.seen, memory.seen_int, i, observe(env, state), seen)
        c = lanes.counter
        lanes.uniforms[1, i] = first_number(lanes.uniforms, c[0, i], c[1, i], c[2, i], c[3, i], plan.k0, plan.k1)


def _step_lanes(env, like, plan, w, turns):
    """`turns` steps in every lane, with the actions and numbers that are there."""
    for _ in range(turns):
        step_environment(LANES, env, like, plan, w.lanes)


step_lanes = Kernel(_step_lanes, kept=False)
