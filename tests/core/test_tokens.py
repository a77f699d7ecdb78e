"""Tokens add up, and unknown stays unknown."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.tokens import CLASSES, NO_TOKENS, Tokens, add_known, sum_tokens

counts = st.none() | st.integers(0, 10**9)
known = st.builds(Tokens, **dict.fromkeys(CLASSES, st.integers(0, 10**9)))
tokens = st.builds(Tokens, **dict.fromkeys(CLASSES, counts))


def test_classes_are_the_fields() -> None:
    assert Tokens.__struct_fields__ == CLASSES


@given(tokens, tokens, tokens)
def test_addition_is_associative(a: Tokens, b: Tokens, c: Tokens) -> None:
    assert (a + b) + c == a + (b + c)


@given(tokens, tokens)
def test_addition_is_commutative(a: Tokens, b: Tokens) -> None:
    assert a + b == b + a


@given(tokens)
def test_no_tokens_is_neutral(a: Tokens) -> None:
    assert a + NO_TOKENS == a


@given(tokens, tokens)
def test_unknown_absorbs_class_by_class(a: Tokens, b: Tokens) -> None:
    for name in CLASSES:
        left, right, both = (getattr(t, name) for t in (a, b, a + b))
        assert both == (None if left is None or right is None else left + right)


@given(tokens)
def test_totals_are_sums_of_disjoint_classes(a: Tokens) -> None:
    values = [getattr(a, c) for c in CLASSES]
    assert a.input_tokens == add_known(*values[:4])
    assert a.all_output_tokens == add_known(*values[4:])
    assert a.total_tokens == (None if None in values else sum(values))


@given(st.lists(known, max_size=6))
def test_total_of_a_sum_is_the_sum_of_totals(parts: list[Tokens]) -> None:
    assert sum_tokens(parts).total_tokens == sum(p.total_tokens or 0 for p in parts)


@given(st.lists(tokens, max_size=6))
def test_order_of_a_sum_does_not_matter(parts: list[Tokens]) -> None:
    shuffled: Sequence[Tokens] = sorted(parts, key=repr)
    assert sum_tokens(parts) == sum_tokens(shuffled) == sum_tokens(iter(parts))


@pytest.mark.parametrize("name", CLASSES)
def test_one_unknown_class_makes_its_totals_unknown(name: str) -> None:
    one = msgspec.structs.replace(Tokens(1, 2, 3, 4, 5, 6), **{name: None})
    is_input = name in CLASSES[:4]
    assert one.input_tokens == (None if is_input else 10)
    assert one.all_output_tokens == (11 if is_input else None)
    assert one.total_tokens is None


def test_sum_of_nothing_is_known_to_be_zero() -> None:
    assert sum_tokens([]) == NO_TOKENS
    assert sum_tokens([]).total_tokens == 0
    assert Tokens().total_tokens is None


@given(tokens)
def test_json_keeps_zero_and_unknown_apart(a: Tokens) -> None:
    assert msgspec.json.decode(msgspec.json.encode(a), type=Tokens) == a
