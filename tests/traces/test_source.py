"""Files that traces are read from, and what becomes of damaged ones."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path

import ijson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.errors import BadInputError
from leanloop.traces import source as source_module
from leanloop.traces.json_values import values_at
from leanloop.traces.source import Source


@pytest.fixture
def written(tmp_path):
    def write(data: bytes, name: str = "x.jsonl") -> Source:
        path = tmp_path / name
        path.write_bytes(data)
        return Source(path)

    return write


def test_lines_are_numbered_from_one_and_empty_ones_left_out(written):
    source = written(b'{"a": 1}\n\n  \n{"a": 2}')
    assert list(source.lines()) == [(1, b'{"a": 1}'), (4, b'{"a": 2}')]
    assert not source.skipped
    assert source.bytes_read == 21


def test_what_is_no_object_is_counted_and_the_first_place_told(written):
    source = written(b'{"a": 1}\nnope\n[1]\n{"a"\n"text"\n{"a": 2}\n')
    assert [n for n, _ in source.objects()] == [1, 6]
    assert source.skipped == {"a line is not JSON": 2, "a line is no JSON object": 2}
    assert source.first_skipped["a line is not JSON"] == "line 2"


@given(st.lists(st.text(st.characters(blacklist_characters="\n", codec="utf-8"))))
def test_lines_are_those_of_the_file_wherever_the_chunks_end(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("s") / "x.jsonl"
    path.write_bytes("\n".join(texts).encode())
    wanted = [(i, t.encode()) for i, t in enumerate(texts, 1) if t.encode().strip()]
    assert list(Source(path).lines()) == wanted


def test_a_line_that_is_too_long_is_skipped_and_the_next_is_read(written, monkeypatch):
    monkeypatch.setattr(source_module, "LONGEST_LINE", 1 << 20)
    data = b'{"a": 1}\n{"b": "' + b"x" * (5 << 20) + b'"}\n{"a": 2}\n'
    source = written(data)
    tracemalloc.start()
    assert [n for n, _ in source.objects()] == [1, 3]
    assert tracemalloc.get_traced_memory()[1] < 5 << 20
    tracemalloc.stop()
    assert source.skipped == {"a line is too long": 1}


def test_a_packed_file_is_unpacked_whatever_its_name(written):
    source = written(gzip.compress(b'{"a": 1}\n'), "x.log")
    assert [value for _, value in source.objects()] == [{"a": 1}]
    assert source.head() == b'{"a": 1}\n'


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_packed_file_that_is_cut_off_is_read_as_far_as_it_goes(written, keep):
    lines = b"".join(json.dumps({"i": i, "n": i * i * 7919}).encode() + b"\n" for i in range(50000))
    packed = gzip.compress(lines)
    source = written(packed[: int(len(packed) * keep)], "x.jsonl.gz")
    read = [value["i"] for _, value in source.objects()]
    assert read == list(range(len(read)))
    assert source.skipped["the gzip stream is cut off or damaged"] == 1


def test_a_packed_file_with_a_broken_head_is_told(written):
    source = written(b"\x1f\x8b\xff\xff\xff", "x.jsonl.gz")
    assert list(source.objects()) == []
    assert sum(source.skipped.values()) == 1
    assert list(source.items("item")) == []


def test_items_come_before_the_damage(written):
    source = written(b'{"runs": [{"a": 1.5}, {"a": 2}, {"a": ', "x.json")
    assert list(source.items("runs.item")) == [{"a": 1.5}, {"a": 2}]
    assert source.skipped == {"the document is cut off or damaged": 1}


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(BadInputError, match=r"none\.json: No such file"):
        Source(tmp_path / "none.json").head()


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(BadInputError, match="Is a directory"):
        list(Source(tmp_path).lines())


def test_deep_nesting_is_survived(written):
    deep = b"[" * 200_000 + b"]" * 200_000
    source = written(b'{"a": ' + deep + b"}\n" + b'{"a": 1}\n')
    assert [n for n, _ in source.objects()] == [2]
    document = written(b'{"runs": [' + deep + b"]}", "x.json")
    assert list(document.items("runs.item")) == []
    assert document.skipped == {"the document is nested too deeply": 1}


def test_a_source_is_named_as_the_user_named_it():
    assert Source(Path("a/b.json")).name == "a/b.json"
    assert Source(Path("a/b.json"), "shown").name == "shown"


PLACES = {
    "": [],
    "item": ["item"],
    "a": ["a"],
    "a.item": ["a", "item"],
    "a.b.item": ["a", "b", "item"],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "item"]), inner),
)


@given(JSON, st.sampled_from(list(PLACES)))
def test_values_are_those_that_ijson_has_there(value, prefix):
    data = json.dumps(value).encode()
    wanted = list(ijson.items(io.BytesIO(data), prefix, use_float=True))
    found = list(values_at(ijson.basic_parse(io.BytesIO(data), use_float=True), PLACES[prefix]))
    assert found == wanted
