"""Markov chains: where they go, which of their states they never leave, and equations (I − γ P) x = b.

Small systems are solved by factorisation; larger ones, sparse, by iteration (BiCGSTAB: van der Vorst 1992; helped by an
incomplete factorisation GMRES: Saad & Schultz 1986), and by sparse factorisation where that doesn't converge. Every
solution comes with its residual.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.sparse import csgraph
from scipy.sparse import linalg as sparse_linalg

DENSE = 2000  # states up to which a matrix is factorised whole
_TURNS = 300  # of BiCGSTAB at most
_RESTARTS, _SPACE = 40, 60  # of GMRES
_ACCURATE = 1e-12  # residual, relative to the right-hand side, that an iteration aims at
_ENOUGH = 1e-10  # and the largest that is taken


class Equations:
    """(I − γ P + 1 uᵀ) x = b and (…)ᵀ x = b for P (S, S) sparse; `u` is the unit vector of a state, or absent.

    With γ = 1 and u, of a chain with one recurrent class, the first gives differential values and the second, for b =
    u, the stationary distribution (Paige, Styan & Wachter 1975)."""

    def __init__(self, p: Any, gamma: float = 1.0, unit: int | None = None) -> None:
        n = p.shape[0]
        matrix = sparse.identity(n, format="csr") - gamma * p
        if unit is not None:
            column = sparse.csr_matrix((np.ones(n), (np.arange(n), np.full(n, unit))), (n, n))
            matrix = matrix + column
        self.matrix = matrix.tocsc()
        self.method = "dense" if n <= DENSE else "sparse"
        self.residual = 0.0  # the largest so far, relative to the right-hand side

    @cached_property
    def _factors(self) -> Any:
        return linalg.lu_factor(self.matrix.toarray())

    @cached_property
    def _sparse_factors(self) -> Any:
        return sparse_linalg.splu(self.matrix)

    @cached_property
    def _nearly(self) -> Any:
        return sparse_linalg.spilu(self.matrix, drop_tol=1e-4, fill_factor=10)

    def solve(self, b: np.ndarray, *, transposed: bool = False, guess: np.ndarray | None = None) -> np.ndarray:
        """x, of the shape of b: (S,) or (S, K); `guess` (S,) is where iteration begins."""
        x = self._solve(np.asarray(b, float), transposed, guess)
        self.residual = max(self.residual, self._error(x, b, transposed))
        return x

    def _error(self, x: np.ndarray, b: np.ndarray, transposed: bool) -> float:
        """The residual of a solution, relative to the largest number in it or in b."""
        scale = max(float(np.max(np.abs(b), initial=0.0)), float(np.max(np.abs(x), initial=0.0)), 1e-300)
        return float(np.max(np.abs(self._sided(transposed) @ x - b), initial=0.0)) / scale

    def _sided(self, transposed: bool) -> Any:
        return self.matrix.T if transposed else self.matrix

    def _solve(self, b: np.ndarray, transposed: bool, guess: np.ndarray | None) -> np.ndarray:
        if self.method == "dense":
            return np.asarray(linalg.lu_solve(self._factors, b, trans=int(transposed)))
        if b.ndim == 2:
            return np.stack([self._solve(column, transposed, None) for column in b.T], axis=1)
        for iterate in (self._plainly, self._helped):
            x = iterate(b, transposed, guess)
            if x is not None and np.all(np.isfinite(x)) and self._error(x, b, transposed) <= _ENOUGH:
                return x
        return np.asarray(self._sparse_factors.solve(b, trans="T" if transposed else "N"))

    def _plainly(self, b: np.ndarray, transposed: bool, guess: np.ndarray | None) -> np.ndarray:
        with np.errstate(all="ignore"):  # where it breaks down the residual shows it
            x, _ = sparse_linalg.bicgstab(
                self._sided(transposed), b, x0=guess, rtol=_ACCURATE, atol=0.0, maxiter=_TURNS
            )
        return np.asarray(x)

    def _helped(self, b: np.ndarray, transposed: bool, guess: np.ndarray | None) -> np.ndarray | None:
        """x by GMRES and an incomplete factorisation; None where there is none."""
        try:
            factors = self._nearly
        except RuntimeError:  # a pivot of zero
            return None
        side = "T" if transposed else "N"
        help_by = sparse_linalg.LinearOperator(self.matrix.shape, lambda v: factors.solve(v, trans=side))
        x, _ = sparse_linalg.gmres(
            self._sided(transposed), b, x0=guess, rtol=_ACCURATE, atol=0.0, restart=_SPACE, maxiter=_RESTARTS, M=help_by
        )
        return np.asarray(x)


def reachable(p: Any, start: np.ndarray) -> np.ndarray:
    """The states that a chain P (S, S) can get to from those of `start`, bool (S,), these included."""
    seen: np.ndarray = np.zeros(p.shape[0], bool)
    new = np.flatnonzero(start)
    pattern = (p > 0).tocsr()
    while len(new):
        seen[new] = True
        following = np.unique(pattern[new].indices)
        new = following[~seen[following]]
    return seen


def recurrent_classes(p: Any) -> list[np.ndarray]:
    """The sets of states of a chain P (S, S) that are never left once entered, each from within everywhere
    reachable. A state from which the chain may end belongs to none."""
    n, label = csgraph.connected_components(p > 0, connection="strong")
    row, column = (p > 0).nonzero()
    closed: np.ndarray = np.ones(n, bool)
    closed[label[row[label[row] != label[column]]]] = False
    ending = np.asarray(p.sum(axis=1)).reshape(-1) < 1.0 - 1e-9
    closed[label[ending]] = False
    return [np.flatnonzero(label == k) for k in np.flatnonzero(closed)]
