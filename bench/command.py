"""What the commands of this folder have in common: ``python -m pgfast._bench.NAME --help`` says what one does."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

from pgfast.errors import unknown


def parser_of(file: str, doc: str | None) -> argparse.ArgumentParser:
    """Of the command in a file, described by the beginning of its docstring."""
    beginning = " ".join((doc or "").split("\n\n")[0].split())
    name = f"python -m pgfast._bench.{Path(file).stem}"
    return argparse.ArgumentParser(prog=name, description=f"{beginning.partition(': ``')[0].rstrip('.')}.")


def add_names(parser: argparse.ArgumentParser, what: str, known: Collection[str], default: str = "all") -> None:
    """An argument that is any number of known names."""

    def one(name: str) -> str:
        if name not in known:
            raise argparse.ArgumentTypeError(str(unknown(what, name, known)))
        return name

    parser.add_argument(what, nargs="*", type=one, metavar=what, help=f"{', '.join(known)}; default: {default}")
