"""What the README shows works as it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pgfast import Engine
from pgfast._bench.excerpt import RECORD, SHOWN, excerpt

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
EMBEDDING, ENVIRONMENT = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_embedding_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(EMBEDDING, "README.md", "exec"), {})
    score, repair = capsys.readouterr().out.splitlines()
    reached, best = float(score.split()[0]), float(score.split()[-1])
    assert 0.95 * best < reached <= best
    assert repair == "repair at wear [2, 3, 4, 5]"
    assert Engine.load(tmp_path / "machine").source.table is not None


def test_environment_example(tmp_path: Path) -> None:
    file = tmp_path / "my_env.py"
    file.write_text(ENVIRONMENT, "utf-8")
    engine = Engine(file)
    engine.learn()
    assert engine.evaluate(episodes=2000).mean == pytest.approx(-8.9, abs=0.3)  # 7 steps, one in ten slips back


def test_files_that_the_readme_points_to_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_ratios_are_those_of_the_last_results() -> None:
    (table,) = (found.group() for found in SHOWN.finditer(README))
    assert table == excerpt(json.loads(RECORD.read_text("utf-8")))
