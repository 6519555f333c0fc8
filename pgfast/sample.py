"""Random play of an environment in all lanes, some of it repeated in plain Python."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from pgfast.compiler import LANES, load_column
from pgfast.independence import difference
from pgfast.kernels.lanes import PRECISIONS, RUNNING, TERMINATED
from pgfast.kernels.samples import begin_turn, sample_plan, sample_workspace, step_lanes
from pgfast.obstacles import is_vector_code, obstacles
from pgfast.parameters import in_precision
from pgfast.probe import Traits, call_method, random_reals
from pgfast.random import make_key
from pgfast.rehearsal import as_floats

TURNS = 512
MOST_LAST = 1000  # episodes whose last observation is looked at
COMPARED = 4  # lanes a turn that are played in Python too


class Sample:
    """Random play in all lanes, some of it repeated in Python."""

    def __init__(self, env: Any, traits: Traits, precision: str) -> None:
        self.precision, form = precision, PRECISIONS[precision]
        self.env, self.traits = in_precision(env, form.real), traits
        self.like_seen = traits.observation if traits.n_observations is not None else as_floats(traits.observation)
        self.workspace = sample_workspace(traits.like, self.like_seen, form, len(traits.low))
        self.plan = sample_plan(0, traits.max_steps, traits.actions, form)
        self.random = np.random.default_rng(0)
        self.seen: list[np.ndarray] = []
        self.last: list[np.ndarray] = []
        self.rewards: list[np.ndarray] = []
        self.ended = self.terminated = self.steps_ended = self.compared = 0
        self.undefined: Any = None  # the first state with a NaN
        self.difference = 0.0
        self.example = ""

    def play(self) -> None:
        env, like, lanes, memory = self.env, self.traits.like, self.workspace.lanes, self.workspace.memory
        rows = memory.seen_int if self.traits.n_observations is not None else memory.seen
        for turn in range(TURNS):
            begin_turn(env, like, self.like_seen, self.plan, self.workspace)
            self.seen.append(rows.copy())
            self._choose()
            some = [(turn * COMPARED + k) % LANES for k in range(COMPARED)]
            expected = [self._in_python(i) for i in some]
            step_lanes(env, like, self.plan, self.workspace, 1)
            for i, (state, action, result) in zip(some, expected, strict=True):
                compiled = self._state(i), float(lanes.reward[i]), bool(lanes.done[i] == TERMINATED)
                self._compare("step", f"the state {state} and action {action}", result, compiled)
            self.rewards.append(lanes.reward.copy())
            self._note_undefined()
            self._note_last()
            self._count_ends()

    def play_on(self, turns: int) -> int | None:
        """Up to so many turns: the steps made until an episode ended by itself, or None."""
        for turn in range(turns):
            begin_turn(self.env, self.traits.like, self.like_seen, self.plan, self.workspace)
            self._choose()
            step_lanes(self.env, self.traits.like, self.plan, self.workspace, 1)
            self._count_ends()
            if self.terminated:
                return LANES * (turn + 1)
        return None

    def lengths(self, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """How long an episode is in each lane with that time limit, played a step beyond it, and how it ended."""
        lanes = self.workspace.lanes
        plan = self.plan._replace(max_steps=type(self.plan.max_steps)(limit))
        lanes.done[:] = TERMINATED
        begin_turn(self.env, self.traits.like, self.like_seen, plan, self.workspace)
        for _ in range(limit + 1):
            self._choose()
            step_lanes(self.env, self.traits.like, plan, self.workspace, 1)
        return lanes.counter[0].astype(np.int64) - 1, lanes.done.copy()

    def _choose(self) -> None:
        """A random action for each lane."""
        lanes = self.workspace.lanes
        if self.traits.n_actions:
            lanes.action[:] = self.random.integers(self.traits.n_actions, size=LANES)
        else:
            lanes.reals[:] = random_reals(self.env.action_space, self.random, LANES)

    def _action(self, i: int) -> Any:
        """Lane i's action, as Python's step has it."""
        lanes = self.workspace.lanes
        if self.traits.n_actions:
            return int(lanes.action[i]) + self.traits.first_action
        return load_column(lanes.reals, lanes.state_int, i, self.traits.action)

    def _note_undefined(self) -> None:
        lanes = self.workspace.lanes
        if self.undefined is None and np.isnan(lanes.state).any():
            self.undefined = self._state(int(np.flatnonzero(np.isnan(lanes.state).any(axis=0))[0]))

    def _note_last(self) -> None:
        """What is seen at the end of episodes, which begin_turn overwrites."""
        for i in np.flatnonzero(self.workspace.lanes.done != RUNNING)[: MOST_LAST - len(self.last)]:
            state = self._state(i)
            seen = call_method(self.env, self.traits.label, "observe", state) if hasattr(self.env, "observe") else state
            self.last.append(np.atleast_1d(np.array(seen)))

    def _count_ends(self) -> None:
        lanes = self.workspace.lanes
        ended = lanes.done != RUNNING
        self.ended += int(ended.sum())
        self.terminated += int((lanes.done == TERMINATED).sum())
        self.steps_ended += int(lanes.counter[0, ended].sum()) - int(ended.sum())
        lanes.episode[ended] += LANES

    def _state(self, i: int) -> Any:
        return load_column(self.workspace.lanes.state, self.workspace.lanes.state_int, i, self.traits.like)

    def _in_python(self, i: int) -> tuple[Any, Any, Any]:
        """Lane i's state and action, and what Python's step makes of them; the episode's start, and what is seen, are
        compared on the way."""
        env, label, lanes, memory = self.env, self.traits.label, self.workspace.lanes, self.workspace.memory
        state, episode, t1 = self._state(i), int(lanes.episode[i]), int(lanes.counter[0, i])
        if t1 == 1:
            key = make_key(episode=episode, precision=self.precision)
            self._compare("reset", f"episode {episode}", call_method(env, label, "reset", key), state)
        if hasattr(env, "observe"):
            seen = load_column(memory.seen, memory.seen_int, i, self.like_seen)
            self._compare("observe", f"the state {state}", call_method(env, label, "observe", state), seen)
        action = self._action(i)
        key = make_key(episode=episode, step=t1, precision=self.precision)
        return state, action, call_method(env, label, "step", state, action, key)

    def _compare(self, method: str, given: str, python: Any, compiled: Any) -> None:
        self.compared += method == "step"
        found = difference(python, compiled)
        if found > self.difference:
            self.difference = found
            self.example = f"for {given}, {method} gives {python} in Python and {compiled} compiled."

    def facts(self) -> dict[str, Any]:
        """What was counted and measured; play can't go on after that."""
        arguments = self.env, self.traits.like, self.plan, self.workspace
        seconds = math.inf
        for _ in range(3):
            start = time.perf_counter()
            step_lanes(*arguments, TURNS)
            seconds = min(seconds, time.perf_counter() - start)
        code = step_lanes.intermediate_code(*arguments, TURNS) if step_lanes.is_compiled else ""
        return {
            "mean_length": round(self.steps_ended / self.ended, 2) if self.ended else None,
            "ends_by_itself": round(self.terminated / self.ended, 4) if self.ended else None,
            "vectorised": is_vector_code(code),
            "in_the_way": obstacles(code, type(self.env)) if code else [],
            "ns_per_step": round(seconds / (LANES * TURNS) * 1e9, 2),
        }
