"""Finite Markov decision processes given by tables, and the environment that plays them."""

from pgfast.tables.mdp import TabularMDP
from pgfast.tables.outcomes import Outcomes

__all__ = ["Outcomes", "TabularMDP"]
