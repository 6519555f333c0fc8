"""Is an environment a function of its arguments, and of all of the key, so that no two steps share their numbers?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pgfast.errors import EnvironmentFault
from pgfast.probe import call_method
from pgfast.random import Key, make_key

SAMPLES = 256  # keys tried for each part of a key
OFTEN = 32  # results that must differ for one part before another is blamed for none: two equally likely to make a
# difference look like that with a probability below 1e-10
_PARTS = {"seed": 11, "run": 3, "episode": 7, "step": 0}


def difference(a: Any, b: Any) -> float:
    """The largest difference of two numbers, or tuples of them, relative to their size; infinite if one is NaN."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        if not (isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b)):
            return math.inf
        return max((difference(x, y) for x, y in zip(a, b, strict=True)), default=0.0)
    if a == b or (a != a and b != b):
        return 0.0
    apart = abs(float(a) - float(b)) / max(1.0, abs(float(a)))
    return apart if math.isfinite(apart) else math.inf


def changes(env: Any, label: str, method: str, pairs: list[tuple[Any, ...]]) -> dict[str, int]:
    """For each part of a key, how many of SAMPLES results of `method` become others when it alone changes; `pairs`: the
    arguments before the key, taken in turn."""
    parts = [part for part in _PARTS if part != "step" or method == "step"]
    counts = dict.fromkeys(parts, 0)
    for k in range(SAMPLES):
        given = pairs[k % len(pairs)]
        numbers = _PARTS | {"episode": k, "step": 1 + k % 50 if method == "step" else 0}
        result = call_method(env, label, method, *given, _key(numbers))
        for part in parts:
            key = _key(numbers | {part: numbers[part] + 1 + k})
            counts[part] += difference(result, call_method(env, label, method, *given, key)) > 0.0
    return counts


def _key(numbers: Mapping[str, int]) -> Key:
    return make_key(numbers["seed"], numbers["run"], numbers["episode"], numbers["step"])


def check_changes(label: str, method: str, counts: Mapping[str, int]) -> str:
    """In words; raises EnvironmentFault where some parts of the key make a difference and others none."""
    most = max(counts, key=lambda part: counts[part])
    if counts[most] == 0:
        return f"{method} gave the same for all keys"
    idle = [part for part in counts if counts[part] == 0]
    if idle and counts[most] >= OFTEN:
        raise EnvironmentFault(
            f"{label}: what {method} gives depends on the {most} of the key but not on the {' and the '.join(idle)}: "
            f"draw with pgfast.uniform(key, i), normal(key, i) or randint(key, i, n), which depend on all of it."
        )
    return f"{method} gave something else for {min(counts.values()) / SAMPLES:.0%} of other keys"
