"""The curves of cost: bends are where the definition puts them, and what is measured is the work that x stands for."""

import json
import math
import sys
from types import SimpleNamespace

import pytest

from pgfast._bench import scaling
from pgfast._bench.scaling import CURVES, Bends, Curve, Point, bends, in_words
from pgfast.workloads import WORKLOADS


def points(costs):
    return [Point(x, ns, ns / 2, 2 * ns, 1000) for x, ns in costs.items()]


@pytest.mark.parametrize(
    ("costs", "below", "above"),
    [
        ({1: 10.0, 10: 10.0, 100: 14.9}, None, None),
        ({1: 10.0, 10: 10.0, 100: 15.0, 1000: 60.0}, None, 100.0),
        ({1: 40.0, 4: 10.0, 16: 10.0}, 4 / 1.5, None),  # cost ∝ 1/x between the first two
        ({1: 10.0, 10: 1000.0}, None, math.sqrt(1.5)),  # ∝ x²
        ({1: 40.0, 2: 10.0, 4: 16.0, 8: 10.0, 16: 160.0}, 2 / math.sqrt(1.5), 8 * 1.5**0.25),  # ∝ x⁻² and x⁴; a bump
    ],
)
def test_bends(costs, below, above):
    found = bends(points(costs))
    assert found.plateau == min(costs.values())
    for bend, expected in ((found.below, below), (found.above, above)):
        assert bend == (expected if expected is None else pytest.approx(expected))


def test_bends_in_words():
    assert in_words(Bends(2.0, None, None)) == "2.00 at best, nowhere 1.5 times that"
    assert in_words(Bends(2.0, 12.34, None)) == "2.00 at best, 1.5 times that below 12"
    assert in_words(Bends(2.0, 3.0, 45_600.0)) == "2.00 at best, 1.5 times that below 3 and above 46,000"


CHANGING = {  # settings and parameters that differ along a curve; x is the number itself, or how many there are
    "batch": "batch",
    "runs": "runs",
    "states": "n_states",
    "actions": "n_actions",
    "features": "start",
    "tilings": "tilings",
    "length": "max_steps",
}


@pytest.mark.parametrize("name", CURVES)
def test_only_x_changes(name):
    curve = CURVES[name]
    assert list(curve.points) == sorted(set(curve.points))
    flat = []
    for x in curve.points[:2]:
        given = curve.engine(x).settings.given()
        parameters = {k: len(v) if k == "start" else v for k, v in given.pop("env_parameters").items()}
        parameters |= given.pop("feature_parameters")
        flat.append((x, {"max_steps": given.get("max_steps"), **given, **parameters}))
    for x, settings in flat:
        assert name == "threads" or settings[CHANGING[name]] == x
        same = flat[0][1].keys() - {CHANGING.get(name), "lr" if name == "length" else None}
        assert all(settings[k] == flat[0][1][k] for k in same)


class Steady:
    """An engine whose threads each make a step of an episode in a microsecond."""

    settings = SimpleNamespace(batch=8)

    def __init__(self):
        self.threads = set()

    def learn(self, episodes, threads):
        self.threads.add(threads)
        return SimpleNamespace(steps=episodes, train_seconds=1e-6 * episodes / threads)


def test_of_threads_x_is_how_many_work():
    engines = {1: Steady(), 4: Steady()}
    for threaded in (True, False):
        points = scaling.measure(Curve("x", "", [1, 4], engines.get, threaded), repetitions=2)
        assert [(p.x, p.ns) for p in points] == [(1, pytest.approx(1e3)), (4, pytest.approx(1e3))]  # of one thread
        assert [engine.threads for engine in engines.values()] == [{1}, {4 if threaded else 1}]
        for engine in engines.values():
            engine.threads.clear()
    assert CURVES["threads"].threaded
    assert not any(curve.threaded for name, curve in CURVES.items() if name != "threads")


def test_a_curve_that_there_is_not_is_said(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["scaling", "stats"])
    with pytest.raises(SystemExit):
        scaling.main()
    assert "There is no curve 'stats' (did you mean 'states'?)" in capsys.readouterr().err


@pytest.mark.slow
def test_measures_draws_and_prints(monkeypatch, tmp_path, capsys):
    """A curve of two points, over kernels that other tests use too."""
    runs = Curve("runs", "the corridor", (64, 128), lambda n: WORKLOADS["corridor"].engine(runs=n))
    monkeypatch.setattr(scaling, "CURVES", {"runs": runs})
    monkeypatch.setattr(scaling, "SECONDS", 1e-4)
    monkeypatch.setattr(sys, "argv", ["scaling", "--json", "--out", str(tmp_path / "new"), "runs"])
    scaling.main()
    (name, measured), *others = json.loads(capsys.readouterr().out).items()
    assert (name, others) == ("runs", [])
    assert [p["x"] for p in measured["points"]] == [64, 128]
    for p in measured["points"]:
        assert 0 < p["ns_min"] <= p["ns"] <= p["ns_max"]
        assert p["steps"] >= 3 * p["x"]  # no episode is shorter
    assert measured["plateau"] == min(p["ns"] for p in measured["points"])
    assert (tmp_path / "new" / "scaling.png").read_bytes().startswith(b"\x89PNG")
    scaling.show({"runs": [Point(**p) for p in measured["points"]]})
    assert "runs: runs (the corridor), ns a step of one thread" in capsys.readouterr().out
