"""Which settings a lever accepts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.domain import (
    Choice,
    Domain,
    IntRange,
    ModelName,
    NumberRange,
    Positive,
    check_setting,
)
from leanloop.core.errors import BadInputError, LeanloopError

JUNK: tuple[object, ...] = (None, [], {}, (), "", b"on", object(), float("nan"), 1.5)


DOMAINS = (Choice(("on", 3)), IntRange(1, 9), ModelName(), NumberRange(0.5, 0.9))


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_off_always_and_junk_never(domain: Domain) -> None:
    assert check_setting("a.b", domain, "off", "x") == "off"
    for value in JUNK:
        assert not domain.accepts(value)
        with pytest.raises(BadInputError):
            check_setting("a.b", domain, value, "x")


def test_choice_wants_value_and_type() -> None:
    domain = Choice(("on", 1))
    assert domain.accepts("on")
    assert domain.accepts(1)
    assert not any(domain.accepts(v) for v in ("ON", "1", True, 1.0))
    assert str(domain) == "on | 1"


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(-60, 60))
def test_int_range_is_inclusive(low: int, high: int, value: int) -> None:
    assert IntRange(low, high).accepts(value) == (low <= value <= high)


def test_int_range_wants_a_whole_number() -> None:
    domain = IntRange(0, 5)
    assert not any(domain.accepts(v) for v in (True, False, 2.0, "2"))
    assert str(domain) == "0 to 5"


@given(st.floats(0.01, 1e300) | st.integers(1, 10**300))
def test_positive_is_any_finite_number_above_none(value: float) -> None:
    domain = Positive("dollars")
    assert domain.accepts(value)
    assert check_setting("a.b", domain, value, "x") is value
    assert not domain.accepts(-value)
    assert not domain.accepts(str(value))


def test_positive_has_edges() -> None:
    domain: Domain = Positive("seconds")
    assert domain.accepts(5e-324)
    junk: tuple[object, ...] = (
        0,
        0.0,
        -0.0,
        True,
        math.inf,
        -math.inf,
        math.nan,
        10**400,
        None,
        "",
        [],
        1 + 0j,
    )
    assert not any(domain.accepts(v) for v in junk)
    assert str(domain) == "seconds above 0"
    assert check_setting("a.b", domain, "off", "x") == "off"


@given(st.floats(allow_nan=True) | st.integers(-3, 3))
def test_number_range_is_inclusive(value: float) -> None:
    assert NumberRange(0.5, 2).accepts(value) == (0.5 <= value <= 2)


def test_number_range_wants_a_number() -> None:
    domain = NumberRange(0.5, 1)
    assert not any(domain.accepts(v) for v in (True, "0.5", None, math.nan))
    assert str(domain) == "0.5 to 1"


def test_model_name_is_any_text() -> None:
    assert ModelName().accepts("small")
    assert not any(ModelName().accepts(v) for v in ("", 1, True))


def test_error_says_where_what_and_what_instead() -> None:
    with pytest.raises(BadInputError) as caught:
        check_setting("stopping.max_steps", IntRange(2, 9), 1, "study.toml levers")
    assert str(caught.value) == (
        "study.toml levers.stopping.max_steps: 1 is not a setting; it takes off, or 2 to 9"
    )
    assert caught.value.where == "study.toml levers.stopping.max_steps"
    assert isinstance(caught.value, LeanloopError)


@pytest.mark.parametrize("value", ["on", 1])
def test_value_comes_back_as_it_was(value: object) -> None:
    assert check_setting("a.b", Choice(("on", 1)), value, "x") is value
