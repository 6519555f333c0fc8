"""`pgfast bench` as its users have it, the check against a record, and RESULTS.md, which nobody types."""

from __future__ import annotations

import io
import json
import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pgfast._bench import bars, check, results
from pgfast._bench.contest import Entrant, Outcome
from pgfast._bench.peer import Learned
from pgfast._bench.peers import PEERS
from pgfast.cli import app
from pgfast.cli.bench_tables import show
from pgfast.errors import PgfastError
from pgfast.workloads import WORKLOADS

PNG = b"\x89PNG"
LEARNING = {"rounds": 7, "learned": 7, "goal": -13.0, "final_return": -11.8, "final_return_min": -11.9}


def cost(ns: float) -> dict[str, float]:
    return {"ns_per_step": ns, "ns_per_step_min": 0.97 * ns, "ns_per_step_max": 1.06 * ns}


def ours(workload: str, threads: int, ns: float) -> dict[str, Any]:
    memory = {"peak_memory_bytes": 152_600_000, "memory_growth_bytes": 40_000}
    times = {"run_seconds": 0.1, "compile_seconds": None, "load_seconds": 0.04}
    speed = {"steps_per_second": 1e9 / ns, "episodes_per_second": 1e8 / ns}
    named = {"workload": workload, "precision": "float64", "threads": threads}
    return {**named, **LEARNING, **cost(ns), **speed, **times, **memory}


def theirs(workload: str, peer: str, ns: float, mine: float) -> dict[str, Any]:
    each = [ns / mine * (1 + 0.01 * i) for i in (-3, -2, -1, 0, 1, 2, 3)]
    ratio = {"precision": "float64", "median": each[3], "min": each[0], "max": each[-1], "rounds": each}
    kind = {"title": "somebody's loop", "precision": "float64", "limit": peer[0] == "c", "lanes": "lanes" in peer}
    rest = {"setup_seconds": 1.0, "peak_memory_bytes": 10**8, "trouble": None, "ratios": [ratio]}
    return {"workload": workload, "peer": peer, **kind, **LEARNING, **cost(ns), **rest}


@pytest.fixture
def data() -> dict[str, Any]:
    """What a run might have given; nothing in it was measured."""
    machine = {"processor": "A processor", "vector_bits": 512, "processors": 2, "memory_bytes": 2**34}
    machine |= {"system": "A system", "load": 0.1, "date": "2026-01-01 00:00 UTC"}
    rows = [
        ours("corridor", 1, 3.9),
        ours("corridor", 2, 2.0),
        ours("frozenlake", 1, 20.0),
        ours("frozenlake", 2, 11.0),
    ]
    peers = [theirs("corridor", "plain", 18.5, 3.9), theirs("corridor", "tutorial", 14_000.0, 3.9)]
    peers += [theirs("corridor", "c-lanes", 1.7, 3.9), theirs("frozenlake", "plain", 80.0, 20.0)]
    missing = [{"peer": "jax", "install": 'pip install -e ".[peers]"'}, {"peer": "sb3", "trouble": "ImportError: no"}]
    return {"machine": machine, "versions": {"python": "3"}, "rounds": 7, "workloads": rows, "peers": peers,
            "missing": missing, "picture": "/somewhere/bench.png"}  # fmt: skip


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        app(["bench", *map(str, arguments)])
    return int(ended.value.code or 0)


# ---- the command


