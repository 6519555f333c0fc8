"""Finite Markov decision processes.

Notation: S states, A actions, P[s, a, s′] transition probabilities, R rewards, rho0 the distribution of the first
state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pgfast.errors import PgfastError
from pgfast.tables.arrays import read_outcomes
from pgfast.tables.environment import ObservedTable, TableEnvironment, play_table
from pgfast.tables.lifted import first_states, time_limit, transition_table
from pgfast.tables.outcomes import Outcomes, distribution, seen_states, terminal_states

_MOST_DENSE = 2**27  # entries of an array (S, A, S): 1 GiB


class TabularMDP:
    """A finite MDP: ``TabularMDP(P, R, rho0)``.

    Parameters
    ----------
    P : (S, A, S) array, or sparse
        Transition probabilities; every row P[s, a] sums to one. Sparse (anything of `scipy.sparse`): one matrix of
        shape (S A, S) whose row s A + a is P[s, a], or a list of A matrices of shape (S, S).
    R : (S, A) or (S, A, S) array, or sparse
        Reward of an action, or of a transition; sparse as P can be: what is not stored is 0.
    rho0 : (S,) array
        Distribution of the first state.
    reward_probabilities : list of numbers or of arrays like R, optional
        For random rewards: R is then a list of as many rewards, each with the probability given here.
    terminal : array of bool (S,) or of states, optional
        States that end the episode when entered. By default those that no action leaves and that pay nothing.
    observations : (S,) array of int, optional
        What is seen of each state, numbered from 0; by default the state itself. States that look the same share a
        policy, which knows nothing else.
    max_steps : int, optional
        Steps after which an episode is truncated.
    name : str
        What to call it.

    Raises
    ------
    PgfastError
        When shapes don't match, an entry is negative or not finite, a row doesn't sum to one, or a terminal state pays
        something: the message names the state and the action.
    """

    def __init__(
        self,
        P: Any,  # noqa: N803
        R: Any,  # noqa: N803
        rho0: ArrayLike,
        *,
        reward_probabilities: Any = None,
        terminal: ArrayLike | None = None,
        observations: ArrayLike | None = None,
        max_steps: int | None = None,
        name: str = "TabularMDP",
    ) -> None:
        n_states, n_actions, outcomes = read_outcomes(P, R, reward_probabilities)
        ends = terminal_states(outcomes, n_states, n_actions, terminal)
        outcomes = outcomes._replace(terminated=ends[outcomes.following])
        self._set(outcomes, distribution(rho0, n_states), n_actions, observations, max_steps, name)

    @classmethod
    def from_outcomes(
        cls,
        outcomes: Any,
        rho0: ArrayLike,
        *,
        observations: ArrayLike | None = None,
        max_steps: int | None = None,
        name: str = "TabularMDP",
    ) -> TabularMDP:
        """From what can follow each state and action.

        `outcomes[s][a]` is a list of (probability, next state, reward, terminated), in lists or in dicts by number, as
        Gymnasium's `P` is; or all are a `pgfast.tables.Outcomes` of arrays. An outcome ends the episode where it says
        so, whatever its next state. The same next state may come with different rewards. Checked and named as in the
        constructor.
        """
        mdp = cls.__new__(cls)
        outcomes = outcomes if isinstance(outcomes, Outcomes) else Outcomes.listed(outcomes)
        start = distribution(rho0)
        mdp._set(outcomes, start, outcomes.check(len(start)), observations, max_steps, name)
        return mdp

    @classmethod
    def from_gymnasium(cls, env: Any) -> TabularMDP:
        """From a Gymnasium environment with a transition table ``env.unwrapped.P``, its time limit included. Raises
        PgfastError where there is more to it than that table."""
        outcomes = Outcomes.listed(transition_table(env))
        start = first_states(env, len(env.unwrapped.P))
        name = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
        return cls.from_outcomes(outcomes, start, max_steps=time_limit(env), name=name)

    def _set(
        self,
        outcomes: Outcomes,
        rho0: np.ndarray,
        n_actions: int,
        observations: ArrayLike | None,
        max_steps: int | None,
        name: str,
    ) -> None:
        if max_steps is not None and not (isinstance(max_steps, int | np.integer) and max_steps >= 1):
            raise PgfastError(f"max_steps is {max_steps!r}: it must be a whole number of at least 1, or None: never.")
        self._outcomes = outcomes
        self.n_states, self.n_actions, self.rho0 = len(rho0), n_actions, rho0
        self.observations = None if observations is None else seen_states(observations, len(rho0))
        self.max_steps, self.name = max_steps, name

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

    def environment(self) -> TableEnvironment | ObservedTable:
        """The environment that plays this MDP."""
        table = play_table(self._outcomes, self.n_states, self.n_actions, self.rho0, self.max_steps, self.name)
        return table if self.observations is None else ObservedTable(*table, self.observations)  # type: ignore[call-arg]

    def __repr__(self) -> str:
        return f"{self.name}({self.n_states} states, {self.n_actions} actions)"
