"""leanloop's own form of traces: what is kept is what was, without contents."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanloop.core.errors import BadInputError
from leanloop.traces.protocol import Wanted
from leanloop.traces.readers.leanloop_trace import READER
from leanloop.traces.reading import Reading
from leanloop.traces.writing import saved, without_contents, write_traces
from tests.traces.conformance import ReaderConformance
from tests.traces.made_runs import run_of, steps


class TestConformance(ReaderConformance):
    @pytest.fixture
    def reader(self):
        return READER

    @pytest.fixture
    def sample(self, tmp_path):
        path = tmp_path / "kept.jsonl"
        write_traces([], path)
        # A run says where it came from, which the conformance tests look at.
        made = [run_of([("get_order", "1", "ok")] * 3, run_id=f"{i}", tokens=True) for i in "ab"]
        lines = [json.dumps({"format": "leanloop-trace", "version": 1})]
        for run in made:
            write_traces([run], tmp_path / "one.jsonl")
            value = json.loads((tmp_path / "one.jsonl").read_text().splitlines()[1])
            lines.append(json.dumps(value | {"source": str(path), "format": READER.card.name}))
        path.write_text("\n".join(lines))
        return path

    def test_contents_are_kept_when_wanted(self, reader, sample):
        """It never has contents."""

    def test_a_packed_file_is_the_same(self, reader, sample, tmp_path):
        """The runs say where they came from, which is not this file."""


@settings(deadline=None, max_examples=40)
@given(st.lists(steps(), max_size=3))
def test_what_is_read_is_what_was_written_without_contents(tmp_path_factory, many):
    path = tmp_path_factory.mktemp("w") / "kept.jsonl"
    runs = [run_of(made, run_id=f"{i}", tokens=True) for i, made in enumerate(many)]
    assert write_traces(runs, path) == len(runs)
    assert list(Reading([path], Wanted())) == [without_contents(r) for r in runs]


def test_the_file_is_there_only_when_all_have_passed(tmp_path):
    path = tmp_path / "kept.jsonl"
    path.write_text("before")
    passing = saved(iter([run_of([("", "a", "")])] * 3), path)
    next(passing)
    assert path.read_text() == "before"
    passing.close()
    assert [p.name for p in tmp_path.iterdir()] == ["kept.jsonl"]
    assert path.read_text() == "before"


def test_contents_are_gone(tmp_path):
    write_traces([run_of([("get_order", "secret-1", "secret-2")])], tmp_path / "k.jsonl")
    assert "secret" not in (tmp_path / "k.jsonl").read_text()


def test_another_version_is_told_and_not_guessed(tmp_path):
    path = tmp_path / "k.jsonl"
    path.write_text('{"format": "leanloop-trace", "version": 9}\n{}')
    reading = Reading([path], Wanted())
    assert list(reading) == []
    assert "another version of leanloop" in reading.skipped[0].why


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        write_traces([], tmp_path / "none" / "k.jsonl")