def test_answer_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(WORKLOADS, "corridor", replace(WORKLOADS["corridor"], episodes=20, goal=-1e9))
    folder = tmp_path / "new" / "folder"
    assert run("corridor", "--rounds", 2, "--threads", 1, "--out", folder, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    (row,) = said["workloads"]
    assert (row["workload"], row["threads"], row["precision"], row["rounds"]) == ("corridor", 1, "float64", 2)
    assert (said["rounds"], said["peers"], said["missing"]) == (2, [], [])
    assert said["machine"]["vector_bits"] in (128, 256, 512)
    assert {"python", "pgfast", "numba", "numpy", "gymnasium"} <= set(said["versions"])
    assert said["picture"] == str(folder / "bench.png")
    assert (folder / "bench.png").read_bytes().startswith(PNG)


def test_what_does_not_learn_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(WORKLOADS, "corridor", replace(WORKLOADS["corridor"], episodes=20, goal=0.0))
    assert run("corridor", "--rounds", 1, "--threads", 1, "--out", tmp_path) == 1
    seen = capsys.readouterr()
    assert seen.err.startswith(
        "pgfast: No throughput is quoted of runs that didn't learn: corridor (1 of 1, down to a mean return of -"
    )
    assert seen.err.endswith(", not 0).\n")
    assert "return -" in seen.out
    assert (tmp_path / "bench.png").read_bytes().startswith(PNG)


def test_a_cold_start_has_an_empty_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders: list[Path] = []

    def instead(entrants: list[Entrant], rounds: int, *, cache: Path, **_: object) -> list[Outcome]:
        folders.append(cache)
        assert not cache.exists() or not list(cache.iterdir())
        return [Outcome(e, [Learned(1000, 1e-6, 0.0, 0.0)], compile_seconds=9.0, load_seconds=0.1) for e in entrants]

    monkeypatch.setattr("pgfast._bench.report.hold", instead)
    assert run("corridor", "--cold", "--rounds", 1, "--threads", 1, "--out", tmp_path, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["workloads"]
    assert (row["compile_seconds"], row["load_seconds"]) == (9.0, 0.1)
    assert not folders[0].exists()


BAD_INPUT = {
    "workload": (["corrido"], "(did you mean 'corridor'?)"),
    "rounds": (["--rounds", "0"], "rounds is 0: it must be at least 1"),
    "threads": (["--threads", "0"], "threads is 0: it must be at least 1"),
    "precision": (["--precision", "float16"], "no precision 'float16'"),
    "folder": (["--out", "/dev/null/bench"], "choose another with --out"),
    "record": (["--check", "nowhere.json"], "no file nowhere.json"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, words = BAD_INPUT[name]
    assert run(*arguments) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal(data: dict[str, Any], width: int) -> None:
    data["check"] = check.compare(data, data)
    data["workloads"] += [row | {"precision": "float32", "workload": "frozenlake8x8"} for row in data["workloads"]]
    printed = io.StringIO()
    Console(width=width, file=printed).print(show(data))
    text = printed.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    shown = [
        "ns/step",
        "3.90",
        "3.78-4.13",
        "256 M",
        "in cache",
        "152.6 MB",
        "+0.0 MB",
        "4.74x (4.60-4.89)",
        "44 % (42-45)",
    ]
    shown += ['not here: pip install -e ".[peers]"', "ImportError: no", "as before", "bench.png"]
    for words in shown:
        assert words in text, words


def test_fields_are_documented(data: dict[str, Any]) -> None:
    page = (Path(__file__).parent.parent / "docs" / "benchmarks.md").read_text("utf-8")
    said = check.compare(data, data)
    objects = [data, data["machine"], data["workloads"][0], data["peers"][0], data["peers"][0]["ratios"][0], said]
    assert all(f"`{name}`" in page for name in WORKLOADS)
    for name in {name for fields in [*objects, *data["missing"], said["verdicts"][0]] for name in fields}:
        assert re.search(rf"\b{name}\b", page), name


# ---- the check


def slower(data: dict[str, Any], workload: str, by: float) -> dict[str, Any]:
    """The same run with pgfast slower on a workload."""
    changed = deepcopy(data)
    for ratio in (r for row in changed["peers"] if row["workload"] == workload for r in row["ratios"]):
        ratio["rounds"] = [value / by for value in ratio["rounds"]]
    return changed


def verdicts(record: dict[str, Any], now: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(v["workload"], v["peer"]): v["verdict"] for v in check.compare(record, now)["verdicts"]}


def test_check_finds_a_regression_and_only_that(data: dict[str, Any]) -> None:
    assert set(verdicts(data, data)) == {("corridor", "plain"), ("corridor", "c-lanes"), ("frozenlake", "plain")}
    assert set(verdicts(data, data).values()) == {"as before"}
    assert verdicts(data, slower(data, "frozenlake", 1.2)) == {
        ("corridor", "plain"): "as before",
        ("corridor", "c-lanes"): "as before",
        ("frozenlake", "plain"): "worse",
    }
    assert verdicts(data, slower(data, "frozenlake", 1 / 1.2))["frozenlake", "plain"] == "better"


def test_check_takes_noise_for_noise(data: dict[str, Any]) -> None:
    """Rounds that overlap, or medians that are within the margin, are no regression."""
    assert verdicts(data, slower(data, "corridor", 1.055))["corridor", "plain"] == "as before"
    narrow = deepcopy(data)
    for ratio in (r for row in narrow["peers"] for r in row["ratios"]):
        ratio["rounds"] = [ratio["median"] * (1 + 0.001 * i) for i in range(7)]
    assert verdicts(narrow, slower(narrow, "corridor", 1.04))["corridor", "plain"] == "as before"
    assert verdicts(narrow, slower(narrow, "corridor", 1.06))["corridor", "plain"] == "worse"


def test_check_knows_what_chance_does() -> None:
    assert check.chance(2, 2) == pytest.approx(1 / 6)  # of the six orders of two and two, one has the first two lowest
    assert check.chance(7, 7) < check.RARE < check.chance(5, 5)


def test_check_names_what_was_not_measured(data: dict[str, Any]) -> None:
    now = deepcopy(data)
    now["peers"] = [row for row in now["peers"] if row["peer"] != "c-lanes"]
    assert verdicts(data, now)["corridor", "c-lanes"] == "not measured"


def test_check_looks_at_yardsticks_only(data: dict[str, Any]) -> None:
    data["peers"][1]["ratios"][0]["rounds"] = [3600.0]  # the tutorial's only round
    check.check_rounds(data, ["corridor"], 7)
    assert ("corridor", "tutorial") not in verdicts(data, data)


def test_check_refuses_too_few_rounds(data: dict[str, Any]) -> None:
    check.check_rounds(data, ["corridor"], 7)
    with pytest.raises(PgfastError, match=r"4 rounds against 7 recorded ones .* take --rounds 6"):
        check.check_rounds(data, ["corridor"], 4)
    with pytest.raises(PgfastError, match="no ratios of these workloads"):
        check.check_rounds(data, ["cartpole"], 7)


def test_command_tells_of_a_regression(
    data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record.json"
    record.write_text(json.dumps(data), "utf-8")
    monkeypatch.setattr("pgfast._bench.report.bench", lambda *_, **__: slower(data, "corridor", 2.0))
    assert run("corridor", "frozenlake", "--check", record, "--out", tmp_path, "--json") == 1
    seen = capsys.readouterr()
    assert seen.err.startswith("pgfast: pgfast has become slower: corridor in float64 (")
    assert "frozenlake" not in seen.err
    assert len(json.loads(seen.out)["check"]["verdicts"]) == 3
    record.write_text("{}", "utf-8")
    assert run("--check", record, "--out", tmp_path) == 2


# ---- RESULTS.md


def test_bars_are_of_known_things() -> None:
    for bar in bars.AGAINST:
        assert bar.workload in WORKLOADS
        assert bar.peer in PEERS
        assert bar.precision in ("float64", "float32")
    assert set(bars.SCALING) <= set(WORKLOADS)
    assert {name for one, other, _ in bars.WITHIN for name in (one, other)} <= set(WORKLOADS)


def test_results_state_what_was_computed(data: dict[str, Any], tmp_path: Path) -> None:
    against = [bar for bar in bars.AGAINST if bar.workload == "corridor"]
    data["bars"] = [bars._of_peer(bar, data) for bar in against]
    data["stages"] = [["corridor", "float64", "1.25"]]
    results.write(data, tmp_path, "the command")
    text = (tmp_path / "RESULTS.md").read_text("utf-8")
    assert "| corridor, float64, to tutorial | 3,590x (3,482-3,697) | 1,000x | reached |" in text
    assert "| corridor, float64, to c-lanes | 0.436x (0.423-0.449) | 0.5x | not reached |" in text
    assert "| corridor, float32, to jax | not measured | 2.5x | not reached |" in text
    for words in (
        "the command",
        "A processor",
        "512 bits",
        "| corridor | float64 | 44 % (42-45) |",
        "| corridor | float64 | 1.25 |",
        "sb3: not run",
    ):
        assert words in text
    for image in ("cost.png", "ratios.png"):
        assert (tmp_path / "images" / image).read_bytes().startswith(PNG)
        assert f"(images/{image})" in text
    assert json.loads((tmp_path / "results.json").read_text("utf-8")) == data


def test_pairs_are_measured_in_the_same_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    def hold(entrants: list[Entrant], rounds: int, **_: Any) -> list[Outcome]:
        costs = {"corridor": 2.0, "corridor-1": 7.0}
        return [Outcome(e, [Learned(10**9, costs[e.workload.name], 0.0, 0.0)] * rounds) for e in entrants]

    monkeypatch.setattr(bars, "hold", hold)
    monkeypatch.setitem(WORKLOADS, "corridor-1", replace(WORKLOADS["corridor"], name="corridor-1"))
    monkeypatch.setattr(bars, "AGAINST", ())
    both = {"workloads": [{"workload": "corridor"}, {"workload": "corridor-1"}], "peers": []}
    (seen,) = bars.judge(both, rounds=2)
    assert (seen["claim"], seen["bar"], seen["reached"]) == ("corridor, to corridor-1", 3.0, True)
    assert seen["ratio"]["rounds"] == [3.5, 3.5]
    assert bars.judge({"workloads": [{"workload": "corridor"}], "peers": []}, rounds=2) == []
