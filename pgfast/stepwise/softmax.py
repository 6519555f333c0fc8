"""The softmax policy, one step at a time: π(a|x; θ) = exp h_a / Σ_b exp h_b (Sutton & Barto 2018, section 13.1).

What is observed, `x`, decides what θ is:

    a whole number s         tabular: h_a = θ[s, a], θ of shape (S, A);
    an array of D features   linear:  h_a = θ[a]ᵀ x, θ of shape (A, D).

θ, and whatever has its shape, is an array of float64. In all functions ∇ log π(a|x) is Σ_b (1{a = b} − π_b) ∇h_b, and
∇H, the gradient of the entropy, Σ_b −π_b (log π_b + H) ∇h_b. Preferences that overflow count as the largest float.
"""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from pgfast.compiler import by_form, leaf
from pgfast.policies.softmax import finite
from pgfast.stepwise.traces import clear, fade
from pgfast.vmath import exp, log


def count_of_row(theta, s):
    """A, of a table."""
    return theta.shape[1]


@by_form(count_of_row)
def count(theta, x):
    """A, the number of actions."""
    return theta.shape[0]


def entry(theta, s, a):
    """θ[s, a]."""
    return finite(theta[s, a])


@by_form(entry)
def preference(theta, x, a):
    """h_a."""
    total = 0.0
    for k in range(theta.shape[1]):
        total += theta[a, k] * x[k]
    return finite(total)


def add_to_entry(out, s, a, scale):
    """As `add_features`, of a table."""
    out[s, a] += scale


@by_form(add_to_entry)
def add_features(out, x, a, scale):
    """out += scale ∇h_a."""
    for k in range(out.shape[1]):
        out[a, k] += scale * x[k]


@leaf
def normaliser(theta, x):
    """(max h, Σ_b exp(h_b − max h))."""
    peak, total = preference(theta, x, 0), 0.0
    for b in range(1, count(theta, x)):
        h = preference(theta, x, b)
        peak = h if h > peak else peak
    for b in range(count(theta, x)):
        total += exp(preference(theta, x, b) - peak)
    return peak, total


@leaf
def add_gradient(theta, x, action, scale, bonus, out):
    """out += scale ∇ log π + bonus ∇H; `out` may be θ itself: no action's preference is looked at after it moved."""
    peak, total = normaliser(theta, x)
    h = entropy(theta, x) if bonus != 0.0 else 0.0
    for b in range(count(theta, x)):
        p = exp(preference(theta, x, b) - peak) / total
        c = scale * ((1.0 if b == action else 0.0) - p)
        c -= bonus * p * (log(p) + h) if bonus != 0.0 and p > 0.0 else 0.0
        add_features(out, x, b, c)


@leaf
def sample(theta, x, u):
    """An action, an int from 0 to A − 1, drawn with a uniform number `u` in [0, 1) such as ``uniform(key, 0)``.

    It is the first whose cumulative probability exceeds u; rounding never draws one of probability 0.
    """
    peak, total = normaliser(theta, x)
    action, cumulative = 0, 0.0
    for b in range(count(theta, x) - 1):
        cumulative += exp(preference(theta, x, b) - peak)
        action += 1 if cumulative <= u * total else 0
    return action


@leaf
def preferred(theta, x):
    """The action of the largest preference; of equals, the first."""
    best, peak = 0, preference(theta, x, 0)
    for b in range(1, count(theta, x)):
        h = preference(theta, x, b)
        best = b if h > peak else best
        peak = h if h > peak else peak
    return best


@leaf
def probability(theta, x, action):
    """π(action|x)."""
    peak, total = normaliser(theta, x)
    return exp(preference(theta, x, action) - peak) / total


@leaf
def entropy(theta, x):
    """H = −Σ_b π_b log π_b, in nats."""
    peak, total = normaliser(theta, x)
    mean = 0.0
    for b in range(count(theta, x)):
        gap = preference(theta, x, b) - peak
        p = exp(gap) / total
        mean += p * gap if p > 0.0 else 0.0
    return log(total) - mean


@leaf
def score(theta, x, action, out):
    """out = ∇ log π(action|x); `out` has the shape of θ."""
    clear(out)
    add_gradient(theta, x, action, 1.0, 0.0, out)


@leaf
def update(theta, x, action, step, bonus=0.0):
    """θ += step · ∇ log π(action|x) + bonus · ∇H, in place.

    With step = α γᵗ G_t it is the update of REINFORCE, with α I δ that of the one-step actor–critic (Sutton & Barto
    2018, pp. 328 and 332); with `bonus` = αβ the policy also gets a reward β H for being undecided. Of a table only row
    x changes.
    """
    add_gradient(theta, x, action, step, bonus, theta)


@leaf
def trace(theta, x, action, decay, weight, out):
    """out = decay · out + weight · ∇ log π(action|x): an eligibility trace, of the shape of θ.

    With decay γλ and weight I it is the z^θ of the actor–critic with traces (Sutton & Barto 2018, p. 332), whose step
    is θ += α δ z^θ.
    """
    fade(out, decay)
    add_gradient(theta, x, action, weight, 0.0, out)
