"""pgfast's environments for Gymnasium: importing this module registers every bundled id as ``pgfast/<id>``.

`Env` and `VectorEnv` step through the compiled functions that training uses, with numbers from the same generator. The
episode that follows ``reset(seed=s)`` is number 0 of seed s, each ``reset()`` without a seed begins the next one; the
key of the step at time t of episode k is ``pgfast.make_key(s, 0, k, t + 1)``, that of its beginning ``make_key(s, 0, k,
0)``. Sub-environment i of a `VectorEnv` has seed s + i, as in Gymnasium's `SyncVectorEnv`. So an `Env`, a `VectorEnv`
and plain calls of the environment's methods with these keys give the same trajectories, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from pgfast import rendering
from pgfast.collection import BUNDLED, NAMESPACE
from pgfast.environments import Source, definition, find
from pgfast.errors import PgfastError, unknown
from pgfast.kernels.turns import BY_HAND, NEXT_STEP, SAME_STEP
from pgfast.parameters import construct
from pgfast.players import Players
from pgfast.probe import probe

RENDERING: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 15}
_MODES = {AutoresetMode.NEXT_STEP: NEXT_STEP, AutoresetMode.SAME_STEP: SAME_STEP, AutoresetMode.DISABLED: BY_HAND}


class Env(gymnasium.Env[Any, Any]):
    """One environment.

    Parameters
    ----------
    env
        An id, a file (``"my_env.py"``), an environment object or a `TabularMDP`.
    render_mode : "ansi" or "rgb_array", optional
        What `render` gives: text, or an image, uint8 (400, 400, 3).
    **parameters
        Of the environment, where `env` is an id or a file.

    An episode is truncated after the environment's own `max_steps`. ``reset(options={"state": s})`` begins in state s.

    Raises
    ------
    PgfastError
        For a name, a parameter or an action that there isn't.
    gymnasium.error.ResetNeeded
        For a step where no episode is going on.
    """

    metadata: dict[str, Any] = {**RENDERING}  # noqa: RUF012  as Gymnasium has it, which writes into it
    truncates = True

    def __init__(self, env: Any, *, render_mode: str | None = None, **parameters: Any) -> None:
        self._source = _found(env, parameters)
        self.render_mode = _checked_mode(render_mode)
        self.observation_space = self._source.env.observation_space
        self.action_space = self._source.env.action_space
        traits = probe(self._source)
        self._players = Players(
            self._source.env, traits, 1, traits.max_steps if self.truncates and traits.limited else None
        )
        self._seeded = self._over = False
        self._all = np.ones(1, bool)

    @property
    def state(self) -> Any:
        """A number, or a tuple of numbers."""
        return self._players.state(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin the first episode of a new seed, or without one the next: (observation, {})."""
        super().reset(seed=seed)
        new = seed is not None or not self._seeded
        self._players.begin(self._all, {0: _first_seed(self, seed)} if new else {})
        self._seeded, self._over = True, False
        if options and "state" in options:
            self._put(options["state"])
        return self._observation(), {}

    def _put(self, state: Any) -> None:
        """Go on from a state; compiled code looks things up by it."""
        source = self._source
        table = source.table
        if table is not None and not (isinstance(state, int | np.integer) and 0 <= state < table.n_states):
            raise PgfastError(f"{source.label}: the state is {state!r}: it must be from 0 to {table.n_states - 1}.")
        self._players.put(0, state)
        if not self.observation_space.contains(self._observation()):
            self._over = True
            raise PgfastError(f"{source.label}: the state is {state!r}: it must be seen in {self.observation_space}.")

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """(observation, reward, terminated, truncated, {})"""
        if not self._seeded or self._over:
            raise ResetNeeded("No episode is going on: call reset() before step().")
        self._players.step(np.asarray(action)[None])
        reward, terminated, truncated = (array.item() for array in self._players.outcomes())
        self._over = terminated or truncated
        return self._observation(), reward, terminated, truncated, {}

    def _observation(self) -> Any:
        """As the space has it: an int64, or an array."""
        seen = self._players.observations()[0]
        return seen if self._players.discrete else seen.reshape(self.observation_space.shape)

    def render(self) -> Any:
        """The state in text or as an image, by `render_mode`; None without one."""
        return _frame(self._source, self._players, 0, self.render_mode)


class RegisteredEnv(Env):
    """What `gymnasium.make` makes: an `Env` that Gymnasium's TimeLimit truncates, ``gymnasium.make(…,
    max_episode_steps=…)`` saying when."""

    truncates = False

    def __init__(self, env: Any, *, render_mode: str | None = None, **parameters: Any) -> None:
        _check_limit(parameters)
        super().__init__(env, render_mode=render_mode, **parameters)


