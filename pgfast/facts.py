"""What there is to know of the environments that come with pgfast, in a line each; worked out once, as some tables and
their optima take seconds, and kept beside the compiled kernels."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pgfast.collection import BUNDLED, family
from pgfast.compiler.cache import cache_folder
from pgfast.compiler.fingerprint import sources_and_versions
from pgfast.environments import Source, definition, find
from pgfast.exact.reach import reach
from pgfast.files import packaged_folder
from pgfast.probe import probe

FILE = "environments.json"


def listing(announce: Callable[[], None] | None = None) -> list[dict[str, Any]]:
    """`facts` of every bundled environment, in the order of the collection; `announce` is called if they aren't kept
    yet."""
    digest = _digest()
    with suppress(OSError, ValueError, KeyError):
        kept = json.loads((cache_folder() / FILE).read_text("utf-8"))
        if kept["digest"] == digest:
            return list(kept["environments"])
    if announce is not None:
        announce()
    found = [facts(find(name), definition(name)) for name in BUNDLED]
    with suppress(OSError):  # what can't be kept is worked out again
        cache_folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        (cache_folder() / FILE).write_text(json.dumps({"digest": digest, "environments": found}), "utf-8")
    return found


def facts(source: Source, cls: Any) -> dict[str, Any]:
    """Of one environment, as JSON has them: spaces as numbers of discrete ones or of dimensions, the other None."""
    traits = probe(source)
    discrete = traits.n_observations is not None
    return {
        "id": source.name,
        "source": family(source.name),
        "description": summary(cls),
        "observations": traits.n_observations,
        "observation_dimensions": None if discrete else source.env.observation_space.shape,
        "actions": traits.n_actions or None,
        "action_dimensions": None if traits.n_actions else source.env.action_space.shape,
        "max_steps": traits.max_steps if traits.limited else None,
        "optimum": reach(source, traits).optimum,
    }


def description(cls: Any) -> str:
    """The docstring that an environment was given; not one of a class that it derives from, or written by Python."""
    text = inspect.cleandoc(cls.__doc__ or "")
    return text if text.replace(",)", ")") != _written(cls) else ""


def _written(cls: Any) -> str:
    """What Python gives a NamedTuple that has no docstring."""
    return f"{getattr(cls, '__name__', '')}({', '.join(getattr(cls, '_fields', ()))})"


def summary(cls: Any) -> str:
    """The first sentence of its description."""
    text = " ".join(description(cls).split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".") + "." if text else ""


def _digest() -> str:
    """Of the sources that the facts come from."""
    h = hashlib.sha256(sources_and_versions().encode())
    for path in sorted(packaged_folder("envs").glob("*.py")):
        h.update(path.read_bytes())
    return h.hexdigest()
