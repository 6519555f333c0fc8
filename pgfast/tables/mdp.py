"""Finite Markov decision processes.

Notation: S states, A actions, P[s, a, s′] transition probabilities, R rewards, rho0 the distribution of the first
state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pgfast.errors import PgfastError
from pgfast.tables.environment import TableEnvironment, play_table
from pgfast.tables.outcomes import Outcomes, check_sums, distribution, read_outcomes, terminal_states

_MOST_DENSE = 2**27  # entries of an array (S, A, S): 1 GiB


class TabularMDP:
    """A finite MDP: ``TabularMDP(P, R, rho0)``.

    Parameters
    ----------
    P : (S, A, S) array, or sparse
        Transition probabilities; every row P[s, a] sums to one. Sparse (anything of `scipy.sparse`): one matrix of
        shape (S A, S) whose row s A + a is P[s, a], or a list of A matrices of shape (S, S).
    R : (S, A) or (S, A, S) array, or sparse
        Expected reward of an action, or of a transition; sparse as P can be: what is not stored is 0.
    rho0 : (S,) array
        Distribution of the first state.
    terminal : array of bool (S,) or of states, optional
        States that end the episode when entered. By default those that no action leaves and that pay nothing.
    max_steps : int, optional
        Steps after which an episode is truncated.
    name : str
        What to call it.

    Raises
    ------
    PgfastError
        When shapes don't match, an entry is negative or not finite, or a row doesn't sum to one: the message names the
        state and the action.
    """

    def __init__(
        self,
        P: Any,  # noqa: N803
        R: Any,  # noqa: N803
        rho0: ArrayLike,
        *,
        terminal: ArrayLike | None = None,
        max_steps: int | None = None,
        name: str = "TabularMDP",
    ) -> None:
        n_states, n_actions, outcomes = read_outcomes(P, R)
        ends = terminal_states(outcomes, n_states, n_actions, terminal)
        self._outcomes = outcomes._replace(terminated=ends[outcomes.following])
        self._set(n_states, n_actions, rho0, max_steps, name)

    def _set(self, n_states: int, n_actions: int, rho0: ArrayLike, max_steps: int | None, name: str) -> None:
        self.n_states, self.n_actions = n_states, n_actions
        self.rho0 = distribution(rho0, n_states)
        if max_steps is not None and max_steps < 1:
            raise PgfastError(f"max_steps is {max_steps}: it must be at least 1, or None for no limit.")
        self.max_steps = max_steps
        self.name = name

    @classmethod
    def from_outcomes(
        cls, outcomes: Outcomes, n_states: int, n_actions: int, rho0: ArrayLike, max_steps: int | None, name: str
    ) -> TabularMDP:
        """From a list of outcomes for each (state, action); probabilities are checked as in the constructor."""
        mdp = cls.__new__(cls)
        check_sums(np.bincount(outcomes.rows(), outcomes.probability, n_states * n_actions), n_actions)
        mdp._outcomes = outcomes
        mdp._set(n_states, n_actions, rho0, max_steps, name)
        return mdp

    @classmethod
    def from_gymnasium(cls, env: Any) -> TabularMDP:
        """From a Gymnasium environment with a transition table ``env.unwrapped.P``, its time limit included."""
        table = getattr(env.unwrapped, "P", None)
        if not isinstance(table, dict):
            raise PgfastError(f"{env} has no transition table `P`, so it can't be turned into a TabularMDP.")
        n_states, n_actions = len(table), len(table[0])
        rows = [table[s][a] for s in range(n_states) for a in range(n_actions)]
        flat = [outcome for row in rows for outcome in row]
        outcomes = Outcomes(
            offsets=np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64),
            probability=np.array([o[0] for o in flat], float),
            following=np.array([o[1] for o in flat], np.int64),
            reward=np.array([o[2] for o in flat], float),
            terminated=np.array([bool(o[3]) for o in flat]),
        )
        spec = env.spec
        max_steps = spec.max_episode_steps if spec is not None else None
        name = spec.id if spec is not None else type(env.unwrapped).__name__
        return cls.from_outcomes(outcomes, n_states, n_actions, _first_states(env, n_states), max_steps, name)

    @property
    def outcomes(self) -> Outcomes:
        """What can follow each (state, action)."""
        return self._outcomes

    @property
    def P(self) -> np.ndarray:  # noqa: N802
        """Transition probabilities, (S, A, S); an outcome that ends the episode counts as a transition too. Raises
        PgfastError for an MDP too large for such an array: `sparse_transitions` is for those."""
        return self._dense(self._outcomes.probability)

    @property
    def R(self) -> np.ndarray:  # noqa: N802
        """Expected rewards, (S, A)."""
        o = self._outcomes
        r = np.bincount(o.rows(), o.probability * o.reward, self.n_states * self.n_actions)
        return r.reshape(self.n_states, self.n_actions)

    def continuation(self) -> np.ndarray:
        """Probabilities of going on from s by a to s′, (S, A, S): without the outcomes that end the episode. Raises
        PgfastError as `P` does."""
        return self._dense(np.where(self._outcomes.terminated, 0.0, self._outcomes.probability))

    def sparse_transitions(self, *, continuing: bool = False) -> Any:
        """`P`, or with `continuing` what `continuation` gives, as a `scipy.sparse.csr_matrix` of shape (S A, S); row
        s A + a belongs to state s and action a."""
        from scipy import sparse

        o, shape = self._outcomes, (self.n_states * self.n_actions, self.n_states)
        if not continuing:
            return sparse.csr_matrix((o.probability, (o.rows(), o.following)), shape)
        on = ~o.terminated
        return sparse.csr_matrix((o.probability[on], (o.rows()[on], o.following[on])), shape)

    def _dense(self, probability: np.ndarray) -> np.ndarray:
        shape = self.n_states, self.n_actions, self.n_states
        if self.n_states * self.n_actions * self.n_states > _MOST_DENSE:
            raise PgfastError(
                f"{self.name} has {self.n_states} states and {self.n_actions} actions: an array of shape {shape} would "
                f"be too large; take the sparse matrix of sparse_transitions()."
            )
        p = np.zeros((shape[0] * shape[1], shape[2]))
        np.add.at(p, (self._outcomes.rows(), self._outcomes.following), probability)
        return p.reshape(shape)

    def environment(self) -> TableEnvironment:
        """The environment that plays this MDP."""
        return play_table(self._outcomes, self.n_states, self.n_actions, self.rho0, self.max_steps, self.name)

    def __repr__(self) -> str:
        return f"{self.name}({self.n_states} states, {self.n_actions} actions)"


def _first_states(env: Any, n_states: int) -> np.ndarray:
    """The distribution of the first state of a Gymnasium environment with a table."""
    known = getattr(env.unwrapped, "initial_state_distrib", None)
    if known is not None:
        weights: np.ndarray = np.asarray(known, float)
        return np.asarray(weights / weights.sum())
    seen = {int(env.reset(seed=seed)[0]) for seed in range(32)}
    if len(seen) > 1:
        raise PgfastError(
            f"{env} starts in different states and doesn't say how likely each is (initial_state_distrib)."
        )
    first: np.ndarray = np.eye(n_states)[seen.pop()]
    return first
