"""What a feature map is made for: the numbers of an observation, their bounds, and how much room there is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pgfast.errors import PgfastError
from pgfast.room import check_memory

MOST = 2**53 - 1  # of a whole number: up to there floats have them all
FAR = 1e30  # a bound beyond it says that there is none


@dataclass(frozen=True, eq=False)
class Inputs:
    """An observation of k numbers; a discrete one is a number like others."""

    label: str  # of the environment
    shape: Any  # a float, or a tuple of floats, shaped like the observation
    low: np.ndarray  # (k,): the least that each number can be, −inf where nobody knows
    high: np.ndarray  # (k,)
    discrete: int  # how many there are of discrete observations; 0: they are real numbers
    bias: bool  # a constant feature is wanted
    bytes_each: int  # that training needs for one feature,
    bytes_in_lanes: int  # and that lanes need, where they have all of them
    played: Callable[[int], np.ndarray]  # observations of so many steps of random play, (steps, k)

    @property
    def size(self) -> int:
        """k."""
        return len(self.low)

    def each(self, name: str, value: Any) -> list[Any]:
        """An option given once for all numbers of an observation, or for each."""
        values = list(value) if isinstance(value, Sequence | np.ndarray) else [value] * self.size
        if len(values) != self.size or not all(_is_number(x) for x in values):
            raise PgfastError(
                f"{name} is {value}: it must be a number, or one for each of the {self.size} of an observation."
            )
        return values

    def counts(self, name: str, value: Any, least: int = 1) -> list[int]:
        """As `each`, of whole numbers."""
        return [whole(name, x, least) for x in self.each(name, value)]

    def scale(self, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray]:
        """(low, 1 / (high − low)), each (k,), by the bounds given, or else those of the observation space."""
        bounds = [
            own if given is None else np.array(self.each(name, given), float)
            for name, own, given in (("low", self.low, low), ("high", self.high, high))
        ]
        known = (
            [f"{x:.6g}" if abs(x) < FAR else "?" for x in bounds[0]],
            [f"{x:.6g}" if abs(x) < FAR else "?" for x in bounds[1]],
        )
        for k, (a, b) in enumerate(zip(*bounds, strict=True)):
            if not (abs(a) < FAR and abs(b) < FAR):
                raise PgfastError(
                    f"{self.label}: number {k} of an observation has no bounds, which these features need: give all "
                    f"as feature parameters low=[{', '.join(known[0])}] and high=[{', '.join(known[1])}] with a "
                    f"number for each question mark (-F low=… -F high=…)."
                )
            if not a < b:
                raise PgfastError(f"Number {k} of an observation has low {a:.6g} and high {b:.6g}: low must be less.")
        return bounds[0], 1.0 / (bounds[1] - bounds[0])

    def check_room(self, count: int, advice: str, sparse: bool = False) -> None:
        """Raise PgfastError where `count` features, which lanes have all of unless they are `sparse`, would need more
        memory than the machine has."""
        each = self.bytes_each + (0 if sparse else self.bytes_in_lanes)
        check_memory(count * each, f"{in_digits(count)} features", advice)


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float | np.number) and not isinstance(x, bool)


def whole(name: str, value: Any, least: int = 1) -> int:
    """An option that is a whole number of at least `least`."""
    if not _is_number(value) or not least <= value <= MOST or int(value) != value:
        raise PgfastError(f"{name} is {value}: it must be a whole number of at least {least}, and below 2⁵³.")
    return int(value)


def positive(name: str, value: Any) -> float:
    """An option that is a positive number."""
    if not _is_number(value) or not 0.0 < value < FAR:
        raise PgfastError(f"{name} is {value}: it must be a positive number.")
    return float(value)


def in_digits(count: int) -> str:
    """``1,234``, or of what is too long to read ``about 10^21``."""
    return f"{count:,}" if count < 10**15 else f"about 10^{round(math.log10(count))}"
