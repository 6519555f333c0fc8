"""The engine: an environment in, a trained policy out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pgfast import spaces, storage
from pgfast.algorithms.exact import EXACT
from pgfast.beginning import new_learner, problem_of
from pgfast.checkpoints import Checkpoints
from pgfast.choices import check, check_count, check_episodes
from pgfast.compiler import Preparation
from pgfast.course import begin, learn, reached
from pgfast.curves import evaluation
from pgfast.environments import Source, find
from pgfast.errors import PgfastError
from pgfast.faults import immense
from pgfast.features import OneHot
from pgfast.kernels.learner import EPISODES, FAILED, Learner, make_log
from pgfast.kernels.statistics import LENGTH
from pgfast.logs import read_log
from pgfast.models import Model
from pgfast.parametrisations import build
from pgfast.presets import preset
from pgfast.probe import Traits, probe
from pgfast.results import Evaluation, Gaussian, Progress, Training
from pgfast.settings import Settings, validated
from pgfast.state_features import plain
from pgfast.training import Job

if TYPE_CHECKING:
    from pgfast.agent import Agent, Learning
    from pgfast.exact import Ascent
    from pgfast.exact.reach import Reach
    from pgfast.inference import Predictor
    from pgfast.vector import Played


class Engine:
    """Policy gradients on an environment.

    Parameters
    ----------
    env
        An id (``"FrozenLake-v1"``), a file (``"my_env.py"``, ``"my_env.py:Corridor"``), an environment object (from
        `pgfast.make`, or a NamedTuple of the environment protocol), a `TabularMDP`, or a Gymnasium environment, a
        vector of them, or a function that makes one.
    algorithm : str
        A name that ``pgfast algorithms`` lists (`docs/algorithms.md`).
    policy : str
        ``"auto"``, which suits the environment, or a name that ``pgfast policies`` lists (`docs/policies.md`).
    gamma : float in [0, 1]
        Discount of the returns that the algorithm credits to actions.
    lr, lr_value : float
        Step sizes of the policy and of the learned baseline.
    seed : int
        Everything random is a function of it.
    **settings
        Any other field of `pgfast.settings.Settings`, which describes each: ``baseline``, ``batch``, ``episodes``,
        ``runs``, ``features`` (a name that ``pgfast features`` lists, or a function of an observation),
        ``feature_parameters`` and ``env_parameters`` (dicts), and so on. What is not given suits the environment and
        the algorithm (`pgfast.presets`).

    Raises
    ------
    PgfastError
        For a name, a value or a combination that can't be served; EnvironmentFault for an environment that doesn't keep
        the protocol. Nothing has been compiled or written by then.
    """

    _predictor: Predictor | None = None  # made when first needed

    def __init__(
        self,
        env: Any,
        *,
        algorithm: str = "reinforce",
        policy: str | None = None,
        gamma: float | None = None,
        lr: float | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        if not isinstance(algorithm, str):
            raise PgfastError(f"algorithm is {algorithm!r}: it must be a name that `pgfast algorithms` lists.")
        source = find(env, settings.pop("env_parameters", None))
        if callable(features := settings.get("features")):
            source, settings["features"] = replace(source, features=features), f"{features.__name__}()"
        given = {"policy": policy, "gamma": gamma, "lr": lr, **settings}
        chosen = {k: v for k, v in given.items() if v is not None}
        if "feature_parameters" in chosen:
            chosen["feature_parameters"] = plain(chosen["feature_parameters"])
        for name in ("theta0", "std0"):
            if isinstance(chosen.get(name), np.ndarray | list | tuple):
                chosen[name] = np.ravel(chosen[name]).tolist()
        if isinstance(chosen.get("statistics"), np.ndarray):
            chosen["statistics"] = chosen["statistics"].tolist()
        self._start(source, validated(**{**preset(source.name, source.foreign is not None, chosen, algorithm), **chosen,
                                         "algorithm": algorithm, "seed": seed,
                                         "env": source.name, "env_parameters": source.parameters}))  # fmt: skip

    @classmethod
    def for_spaces(cls, observation_space: Any, action_space: Any, **settings: Any) -> Self:
        """An engine for an agent in a simulation that pgfast knows no more of than what can be observed and done,
        Gymnasium's `Discrete` or `Box` each. It can't play: `agent` and `predict` are what it is for. Settings as for
        any engine; `baseline` is "value" by default."""
        return cls(spaces.NAME, env_parameters=dict(zip(spaces.FIELDS, (observation_space, action_space), strict=True)),
                   **settings)  # fmt: skip

    @classmethod
    def from_settings(cls, settings: Settings, source: Source | None = None) -> Self:
        """An engine with exactly these settings; `source` where the environment can't be found by its name."""
        engine = cls.__new__(cls)
        engine._start(source or find(settings.env, settings.env_parameters), settings)
        return engine

    def _start(self, source: Source, settings: Settings) -> None:
        check(settings)
        self.settings, self.source = settings, source
        if settings.horizon is not None and source.foreign is not None:
            raise PgfastError(f"horizon is {settings.horizon}, but {source.label} has one time limit: give max_steps.")
        self.traits: Traits = probe(source, settings.max_steps)
        self.model: Model = build(source.env, self.traits, settings, source.features)
        self._ascent: Ascent | None = None
        if settings.algorithm in EXACT:
            from pgfast.exact_training import ascent_of

            self._ascent = ascent_of(settings, source, self.traits, self.model)
        self._problem = problem_of(settings, source, self.traits, self.model)
        self._played: Played | None = None
        if source.foreign is not None and source.foreign.playable:
            from pgfast.vector import Played

            self._played = Played(source.foreign, settings.vector_envs, settings.max_steps, settings.asynchronous)
        elif settings.vector_envs is not None or settings.asynchronous:
            given = "asynchronous" if settings.vector_envs is None else f"vector_envs={settings.vector_envs}"
            raise PgfastError(f"{source.label} is not stepped by Gymnasium: {given} says nothing here, leave it out.")
        self._learner: Learner = new_learner(self.model, settings, self._problem)
        self._evaluated = 0

    # ---- what is known

    @property
    def theta(self) -> np.ndarray:
        """The policy's parameters, a copy: (runs, S, A) of a table, (runs, S, K) of an exponential family, with S = 1
        where they are shared, (runs, H, S, A) timed, (runs, A, D) linear, (runs, D) state–action. Gaussian: (runs, K,
        D + 1), for each number of an action the D weights of its mean, counted from the middle of the Box, and the
        logarithm of its standard deviation, counted from that of the first one; (runs, K, 2, D) with one that is
        linear, too. Of sparse features (runs, D, A) and (runs, D + 1, K), the last row for the standard deviations."""
        flat: np.ndarray = self._learner.runs[:, : self.model.n_parameters]
        return flat.reshape(-1, *self.model.shape).copy()

    @property
    def value_weights(self) -> np.ndarray | None:
        """The weights of the learned baseline, or of q̂, (runs, V), or None without one."""
        if self._problem.values == 0:
            return None
        at = self._learner.weights_at
        weights: np.ndarray = self._learner.runs[:, at : at + self._problem.values]
        return weights.copy()

    @property
    def scale(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and standard deviation that the features "running" count observations from now, each (runs, K), or None
        with others."""
        from pgfast.inference import scales

        if not self.model.n_scaled:
            return None
        mean, inverse = scales(self.model, self._learner)
        return mean, 1.0 / inverse

    @property
    def optimum(self) -> float | None:
        """The best mean return within reach, where it is known: of a policy that knows the time where this one does."""
        return self.reach.optimum

    @cached_property
    def reach(self) -> Reach:
        """The best mean return, where it is known, and whether Gymnasium's threshold is within reach."""
        from pgfast.exact.reach import reach

        features = getattr(self.model.policy, "features", None)
        any_policy = self.model.name in ("tabular", "escort") or isinstance(features, OneHot)
        return reach(self.source, self.traits, any_policy, self.model.horizon)

    def digest(self) -> str:
        """SHA-256 of the parameters' bytes (float64, little-endian, run after run)."""
        return hashlib.sha256(np.ascontiguousarray(self.theta, "<f8").tobytes()).hexdigest()

    @property
    def notice(self) -> str | None:
        """Where Gymnasium steps the environments, a line that says so, with the speed to expect: some hundred steps are
        made to measure it."""
        return self._played.notice(self.traits) if self._played is not None else None

    # ---- what can be done

    def _job(self, learner: Learner, first: int, last: int, **choices: Any) -> Job:
        """Episodes first … last − 1 of every run."""
        if self.source.foreign is not None and self._played is None:
            raise PgfastError(
                "This engine knows a simulation's spaces and can't play it: it learns by its agent, engine.agent()."
            )
        make, problem = Job if self._played is None else self._played.job, self._problem
        if self.settings.horizon is not None and choices.get("learn", True):
            problem = replace(problem, traits=replace(self.traits, max_steps=self.settings.horizon))
        return make(problem, learner, self.settings.runs, first, last, **choices)

    def compile(self, *, everything: bool = False, announce: Callable[[], None] | None = None) -> Preparation:
        """Compile what `learn` and `evaluate` need now, or load it from the cache, rather than when it is first needed;
        with `everything` also the kernel that other batch sizes and numbers of runs take, and the one of `predict`.
        `announce` is called before something is compiled. Says how long it took."""
        learner = self._learner._replace(clock=self._learner.clock.copy())
        first = self._job(learner, 0, self.settings.batch, threads=1)
        made = [first.prepare(announce)]
        if everything and not self._problem.has_one_schedule:
            other = self._job(learner, 0, self.settings.batch, threads=1, by_runs=not first.by_runs)
            made.append(other.prepare(announce))
        if everything:
            made.append(self._ready_to_predict().preparation)
        return Preparation(
            sum(m.compile_seconds for m in made), sum(m.load_seconds for m in made), all(m.cache_hit for m in made)
        )

    def learn(
        self,
        episodes: int | None = None,
        *,
        callback: Callable[[Progress], bool | None] | None = None,
        threads: int | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> Training:
        """Train every run for `episodes` more episodes (by default, the settings').

        With the schedule "linear" step sizes fall to 0 over the settings' episodes, however many calls they are shared
        out among; PgfastError is raised for more.

        `callback` is called several times a second with a `Progress`; returning False ends training. `threads` defaults
        to all processors; no result depends on it. With `checkpoints` the state is kept in a folder now and then; where
        that holds one already, training goes on from it, and what it was asked for then is done. Raises nothing when θ
        stops being finite: that run keeps its last good policy, and `Training.failed` says which and when.
        """
        count = self.settings.episodes if episodes is None else episodes
        check_episodes(self.settings, reached(self), count)
        course = begin(self, count, checkpoints)
        if self._ascent is not None:
            from pgfast.exact_training import learn_exactly

            return learn_exactly(self, self._ascent, course, callback, checkpoints)
        return learn(self, course, callback, threads, checkpoints)

    def _forget(self) -> None:
        """The policy has changed: what predicts reads it anew."""
        if self._predictor is not None:
            self._predictor.forget()

    def evaluate(
        self, episodes: int | None = None, *, deterministic: bool = False, threads: int | None = None
    ) -> Evaluation:
        """Play fresh episodes (by default, the settings' `evaluation_episodes`, shared out among the runs) without
        learning; with `deterministic` the action is always the one preferred. No episode is played twice, nor ever one
        of training."""
        runs = self.settings.runs
        count = episodes if episodes is not None else max(1, math.ceil(self.settings.evaluation_episodes / runs))
        log = self.play(count, deterministic=deterministic, threads=threads)[:, None]
        found = evaluation(read_log(log), log[:, 0, LENGTH], runs, count)
        if not math.isfinite(found.mean):
            raise immense(self.traits, count, learn=False)
        return found

    def play(self, episodes: int, *, deterministic: bool = False, threads: int | None = None) -> np.ndarray:
        """Play fresh episodes of every run without learning; their statistics, (slots, N_STATS), a slot being a run or
        a part of one (columns: `pgfast.kernels.statistics`)."""
        check_count(episodes, self._evaluated)
        clock = np.zeros_like(self._learner.clock)
        clock[:, EPISODES], clock[:, FAILED] = self._evaluated, -1
        learner = self._learner._replace(clock=clock, log=make_log(self.settings.runs, 1))
        first, self._evaluated = self._evaluated, self._evaluated + episodes
        job = self._job(learner, first, first + episodes, learn=False, deterministic=deterministic, threads=threads)
        job.run()
        return np.asarray(job.learner.log[:, 0])

    def predict(self, obs: Any, *, deterministic: bool = False, run: int = 0, time: int = 0) -> Any:
        """The action for an observation, or an array of actions for an array of them: sampled, or the preferred one,
        which for real actions is the mean; clipped to the Box. `time` is the number of steps made in the episode, for a
        policy that looks at it (``"timed"``).

        Discrete observations are ints, others floats, tuples or arrays whose last axis is the observation's. Actions in
        a Box of shape () or (1,) are floats, those of more numbers arrays, whose last axis is the action's. The n-th
        action drawn from an engine depends on the seed, the policy and n, not on whether observations come alone or
        together.
        """
        if not 0 <= run < self.settings.runs:
            raise PgfastError(f"run is {run}: it must be from 0 to {self.settings.runs - 1}.")
        if not (isinstance(time, int | np.integer) and 0 <= time < 2**32):
            raise PgfastError(f"time is {time!r}: it must be a whole number of steps, at least 0.")
        return (self._predictor or self._ready_to_predict()).predict(
            obs, deterministic or self._problem.greedy, run, time
        )

    def _ready_to_predict(self) -> Predictor:
        from pgfast.inference import Predictor

        made = self._predictor or Predictor(self.model, self.source.env, self.traits, self._learner, self.settings.seed)
        kept: Predictor = vars(self).setdefault("_predictor", made)  # of threads that come at once, the first one's
        return kept

    def probabilities(self, obs: Any, *, run: int = 0, time: int = 0) -> np.ndarray:
        """π(·|observation), shape (…, A); `time` as of `predict`. Raises PgfastError where actions are real numbers:
        see `distribution`."""
        from pgfast.inference import frozen, preferences, softmax

        if self.model.n_reals:
            raise PgfastError(
                f"Actions in {self.source.env.action_space} have a density and no probabilities: use distribution(obs)."
            )
        model = frozen(self.model, self._learner, run)
        return softmax(preferences(model, self.source.env, self.traits, self.theta[run], obs, time))

    def distribution(self, obs: Any, *, run: int = 0) -> Gaussian:
        """What real actions are drawn from before they are clipped to the Box, or squashed into it: mean and standard
        deviation, each of the form that `predict` gives. Raises PgfastError where actions are discrete: see
        `probabilities`."""
        from pgfast.inference import frozen, gaussian

        if not self.model.n_reals:
            raise PgfastError(
                f"Actions in {self.source.env.action_space} are discrete and have no mean: use probabilities(obs)."
            )
        return gaussian(frozen(self.model, self._learner, run), self.traits, self.theta[run], obs)

    def close(self) -> None:
        """End the environments that Gymnasium steps, and their processes; when needed again, others are made."""
        if self._played is not None:
            self._played.close()

    def agent(self, learn: Learning = "episode") -> Agent:
        """An agent with this engine's policy for a simulation that owns the loop; see `pgfast.Agent`.

        `learn` says when it learns: "online", after every step, by the one-step actor–critic (needs baseline="value");
        "episode", when a batch of episodes is complete, as `learn` does; None, never. Needs runs=1.
        """
        from pgfast.agent import Agent

        return Agent(self, learn)

    # ---- on disk

    def save(self, path: str | Path) -> None:
        """Write settings and parameters into a folder (made if need be)."""
        storage.save(self, Path(path))

    @classmethod
    def load(
        cls, path: str | Path, *, env: Any = None, features: Callable[..., Any] | None = None, trust: bool = False
    ) -> Self:
        """The engine that was saved in a folder, ready to predict, evaluate or go on learning; `env` where the
        environment can't be found by its saved name, `features` where they were a function. Files of code that the
        folder refers to are run only with `trust`."""
        return storage.load(cls, Path(path), env, features, trust)

    def __repr__(self) -> str:
        s = self.settings
        return f"Engine({s.env!r}, algorithm={s.algorithm!r}, policy={self.model.name!r}, runs={s.runs}, seed={s.seed})"
