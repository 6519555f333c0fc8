"""G(PO)MDP (Baxter & Bartlett 2001) with a baseline of least variance for every time step (Peters & Schaal 2008).

    Σ_t (ρ_t − b_t) e_t,    e_t = γ e_{t−1} + ∇ log π(A_t|S_t),    ρ_t = R_{t+1},

or, with `discount_factor`, e_t = e_{t−1} + ∇ log π(A_t|S_t) and ρ_t = γᵗ R_{t+1}: REINFORCE with returns-to-go, but for
the baselines, which are subtracted from rewards (`pgfast.kernels.step_baselines`).

Baxter, J. & Bartlett, P. 2001: Infinite-horizon policy-gradient estimation. JAIR 15.
Peters, J. & Schaal, S. 2008: Reinforcement learning of motor skills with policy gradients. Neural Networks 21(4).
"""

from __future__ import annotations

from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.reinforce import make_reinforce

GPOMDP = Algorithm(
    "G(PO)MDP: rewards meet the trace of scores, less a baseline for every time step",
    "Baxter & Bartlett 2001; Peters & Schaal 2008",
    make_reinforce,
    defaults={"baseline": "none"},
    fixed={
        "in_loop": (False, "its baselines are of batches"),
        "baseline": ("none", "every time step has a baseline of its own"),
        "returns": ("to-go", "rewards are credited to the actions before them"),
    },
    refinement="step baselines",
)
