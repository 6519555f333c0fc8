"""A Gaussian squashed into the Box: a_k = c_k + r_k tanh(u_k), u_k ~ N(μ_k, σ_k²), where c is the middle of the Box and
r half its width (Haarnoja, Zhou, Abbeel & Levine 2018, appendix C).

No action lies on a bound, unlike a clipped one, and what the environment takes has a density,
log π(a) = log N(u; μ, σ²) − Σ_k log(r_k (1 − tanh² u_k)). What the Jacobian adds has no θ in it, so the score is the
Gaussian's, of u; the entropy that a curve shows and a bonus pays for is that of u, too.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pgfast.compiler import leaf
from pgfast.policies.gaussian import clip
from pgfast.vmath import exp


@leaf
def tanh(x):
    """(1 − e⁻²ˣ) / (1 + e⁻²ˣ), within 1e-15 of it."""
    e = exp(-2.0 * (x if x > 0.0 else -x))
    y = (1.0 - e) / (1.0 + e)
    return y if x > 0.0 else -y


class Squashed(NamedTuple):
    """What is drawn is u."""

    def into_box(self, x, low, high):
        half = 0.5 * high - 0.5 * low
        return clip(low + half + half * tanh(x), low, high)


def log_density(mean, std, u, half):
    """log π(a) of the action that u (…, K) is squashed to, (…): means and standard deviations of u, and half the width
    of the Box."""
    z = (u - mean) / std
    gaussian = -0.5 * z * z - np.log(std) - 0.5 * math.log(2 * math.pi)
    log_slope = 2.0 * (math.log(2.0) - np.abs(u) - np.log1p(np.exp(-2.0 * np.abs(u))))  # of tanh: log(1 − tanh² u)
    return np.sum(gaussian - np.log(half) - log_slope, axis=-1)
