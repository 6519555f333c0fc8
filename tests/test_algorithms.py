"""The table of algorithms, and what it promises of each."""

from dataclasses import fields

import pytest
from commands import answer_here, here

from pgfast.algorithms.catalogue import ALGORITHMS
from pgfast.choices import check
from pgfast.errors import PgfastError
from pgfast.presets import preset
from pgfast.settings import Settings, validated


def test_algorithms_are_listed():
    listed = answer_here("algorithms")["algorithms"]
    assert [entry["name"] for entry in listed] == list(ALGORITHMS)
    assert all(entry["description"] and entry["reference"] for entry in listed)
    shown = here("algorithms").stdout
    assert all(name in shown for name in ALGORITHMS)


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_an_algorithm_can_be_had_with_its_own_defaults(name):
    known = {field.name for field in fields(Settings)}
    entry = ALGORITHMS[name]
    assert {*entry.defaults, *entry.own, *entry.fixed} <= known
    settings = validated(env="my_env.py", algorithm=name, **preset("my_env.py", algorithm=name))
    check(settings)
    assert isinstance(entry.make(settings), tuple)


@pytest.mark.parametrize(
    ("name", "setting"),
    sorted(
        (name, s)
        for name in ALGORITHMS
        for entry in ALGORITHMS.values()
        for s in {*entry.own} - {*ALGORITHMS[name].own}
    ),
)
def test_a_setting_of_other_algorithms_is_refused(name, setting):
    given = Settings(env="my_env.py", algorithm=name, **{**preset("my_env.py", algorithm=name), setting: "other"})
    with pytest.raises(PgfastError, match=f"{setting} is other, which {name} has no use for"):
        check(given)
