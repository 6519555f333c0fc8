"""Step rules: from a gradient to a change of the parameters, uphill.

SGD; heavy-ball momentum (Polyak 1964); RMSProp (Tieleman & Hinton 2012); Adam (Kingma & Ba 2015, algorithm 1). All are
one formula: m ← β₁ m + a g, v ← β₂ v + (1 − β₂) g², Δθ = α (m c₁) / (√(v c₂) + ε), with the parts that a rule
doesn't have left out.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import NamedTuple

from pgfast.vmath import sqrt


class StepRule(NamedTuple):
    """The constants of a rule; ints are switches."""

    plain: int  # Δθ = α g: an entry with gradient 0 does not move
    beta1: float
    gain: float  # a
    beta2: float
    epsilon: float
    adaptive: int  # divides by √v
    corrected: int  # c₁ = 1/(1 − β₁ᵗ), c₂ = 1/(1 − β₂ᵗ); else 1

    def change(self, g, m, v, beta1, beta2, c1, c2):
        """(Δθ / α, new m, new v); β₁ and β₂ are given, since a lane that takes no step has 1 in their place."""
        m = beta1 * m + self.gain * g
        v = beta2 * v + (1.0 - self.beta2) * g * g
        size = sqrt(v * c2) + self.epsilon if self.adaptive == 1 else 1.0
        return m * c1 / size, m, v

    def correction(self, decay):
        """c₁ or c₂ from β₁ᵗ or β₂ᵗ."""
        return 1.0 / (1.0 - decay) if self.corrected == 1 else 1.0


def step_rule(name: str, beta1: float, beta2: float, epsilon: float) -> StepRule:
    """The rule of that name: sgd, momentum, rmsprop or adam."""
    rules = {
        "sgd": StepRule(1, 0.0, 1.0, 0.0, 0.0, 0, 0),
        "momentum": StepRule(0, beta1, 1.0, 0.0, 0.0, 0, 0),
        "rmsprop": StepRule(0, 0.0, 1.0, beta2, epsilon, 1, 0),
        "adam": StepRule(0, beta1, 1.0 - beta1, beta2, epsilon, 1, 1),
    }
    return rules[name]


RULES = ("sgd", "momentum", "rmsprop", "adam")
