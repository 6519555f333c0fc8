"""The command line, as a script: ``python cli.py train FrozenLake-v1``."""

from pgfast.cli import app

if __name__ == "__main__":
    app()
