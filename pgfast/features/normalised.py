"""Observations counted from their mean, in standard deviations."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pgfast.compiler import lane_kernel, leaf
from pgfast.features.inputs import Inputs, positive, whole
from pgfast.features.observation import write_bias
from pgfast.features.unit import write_numbers


@leaf
def deviation(o, mean, inverse, most):
    """(o − mean) · inverse, taken back to ±most."""
    z = (o - mean) * inverse
    z = -most if z < -most else z
    return most if z > most else z


@lane_kernel
def standardise(n, mean, inverse, most, x):
    """x[k] = (x[k] − mean[k]) · inverse[k], taken back to ±most."""
    for k in range(mean.shape[0]):
        centre, factor = mean[k], inverse[k]
        for i in range(n):
            x[k, i] = deviation(x[k, i], centre, factor, most)


class Normalised(NamedTuple):
    """x_k = (o_k − μ_k) / σ_k, taken back to ±clip, and 1 after them where `bias` is 1."""

    shape: Any
    n_features: int
    bias: int
    mean: Any  # float (k,)
    inverse: Any  # float (k,)
    clip: float
    n_inputs: int = 0

    def write(self, env, n, like, w, x):
        write_numbers(n, env, like, self.shape, w, x)
        standardise(n, self.mean, self.inverse, self.clip, x)
        if self.bias == 1:
            write_bias(n, x)


def normalised(inputs: Inputs, *, mean: Any = None, std: Any = None, steps: int = 500, clip: float = 10.0) -> Any:
    """The numbers of an observation, less their mean and divided by their standard deviation.

    Where they aren't given, both are those of `steps` steps of random play before training begins, always the same.
    They don't change while a policy learns. Reference: LeCun, Bottou, Orr & Müller (1998), Efficient BackProp, section
    4.3.
    """
    if mean is None or std is None:
        played = inputs.played(whole("steps", steps, least=2))
        mean = played.mean(axis=0) if mean is None else mean
        std = np.where(played.std(axis=0) > 0, played.std(axis=0), 1.0) if std is None else std
    deviations = [positive("std", x) for x in inputs.each("std", std)]
    bias = int(inputs.bias)
    return Normalised(
        inputs.shape, inputs.size + bias, bias, np.array(inputs.each("mean", mean), float), 1.0 / np.array(deviations),
        positive("clip", clip),
    )  # fmt: skip
