"""An agent in somebody's own simulation: it is shown an observation, acts, is told what became of it, and learns."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pgfast import storage
from pgfast.algorithms.advantages import OWN, wanted
from pgfast.algorithms.exact import EXACT
from pgfast.embedded import Episodes, Online, Part
from pgfast.errors import PgfastError, unknown

if TYPE_CHECKING:
    from pgfast.engine import Engine

Learning = Literal["online", "episode"] | None
LEARNING: dict[str | None, type[Part]] = {"online": Online, "episode": Episodes, None: Part}


def check_steps(engine: Engine, learn: Learning) -> None:
    """Raise PgfastError for what an agent can't do of an algorithm whose θ moves at every step."""
    s = engine.settings
    if engine.model.n_scaled and learn == "online":
        raise PgfastError(
            f"features is {s.features!r}, whose mean and deviation move when a batch is complete, and an agent that "
            f"learns online has none: choose learn='episode', or 'normalised'."
        )
    if not engine._problem.at_once or learn is None:
        return
    if learn == "episode":
        raise PgfastError(f"learn is 'episode', but θ of {s.algorithm} moves at every step: choose learn='online'.")
    if s.lam > 0 or s.lam_value > 0 or engine._problem.continues:
        raise PgfastError(
            f"An agent that learns online is the one-step actor-critic: with {s.algorithm}, lam={s.lam:g} and "
            f"lam_value={s.lam_value:g} let the engine play, or take algorithm='actor-critic' with both 0."
        )


class Agent:
    """A policy that acts, one step after the other, where the loop is not the engine's; made by `Engine.agent`.

    Call `act` and `observe` in turn. What is learned is the engine's: its `theta`, `predict`, `evaluate` and `save`
    have it at once.
    """

    def __init__(self, engine: Engine, learn: Learning) -> None:
        if learn not in LEARNING:
            raise unknown("way to learn", str(learn), [name for name in LEARNING if name is not None])
        if engine.settings.runs != 1:
            raise PgfastError(
                f"runs is {engine.settings.runs}: an agent has one policy, so make the engine with runs=1."
            )
        if engine.settings.algorithm in EXACT and learn is not None:
            raise PgfastError(
                f"algorithm is {engine.settings.algorithm!r}, which learns nothing from what an agent sees: call "
                f"engine.learn() and take agent(learn=None), or choose reinforce."
            )
        check_steps(engine, learn)
        if wanted(engine.settings) and learn is not None and not engine._problem.at_once:
            raise PgfastError(
                f"algorithm is {engine.settings.algorithm!r} with advantages, which no agent learns by: leave out "
                f"{', '.join(OWN)}, or call engine.learn() and take agent(learn=None)."
            )
        self.engine = engine
        self.learn = learn
        self._waiting = False  # for the reward of an action
        self._part: Part = LEARNING[learn](engine)

    def act(self, observation: Any) -> Any:
        """An action for an observation, drawn from the policy: as `Engine.predict` gives it.

        Raises PgfastError for an observation outside the space, and for a second call before `observe`; nothing has
        happened then."""
        if self._waiting:
            raise PgfastError("act was called twice: tell observe what became of the last action first.")
        action = self._part.act(observation)
        self._waiting = True
        return action

    def observe(
        self, reward: float, terminated: bool = False, truncated: bool = False, observation: Any = None
    ) -> None:
        """What became of the last action: its reward, and whether the episode has ended with it.

        `terminated`: the task is over, nothing follows. `truncated`: only the episode is; what would have followed is
        worth what the value function says of `observation`, the one it ended with. Without it an agent that learns
        online learns nothing from the last step. Raises PgfastError for a reward that is no finite number, and for a
        call without an action before it; nothing has happened then."""
        if not self._waiting:
            raise PgfastError("observe was called without an action before it: call act(observation) first.")
        try:
            finite = isfinite(reward)
        except TypeError:
            finite = False
        if not finite:
            raise PgfastError(f"The reward is {reward!r}: it must be a finite number.")
        self._part.observe(reward, terminated, truncated, observation)
        self._waiting = False

    def save(self, path: str | Path) -> None:
        """Write the engine into a folder, as `Engine.save` does, and what the agent remembers of its episode: at any
        moment, also between an action and its reward."""
        self.engine.save(path)
        storage.save_agent(Path(path), self._part.state(), self.learn, self._waiting)

    @classmethod
    def load(cls, path: str | Path, *, env: Any = None, trust: bool = False) -> Self:
        """The agent that was saved in a folder, with its engine: it goes on as if nothing had happened. `env` and
        `trust` as for `Engine.load`."""
        from pgfast.engine import Engine

        saved, learn, waiting = storage.load_agent(Path(path))
        agent = cls(Engine.load(path, env=env, trust=trust), learn)  # type: ignore[arg-type]
        agent._part.make_room_for(saved)
        for name, array in agent._part.state().items():
            given = saved.get(name)
            if given is None or given.shape != array.shape or given.dtype != array.dtype:
                raise PgfastError(
                    f"{Path(path) / storage.AGENT} is of another version of pgfast: load the engine and give it a new "
                    f"agent."
                )
            array[...] = given
        agent._waiting = waiting
        return agent

    def __repr__(self) -> str:
        return f"Agent({self.engine!r}, learn={self.learn!r})"
