"""A training that is stopped, killed, or robbed of its folder, and taken up again, is as if it had never been."""

import csv
import errno
import os
import random
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import problems
import pytest
from commands import NO_COLOUR, PGFAST, answer_here, here
from stopping import numbers, shorten_calls

from pgfast import Checkpoints, Engine, PgfastError, checkpoints, files, training
from pgfast.painter import Painter
from pgfast.run_folder import METRICS, RunFolder

LAKE = {"episodes": 40_000, "baseline": "mean", "evaluation_episodes": 100}


@pytest.fixture(autouse=True)
def _short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast the machine: no training is over after a call or two."""
    shorten_calls(monkeypatch, 200)


def lake(**changes: object) -> Engine:
    return Engine("FrozenLake-v1", **{**LAKE, **changes})


@pytest.mark.parametrize("name", sorted(problems.SHORT))
def test_stopped_again_and_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time after a few turns more, so that every run is in the middle of an episode or a batch."""
    monkeypatch.setattr(training, "PIECE", 3)
    undisturbed = problems.short_engine(name)
    expected = numbers(undisturbed, undisturbed.learn())
    shorten_calls(monkeypatch, 6)
    stops, going = 0, True
    while going:
        engine, seen = problems.short_engine(name), []
        outcome = engine.learn(
            callback=lambda p, seen=seen, most=2 + stops: seen.append(p) or len(seen) < most,
            checkpoints=Checkpoints(tmp_path, every=1 if stops % 2 else "30s"),
        )
        going = outcome.stopped
        stops += going
    assert stops >= 1
    assert numbers(engine, outcome) == expected


def test_many_checkpoints_change_nothing(tmp_path: Path) -> None:
    plain, kept, again = (lake(runs=40, episodes=8_000) for _ in range(3))
    expected = numbers(plain, plain.learn())
    assert numbers(kept, kept.learn(checkpoints=Checkpoints(tmp_path, every=2_000))) == expected
    assert len(list(tmp_path.glob("checkpoint-*"))) == checkpoints.KEPT
    assert numbers(again, again.learn(checkpoints=Checkpoints(tmp_path))) == expected  # nothing is left to be done


def test_a_training_with_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    lake().learn(checkpoints=Checkpoints(tmp_path, every=10_000))
    with pytest.raises(PgfastError, match="are of a training with other settings"):
        lake(lr=0.5).learn(checkpoints=Checkpoints(tmp_path))


@pytest.mark.parametrize("every", ["", "0", "0s", "-3", "1.5", "nan", "1d", "30 s s", "1e9", "9" * 30])
def test_intervals_that_cannot_be(every: str, tmp_path: Path) -> None:
    with pytest.raises(PgfastError, match=r"checkpoint-every is .*: it must be a time, like 30s"):
        Checkpoints(tmp_path, every)


