"""Configurations: one setting for every lever, with an id that never changes."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.configuration import OFF, Configuration, Setting, flatten_settings
from leanloop.core.errors import BadInputError

SETTINGS: dict[str, Setting] = {
    "memory.keep_observations": 2,
    "model.choice": "größer",
    "stopping.max_steps": 6,
    "tools.projection": "on",
    "x.share": 0.5,
    "x.yes": True,
}
GOLDEN_ID = "df0eb970d0"

_word = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
_names = st.builds("{}.{}".format, _word, _word)
_values = st.one_of(
    st.text(max_size=12), st.integers(-(2**31), 2**31), st.floats(-1e6, 1e6), st.booleans()
)
settings_tables = st.dictionaries(_names, _values, max_size=6)


def test_golden_id() -> None:
    """Runs are kept under their configuration's id: were this to change, they would be lost."""
    assert Configuration(SETTINGS).id == GOLDEN_ID
    assert Configuration().id == "44136fa355"


def test_id_is_the_same_in_another_process() -> None:
    code = f"from leanloop.core.configuration import Configuration as C; print(C({SETTINGS!r}).id)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == GOLDEN_ID


@given(settings_tables, st.randoms(use_true_random=False))
def test_order_does_not_matter(table: dict[str, Setting], random) -> None:
    items = list(table.items())
    random.shuffle(items)
    one, two = Configuration(table), Configuration(dict(items))
    assert one == two
    assert one.id == two.id
    assert hash(one) == hash(two)
    assert list(one) == list(two) == sorted(one)


@given(settings_tables, st.lists(_names, max_size=4))
def test_off_is_dropped(table: dict[str, Setting], others: list[str]) -> None:
    more = {**dict.fromkeys(others, OFF), **table}
    assert Configuration(more) == Configuration(table)
    assert Configuration(more).id == Configuration(table).id


@given(settings_tables, settings_tables)
def test_equal_means_the_same_id(one: dict[str, Setting], two: dict[str, Setting]) -> None:
    a, b = Configuration(one), Configuration(two)
    assert (a == b) == (a.id == b.id)


def test_settings_of_another_type_are_another_configuration() -> None:
    values: list[Setting] = [1, 1.0, True, "1"]
    made = [Configuration({"a.b": v}) for v in values]
    assert len({c.id for c in made}) == len(set(made)) == 4
    assert all(a != b for i, a in enumerate(made) for b in made[i + 1 :])


def test_lever_that_is_not_named_is_off() -> None:
    c = Configuration({"a.b": 1, "c.d": OFF})
    assert c["a.b"] == 1
    assert c["c.d"] == c["e.f"] == c.get("e.f") == OFF
    assert list(c) == ["a.b"]
    assert len(c) == 1
    assert "c.d" not in c
    assert dict(c) == {"a.b": 1}
    assert (str(c), str(Configuration())) == ("a.b=1", "all off")
    assert c != {"a.b": 1}


def test_changed_is_a_copy() -> None:
    base = Configuration({"a.b": 1, "c.d": 2})
    assert dict(base.changed({"a.b": OFF, "e.f": 3})) == {"c.d": 2, "e.f": 3}
    assert dict(base) == {"a.b": 1, "c.d": 2}


def test_does_not_follow_its_source() -> None:
    table: dict[str, Setting] = {"a.b": 1}
    c = Configuration(table)
    table["a.b"] = 2
    assert c["a.b"] == 1


@given(settings_tables)
def test_nested_and_back(table: dict[str, Setting]) -> None:
    c = Configuration(table)
    assert flatten_settings(c.to_nested(), "x") == dict(c)


@given(settings_tables)
def test_toml_and_back(table: dict[str, Setting]) -> None:
    c = Configuration(table)
    read = flatten_settings(tomllib.loads(tomli_w.dumps(c.to_nested())), "x")
    again = Configuration(read)  # type: ignore[arg-type]
    assert again == c


def test_dotted_keys_and_tables_are_the_same() -> None:
    for text in ("memory.keep = 2", "[memory]\nkeep = 2", '"memory.keep" = 2'):
        assert flatten_settings(tomllib.loads(text), "x") == {"memory.keep": 2}


def test_lever_without_component_is_bad_input() -> None:
    with pytest.raises(BadInputError, match=r"component\.lever") as caught:
        flatten_settings({"keep": 2}, "study.toml baseline")
    assert caught.value.where == "study.toml baseline.keep"
