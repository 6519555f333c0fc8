"""Every choice of a run, validated in one place: what a configuration file may say, what the engine and the command
line take. A new choice is one field here; its description is the help of the command line's option."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from pgfast.errors import PgfastError, unknown

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Positive = Annotated[float, Gt(0.0)]
Fraction = Annotated[float, Ge(0.0), Lt(1.0)]
Count = Annotated[int, Ge(1), Le(2**53)]  # up to where floats count exactly
Few = Annotated[int, Ge(1), Lt(2**15)]


def _choice(default: Any, description: str) -> Any:
    return field(default=default, metadata={"description": description})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The choices of a run; what is not given suits the environment (see `pgfast.presets`)."""

    env: str
    env_parameters: dict[str, Any] = field(default_factory=dict)
    algorithm: str = _choice("reinforce", "What learns: a name that `pgfast algorithms` lists.")
    policy: str = _choice(
        "auto", "What chooses actions: a name that `pgfast policies` lists, or auto, which suits the environment."
    )
    features: str = _choice(
        "auto", "What a linear policy weighs: a name that `pgfast features` lists, or my_features.py:function."
    )
    feature_parameters: dict[str, Any] = field(default_factory=dict)
    bias: bool = _choice(True, "A feature that is always 1, beside the others.")
    gamma: Annotated[float, Ge(0.0), Le(1.0)] = _choice(
        1.0, "Discount γ of the returns credited to actions, from 0 to 1."
    )
    returns: Literal["to-go", "whole"] = _choice(
        "to-go", "Returns credited: to-go from each step, or of the whole episode."
    )
    discount_factor: bool = _choice(False, "Weigh step t by γᵗ, as the gradient of the discounted objective has it.")
    baseline: str = _choice(
        "mean",
        "What returns are compared with: none, mean (running), batch (leave-one-out), value (learned), optimal (of "
        "least variance, for each parameter) or optimal-scalar.",
    )
    lam: Annotated[float, Ge(0.0), Le(1.0)] = _choice(
        1.0, "λ of the policy's trace, or of generalised advantages: from 0, the next value alone, to 1, returns."
    )
    lam_value: Annotated[float, Ge(0.0), Le(1.0)] = _choice(1.0, "λ of the critic's trace.")
    replacing: bool = _choice(False, "Replacing traces instead of accumulating ones, of tables and tiles.")
    n_steps: Count | None = _choice(None, "Rewards of an advantage before a value takes the place of the others; all.")
    bootstrap: bool = _choice(False, "Where an episode is truncated, what is observed last is worth its value.")
    entropy: Annotated[float, Ge(0.0)] = _choice(0.0, "Weight of an entropy bonus.")
    soft: bool = _choice(False, "Entropy is paid for: actions are credited with that of the steps after them, too.")
    in_loop: bool = _choice(False, "Move θ at every step of an episode, as the book's pseudocode has it.")
    optimizer: str = _choice("adam", "Step rule: sgd, momentum, rmsprop or adam.")
    damping: Annotated[float, Ge(0.0)] = _choice(
        1e-3, "λ by which a Fisher matrix, or another of scores, is damped: relative to its diagonal; in passes, λI."
    )
    solver: Literal["cholesky", "cg", "passes"] = _choice(
        "cholesky",
        "How its systems are solved; cg: conjugate gradients; passes: without a matrix, going over the batch.",
    )
    max_kl: Annotated[float, Ge(0.0)] = _choice(
        0.0, "What a step may change the policy by, as KL divergence; 0: no limit."
    )
    lr: Positive = _choice(0.01, "Step size of the policy.")
    schedule: Literal["constant", "linear", "inverse", "robbins-monro"] = _choice(
        "constant",
        "Step sizes: constant; linear, to 0 over the episodes; inverse, 1/(1 + k/κ) after k updates, or robbins-monro, "
        "1/(1 + k/κ)ᵖ.",
    )
    schedule_updates: Positive = _choice(100.0, "κ of the schedules inverse and robbins-monro.")
    schedule_power: Annotated[float, Gt(0.5), Le(1.0)] = _choice(0.75, "p of the schedule robbins-monro.")
    max_norm: Positive | None = _choice(None, "A gradient whose norm is larger is scaled to it; any, if not given.")
    lr_value: Positive = _choice(
        0.01, "Step size of the learned baseline; of q̂, the share of it that a batch replaces, up to 1."
    )
    lr_average: Positive = _choice(0.01, "Step size of the mean reward, of tasks that don't end.")
    sigma0: Positive = _choice(1.0, "First standard deviation of explored parameters.")
    lr_sigma: Positive = _choice(0.05, "Step size of the logarithms of their standard deviations.")
    momentum: Fraction = _choice(0.9, "β₁ of momentum and adam.")
    beta2: Fraction = _choice(0.999, "β₂ of rmsprop and adam.")
    epsilon: Positive = _choice(1e-8, "ε of rmsprop and adam.")
    clip: Annotated[float, Gt(0.0), Lt(1.0)] = _choice(0.2, "How far the ratio of probabilities may leave 1.")
    epochs: Few = _choice(1, "How often a batch is gone over.")
    minibatches: Few = _choice(1, "Updates of an epoch.")
    normalise_advantages: bool = _choice(True, "Give a batch's advantages mean 0 and standard deviation 1.")
    cg_iterations: Few = _choice(10, "Iterations of conjugate gradients.")
    theta0: list[float] | float | None = _choice(
        None, "First θ: a number for all, or a list of them; 0 if not given, 1 for an escort policy."
    )
    temperature: Positive = _choice(1.0, "τ of softmax policies: π ∝ exp(h/τ).")
    escort_power: Annotated[float, Ge(1.0)] = _choice(2.0, "p of an escort policy: π ∝ |θ|ᵖ.")
    mixing: Fraction = _choice(0.1, "ε of a mixed policy: the share of uniformly random actions.")
    statistics: Count | list[list[float]] = _choice(
        2, "T(a) of an exponential family: the number of powers of the action, or a list with a row for each action."
    )
    shared: bool = _choice(False, "All observations have the same θ, in an exponential family.")
    std0: list[float] | float | None = _choice(
        None, "First standard deviation of a gaussian policy: a number, or one for each number of an action."
    )
    squash: bool = _choice(False, "Squash real actions into their Box by tanh, instead of clipping them.")
    batch: Annotated[int, Ge(1), Lt(2**31)] = _choice(64, "Episodes per update.")
    episodes: Count = _choice(20_000, "Episodes of each run.")
    runs: Annotated[int, Ge(1), Lt(2**24)] = _choice(1, "Independent runs.")
    precision: Literal["float64", "float32"] = _choice(
        "float64", "float64, or float32: quicker, in single precision, with linear policies."
    )
    seed: Annotated[int, Ge(0), Lt(2**64)] = _choice(0, "Everything random is a function of it.")
    max_steps: Annotated[int, Ge(1), Lt(2**32)] | None = _choice(None, "Steps after which an episode is truncated.")
    horizon: Annotated[int, Ge(1), Lt(2**32)] | None = _choice(
        None, "Time limit of training episodes; max_steps if not given."
    )
    vector_envs: Annotated[int, Ge(1), Le(64)] | None = _choice(
        None, "Where Gymnasium steps environments: how many together, up to 64; 8 if not given."
    )
    asynchronous: bool = _choice(False, "Where Gymnasium steps environments: each in a process of its own.")
    log_every: Count | None = _choice(None, "Episodes between points of the curve.")
    evaluation_episodes: Count = _choice(10_000, "Fresh episodes that the trained policy is judged by.")

    def given(self) -> dict[str, Any]:
        """The choices by name, without those left open."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def default(choice: str) -> Any:
    """What a choice is where neither the user nor a preset says anything."""
    return Settings.__dataclass_fields__[choice].default


def owners(table: Mapping[str, Any]) -> dict[str, list[str]]:
    """The choices that some lines of a table have as their `own`, and the names of those lines."""
    choices = sorted({choice for line in table.values() for choice in line.own})
    return {choice: [name for name, line in table.items() if choice in line.own] for choice in choices}


def check_owners(owners: Mapping[str, Sequence[str]], name: str, what: str, settings: Settings) -> None:
    """Raise PgfastError for a choice that `name` is none of the owners of; `what` it is, in words."""
    for choice, names in owners.items():
        given = getattr(settings, choice)
        if name not in names and given != default(choice):
            raise PgfastError(
                f"{choice} is {given}, which {what} has no use for: leave it out, or choose from {', '.join(names)}."
            )


@cache
def _adapter() -> TypeAdapter[Settings]:
    from pydantic import ConfigDict, TypeAdapter

    strict = ConfigDict(extra="forbid", allow_inf_nan=False)
    Settings.__pydantic_config__ = strict  # type: ignore[attr-defined]
    return TypeAdapter(Settings)


def validated(**choices: Any) -> Settings:
    """Settings from choices; raises PgfastError with one sentence about the first that isn't allowed."""
    from pydantic import ValidationError

    try:
        return _adapter().validate_python(choices)
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
    if kind == "unexpected_keyword_argument":
        return unknown("setting", name, [f.name for f in fields(Settings)])
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return PgfastError(f"{name} is {given}: it must be {words} {problem['ctx'][bound]}.")
    if kind == "literal_error":
        return PgfastError(f"{name} is {given!r}: it must be {problem['ctx']['expected']}.")
    return PgfastError(f"{name} is {given!r}: {problem['msg'].split(',')[0].replace('Input should', 'it must')}.")
