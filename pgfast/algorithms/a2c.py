"""Advantage actor–critic in batches (Mnih et al. 2016), its advantages those of GAE(λ) (Schulman et al. 2016).

θ moves once for a batch of whole episodes, along Σ_t A_t ∇ log π(A_t|S_t) + β Σ_t ∇H(π(·|S_t)); what A_t is, and what
v̂ is fitted to, says `pgfast.algorithms.advantages`.
"""

from __future__ import annotations

from pgfast.algorithms.advantages import OWN, check_advantages
from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.reinforce import make_reinforce

A2C = Algorithm(
    "Advantage actor–critic in batches: GAE(λ), or n steps, with an entropy bonus",
    "Mnih et al. 2016; Schulman et al. 2016",
    make_reinforce,
    defaults={"baseline": "value", "lam": 0.95},
    own=OWN,
    fixed={
        "baseline": ("value", "v̂ is the critic"),
        "returns": ("to-go", "a score meets what follows it"),
        "in_loop": (False, "θ moves once for a batch"),
    },
    check=check_advantages,
)
