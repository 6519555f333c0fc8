"""All algorithms by name. A new one is a file beside this one, and a line here."""

from __future__ import annotations

from pgfast.algorithms.a2c import A2C
from pgfast.algorithms.actor_critic import ACTOR_CRITIC, ACTOR_CRITIC_CONTINUING
from pgfast.algorithms.algorithm import Algorithm
from pgfast.algorithms.enac import ENAC
from pgfast.algorithms.exact import exact_algorithms
from pgfast.algorithms.expected import EXPECTED
from pgfast.algorithms.gpomdp import GPOMDP
from pgfast.algorithms.gradient_bandit import GRADIENT_BANDIT
from pgfast.algorithms.natural import NATURAL
from pgfast.algorithms.pgpe import PGPE
from pgfast.algorithms.ppo import PPO
from pgfast.algorithms.reinforce import REINFORCE
from pgfast.algorithms.trpo import TRPO
from pgfast.errors import unknown
from pgfast.settings import Settings, owners

ALGORITHMS: dict[str, Algorithm] = {
    "reinforce": REINFORCE,
    "a2c": A2C,
    "actor-critic": ACTOR_CRITIC,
    "actor-critic-continuing": ACTOR_CRITIC_CONTINUING,
    "gpomdp": GPOMDP,
    "natural": NATURAL,
    "enac": ENAC,
    "ppo": PPO,
    "trpo": TRPO,
    "expected": EXPECTED,
    "pgpe": PGPE,
    "gradient-bandit": GRADIENT_BANDIT,
    **exact_algorithms(),
}
OF_ALGORITHMS = owners(ALGORITHMS)  # settings that not all have


def algorithm_of(settings: Settings) -> Algorithm:
    """The one that settings name; raises PgfastError where there is none."""
    if settings.algorithm not in ALGORITHMS:
        raise unknown("algorithm", settings.algorithm, ALGORITHMS)
    return ALGORITHMS[settings.algorithm]
