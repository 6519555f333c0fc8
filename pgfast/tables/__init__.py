"""Finite Markov decision processes given by tables, and the environment that plays them."""

from pgfast.tables.lifted import NoTableError
from pgfast.tables.mdp import TabularMDP
from pgfast.tables.outcomes import Outcomes
from pgfast.tables.size import check_size

__all__ = ["NoTableError", "Outcomes", "TabularMDP", "check_size"]
