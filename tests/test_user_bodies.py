"""What may stand in the methods of a user's file, and what is said of what may not: with file, line and method."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from user_files import GOOD, RETURN, STEP, Write, changed, line_of, sentence, writer  # noqa: F401 (a fixture)

from pgfast import Engine, EnvironmentFault

KEYS = (
    "is not a function of the key, so no episode could be repeated: draw with pgfast.uniform(key, i), normal(key, i) "
    "or randint(key, i, n)."
)
NAMES = {
    "random": ("        odd = random.random()\n", f"random.random {KEYS}"),
    "randint": ("        odd = random.randint(0, 1)\n", f"random.randint {KEYS}"),
    "numpy": ("        odd = np.random.rand()\n", f"np.random.rand {KEYS}"),
    "generator": ("        odd = np.random.default_rng(0).random()\n", f"np.random.default_rng {KEYS}"),
    "secrets": ("        odd = secrets.randbelow(2)\n", f"secrets.randbelow {KEYS}"),
    "undefined": ("        odd = state if state < 99 else far(state)\n", "far is not defined."),
    "print": ("        print(state)\n", "print can't be compiled; to see what happens, call the methods from Python."),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_must_not_be_used(write: Write, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    body, words = NAMES[name]
    text = changed(STEP, STEP + body)
    line = line_of(text, body.strip())
    assert sentence(write(text)) == f"my_env.py, line {line}, Corridor.step: {words}"
    assert capsys.readouterr().out == ""  # nothing of it has run


def test_randomness_in_a_helper(write: Write) -> None:
    text = changed("    return x / 2\n", "    return x * random.gauss(0.0, 1.0)\n")
    text = text.replace(RETURN, RETURN.replace("-1.0", "half(-1.0)"))
    assert sentence(write(text)) == f"my_env.py, line {line_of(text, 'gauss')}, half: random.gauss {KEYS}"


ADVICE = "use numbers, tuples, min, max, abs, and the functions of math and pgfast"
BODIES = {
    "dict of lists": ("        d = {1: [1, 2], 2: [3]}\n", "{1: ", "list(int) as value is forbidden"),
    "format": ("        s = f'{state:.3f}'\n", "s = f", "format spec in f-strings not supported yet"),
    "except": ("        try:\n            odd = 1 // state\n        except ZeroDivisionError:\n            odd = 0\n",
               "except Zero", "it catches exceptions of some class"),
    "global list": ("        HISTORY.append(state)\n", "HISTORY.app",
                    "HISTORY is a global that can change; make it a tuple or a field"),
    "text": ("        odd = int(str(state))\n", "int(str", "numba has no int(str)"),
    "library": ("        odd = scipy.special.erf(0.5)\n", "erf(", "numba has no scipy.special.erf"),
    "clock": ("        odd = time.time()\n", "time.time()", "numba has no time.time"),
    "object": ("        odd = WALKER.at_end(state)\n", "WALKER.at",
               "WALKER is of a type that numba doesn't know, Walker"),
    "method of a number": ("        odd = state.bit_length()\n", "bit_length", "numba finds no .bit_length on int"),
    "clip": ("        odd = np.clip(state, 0, 7)\n", "np.clip", "numba has no clip(int, int, int)"),
    "index": ("        odd = (1, 2.0, 3)[action]\n", "(1, 2.0",
              "(int, float, int) has entries of different types, so its index must be a constant"),
    "forms": ("        if state > 99:\n            return (state, 0), -1.0, True\n", "(state, 0)",
              "it returns values of different forms, ((int, int), float, bool), (int, float, bool)"),
    "generator": ("        odd = sum(i for i in range(3))\n", "sum(i", "The use of yield in a closure is unsupported"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_cannot_be_compiled(write: Write, name: str) -> None:
    body, words, reason = BODIES[name]
    text = changed(STEP, STEP + body)
    line = line_of(text, words)
    assert sentence(write(text)) == f"my_env.py, line {line}, Corridor.step can't be compiled: {reason}; {ADVICE}."


def test_the_innermost_line_is_named(write: Write) -> None:
    """In a helper, in a helper method, in a neighbour; and numba's own words are kept for --debug."""
    reason = f"Corridor.step can't be compiled: numba has no int(str); {ADVICE}."
    helper = changed("    return x / 2\n", "    return int(str(x))\n").replace(
        STEP, STEP + "        odd = half(state)\n"
    )
    assert sentence(write(helper)) == f"my_env.py, line {line_of(helper, 'int(str')}, {reason}"

    method = GOOD.replace(STEP, STEP + "        odd = self.odd(state)\n")
    method += "\n    def odd(self, state):\n        return int(str(state))\n"
    assert sentence(write(method)) == f"my_env.py, line {line_of(method, 'int(str')}, {reason}"

    write("def whole(x):\n    return int(str(x))\n", "rounding.py")
    near = "from rounding import whole\n" + GOOD.replace(STEP, STEP + "        odd = whole(state)\n")
    with pytest.raises(EnvironmentFault) as caught:
        Engine(write(near)).learn()
    assert str(caught.value) == f"rounding.py, line 2, {reason}"
    assert type(caught.value.__cause__).__module__.startswith("numba")


FORMS = {
    "reward": ("        return state, -1.0 if state < 99 else None, False\n",
               "step gives (int, float or None, bool): it must give (int, float, bool)"),
    "state": ("        return state + 0.5 if state > 99 else state, -1.0, state >= self.length\n",
              "step gives (float, float, bool): it must give (int, float, bool)"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms_that_only_compilation_shows(write: Write, name: str) -> None:
    new, words = FORMS[name]
    path = write(changed(RETURN, new))
    assert sentence(path) == f"my_env.py, Corridor: compiled, {words} on every path."


def test_an_error_that_is_ours_stays_ours(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(write(GOOD), batch=64, episodes=64)

    def compile_badly(*args: object) -> None:
        raise RuntimeError("not the user's fault")

    monkeypatch.setattr("pgfast.compiler.Kernel.load", lambda *args: None)
    monkeypatch.setattr("pgfast.compiler.Kernel.compile", compile_badly)
    with pytest.raises(RuntimeError, match="not the user's fault"):
        engine.learn()


def test_the_command_line(write: Write) -> None:
    """One sentence and an exit code; numba's pages of text only with --debug."""
    text = changed(STEP, STEP + "        odd = int(str(state))\n")
    path, line = write(text), line_of(text, "int(str")
    expected = f"my_env.py, line {line}, Corridor.step can't be compiled: numba has no int(str); {ADVICE}."

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pgfast", *arguments]
        return subprocess.run(command, cwd=Path(path).parent, capture_output=True, text=True, check=False)

    train = run("train", "my_env.py", "--episodes", "10")
    assert (train.returncode, train.stderr) == (2, f"pgfast: {expected}\n")
    check = run("check", "my_env.py", "--json")
    assert (check.returncode, check.stderr) == (1, "")
    assert json.loads(check.stdout)["checks"][-1] == {"name": "compilation", "ok": False, "message": expected}
    debug = run("train", "my_env.py", "--episodes", "10", "--debug")
    assert debug.returncode == 2
    assert "Traceback" in debug.stderr
    assert "TypingError" in debug.stderr
