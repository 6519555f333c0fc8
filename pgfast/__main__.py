"""``python -m pgfast``: the command line."""

from pgfast.cli import app

app()
