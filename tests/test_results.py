"""Statistics of what the engine answers with."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pgfast.results import interval, interval_of, t_quantile


@pytest.mark.parametrize("degrees", [*range(1, 40), 100, 1000, 10**6, 10**12])
def test_t_quantile(degrees: int) -> None:
    assert t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1.1e-6)


def test_interval_is_students() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, size=9)
    low, high = stats.t.interval(0.95, 8, loc=values.mean(), scale=stats.sem(values))
    assert interval(values) == pytest.approx((values.mean(), low, high), rel=1e-6)


def test_interval_of_a_single_value_is_unknown() -> None:
    mean, low, high = interval(np.array([3.0]))
    assert mean == 3.0
    assert math.isnan(low)
    assert math.isnan(high)
    assert math.isnan(interval_of(1.0, math.nan, 5).low)
