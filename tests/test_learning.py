"""The table of what algorithms learn: its statistics, and a small one of its own."""

import json

import numpy as np

from pgfast._bench import learning
from pgfast._bench.learning import TASKS, Learned, Task, best_known, interquartile, learn, normalised
from pgfast.environments import find
from pgfast.errors import PgfastError


def row(env, algorithm, scores, **changed):
    given = {"steps": 1e6, "diverged": 0.0, "first": 0.0, "optimum": None, "target": 10.0,
             "greedy": False, "tabular": False, **changed}  # fmt: skip
    return Learned(env, algorithm, scores=tuple(scores), **given)


def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end():
    assert interquartile([100.0, 3.0, 1.0, -70.0])[0] == 2.0
    assert interquartile([5.0, 5.0, 5.0, 5.0]) == (5.0, 5.0, 5.0)
    assert interquartile([0.0, 1.0], [2.0, 50.0])[0] == 1.5


def test_its_interval_is_where_the_mean_of_other_runs_is():
    """Of 200 samples from a normal distribution, at least 178 intervals hold the true mean: if each does with
    probability 0.93 (the bootstrap's is a little short of 0.95 for 30 runs), fewer come with probability 0.01."""
    rng = np.random.default_rng(1)
    found = [interquartile(rng.normal(3.0, 2.0, 30)) for _ in range(200)]
    assert sum(low <= 3.0 <= high for _, low, high in found) >= 178


def test_scores_are_normalised_by_the_optimum_or_else_the_best_row():
    rows = [
        row("a", "x", [10.0, 20.0], first=10.0, optimum=20.0),
        row("b", "x", [4.0, 4.0], first=-2.0),
        row("b", "y", [1.0, 1.0], first=-2.0),
    ]
    best = best_known(rows)
    assert best == {"a": 20.0, "b": 4.0}
    assert [normalised(r, best[r.env]) for r in rows] == [[0.0, 1.0], [1.0, 1.0], [0.5, 0.5]]


def test_algorithms_are_compared_over_tasks_of_a_kind(tmp_path):
    rows = [
        row("Lake", "x", [0.5, 0.5], optimum=1.0, target=0.8, tabular=True, greedy=True),
        row("Cart", "x", [10.0, 10.0]),
        row("Cart", "y", [5.0, 5.0]),
    ]
    learning.write(rows, [], tmp_path / "L.md", "me")
    text = (tmp_path / "L.md").read_text("utf-8")
    assert "| x | 0.500 [0.500, 0.500], 1 task | 1.00 [1.00, 1.00], 1 task | 1 of 2 | 50 % |" in text
    assert "| y | - | 0.500 [0.500, 0.500], 1 task | 0 of 1 | 0 % |" in text
    assert "The best row is 1 for Cart. Judged by the preferred actions: Lake." in text


def test_every_task_has_an_environment():
    assert all(find(task.env).name == task.env for task in TASKS)


def test_a_task_is_learned_and_written_down(tmp_path, capsys, monkeypatch):
    task = Task("FrozenLake-v1", 100_000, 0.5)
    monkeypatch.setattr(learning, "TASKS", (task,))
    found = learn(task, "reinforce", runs=2, scale=1.0)
    assert found.steps >= task.steps
    assert (found.diverged, len(found.scores)) == (0.0, 2)
    assert found.scores == learn(task, "reinforce", runs=2, scale=1.0).scores
    assert min(found.scores) > 5 * found.first > 0.0

    refused = [("Pendulum-v1", "enac", "It can't."), ("Acrobot-v1", "enac", "It can't.")]
    learning.write(
        [found, row("Pendulum-v1", "reinforce", [-3.0, -1.0], diverged=0.5)], refused, tmp_path / "L.md", "me"
    )
    text = (tmp_path / "L.md").read_text("utf-8")
    assert "| Pendulum-v1 | reinforce | 1 M | -2.00 [-3.00, -1.00] | - | 10 | 0 % | 50 % |" in text
    assert "- enac, Pendulum-v1, Acrobot-v1: It can't." in text
    assert (tmp_path / "images" / "learning.png").stat().st_size > 1000

    def refuse(*_):
        raise PgfastError("No.")

    monkeypatch.setattr("sys.argv", ["learning", "--json", "--algorithm", "reinforce", "--runs", "2"])
    assert learning.main() == 0
    assert json.loads(capsys.readouterr().out)[0]["scores"] == list(found.scores)
    monkeypatch.setattr(learning, "learn", refuse)
    assert learning.main() == 1
