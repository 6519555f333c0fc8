"""Observations counted from their running mean, in running standard deviations."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

from pgfast.compiler import lane_kernel
from pgfast.errors import PgfastError
from pgfast.features.inputs import Inputs, positive
from pgfast.features.normalised import deviation
from pgfast.features.observation import write_bias
from pgfast.features.unit import write_numbers


@lane_kernel
def standardise_lanes(n, seen, scale, most, x):
    """x[k] = (seen[k] − mean) · inverse of each lane, taken back to ±most; scale (2 K, L) has both."""
    width = scale.shape[0] // 2
    for k in range(width):
        for i in range(n):
            x[k, i] = deviation(seen[k, i], scale[k, i], scale[width + k, i], most)


class Running(NamedTuple):
    """x_k = (o_k − μ_k) / σ_k, taken back to ±clip, and 1 after them where `bias` is 1; μ and σ stand in the lanes."""

    shape: Any
    n_features: int
    bias: int
    n_scaled: int  # k
    clip: float
    n_inputs: int = 0

    def write(self, env, n, like, w, x):
        write_numbers(n, env, like, self.shape, w, w.lanes.observed)
        standardise_lanes(n, w.lanes.observed, w.lanes.scale, self.clip, x)
        if self.bias == 1:
            write_bias(n, x)


def running(inputs: Inputs, *, clip: float = 10.0) -> Any:
    """The numbers of an observation, less their mean in training so far, divided by their standard deviation so far.

    Both move when a batch is complete, are kept with the policy, and stand still when it only plays.
    Reference: Schulman et al. (2016), section 6.1; Chan, Golub & LeVeque (1983).
    """
    if inputs.discrete:
        raise PgfastError(
            f"{inputs.label}: features is 'running', but the observations are discrete: take 'one-hot' or "
            f"'aggregation'."
        )
    bias = int(inputs.bias)
    return Running(inputs.shape, inputs.size + bias, bias, inputs.size, positive("clip", clip))
