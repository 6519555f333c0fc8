"""The examples: they run, and what they learn is nearly as good as the best there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
MOST = 0.1  # of what there is to gain over the first policy that may be left: other seeds leave less than a twentieth


def printed(name: str) -> list[list[str]]:
    """What an example prints, in words."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]


def number(lines: list[list[str]], *name: str) -> float:
    """The figure behind a name."""
    (figure,) = (line[len(name)] for line in lines if line[: len(name)] == list(name))
    return float(figure)


@pytest.mark.slow
def test_inventory() -> None:
    lines = printed("inventory.py")
    first, best = number(lines, "before", "learning"), number(lines, "always", "up", "to", "7")
    for how in ("sampled", "preferred"):
        learned = number(lines, "learned,", how)
        assert first < best
        assert best - learned < MOST * (best - first)


@pytest.mark.slow
def test_service_desk() -> None:
    lines = printed("service_desk.py")
    first, best = number(lines, "before", "learning"), number(lines, "largest", "c", "μ", "first")
    assert number(lines, "who", "came", "first") > best
    assert number(lines, "learned") - best < MOST * (first - best)
    assert ["of", "parcel,", "passport,", "business:", "business", "first"] in lines


@pytest.mark.slow
def test_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (EXAMPLES.parent / "docs" / "embedding.md").read_text("utf-8")
    _, agent, function = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(agent, "embedding.md", "exec"), names)
    cold, warm = names["engine"].probabilities([6, 8])[:, 1]
    assert cold > 0.5 > warm  # that the heater is on
    file = tmp_path / "walk.py"
    file.write_text(function, "utf-8")
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[-1]) > 0.9
