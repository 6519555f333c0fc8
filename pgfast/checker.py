"""One checker for all environments, bundled and users': does it keep the protocol, and is it the same when compiled?

64 episodes are played side by side, with random actions, by the code that training uses; each turn some of the lanes
make the same step in plain Python.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import LANES, load_column
from pgfast.environments import Source, find
from pgfast.errors import EnvironmentFault, unknown
from pgfast.faults import raised
from pgfast.kernels.lanes import PRECISIONS, RUNNING, TERMINATED
from pgfast.kernels.samples import begin_turn, sample_plan, sample_workspace, step_lanes
from pgfast.parameters import in_precision
from pgfast.probe import Traits, call_method, probe, random_reals, some_actions
from pgfast.random import make_key
from pgfast.rehearsal import as_floats, rehearse

TURNS = 512
COMPARED = 4  # lanes a turn that are played in Python too
ROUNDING = {"float64": 1e-12, "float32": 1e-5}  # relative to a number, or to 1 if it is smaller
_VECTORS = re.compile(r"<\d+ x (?:double|i64|float|i32)>")


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    ok: bool
    message: str


@dataclass(frozen=True)
class Report:
    """What was found: checks in the order they were made, up to one without which the next make no sense, and facts."""

    checks: tuple[Check, ...]
    facts: dict[str, Any]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def check(env: Any, *, precision: str = "float64", **parameters: Any) -> Report:
    """Check an environment: an id, a file, an environment object, a TabularMDP, or a `Source` of one of these; as it is
    played in "float64" or in "float32".

    Raises PgfastError when there is none by that name, or pgfast has no policy for it; an environment that breaks the
    protocol is a check that failed.
    """
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    source = env if isinstance(env, Source) else find(env, parameters)
    examination = _Examination(source, precision)
    checks: list[Check] = []
    for name, look, essential in examination.steps():
        try:
            checks.append(Check(name, True, look()))
        except EnvironmentFault as fault:
            checks.append(Check(name, False, str(fault)))
            if essential:
                break
    return Report(tuple(checks), examination.facts)


@dataclass
class _Examination:
    """Each method makes one check: it returns what was seen, or raises EnvironmentFault."""

    source: Source
    precision: str
    traits: Traits = field(init=False)
    sample: _Sample = field(init=False)
    facts: dict[str, Any] = field(default_factory=dict)

    def steps(self) -> list[tuple[str, Callable[[], str], bool]]:
        """Names, methods, and whether the next ones depend on them."""
        return [
            ("protocol", self.protocol, True),
            ("purity", self.purity, False),
            ("compilation", self.compilation, True),
            ("play", self.play, True),
            ("agreement", self.agreement, False),
            ("observations", self.observations, False),
            ("rewards", self.rewards, False),
        ]

    def protocol(self) -> str:
        self.traits = probe(self.source)
        env = self.source.env
        self.facts |= {
            "states": _form(self.traits.like),
            "observations": " ".join(str(env.observation_space).split()),
            "actions": str(env.action_space),
            "max_steps": self.traits.max_steps if self.traits.limited else None,
        }
        return "methods, spaces and what the methods give have the form they must have"

    def purity(self) -> str:
        env, label = self.source.env, self.traits.label
        arrays = {k: v.copy() for k, v in env._asdict().items() if isinstance(v, np.ndarray)}
        for episode in range(COMPARED):
            key = make_key(episode=episode)
            state = _twice(env, label, "reset", key)
            for t, action in zip(range(16), some_actions(env.action_space), strict=False):
                state, _, terminated = _twice(env, label, "step", state, action, make_key(episode=episode, step=t + 1))
                if terminated:
                    break
        for name, before in arrays.items():
            if not np.array_equal(before, getattr(env, name), equal_nan=before.dtype.kind == "f"):
                raise EnvironmentFault(
                    f"{label}: reset, step or observe changes the field {name}: it must stay the same."
                )
        return "the same state, action and key give the same result"

    def compilation(self) -> str:
        if not step_lanes.is_compiled:
            return "numba is switched off"
        rehearse(self.source.env, self.traits)
        return "numba compiles every method"

    def play(self) -> str:
        self.sample = _Sample(self.source.env, self.traits, self.precision)
        try:
            self.sample.play()
        except EnvironmentFault:
            raise
        except Exception as error:
            raise raised(self.traits, error) from error
        self.facts |= self.sample.facts()
        ends, steps = self.sample.ended, f"{LANES * TURNS:,} steps of random play"
        if ends == 0:
            return f"{steps}, no episode ended: one is cut off after {self.traits.max_steps:,} steps"
        return f"{steps}, {ends:,} episodes ended, {self.sample.terminated:,} of them by themselves"

    def agreement(self) -> str:
        sample = self.sample
        if sample.difference > ROUNDING[self.precision]:
            raise EnvironmentFault(f"{self.traits.label}: {sample.example}")
        exact = "bit for bit" if sample.difference == 0.0 else f"up to rounding ({sample.difference:.1g})"
        return f"{sample.compared:,} steps, compiled and in Python, are the same {exact}"

    def observations(self) -> str:
        space, seen = self.source.env.observation_space, np.array(self.sample.seen)  # (turns, numbers, lanes)
        if self.traits.n_observations is not None:
            low, high = self.traits.first_observation, self.traits.first_observation + self.traits.n_observations - 1
            bad = np.argwhere((seen < low) | (seen > high))
        else:
            low, high = (bound.reshape(1, -1, 1) for bound in (space.low, space.high))
            with np.errstate(over="ignore"):
                seen = seen.astype(space.dtype)
            bad = np.argwhere(~((seen >= low) & (seen <= high)))
        if len(bad):
            turn, _, lane = bad[0]
            shown = seen[turn, :, lane].tolist()
            raise EnvironmentFault(
                f"{self.traits.label}: the observation {shown if len(shown) > 1 else shown[0]} is outside {space}."
            )
        return "all in the observation space"

    def rewards(self) -> str:
        rewards = np.array(self.sample.rewards)
        if not np.all(np.isfinite(rewards)):
            bad = rewards[~np.isfinite(rewards)][0]
            raise EnvironmentFault(f"{self.traits.label}: step gives the reward {bad}: it must be a finite number.")
        return f"all finite, from {rewards.min():g} to {rewards.max():g}"


class _Sample:
    """Random play in all lanes, some of it repeated in Python."""

    def __init__(self, env: Any, traits: Traits, precision: str) -> None:
        self.precision, form = precision, PRECISIONS[precision]
        self.env, self.traits = in_precision(env, form.real), traits
        self.like_seen = traits.observation if traits.n_observations is not None else as_floats(traits.observation)
        self.workspace = sample_workspace(traits.like, self.like_seen, form, len(traits.low))
        self.plan = sample_plan(0, traits.max_steps, traits.actions, form)
        self.random = np.random.default_rng(0)
        self.seen: list[np.ndarray] = []
        self.rewards: list[np.ndarray] = []
        self.ended = self.terminated = self.steps_ended = self.compared = 0
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
            self._count_ends()

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
        difference = _difference(python, compiled)
        if difference > self.difference:
            self.difference = difference
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
            "vectorised": bool(_VECTORS.search(code)),
            "ns_per_step": round(seconds / (LANES * TURNS) * 1e9, 2),
        }


def _twice(env: Any, label: str, method: str, *args: Any) -> Any:
    """What a method gives, which must be the same again."""
    first, second = (call_method(env, label, method, *args) for _ in range(2))
    if _difference(first, second) != 0.0:
        raise EnvironmentFault(
            f"{label}: {method} gives {first} and then {second} for the same arguments: it must depend on nothing else."
        )
    return first


def _difference(a: Any, b: Any) -> float:
    """The largest difference of two numbers, or tuples of them, relative to their size; infinite if one is NaN."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        if not (isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b)):
            return math.inf
        return max((_difference(x, y) for x, y in zip(a, b, strict=True)), default=0.0)
    if a == b or (a != a and b != b):
        return 0.0
    difference = abs(float(a) - float(b)) / max(1.0, abs(float(a)))
    return difference if math.isfinite(difference) else math.inf


def _form(value: Any) -> str:
    """The types of a state."""
    return f"({', '.join(_form(v) for v in value)})" if isinstance(value, tuple) else type(value).__name__
