"""One checker for all environments, bundled and users': does it keep the protocol, and is it the same when compiled?

64 episodes are played side by side, with random actions, by the code that training uses; each turn some of the lanes
make the same step in plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from gymnasium.spaces import Box

from pgfast.compiler import LANES
from pgfast.environments import Source, find
from pgfast.errors import EnvironmentFault, unknown
from pgfast.faults import raised
from pgfast.independence import changes, check_changes, difference
from pgfast.kernels.lanes import PRECISIONS, RUNNING, TRUNCATED
from pgfast.kernels.samples import step_lanes
from pgfast.probe import Traits, call_method, probe, some_actions
from pgfast.random import make_key
from pgfast.rehearsal import rehearse
from pgfast.sample import COMPARED, TURNS, Sample

if TYPE_CHECKING:
    from pgfast.foreign_checker import ForeignExamination

ROUNDING = {"float64": 1e-12, "float32": 1e-5}  # relative to a number, or to 1 if it is smaller
LONG = 20_000  # turns after which an environment without time limit is taken never to end
SHORT = 7  # steps of a time limit that is tried out


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
    examination: _Examination | ForeignExamination
    if source.foreign is not None:
        from pgfast.foreign_checker import ForeignExamination

        examination = ForeignExamination(source)
    else:
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
    sample: Sample = field(init=False)
    visited: list[tuple[Any, Any]] = field(default_factory=list)  # some states, and actions taken there
    facts: dict[str, Any] = field(default_factory=dict)

    def steps(self) -> list[tuple[str, Callable[[], str], bool]]:
        """Names, methods, and whether the next ones depend on them."""
        return [
            ("protocol", self.protocol, True),
            ("spaces", self.spaces, False),
            ("purity", self.purity, False),
            ("independence", self.independence, False),
            ("compilation", self.compilation, True),
            ("play", self.play, True),
            ("agreement", self.agreement, False),
            ("states", self.states, False),
            ("observations", self.observations, False),
            ("rewards", self.rewards, False),
            ("termination", self.termination, False),
            ("truncation", self.truncation, False),
            ("speed", self.speed, False),
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

    def spaces(self) -> str:
        env = self.source.env
        for name in ("observation_space", "action_space"):
            space = getattr(env, name)
            if isinstance(space, Box) and not np.all(space.low <= space.high):
                raise EnvironmentFault(
                    f"{self.traits.label}: {name} is {space}: no lower bound may exceed the upper one."
                )
            if space != getattr(env, name):
                raise EnvironmentFault(f"{self.traits.label}: {name} is another each time it is asked for.")
        return f"observations in {self.facts['observations']}, actions in {self.facts['actions']}"

    def purity(self) -> str:
        env, label = self.source.env, self.traits.label
        arrays = {k: v.copy() for k, v in env._asdict().items() if isinstance(v, np.ndarray)}
        for episode in range(COMPARED):
            key = make_key(episode=episode)
            state = _twice(env, label, "reset", key)
            for t, action in zip(range(16), some_actions(env.action_space), strict=False):
                self.visited.append((state, action))
                state, _, terminated = _twice(env, label, "step", state, action, make_key(episode=episode, step=t + 1))
                if terminated:
                    break
        for name, before in arrays.items():
            if not np.array_equal(before, getattr(env, name), equal_nan=before.dtype.kind == "f"):
                raise EnvironmentFault(
                    f"{label}: reset, step or observe changes the field {name}: it must stay the same."
                )
        return "the same state, action and key give the same result"

    def independence(self) -> str:
        env, label = self.source.env, self.traits.label
        said = [check_changes(label, "reset", changes(env, label, "reset", [()]))]
        if self.traits.paired:
            said.append("step draws nothing")
        else:
            said.append(check_changes(label, "step", changes(env, label, "step", self.visited)))
        return ", ".join(said)

    def compilation(self) -> str:
        if not step_lanes.is_compiled:
            return "numba is switched off"
        rehearse(self.source.env, self.traits)
        return "numba compiles every method"

    def play(self) -> str:
        self.sample = Sample(self.source.env, self.traits, self.precision)
        try:
            self.sample.play()
        except EnvironmentFault:
            raise
        except Exception as error:
            raise raised(self.traits, error) from error
        self.facts |= self.sample.facts()
        return f"{LANES * TURNS:,} steps of random play"

    def agreement(self) -> str:
        sample = self.sample
        if sample.difference > ROUNDING[self.precision]:
            raise EnvironmentFault(f"{self.traits.label}: {sample.example}")
        exact = "bit for bit" if sample.difference == 0.0 else f"up to rounding ({sample.difference:.1g})"
        return f"{sample.compared:,} steps, compiled and in Python, are the same {exact}"

    def states(self) -> str:
        if self.sample.undefined is not None:
            raise EnvironmentFault(
                f"{self.traits.label}: step or reset gives the state {self.sample.undefined}: no number of a state may "
                f"be NaN."
            )
        return "no number is NaN"

    def observations(self) -> str:
        self._check_observations(np.array(self.sample.seen), "")
        if self.sample.last:
            self._check_observations(np.array(self.sample.last)[:, :, None], " at an episode's end")
        return "all in the observation space"

    def _check_observations(self, seen: np.ndarray, when: str) -> None:
        """Of shape (turns, numbers, lanes)."""
        space = self.source.env.observation_space
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
                f"{self.traits.label}: the observation {shown if len(shown) > 1 else shown[0]}{when} is outside {space}"
                f"{', as NaN is in no space' if np.isnan(shown).any() else ''}."
            )

    def rewards(self) -> str:
        rewards = np.array(self.sample.rewards)
        if not np.all(np.isfinite(rewards)):
            bad = rewards[~np.isfinite(rewards)][0]
            raise EnvironmentFault(f"{self.traits.label}: step gives the reward {bad}: it must be a finite number.")
        return f"all finite, from {rewards.min() + 0.0:g} to {rewards.max() + 0.0:g}"

    def termination(self) -> str:
        sample, limit = self.sample, self.traits.max_steps
        if sample.terminated:
            return f"{sample.terminated:,} of {sample.ended:,} episodes ended by themselves"
        steps = LANES * TURNS
        if self.traits.limited:
            return f"no episode ended by itself in {steps:,} steps of random play: all are truncated"
        more = sample.play_on(LONG)
        if more is None:
            raise EnvironmentFault(
                f"{self.traits.label}: no episode ended in {steps + LANES * LONG:,} steps of random play and there is "
                f"no max_steps: set it, or each will go on to the {limit:,} steps after which the engine ends it."
            )
        return f"the first episode to end by itself did so after {steps + more:,} steps of random play"

    def truncation(self) -> str:
        limit = self.traits.max_steps
        short = min(SHORT, limit)
        lengths, done = self.sample.lengths(short)
        if np.any(done == RUNNING) or np.any(lengths > short) or np.any((done == TRUNCATED) & (lengths < short)):
            raise EnvironmentFault(
                f"{self.traits.label}: with a limit of {short} steps episodes end after "
                f"{sorted(set(lengths.tolist()))}."
            )
        own = "its own limit" if self.traits.limited else "the engine's, as it has none of its own"
        return f"after {limit:,} steps, {own}; a limit of {short} steps ends all episodes by then"

    def speed(self) -> str:
        took = f"{self.facts['ns_per_step']} ns a step"
        if not step_lanes.is_compiled:
            return took
        reasons = ", ".join(self.facts["in_the_way"])
        if self.facts["vectorised"]:
            return f"{took}, in vector code{f' but for {reasons}' if reasons else ''}"
        return f"{took}, not in vector code: in the way is likely {reasons}"


def _twice(env: Any, label: str, method: str, *args: Any) -> Any:
    """What a method gives, which must be the same again."""
    first, second = (call_method(env, label, method, *args) for _ in range(2))
    if difference(first, second) != 0.0:
        raise EnvironmentFault(
            f"{label}: {method} gives {first} and then {second} for the same arguments: it must depend on nothing else."
        )
    return first


def _form(value: Any) -> str:
    """The types of a state."""
    return f"({', '.join(_form(v) for v in value)})" if isinstance(value, tuple) else type(value).__name__
