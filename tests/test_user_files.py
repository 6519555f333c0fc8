"""A user's own file that doesn't keep the protocol: one sentence names the file, the method and the expected form."""

from __future__ import annotations

import pytest
from user_files import GOOD, RESET, RETURN, STEP, Write, changed, line_of, sentence, writer  # noqa: F401 (a fixture)

from pgfast import Engine, EnvironmentFault, PgfastError
from pgfast.environments import find
from pgfast.probe import ENGINE_LIMIT, probe

# ---- the file


def test_syntax_error(write: Write) -> None:
    text = changed("def reset(self, key):", "def reset(self, key)")
    assert sentence(write(text)) == f"my_env.py, line {line_of(text, 'def reset')}: syntax error: expected ':'."


def test_syntax_error_in_a_neighbour(write: Write) -> None:
    write("x = = 1\n", "neighbour.py")
    path = write("import neighbour\n" + GOOD)
    assert sentence(path) == "neighbour.py, line 1: syntax error: invalid syntax."


def test_missing_module(write: Write) -> None:
    path = write(changed("import scipy.special", "import scipy.spezial"))
    words = "my_env.py, line 7: the file can't be loaded: ModuleNotFoundError: No module named 'scipy.spezial'"
    assert sentence(path) == words


FILES = {
    "empty": ("", "my_env.py has no environment: write a class that derives from typing.NamedTuple, with methods reset "
              "and step."),
    "plain class": (changed("class Corridor(NamedTuple)", "class Corridor"),
                    "my_env.py, Corridor is no NamedTuple: write `class Corridor(NamedTuple):`, with "
                    "typing.NamedTuple."),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_no_environment(write: Write, name: str) -> None:
    text, words = FILES[name]
    assert sentence(write(text)) == words


def test_two_environments(write: Write) -> None:
    path = write(GOOD + GOOD[GOOD.index("class Corridor") :].replace("class Corridor", "class Hall"))
    with pytest.raises(PgfastError, match=r"^my_env.py has 2 environments: say which, as my_env.py:Corridor.$"):
        Engine(path)
    assert type(find(f"{path}:Hall").env).__name__ == "Hall"
    with pytest.raises(PgfastError, match=r"There is no environment 'Halle' of my_env.py \(did you mean 'Hall'\?\)"):
        find(f"{path}:Halle")


# ---- the protocol

PROTOCOL = {
    "no step": ("def step(self, state, action, key)", "def walk(self, state, action, key)",
                "Corridor has no method step: write `def step(self, state, action, key)`."),
    "no reset": ("def reset(self, key)", "def start(self, key)",
                 "Corridor has no method reset: write `def reset(self, key)`."),
    "no key": ("def step(self, state, action, key)", "def step(self, state, action)",
               "Corridor: step is defined as step(self, state, action): write `def step(self, state, action, key)`."),
    "decorated": ("    def reset(self, key)", "    @staticmethod\n    def reset(key)",
                  "Corridor: reset is no plain method: write `def reset(self, key)` without a decorator."),
    "no space": ("    @property\n    def observation_space(self)", "    def seen(self)",
                 "Corridor has no observation_space: write `observation_space` as a property that gives a gymnasium "
                 "space."),
    "space without property": ("    @property\n    def action_space(self)", "    def action_space(self)",
                               "Corridor: action_space is a method: write `action_space` as a property that gives a "
                               "gymnasium space, with @property above it."),
    "space of pairs": ("Discrete(self.length + 1)", "MultiDiscrete([2, 3])",
                       "Corridor has the observation space MultiDiscrete([2 3]): it must be gymnasium.spaces.Discrete, "
                       "or a Box of shape () or (n,)."),
    "pairs of actions": ("Discrete(2)", "MultiDiscrete([2, 3])",
                         "Corridor has the action space MultiDiscrete([2 3]): it must be gymnasium.spaces.Discrete, "
                         "or a Box of floats of shape () or (n,)."),
    "max_steps": ("max_steps = 100", "max_steps = -1",
                  "Corridor: max_steps is -1: it must be a whole number of at least 1, or None."),
    "optimum": ("max_steps = 100", "optimum = 'high'",
                "Corridor: optimum must be a number or None (ValueError: could not convert string to float: 'high')."),
    "parameter": ("length: int = 8", "length: int = 8\n    names: tuple = ('left', 'right')",
                  "Corridor: the parameter names is ('left', 'right'): it must be a number, a tuple of numbers or a "
                  "NumPy array of numbers."),
    "huge parameter": ("length: int = 8", "length: int = 8\n    far: int = 10**400",
                       "Corridor: the parameter far is a whole number that doesn't fit 64 bits."),
    "huge state": (RESET, "        return 2**63\n", "Corridor: reset gives a whole number that doesn't fit 64 bits."),
    "huge reward": (RETURN, "        return state, 10**400, False\n",
                    "Corridor: step gives a reward that doesn't fit 64 bits."),
    "list for a state": (RESET, "        return [0, 0]\n",
                         "Corridor: reset gives [0, 0]: a state or observation is a number or a flat tuple of ints and "
                         "floats."),
    "empty state": (RESET, "        return ()\n",
                    "Corridor: reset gives an empty tuple: a state has at least one number."),
    "nested state": (RESET, "        return (0, (1, 2))\n",
                     "Corridor: reset gives (0, (1, 2)): a state or observation is a number or a flat tuple of ints "
                     "and floats."),
    "two values": (RETURN, "        return state, -1.0\n",
                   "Corridor: step gives (0, -1.0): it must be (next state, reward, terminated)."),
    "gymnasium's five": (RETURN, "        return state, -1.0, False, False, {}\n",
                         "Corridor: step gives (0, -1.0, False, False, {}): it must be (next state, reward, "
                         "terminated)."),
    "no reward": (RETURN, "        return state, None, False\n",
                  "Corridor: step gives the reward None: it must be a number."),
    "text for a reward": (RETURN, "        return state, '-1', False\n",
                          "Corridor: step gives the reward '-1': it must be a number."),
    "reward that is not a number": (RETURN, "        return state, np.nan, False\n",
                                    "Corridor: step gives the reward nan for action 0: it must be a finite number."),
    "int for terminated": (RETURN, "        return state, -1.0, 0\n",
                           "Corridor: step gives 0 for terminated: it must be True or False."),
    "other form": (RETURN, "        return (state, 0), -1.0, False\n",
                   "Corridor: reset gives a state like 0 and step one like (0, 0): they must have one form."),
    "state outside": (RETURN, "        return state + 9, -1.0, False\n",
                      "Corridor: step gives a state, which is the observation, 9: it must be in Discrete(9)."),
    "float observed": (RETURN, "        return state / 2, -1.0, False\n",
                       "Corridor: step gives a state, which is the observation, 0.0: it must be in Discrete(9)."),
    "observation outside": (RETURN, RETURN + "\n    def observe(self, state):\n        return -1\n",
                            "Corridor: observe gives the observation -1: it must be in Discrete(9)."),
    "observation of other size": ("Discrete(self.length + 1)", "Box(0.0, 1.0, (2,))",
                                  "Corridor: reset gives a state, which is the observation, 0: it must be in "
                                  "Box(0.0, 1.0, (2,), float32)."),
}  # fmt: skip


@pytest.mark.parametrize("name", PROTOCOL)
def test_protocol(write: Write, name: str) -> None:
    old, new, words = PROTOCOL[name]
    assert sentence(write(changed(old, new))) == f"my_env.py, {words}"


def test_a_table_is_no_policy_for_actions_that_are_numbers(write: Write) -> None:
    step = changed("state = max(state + 2 * right - 1, 0)", "state = max(state + (1 if right > 0.0 else -1), 0)")
    path = write(step.replace("return Discrete(2)", "return Box(-1.0, 1.0, (1,))"))
    assert Engine(path).model.name == "gaussian"
    with pytest.raises(PgfastError, match="policy is 'tabular', but the actions are real numbers") as caught:
        Engine(path, policy="tabular")
    assert not isinstance(caught.value, EnvironmentFault)


ERRORS = {
    "division": ("step", STEP + "        odd = 1 // (state - state)\n", "1 // (state",
                 "ZeroDivisionError: "),
    "index": ("step", STEP + "        odd = (1, 2)[state + 2]\n", "(1, 2)[", "IndexError: tuple index out of range"),
    "attribute": ("step", STEP + "        odd = self.size\n", "self.size",
                  "AttributeError: 'Corridor' object has no attribute 'size'"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_error_in_python(write: Write, name: str) -> None:
    method, body, words, error = ERRORS[name]
    text = changed(STEP, body)
    line = line_of(text, words)
    assert sentence(write(text)).startswith(f"my_env.py, line {line}, Corridor.{method} fails with {error}")


def test_error_in_a_space(write: Write) -> None:
    text = changed("Discrete(self.length + 1)", "Discrete(self.size)")
    expected = (
        f"my_env.py, line {line_of(text, 'self.size')}, Corridor.observation_space fails with AttributeError: "
        f"'Corridor' object has no attribute 'size'"
    )
    assert sentence(write(text)) == expected


# ---- what is read from it


def test_no_limit_of_its_own(write: Write) -> None:
    traits = probe(find(write(changed("    max_steps = 100\n\n", ""))))
    assert (traits.max_steps, traits.limited) == (ENGINE_LIMIT, False)
    traits = probe(find(write(changed("max_steps = 100", "max_steps = None"))), max_steps=30)
    assert (traits.max_steps, traits.limited) == (30, True)


def test_parameters(write: Write) -> None:
    path = write(GOOD)
    assert find(path, {"length": "5"}).env.length == 5
    with pytest.raises(PgfastError, match=r"^Corridor.length is 'x': it must be a whole number.$"):
        find(path, {"length": "x"})
    with pytest.raises(PgfastError, match=r"There is no parameter 'lenght' of Corridor \(did you mean 'length'\?\)"):
        find(path, {"lenght": "5"})


def test_an_edited_file_is_read_again(write: Write) -> None:
    assert find(write(GOOD)).env.length == 8
    assert find(write(changed("length: int = 8", "length: int = 9"))).env.length == 9
