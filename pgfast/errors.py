"""Errors that speak to the user: what was given, what is allowed, what to do next; one sentence, no traceback.

Exit codes of the command line: 0 done, 1 a check found something, 2 the request can't be served, 3 θ stopped being
finite, 130 interrupted.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PgfastError(Exception):
    """A request that can't be served; the message is for the user."""

    exit_code = 2


class EnvironmentFault(PgfastError):
    """An environment that doesn't keep the protocol: the message names the file, the method and the expected form."""


def unknown(kind: str, given: str, allowed: Iterable[str], of: str = "") -> PgfastError:
    """The error for a name that isn't one of the allowed ones (`of` something), with the nearest of them."""
    names = sorted(allowed)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5) or [
        n for n in names if n.lower() == given.lower() or n.lower().startswith(given.lower())
    ]
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    whose = f" of {of}" if of else ""
    return PgfastError(f"There is no {kind} {given!r}{whose}{hint}: choose from {', '.join(names)}.")
