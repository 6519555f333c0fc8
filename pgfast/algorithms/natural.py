"""The natural gradient (Kakade 2001): θ ← θ + α F⁻¹ g.

g is REINFORCE's estimate with any of its baselines, F the Fisher matrix of the same batch (`pgfast.kernels.fisher`). So
no step depends on how the policy is parametrised, and F⁻¹ g estimates advantages: α is a step in units of 1 / returns.

Kakade, S. 2001: A natural policy gradient. NeurIPS 14.
"""

from __future__ import annotations

from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.reinforce import make_reinforce

MATRIX = ("damping", "solver", "max_kl")  # settings of what solves systems

NATURAL = Algorithm(
    "Natural gradient: along F⁻¹g, with the empirical Fisher matrix of the batch",
    "Kakade 2001",
    make_reinforce,
    defaults={"optimizer": "sgd", "max_kl": 0.001},
    own=MATRIX,
    fixed={"in_loop": (False, "a matrix is of a batch, with θ as it is")},
    refinement="fisher",
    estimates=False,
)
