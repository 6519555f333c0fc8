"""Every choice of a run, validated in one place: what a configuration file may say and what the engine takes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pgfast.errors import PgfastError, unknown

Positive = Field(gt=0)


class Settings(BaseModel):
    """The choices of a run. ``None`` means: what suits the environment (see `pgfast.presets`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    env: str
    env_parameters: dict[str, Any] = {}
    algorithm: str = "reinforce"
    policy: str = "auto"
    features: str = "auto"
    bias: bool = True
    gamma: float = Field(default=1.0, ge=0.0, le=1.0)
    returns: Literal["to-go", "whole"] = "to-go"
    discount_factor: bool = False
    baseline: str = "mean"
    entropy: float = Field(default=0.0, ge=0.0)
    in_loop: bool = False
    optimizer: str = "adam"
    lr: float = Field(default=0.01, gt=0.0)
    lr_value: float = Field(default=0.01, gt=0.0)
    momentum: float = Field(default=0.9, ge=0.0, lt=1.0)
    beta2: float = Field(default=0.999, ge=0.0, lt=1.0)
    epsilon: float = Field(default=1e-8, gt=0.0)
    batch: int = Field(default=64, ge=1)
    episodes: int = Field(default=20_000, ge=1)
    runs: int = Field(default=1, ge=1, lt=2**24)
    seed: int = Field(default=0, ge=0, lt=2**64)
    max_steps: int | None = Field(default=None, ge=1, lt=2**32)
    theta0: list[float] | float = 0.0
    log_every: int | None = Field(default=None, ge=1)
    evaluation_episodes: int = Field(default=10_000, ge=1)


def validated(**choices: Any) -> Settings:
    """Settings from choices; raises PgfastError with one sentence about the first that isn't allowed."""
    try:
        return Settings(**choices)
    except ValidationError as error:
        raise _in_words(error.errors()[0]) from None


def _in_words(problem: Any) -> PgfastError:
    name = ".".join(str(part) for part in problem["loc"])
    given, context = problem["input"], problem.get("ctx", {})
    if problem["type"] == "extra_forbidden":
        return unknown("setting", name, Settings.model_fields)
    bounds = {
        "greater_than": "more than",
        "greater_than_equal": "at least",
        "less_than": "less than",
        "less_than_equal": "at most",
    }
    keys = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
    if problem["type"] in bounds:
        return PgfastError(f"{name} is {given}: it must be {bounds[problem['type']]} {context[keys[problem['type']]]}.")
    if problem["type"] == "literal_error":
        return PgfastError(f"{name} is {given!r}: it must be {context['expected']}.")
    return PgfastError(f"{name} is {given!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}.")