# ---- what can happen to the files


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A folder with two checkpoints of a training that was stopped."""
    lake().learn(callback=lambda p: p.episodes < 20_000, checkpoints=Checkpoints(tmp_path, every=4_000))
    assert len(list(tmp_path.glob("checkpoint-*"))) == checkpoints.KEPT
    return tmp_path


def test_a_damaged_checkpoint_gives_way_to_the_one_before(half: Path) -> None:
    last, content = (path := Checkpoints(half)._paths()[-1]), path.read_bytes()
    older = checkpoints._read(Checkpoints(half)._paths()[0])
    places = random.Random(0).sample(range(len(content)), 60)
    damaged = [content[:k] for k in (0, 7, 8, 100, len(content) // 2, len(content) - 1)]
    damaged += [content[:k] + bytes([content[k] ^ 1 << k % 8]) + content[k + 1 :] for k in places]
    for wrong in damaged:
        last.write_bytes(wrong)
        arrays, said = Checkpoints(half).latest()
        if said == checkpoints._read(Checkpoints(half)._paths()[0])[1]:
            np.testing.assert_array_equal(arrays["learned"], older[0]["learned"])
    for path in Checkpoints(half)._paths():
        path.write_bytes(content[:-1])
    with pytest.raises(PgfastError, match=r"can't be read|is damaged"):
        lake().learn(checkpoints=Checkpoints(half))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("learned", lambda a: a[:, :-1], "learned should have shape"),
        ("learned", lambda a: a.astype("f4"), "learned should have shape"),
        ("learned", lambda a: a * np.nan, "not finite"),
        ("clock", lambda a: a - 7, "never came to"),
        ("clock", lambda a: a * -1, "can't have been"),
        ("clock", lambda a: a + 2**60, "can't have been"),
        ("log", lambda a: a[:, :3], "doesn't fit its settings"),
        ("seconds", lambda a: a[:0], "doesn't fit its settings"),
    ],
)
def test_what_a_checkpoint_says_is_checked_before_it_is_used(half: Path, name: str, change, said: str) -> None:
    """Also with the right digest: anybody can write one."""
    arrays, told = Checkpoints(half).latest()
    for path in Checkpoints(half)._paths():
        path.write_bytes(checkpoints._content({**arrays, name: change(arrays[name])}, told))
    engine = lake()
    before = engine.digest()
    with pytest.raises(PgfastError, match=said):
        engine.learn(checkpoints=Checkpoints(half))
    assert engine.digest() == before


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("first", float("inf"), "doesn't say what was to be done"),
        ("every", 0, "doesn't fit its settings"),
        ("count", 2**60, "doesn't fit its settings"),
    ],
)
def test_so_is_what_there_is_to_do(half: Path, name: str, value: float, said: str) -> None:
    arrays, told = Checkpoints(half).latest()
    changed = {**told, "span": {**told["span"], name: value}}
    for path in Checkpoints(half)._paths():
        path.write_bytes(checkpoints._content(arrays, changed))
    with pytest.raises(PgfastError, match=said):
        lake().learn(checkpoints=Checkpoints(half))


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_what_was_there(half: Path, call: str, error: BaseException, monkeypatch) -> None:
    def fails(*_: object) -> None:
        raise error

    before = {path.name: path.read_bytes() for path in half.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        with pytest.raises(type(error)):
            files.write_whole(half / "checkpoint-2.safetensors", b"half of it")
    assert {path.name: path.read_bytes() for path in half.iterdir()} == before


def test_a_full_disk_ends_training_with_its_state_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    undisturbed = lake()
    expected = numbers(undisturbed, undisturbed.learn())
    write, place = files.write_whole, tmp_path / "run"
    place.mkdir()

    def full(path: Path, content: bytes) -> None:
        if path.parent == place:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(checkpoints, "write_whole", full)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    with pytest.raises(PgfastError, match=r"\(No space left on device\); what was learned is kept: `pgfast resume"):
        lake().learn(checkpoints=Checkpoints(place, every=10_000))
    engine = lake()
    assert numbers(engine, engine.learn(checkpoints=Checkpoints(tmp_path))) == expected


def test_a_folder_that_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    with pytest.raises(PgfastError, match=r"\(No such file or directory\); what was learned is kept"):
        lake().learn(
            callback=lambda _: shutil.rmtree(tmp_path / "gone", ignore_errors=True),
            checkpoints=Checkpoints(tmp_path / "gone", every=10_000),
        )


def test_what_was_learned_outlives_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """…also where no checkpoint was due."""
    learn, run, kept = Engine.learn, tmp_path / "run", tmp_path / "kept"
    kept.mkdir()

    def robbed(engine: Engine, **choices: object) -> object:
        trained = learn(engine, **choices)
        shutil.rmtree(run)
        return trained

    monkeypatch.setattr(Engine, "learn", robbed)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda prefix: str(kept))
    done = here("train", "FrozenLake-v1", "--episodes", 64, "--out", run)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.endswith(f"; what was learned is kept: `pgfast evaluate {kept}` judges it.\n")
    assert answer_here("evaluate", kept, "--episodes", 10)["episodes"] == 10


def test_a_picture_that_has_no_room_is_not_left_half(tmp_path: Path) -> None:
    engine = lake(episodes=64)
    trained = engine.learn()
    summary = {"env": "FrozenLake-v1", "algorithm": "reinforce", "policy": "tabular", "optimum": None}

    def full(path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"half")
        raise PgfastError("The picture can't be written.")

    with RunFolder(tmp_path / "run") as folder:
        with pytest.raises(PgfastError, match="can't be written"):
            folder.picture(trained.curve, summary, full)
        assert list(folder.path.iterdir()) == []
        folder.path = tmp_path / "gone"
        with Painter() as painter, pytest.raises(PgfastError, match=r"^The picture can't be written to .*No such file"):
            folder.picture(trained.curve, summary, painter.draw)


def test_a_folder_is_held_by_one_process(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run"):
        with pytest.raises(PgfastError, match="is in use: another process trains there"), RunFolder(tmp_path / "run"):
            pass
        done = here("train", "FrozenLake-v1", "--episodes", 64, "--out", tmp_path / "run")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    with RunFolder(tmp_path / "run"):
        pass


def test_a_clock_that_jumps_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(checkpoints.time, "time", lambda: float(next(times)))
    plain, kept = lake(), lake()
    expected = numbers(plain, plain.learn())
    assert numbers(kept, kept.learn(checkpoints=Checkpoints(tmp_path, every=5_000))) == expected


# ---- as users do it


def table(folder: Path) -> list[list[str]]:
    """metrics.csv without its last column, the seconds."""
    with (folder / METRICS).open(newline="") as file:
        return [row[:-1] for row in csv.reader(file)]


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [*PGFAST, *words, "--quiet", "--checkpoint-every", "0.02s"]
    environment = {**os.environ, **NO_COLOUR}
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    """What comes next is the same each time: the last whole checkpoint, or the beginning."""
    runs = 40
    words = ["train", "FrozenLake-v1", "--episodes", str(1_000_000 // runs), "--runs", str(runs)]
    words += ["--evaluation-episodes", "100", "--batch", "256"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    expected = answer_here(*words, "--out", whole)["digest"]
    moments, kills, command = random.Random(runs), 0, [*words, "--out", str(killed)]
    while True:
        with start(killed, *command) as process:
            while process.poll() is None and not (killed / "config.toml").exists():
                os.sched_yield()
            if kills < 2:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(moments.uniform(0.05, 0.6) if kills else 0.1)
                process.kill()
            _, said = process.communicate()
        if process.returncode != -signal.SIGKILL:
            break
        kills, command = kills + 1, ["resume", str(killed)]
    assert kills >= 1
    assert process.returncode == 0 or "is complete" in said
    assert answer_here("evaluate", killed, "--episodes", 10)["digest"] == expected
    assert table(killed) == table(whole)


@pytest.mark.parametrize(
    ("during", "said"), [("learn", "ended at once"), ("evaluate", "interrupted before the policy was judged")]
)
def test_ended_at_once(during: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a second Ctrl-C, or by one where there is nothing left to save."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    words = ["train", "FrozenLake-v1", "--episodes", 64, "--evaluation-episodes", 9, "--out", tmp_path / "run"]
    with monkeypatch.context() as patch:
        patch.setattr(Engine, during, interrupted)
        done = here(*words)
    assert done.returncode == 130
    assert f"{said}; `pgfast resume {tmp_path / 'run'}` goes on from the beginning." in done.stderr
    assert answer_here("resume", tmp_path / "run")["evaluation"]["episodes"] == 9


def test_resume_says_what_it_cannot(tmp_path: Path) -> None:
    missing = here("resume", tmp_path / "none")
    assert (missing.returncode, missing.stderr) == (
        2,
        f"pgfast: There is no run in {tmp_path / 'none'}: it has no config.toml.\n",
    )
    answer_here("train", "FrozenLake-v1", "--episodes", 64, "--evaluation-episodes", 9, "--out", tmp_path / "run")
    assert "is complete: `pgfast evaluate" in here("resume", tmp_path / "run").stderr
