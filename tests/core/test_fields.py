from __future__ import annotations

import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.fields import read_fields
from leanloop.search.spec import StudySpec, read_study
from leanloop.suites.jsonl.suite import JsonlOptions
from tests.search.studies import write_study


@pytest.mark.parametrize(
    ("table", "field", "said"),
    [
        ({"sed": 1}, "sed", "no such field; did you mean seed?"),
        ({"plan": {"blok": 1}}, "plan.blok", "did you mean block?; there are propose, allocate"),
        ({"models": {"a": {"providr": "x"}}}, "models.a.providr", "did you mean provider?"),
        ({"zzz": 1}, "zzz", "no such field; there are name, models, seed"),
        ({"block": 7}, "block", "no such field here; it belongs in [plan]"),
        ({"base_url": "x"}, "base_url", "it belongs in [models.NAME]"),
        ({"folder": "x"}, "folder", "no such field"),
        ({"seed": "three"}, "seed", "expected `int`, got `str`"),
        ({"models": {"a": {"name": "x"}}}, "models.a.provider", "is missing"),
        ({"models": {"a": 3}}, "models", "expected `object`, got `int`"),
        (
            {"models": {"a": {"provider": "p", "name": "m", "price": {"input": "x"}}}},
            "models.a.price",
            "invalid decimal string",
        ),
        ({"objectives": {"success": "best"}}, "objectives", "invalid enum value 'best'"),
        ({"constraints": [1]}, "constraints[0]", "expected `str`"),
        ({"budget": {"max_usd": "much"}}, "budget.max_usd", "expected `float | null`"),
    ],
)
def test_what_is_wrong_is_said_of_the_field(table, field, said):
    with pytest.raises(BadInputError) as caught:
        read_fields({"name": "x", **table}, StudySpec, strict=False, hidden=("folder", "file"))
    assert caught.value.where == field
    assert said in caught.value.problem


def test_a_missing_field_of_the_whole_is_named():
    with pytest.raises(BadInputError, match=r"^name: is missing"):
        read_fields({}, StudySpec)


def test_tables_in_options_are_fields_too():
    given = {"file": "x", "judge": {"model": "m", "lables": "y"}}
    with pytest.raises(BadInputError, match=r"suite\.options\.judge\.lables: .*mean labels\?"):
        read_fields(given, JsonlOptions, "suite.options")


def test_a_study_reads_as_before(tmp_path):
    spec = read_study(write_study(tmp_path, **{"seed = 3": 'seed = "3"'}))
    price = spec.models["scripted"].price
    assert (spec.seed, spec.plan.block) == (3, 6)
    assert price is not None
    assert str(price["input"]) == "1.0"
