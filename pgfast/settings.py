"""Every choice of a run, validated in one place: what a configuration file may say, what the engine and the command
line take. A new choice is one field here; its description is the help of the command line's option."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pgfast.errors import PgfastError, unknown


def _choice(default: Any, description: str, **bounds: Any) -> Any:
    return Field(default=default, description=description, **bounds)


class Settings(BaseModel):
    """The choices of a run; what is not given suits the environment (see `pgfast.presets`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    env: str
    env_parameters: dict[str, Any] = {}
    algorithm: str = _choice("reinforce", "What learns: reinforce.")
    policy: str = _choice("auto", "auto, tabular, linear or state-action.")
    bias: bool = _choice(True, "A constant feature beside the observation's numbers.")
    gamma: float = _choice(1.0, "Discount γ of the returns credited to actions, from 0 to 1.", ge=0.0, le=1.0)
    returns: Literal["to-go", "whole"] = _choice(
        "to-go", "Returns credited: to-go from each step, or of the whole episode."
    )
    discount_factor: bool = _choice(False, "Weigh step t by γᵗ, as the gradient of the discounted objective has it.")
    baseline: str = _choice("mean", "none, mean (running), batch (leave-one-out) or value (learned).")
    entropy: float = _choice(0.0, "Weight of an entropy bonus.", ge=0.0)
    in_loop: bool = _choice(False, "Move θ at every step of an episode, as the book's pseudocode has it.")
    optimizer: str = _choice("adam", "sgd, momentum, rmsprop or adam.")
    lr: float = _choice(0.01, "Step size of the policy.", gt=0.0)
    lr_value: float = _choice(0.01, "Step size of the learned baseline.", gt=0.0)
    momentum: float = _choice(0.9, "β₁ of momentum and adam.", ge=0.0, lt=1.0)
    beta2: float = _choice(0.999, "β₂ of rmsprop and adam.", ge=0.0, lt=1.0)
    epsilon: float = _choice(1e-8, "ε of rmsprop and adam.", gt=0.0)
    theta0: list[float] | float = _choice(0.0, "First θ: a number for all, or a list of them.")
    batch: int = _choice(64, "Episodes per update.", ge=1)
    episodes: int = _choice(20_000, "Episodes of each run.", ge=1)
    runs: int = _choice(1, "Independent runs.", ge=1, lt=2**24)
    seed: int = _choice(0, "Everything random is a function of it.", ge=0, lt=2**64)
    max_steps: int | None = _choice(None, "Steps after which an episode is truncated.", ge=1, lt=2**32)
    log_every: int | None = _choice(None, "Episodes between points of the curve.", ge=1)
    evaluation_episodes: int = _choice(10_000, "Fresh episodes that the trained policy is judged by.", ge=1)


def validated(**choices: Any) -> Settings:
    """Settings from choices; raises PgfastError with one sentence about the first that isn't allowed."""
    try:
        return Settings(**choices)
    except ValidationError as error:
        raise _in_words(error.errors()[0]) from None


_BOUNDS = {  # kinds of pydantic's errors, in words, and where the bound stands
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _in_words(problem: Any) -> PgfastError:
    name = str(problem["loc"][0]) if problem["loc"] else "the settings"
    given, kind = problem["input"], problem["type"]
    if kind == "extra_forbidden":
        return unknown("setting", name, Settings.model_fields)
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return PgfastError(f"{name} is {given}: it must be {words} {problem['ctx'][bound]}.")
    if kind == "literal_error":
        return PgfastError(f"{name} is {given!r}: it must be {problem['ctx']['expected']}.")
    return PgfastError(f"{name} is {given!r}: {problem['msg'].split(',')[0].replace('Input should', 'it must')}.")
