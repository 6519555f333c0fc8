"""Exact algorithms: θ moves along what the sampled ones estimate, computed from the environment's model.

With J the return that is expected (discounted by γ, within the time limit), d(s) = Σ_t γᵗ P(S_t = s), A = Q − V the
advantage and α the step size `lr`, an update is

    exact-pg           θ ← θ + α ∇J; of a table, ∇J(s, a) = d(s) π(a|s) A(s, a)          (Mei et al. 2020a, algorithm 1)
    exact-npg          θ ← θ + α F⁺∇J, with F = (1 − γ) Σ_s d(s) E[∇log π ∇log πᵀ]; of a table F⁺∇J = A / (1 − γ)
                       (Kakade 2001; Agarwal et al. 2021, section 5.3); 1 − γ is left out where γ is 1
    exact-entropy-pg   exact-pg, where a step also pays −τ log π(a|s), τ the setting `entropy`
                       (Mei et al. 2020a, section 4)
    exact-entropy-npg  exact-npg with the same; α = (1 − γ)/τ is soft policy iteration      (Cen et al. 2022, section 2)
    exact-escort-pg    exact-pg of an escort policy, π(a|s) ∝ |θ(s, a)|ᵖ                 (Mei et al. 2020b, section 3)

Agarwal, Kakade, Lee & Mahajan 2021: On the theory of policy gradient methods. JMLR 22(98).
Cen, Cheng, Chen, Wei & Chi 2022: Fast global convergence of natural policy gradient methods with entropy
regularization. Operations Research 70(4).
Mei, Xiao, Szepesvári & Schuurmans 2020a: On the global convergence rates of softmax policy gradient methods. ICML.
Mei, Xiao, Dai, Li, Szepesvári & Schuurmans 2020b: Escaping the gravitational pull of softmax. NeurIPS.
"""

from __future__ import annotations

from typing import NamedTuple


class ExactAlgorithm(NamedTuple):
    """What an update is made of."""

    title: str
    natural: bool = False  # along F⁺∇J instead of ∇J
    entropy: bool = False  # every step pays −τ log π(a|s)
    policy: str | None = None  # the only kind of policy that it has; None: any


EXACT = {
    "exact-pg": ExactAlgorithm("exact policy gradient (Mei et al. 2020)"),
    "exact-npg": ExactAlgorithm("exact natural gradient (Kakade 2001; Agarwal et al. 2021)", natural=True),
    "exact-entropy-pg": ExactAlgorithm("exact gradient with an entropy bonus (Mei et al. 2020)", entropy=True),
    "exact-entropy-npg": ExactAlgorithm(
        "exact natural gradient with an entropy bonus (Cen et al. 2022)", natural=True, entropy=True
    ),
    "exact-escort-pg": ExactAlgorithm("exact gradient of an escort policy (Mei et al. 2020b)", policy="escort"),
}
