"""The Gaussian policy, one step at a time: a_k ~ N(μ_k, σ_k²), each number of the action by itself.

Sutton & Barto (2018), section 13.7. With D features x the mean is linear in them, μ_k = w_kᵀ x, and the standard
deviation the same whatever is seen, σ_k = exp ρ_k: θ is (K, D + 1), w_k and ρ_k in a row. Scale, shift and clip actions
in the simulation. θ, and whatever has its shape, is an array of float64. With z = (a − μ)/σ, ∇_w log π = (z/σ) x and
∇_ρ log π = z² − 1; of the entropy H = Σ_k (ρ_k + ½ log 2πe), ∇_ρ H = 1.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import leaf
from pgfast.policies.softmax import finite
from pgfast.stepwise.traces import clear, fade
from pgfast.vmath import exp

_HALF_LOG_2PI = 0.9189385332046727


@leaf
def mean(theta, x, k):
    """μ_k; x (D,)."""
    total = 0.0
    for j in range(theta.shape[1] - 1):
        total += theta[k, j] * x[j]
    return total


@leaf
def deviation(theta, k):
    """σ_k."""
    return finite(exp(theta[k, theta.shape[1] - 1]))


@leaf
def add_gradient(theta, x, action, scale, bonus, out):
    """out += scale ∇ log π + bonus ∇H; `out` may be θ itself: no row is looked at after it moved."""
    last = theta.shape[1] - 1
    for k in range(theta.shape[0]):
        inverse = finite(exp(-theta[k, last]))
        z = (action[k] - mean(theta, x, k)) * inverse
        for j in range(last):
            out[k, j] += scale * z * inverse * x[j]
        out[k, last] += scale * (z * z - 1.0) + bonus


@leaf
def sample(theta, x, k, z):
    """Number k of an action, a float: μ_k + σ_k z, with a standard normal number `z` such as ``normal(key, k)``."""
    return mean(theta, x, k) + deviation(theta, k) * z


@leaf
def log_density(theta, x, action):
    """log π(action|x); action (K,)."""
    total = 0.0
    for k in range(theta.shape[0]):
        z = (action[k] - mean(theta, x, k)) / deviation(theta, k)
        total -= 0.5 * z * z + theta[k, theta.shape[1] - 1] + _HALF_LOG_2PI
    return total


@leaf
def entropy(theta):
    """H, in nats."""
    total = 0.0
    for k in range(theta.shape[0]):
        total += theta[k, theta.shape[1] - 1] + _HALF_LOG_2PI + 0.5
    return total


@leaf
def score(theta, x, action, out):
    """out = ∇ log π(action|x); action (K,) as it was drawn, `out` of the shape of θ."""
    clear(out)
    add_gradient(theta, x, action, 1.0, 0.0, out)


@leaf
def update(theta, x, action, step, bonus=0.0):
    """θ += step · ∇ log π(action|x) + bonus · ∇H, in place; see `pgfast.softmax`."""
    add_gradient(theta, x, action, step, bonus, theta)


@leaf
def trace(theta, x, action, decay, weight, out):
    """out = decay · out + weight · ∇ log π(action|x): an eligibility trace; see `pgfast.softmax`."""
    fade(out, decay)
    add_gradient(theta, x, action, weight, 0.0, out)
