"""Checks of answers that need no model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.errors import BadInputError
from leanloop.suites.answer_check import build_check, check_of_value


def score(check: dict[str, Any], answer: str) -> float:
    return build_check(check, "tasks.jsonl:1")(answer)


@pytest.mark.parametrize(
    ("check", "right", "wrong"),
    [
        ({"exact": "Oslo"}, ["oslo", " Oslo. ", "**Oslo**", '"Oslo"'], ["Oslo, Norway", "Bergen"]),
        ({"exact": ["ten", "10"]}, ["Ten", "10"], ["ten or so"]),
        ({"number": 12}, ["12", "3 boxes of 4 make 12", "12.0", "= 12."], ["13", "12 is not 13"]),
        ({"number": 1200.5}, ["1,200.5", "it is 1200.50 euros"], ["1200", "many"]),
        ({"number": -4}, ["-4", "it fell to -4"], ["4"]),
        ({"number": 3, "tolerance": 0.1}, ["3.05", "2.9"], ["3.2"]),
        ({"set": ["a", "b"]}, ["b, A", '["b","a"]', "- a\n- b", "a and b"], ["a", "a, b, c", ""]),
        ({"regex": r"\bmay\b"}, ["In May, then"], ["maybe"]),
        (
            {"json": {"$.a.b": 1}},
            ['{"a": {"b": 1}}', 'Here: ```json\n{"a": {"b": 1, "c": 2}}\n```', 'so {"a":{"b":1}}'],
            ['{"a": {"b": 2}}', "{}", "1", "no"],
        ),
        ({"json": {"$.x[*].n": [1, 2]}}, ['{"x": [{"n": 1}, {"n": 2}]}'], ['{"x": [{"n": 1}]}']),
        ({"json": {"$": {"a": 1}}}, ['{"a": 1}'], ['{"a": 1, "b": 2}']),
        ({"json": {"$": True}}, ["true"], ["false", "yes"]),
    ],
)
def test_what_is_right_and_what_is_not(check, right, wrong):
    for answer in right:
        assert score(check, answer) == 1.0, answer
    for answer in wrong:
        assert score(check, answer) == 0.0, answer


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({}, "exact, number, set"),
        ({"exact": "a", "regex": "b"}, "does not go with"),
        ({"number": "3"}, "takes a number"),
        ({"number": True}, "takes a number"),
        ({"number": 3, "tolerance": "x"}, "tolerance"),
        ({"set": []}, "list"),
        ({"regex": "("}, "regex"),
        ({"json": []}, "table"),
        ({"json": {"$.[": 1}}, "json"),
        ({"python": "no_such_module:f"}, "no_such_module"),
        ({"python": "math:pi"}, "no function"),
        ({"exact": None}, "exact takes"),
    ],
)
def test_a_check_that_cannot_be_is_one_line_with_its_place(check, said):
    with pytest.raises(BadInputError, match=said) as caught:
        build_check(check, "tasks.jsonl:1")
    assert str(caught.value).startswith("tasks.jsonl:1: ")
    assert "\n" not in str(caught.value)


def test_a_verifier_of_the_users(tmp_path, monkeypatch):
    (tmp_path / "own_verifier.py").write_text(
        "def long_enough(answer):\n    return len(answer) > 3"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    check = {"python": "own_verifier:long_enough"}
    assert score(check, "abcd") == 1.0
    assert score(check, "abc") == 0.0


@given(st.integers(-(10**9), 10**9))
def test_a_number_is_read_back(number):
    assert score(check_of_value(number), f"The answer is {number}.") == 1.0
    assert score(check_of_value(number), f"{number + 1}") == 0.0


@given(st.one_of(st.booleans(), st.none(), st.dictionaries(st.text(), st.integers())))
def test_a_value_of_another_kind_is_compared_as_json(value):
    import json  # noqa: PLC0415

    assert score(check_of_value(value), json.dumps(value)) == 1.0
