"""Sizes are multiplied and compared before anything is allocated, and what can't be counted is refused."""

from __future__ import annotations

import tracemalloc

import numpy as np
import problems
import pytest
from gymnasium.spaces import Box, Discrete

from pgfast import Engine, PgfastError, make, room, training

LAKE = "FrozenLake-v1"
FAR = Box(-1.0, 1.0, (6,))
TOO_LARGE = {  # what is asked for, and what is said; nothing of it is allocated
    "runs": (lambda: Engine(LAKE, runs=2**24 - 1).learn(), "16,777,215 runs of 64 parameters each would take .* GB"),
    "points": (lambda: Engine(LAKE, episodes=2**52, batch=1, log_every=1).learn(), "numbers would take .* points of"),
    "episodes": (lambda: Engine(LAKE, episodes=2**53 + 1), "episodes is 9007199254740993: it must be at most"),
    "more episodes": (
        lambda: Engine(LAKE).learn(2**64),
        "episodes is 18446744073709551616: it must be",
    ),
    "evaluation": (
        lambda: Engine(LAKE).evaluate(2**64),
        "episodes is 18446744073709551616: it must be",
    ),
    "batch": (lambda: Engine(LAKE, batch=2**31), "batch is 2147483648: it must be less than 2147483648"),
    "epochs": (lambda: Engine(LAKE, algorithm="ppo", epochs=2**20), "epochs is 1048576: it must be less than 32768"),
    "32 bits": (lambda: Engine.for_spaces(Discrete(2**30), Discrete(2)), "A table of 1073741824 observations and 2"),
    "bytes": (lambda: Engine.for_spaces(Discrete(2**62), Discrete(2**62)), "A table of 4611686018427387904 obs"),
    "63 bits": (
        lambda: Engine.for_spaces(Discrete(2**62), FAR),
        "1 runs of 27,670,116,110,564,327,430 parameters each",
    ),
    "a record": (
        lambda: room.check_record([("g", "f8", (10**7, 64))]),
        "The lanes of a thread need 5.12 GB, and can",
    ),
    "a garnet": (lambda: make("Garnet", n_states=10**8), "Garnet has 100,000,000 states and 4 actions with up to 3"),
    "a queue": (lambda: make("QueueAdmission", capacity=10**5), "a table can have up to 268,435,456 entries"),
    "tiles": (
        lambda: Engine.for_spaces(FAR, Discrete(2), features="tiles", feature_parameters={"bins": 10**4}),
        "take fewer bins",
    ),
}


@pytest.mark.parametrize("name", sorted(TOO_LARGE))
def test_what_is_too_large_is_refused_before_it_is_allocated(name: str) -> None:
    ask, said = TOO_LARGE[name]
    tracemalloc.start()
    try:
        with pytest.raises(PgfastError, match=said):
            ask()
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


def test_ten_million_parameters_are_not_too_many() -> None:
    assert room.zeros((10**7,), np.uint8).nbytes == 10**7
    with pytest.raises(PgfastError, match=r"^2,147,483,648 × 4,294,967,296 numbers would take about 10\^20 bytes"):
        room.zeros((2**31, 2**32))


@pytest.mark.parametrize("schedule", ["batches", "runs"])
def test_more_batches_than_a_ticket_can_tell_apart(schedule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = [problems.engine("tabular", schedule, baseline="mean", episodes=90) for _ in range(2)]
    engines[0].learn(threads=1)
    monkeypatch.setattr(training, "MOST_PHASES", 4)  # two batches at a time
    engines[1].learn(threads=2)
    np.testing.assert_array_equal(engines[1].theta, engines[0].theta)
