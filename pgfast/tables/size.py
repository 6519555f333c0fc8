"""How large a table can be: what would be larger is refused before anything of it is made."""

from __future__ import annotations

from pgfast.errors import PgfastError
from pgfast.room import check_memory

_MOST_STATES = 2**30 - 1  # a code is half a word
_MOST_ENTRIES = 2**28  # 8 GiB
_BYTES = 64  # of an entry while a table is made, at least: what it is made from, and what is played


def check_size(name: str, n_states: int, n_actions: int, width: int) -> None:
    """Raise PgfastError where a table with up to `width` outcomes of each state and action can't be, or is more than
    this machine has memory for."""
    if n_states > _MOST_STATES:
        raise PgfastError(f"{name} has {n_states:,} states: a table can have up to {_MOST_STATES:,}.")
    entries = n_states * n_actions * width
    said = f"{name} has {n_states:,} states and {n_actions:,} actions with up to {width:,} outcomes each"
    if entries > _MOST_ENTRIES:
        raise PgfastError(
            f"{said}: a table can have up to {_MOST_ENTRIES:,} entries, the number of all three multiplied."
        )
    check_memory(_BYTES * entries, f"{said}, whose table", "take fewer of them")
