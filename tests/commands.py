"""The command line as its users have it: a process with arguments, an exit code, stdout and stderr. Where only what a
command does is in question it runs in this process, since to start Python takes longer than most commands."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from pgfast.cli import app

PGFAST = [sys.executable, "-W", "error", "-m", "pgfast"]
NO_COLOUR = {"NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"}


def pgfast(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [*PGFAST, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=240, env={**os.environ, **NO_COLOUR}, encoding="utf-8"
    )


def here(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What `pgfast` gives, without another process."""
    words, out, err = list(map(str, arguments)), io.StringIO(), io.StringIO()
    with patch.dict(os.environ, NO_COLOUR), chdir(cwd or "."), redirect_stdout(out), redirect_stderr(err):
        try:
            app(words)
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def answer(*arguments: object, cwd: Path | None = None, code: int = 0, run: Callable = pgfast) -> dict:
    done = run(*arguments, "--json", cwd=cwd)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)  # one object and nothing else


def answer_here(*arguments: object, cwd: Path | None = None, code: int = 0) -> dict:
    return answer(*arguments, cwd=cwd, code=code, run=here)