class VectorEnv(gymnasium.vector.VectorEnv[Any, Any, Any]):
    """Environments side by side, stepped together.

    Parameters
    ----------
    env, render_mode, **parameters
        As for `Env`; `render` gives a tuple of frames.
    num_envs : int
    max_episode_steps : int, optional
        Steps after which an episode is truncated; by default the environment's own `max_steps`.
    autoreset_mode : gymnasium.vector.AutoresetMode or its value
        When a new episode begins: in place of the step after an episode's end ("NextStep"), with that end, whose
        observation is then ``infos["final_obs"]`` ("SameStep"), or by ``reset(options={"reset_mask": mask})``
        ("Disabled").

    `reset` takes one seed, of which sub-environment i gets seed + i, or a list of seeds (None: the next episode).
    """

    metadata: dict[str, Any] = {**RENDERING, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        env: Any,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **parameters: Any,
    ) -> None:
        if num_envs < 1:
            raise PgfastError(f"num_envs is {num_envs}: it must be at least 1.")
        if max_episode_steps is not None:
            _check_limit(parameters)
        mode = _autoreset_mode(autoreset_mode)
        self._source = _found(env, parameters)
        self.metadata = {**RENDERING, "autoreset_mode": mode}
        self.render_mode = _checked_mode(render_mode)
        self.num_envs = num_envs
        self.single_observation_space = self._source.env.observation_space
        self.single_action_space = self._source.env.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        traits = probe(self._source)
        limit = max_episode_steps or (traits.max_steps if traits.limited else None)
        self._players = Players(self._source.env, traits, num_envs, limit, _MODES[mode])
        self._seeded = False
        self._mode = mode

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode in all environments, or those of options["reset_mask"]: (observations, {})."""
        super().reset(seed=seed if isinstance(seed, int | np.integer) else None)
        mask = self._mask(options)
        self._players.begin(mask, {p: s for p, s in self._seeds(seed).items() if mask[p] or not self._seeded})
        self._seeded = True
        return self._observations(self._players.observations()), {}

    def _mask(self, options: dict[str, Any] | None) -> np.ndarray:
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return np.ones(self.num_envs, bool)
        if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != (self.num_envs,) or not mask.any():
            raise PgfastError(
                f"reset_mask is {mask!r}: it must be an array of {self.num_envs} truth values, one of them True."
            )
        return mask

    def _seeds(self, seed: int | Sequence[int | None] | None) -> dict[int, int]:
        """The new seeds by sub-environment; to begin with, each has one."""
        several = isinstance(seed, Sequence | np.ndarray)
        given = list(seed) if several else [None] * self.num_envs  # type: ignore[arg-type]
        if len(given) != self.num_envs:
            raise PgfastError(f"There are {len(given)} seeds for {self.num_envs} environments: give one for each.")
        found = {}
        one = None if several else seed
        if one is not None or not self._seeded:
            first = _first_seed(self, one)  # type: ignore[arg-type]
            found = {p: first + p for p in range(self.num_envs)}
        return found | {p: int(s) for p, s in enumerate(given) if s is not None}

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """(observations, rewards, terminations, truncations, infos), each with one entry for an environment."""
        players = self._players
        if not self._seeded or (self._mode is AutoresetMode.DISABLED and players.waiting().any()):
            raise ResetNeeded("An episode has ended, or none has begun: call reset() before step().")
        players.step(actions)
        rewards, terminated, truncated = players.outcomes()
        infos: dict[str, Any] = {}
        if self._mode is AutoresetMode.SAME_STEP:
            infos = self._final(terminated | truncated)
        return self._observations(players.observations()), rewards, terminated, truncated, infos

    def _final(self, over: np.ndarray) -> dict[str, Any]:
        """What was seen at the end of the episodes that are over."""
        if not over.any():
            return {}
        last = self._observations(self._players.last_observations())
        final = np.full(self.num_envs, None, object)
        for p in np.flatnonzero(over):
            final[p] = last[p]
        return {"final_obs": final, "_final_obs": over, "final_info": {}, "_final_info": over.copy()}

    def _observations(self, seen: np.ndarray) -> np.ndarray:
        return seen.reshape(self.observation_space.shape)

    def render(self) -> tuple[Any, ...] | None:
        """Each environment's state in text or as an image, by `render_mode`; None without one."""
        if self.render_mode is None:
            return None
        return tuple(_frame(self._source, self._players, p, self.render_mode) for p in range(self.num_envs))


def register() -> None:
    """Register every bundled environment that isn't yet. Time limits are Gymnasium's to keep."""
    for name, entry in BUNDLED.items():
        if f"{NAMESPACE}/{name}" not in gymnasium.registry:
            gymnasium.register(
                id=f"{NAMESPACE}/{name}",
                entry_point="pgfast.gym:RegisteredEnv",
                vector_entry_point="pgfast.gym:VectorEnv",
                max_episode_steps=getattr(construct(definition(name), entry.parameters), "max_steps", None),
                kwargs={"env": name},
            )


def _found(env: Any, parameters: dict[str, Any]) -> Source:
    source = find(env, parameters)
    if source.foreign is not None:
        raise PgfastError(f"{source.label} is an environment of Gymnasium's, which gymnasium.make makes.")
    return source


def _check_limit(parameters: dict[str, Any]) -> None:
    if "max_steps" in parameters:
        raise PgfastError(
            f"max_steps={parameters['max_steps']} was given to an environment whose time limit Gymnasium keeps: give "
            f"max_episode_steps instead."
        )


def _first_seed(env: Any, seed: int | None) -> int:
    """The seed given, or one by chance."""
    return int(env.np_random_seed) % 2**63 if seed is None else int(seed)


def _checked_mode(render_mode: str | None) -> str | None:
    modes = RENDERING["render_modes"]
    if render_mode is not None and render_mode not in modes:
        raise unknown("render mode", render_mode, modes)
    return render_mode


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        raise unknown("autoreset mode", str(mode), [m.value for m in AutoresetMode]) from None


def _frame(source: Source, players: Players, p: int, mode: str | None) -> Any:
    if mode is None:
        return None
    state = players.state(p)
    return rendering.text(source, state) if mode == "ansi" else rendering.picture(source, state)


register()
