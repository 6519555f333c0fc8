"""What kernels have in common is compiled once in a process, and nothing else is."""

import gc
import sys
from typing import NamedTuple

import numba
import numpy as np
import pytest

from pgfast import make_key, vmath
from pgfast.compiler.alone import compiled_form
from pgfast.compiler.fingerprint import environment_of_compilation
from pgfast.compiler.specialise import Specialiser
from pgfast.compiler.templates import hook, routine

FACTOR, FACTORS, THING = 2.0, np.ones(2), object()
move = hook("move")


class Walker(NamedTuple):
    def move(self, x):
        return scaled(x) + 1.0


class Runner(NamedTuple):
    def move(self, x):
        return scaled(x) + 2.0


def scaled(x):
    return FACTOR * vmath.exp(x)


def listed(x):
    return FACTORS[0] * x


def unlike_itself(x):
    return x if THING else -x


def moved(thing, x):
    return move(thing, x)


def of(method, function):
    return Specialiser({"move": method}, allocates=False).compiled(function)


def test_the_same_is_shared():
    assert of(Walker.move, moved) is of(Walker.move, moved)
    assert of(Walker.move, scaled) is of(Runner.move, scaled)  # reaches no hook


def test_another_method_makes_another_part_of_all_that_reach_it():
    assert of(Walker.move, moved) is not of(Runner.move, moved)


def test_parts_that_may_own_memory_are_others():
    owning = Specialiser({"move": Walker.move}, allocates=True)
    assert owning.compiled(moved) is not of(Walker.move, moved)


def test_a_changed_global_makes_other_parts(monkeypatch):
    def all_three():
        return of(Walker.move, moved), of(Walker.move, scaled), of(Walker.move, listed)

    before = all_three()
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 3.0)
    FACTORS[0] += 1.0
    after = all_three()
    assert all(a is not b for a, b in zip(before, after, strict=True))


def test_what_cannot_be_told_apart_is_not_shared():
    assert of(Walker.move, unlike_itself) is not of(Walker.move, unlike_itself)


def test_flags_are_part_of_it(monkeypatch):
    before = of(Walker.move, scaled)
    monkeypatch.setattr(numba.config, "BOUNDSCHECK", 0 if numba.config.BOUNDSCHECK else 1)
    assert of(Walker.move, scaled) is not before


@pytest.mark.parametrize(("name", "value"), [("BOUNDSCHECK", 1), ("OPT", 2)])
def test_flags_of_the_environment_need_no_numba(name, value, monkeypatch):
    """A process that hasn't imported it finds the code of one that has."""
    monkeypatch.setenv(f"NUMBA_{name}", str(value))
    monkeypatch.setattr(numba.config, name, type(getattr(numba.config, name))(value) if name == "OPT" else value)
    with_numba = environment_of_compilation()
    monkeypatch.delitem(sys.modules, "numba.core.config")
    assert environment_of_compilation() == with_numba


class Holder(NamedTuple):
    value: object

    def reset(self, key):
        return self.value


def test_one_part_for_several_types():
    """Each call is one of its own types."""
    assert compiled_form(Holder(1.5), "reset", make_key()) == "float"
    assert compiled_form(Holder(1), "reset", make_key()) == "int"
    assert compiled_form(Holder((1.5, 2)), "reset", make_key()) == ("float", "int")


@routine
def shifted(x, by):
    return x + by


def shifted_twice(x):
    return shifted(shifted(x, x), 3)


def test_a_constant_is_no_type_of_its_own_to_a_routine():
    specialiser = Specialiser({}, allocates=False)
    specialiser.compiled(shifted_twice).compile((numba.int64,))
    assert list(specialiser.copies[shifted].overloads) == [(numba.int64, numba.int64)]


def test_garbage_is_collected_again_when_something_is_compiled_and_what_was_made_is_old():
    assert gc.isenabled()
    gc.disable()
    objects = [[] for _ in range(10_000)]  # as compiling makes them
    gc.enable()
    compiled_form(Holder(2.5), "reset", make_key())
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert any(objects is old for old in gc.get_objects(generation=2))
