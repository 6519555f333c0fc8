"""Episodes side by side, played by actions from outside; allocates what the kernel needs, once."""

from __future__ import annotations

from typing import Any

import numpy as np

from pgfast.compiler import LANES, load_column, store_column
from pgfast.errors import PgfastError
from pgfast.kernels.lanes import RUNNING
from pgfast.kernels.turns import BY_HAND, MOST_STEPS, ORDER, STEPPING, Rules, make_outcome, make_players, take_turn
from pgfast.probe import Traits
from pgfast.random import PROBE
from pgfast.rehearsal import as_floats


class Players:
    """`count` players of one environment, each with a seed; player p's episodes are numbered from 0.

    `limit` is the number of steps after which an episode is truncated (None: never); `mode` says when episodes begin
    (`pgfast.kernels.turns`).
    """

    def __init__(self, env: Any, traits: Traits, count: int, limit: int | None = None, mode: int = BY_HAND) -> None:
        self.traits, self.count = traits, count
        self.discrete = traits.n_observations is not None  # what is observed
        self._like = traits.like
        self._space = env.action_space
        seen = traits.observation if self.discrete else as_floats(traits.observation)
        self._dtype = np.dtype(np.int64) if self.discrete else env.observation_space.dtype
        k = len(traits.low)
        self._blocks = make_players(self._like, seen, count, k)
        self._actions = np.zeros((count, k)) if k else np.full(count, traits.first_action)
        self._order = np.zeros(ORDER, np.int64)
        self._order[:] = 0, mode, count
        self._seeds = np.zeros((len(self._blocks), 2, LANES), np.uint64)
        rules = Rules(PROBE, np.uint64(limit or MOST_STEPS), traits.actions, self._seeds)
        self._outcome = make_outcome(seen, count)
        self._kept = (env, self._like, seen, rules, self._blocks, self._actions, self._order, self._outcome)
        self._bind()

    def _bind(self) -> None:
        """The kernel with these players' arrays."""
        self._call = take_turn.bind(*self._kept)
        self._done, self._episode = self._blocks["lanes"]["done"], self._blocks["lanes"]["episode"]
        self._begin = self._blocks["memory"]["begin"]

    def __getstate__(self) -> dict[str, Any]:
        """All but what is bound to the arrays: a copy steps its own."""
        bound = ("_call", "_done", "_episode", "_begin")
        return {name: value for name, value in vars(self).items() if name not in bound}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._bind()

    def begin(self, which: np.ndarray, seeds: dict[int, int]) -> None:
        """Begin the next episode of the players `which` (bool (count,)), or for those in `seeds` (by player) the first
        with a new seed."""
        for p, seed in seeds.items():
            if not 0 <= seed < 2**64:
                raise PgfastError(f"The seed is {seed}: it must be from 0 to 2**64 - 1.")
            b, i = divmod(p, LANES)
            self._seeds[b, :, i], self._episode[b, i] = (seed & 0xFFFFFFFF, seed >> 32), -1
        self._begin.flat[: self.count] = which
        self._order[STEPPING] = 0
        self._call()
        self._order[STEPPING] = 1

    def step(self, actions: Any) -> None:
        """One step of every player: ints, (count,), or floats, (count, …) in the shape of the action space, which are
        clipped to it. Raises PgfastError for what is no action, and does nothing."""
        given = np.asarray(actions)
        shape = (self.count, *self._space.shape)
        if given.shape != shape or given.dtype.kind not in ("iub" if self.traits.n_actions else "iuf"):
            raise PgfastError(
                f"{self.traits.label}: actions of shape {given.shape} and dtype {given.dtype} were given: they must be "
                f"{'whole' if self.traits.n_actions else 'real'} numbers of shape {shape}."
            )
        if self.traits.n_actions:
            self._check_choices(given)
            self._actions[:] = given
        else:
            if np.isnan(given).any():
                raise PgfastError(f"{self.traits.label}: an action has a NaN in it: it must be in {self._space}.")
            self._actions[:] = np.clip(given, self._space.low, self._space.high).reshape(self._actions.shape)
        self._call()

    def _check_choices(self, given: np.ndarray) -> None:
        first = self.traits.first_action
        last = first + self.traits.n_actions - 1
        bad = (given < first) | (given > last)
        if bad.any():
            raise PgfastError(f"{self.traits.label}: the action is {given[bad][0]}: it must be from {first} to {last}.")

    def observations(self) -> np.ndarray:
        """What the players see, a new array: int64 (count,), or (count, n) of the dtype of a Box."""
        return self._outcome.seen_int[:, 0].copy() if self.discrete else self._outcome.seen.astype(self._dtype)

    def last_observations(self) -> np.ndarray:
        """What those saw at their episodes' end whose next episode began in the same step."""
        return self._outcome.last_int[:, 0].copy() if self.discrete else self._outcome.last.astype(self._dtype)

    def outcomes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards of the last step, whose episodes were terminated by it, and whose truncated: new arrays, float64 and
        bool, (count,)."""
        outcome = self._outcome
        return outcome.reward.copy(), outcome.terminated.copy(), outcome.truncated.copy()

    def waiting(self) -> np.ndarray:
        """Whose next episode hasn't begun, bool (count,)."""
        waiting: np.ndarray = self._done.flatten()[: self.count] != RUNNING
        return waiting

    def state(self, p: int) -> Any:
        """Player p's state."""
        lanes = self._blocks[p // LANES].lanes
        return load_column(lanes.state, lanes.state_int, p % LANES, self._like)

    def put(self, p: int, state: Any) -> None:
        """Set player p's state. Raises PgfastError for what hasn't the form of the environment's states."""
        given = state if isinstance(state, tuple) else (state,)
        like = self._like if isinstance(self._like, tuple) else (self._like,)
        if len(given) != len(like) or not all(isinstance(x, int | float | np.number) for x in given):
            raise PgfastError(f"{self.traits.label}: {state!r} is no state: one looks like {self._like!r}.")
        lanes = self._blocks[p // LANES].lanes
        store_column(lanes.state, lanes.state_int, p % LANES, given, like)
        self.begin(np.zeros(self.count, bool), {})  # none does; what is observed is another
