"""What never recompiles: another parameter of the environment, seed, batch size, number of runs, or number of any kind.

Only two schedules have a kernel each: lanes that are runs, taken for batches of fewer than 16 episodes or from 32 runs
on, and lanes that are episodes of a batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pgfast import Engine
from pgfast.compiler import Preparation, compiled

NOTHING = Preparation(0.0, 0.0, True)  # the code was in memory

rates = st.floats(1e-6, 1.0)
fractions = st.floats(0.0, 0.99)
NUMBERS = {
    "seed": st.integers(0, 2**64 - 1),
    "gamma": st.floats(0.0, 1.0),
    "lr": rates,
    "lr_value": rates,
    "entropy": st.sampled_from([0.0, 0.01]),
    "optimizer": st.sampled_from(["sgd", "momentum", "rmsprop", "adam"]),
    "momentum": fractions,
    "beta2": fractions,
    "epsilon": rates,
    "theta0": st.floats(-1.0, 1.0),
    "returns": st.sampled_from(["to-go", "whole"]),
    "discount_factor": st.booleans(),
    "max_steps": st.none() | st.integers(1, 2**31),
    "episodes": st.integers(1, 10**12),
    "evaluation_episodes": st.integers(1, 10**6),
}
corridor = st.fixed_dictionaries({"length": st.integers(2, 2000), "switched": st.integers(0, 3)})
cart = st.fixed_dictionaries({"gravity": st.floats(1.0, 20.0), "force": st.floats(1.0, 20.0)})
lake = st.fixed_dictionaries({"map_name": st.sampled_from(["4x4", "8x8"]), "is_slippery": st.booleans()})
few = st.tuples(st.integers(1, 15), st.integers(1, 300)) | st.tuples(st.integers(1, 10**4), st.integers(32, 300))
large = st.tuples(st.integers(16, 10**5), st.integers(1, 31))


def prepared(env: str, **choices: Any) -> Preparation:
    return Engine(env, **choices).compile()


def never_recompiles(env: str, parameters: Any, shapes: Any, **fixed: Any) -> None:
    prepared(env, batch=1 if shapes is few else 16, **fixed)
    before = list(compiled)

    @settings(max_examples=30)
    @given(st.fixed_dictionaries(NUMBERS), parameters, shapes)
    def check(numbers: dict[str, Any], parameters: dict[str, Any], shape: tuple[int, int]) -> None:
        batch, runs = shape
        choices = {**numbers, **fixed, "batch": batch, "runs": runs, "env_parameters": parameters}
        assert prepared(env, **choices) == NOTHING

    check()
    assert compiled == before


def test_runs_in_lanes_never_recompile() -> None:
    never_recompiles("ShortCorridor", corridor, few, baseline="mean")


def test_a_cart_never_recompiles() -> None:
    never_recompiles("CartPole-v1", cart, large)


def test_a_table_never_recompiles() -> None:
    """Whatever the baseline and the number of states."""
    for baseline in ("none", "mean", "value"):
        never_recompiles("FrozenLake-v1", lake, large, baseline=baseline)


def test_learning_evaluating_and_predicting_compile_nothing_more() -> None:
    engine = Engine("ShortCorridor", baseline="mean", episodes=20)
    engine.compile()
    engine.predict([0, 0])
    before = list(compiled)
    assert engine.learn().compile_seconds == 0.0
    engine.evaluate(100)
    engine.evaluate(100, deterministic=True)
    engine.predict(0)
    engine.predict(np.zeros(2000, int), deterministic=True)
    assert compiled == before


def test_compilations_are_counted() -> None:
    from pgfast.compiler import Kernel
    from pgfast.kernels.predictions import predict

    before = len(compiled)
    engine = Engine("ShortCorridor")
    arguments = engine._ready_to_predict()._kept
    again = Kernel(predict.function, kept=False)
    assert again.prepare(*arguments).compile_seconds > 0.0
    assert compiled[before:] == ["predict"] or compiled[before:] == ["predict", "predict"]
    assert again.prepare(*arguments) == NOTHING
