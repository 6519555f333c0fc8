"""The command line as its users have it: a process with arguments, an exit code, stdout and stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PGFAST = [sys.executable, "-W", "error", "-m", "pgfast"]
NO_COLOUR = {"NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"}


def pgfast(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [*PGFAST, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=240, env={**os.environ, **NO_COLOUR}, encoding="utf-8"
    )


def answer(*arguments: object, cwd: Path | None = None, code: int = 0) -> dict:
    done = pgfast(*arguments, "--json", cwd=cwd)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)  # one object and nothing else
