"""The reader of Inspect's logs, on a real run of its mock model."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from leanloop.core.errors import BadInputError
from leanloop.traces.protocol import Wanted
from leanloop.traces.readers.inspect_eval import READER
from leanloop.traces.reading import Reading
from leanloop.traces.source import Source
from tests.traces.conformance import ReaderConformance, check

HERE = Path(__file__).parent / "data"

if importlib.util.find_spec("inspect_ai") is None and not os.environ.get("CI"):
    pytest.skip("needs inspect-ai: the extra 'inspect'", allow_module_level=True)


class TestEval(ReaderConformance):
    TEXT = False
    SECRET = "the-secret-word"
    MUTATIONS = 12

    @pytest.fixture
    def reader(self):
        return READER

    @pytest.fixture
    def sample(self):
        return HERE / "inspect.eval"


class TestJson(TestEval):
    TEXT = True

    @pytest.fixture
    def sample(self):
        return HERE / "inspect.json"


def test_both_forms_agree_to_the_token():
    forms = [
        [(r.task_id, r.success, [c.counts for c in r.calls]) for r in Reading([HERE / n], Wanted())]
        for n in ("inspect.eval", "inspect.json")
    ]
    assert forms[0] == forms[1]
    assert {task: success for task, success, _ in forms[0]} == {"right": 1.0, "wrong": 0.0}


def test_input_is_without_what_was_cached_and_events_are_counted_once():
    for run in Reading([HERE / "inspect.eval"], Wanted(contents=True)):
        first, second = run.calls
        assert (first.counts.input_tokens, first.counts.output_tokens) == (150, 20)
        tokens = second.counts.tokens
        assert (tokens.uncached_input_tokens, tokens.cache_read_tokens) == (30, 100)
        assert (tokens.cache_write_5m_tokens, tokens.reasoning_tokens) == (30, 4)
        assert (second.kept, [e.tool for e in second.added]) == (3, ["add"])
        assert [t.name for t in first.tools] == ["add"]
        (time,) = run.tool_times.values()
        assert time.latency_s >= 0


def test_a_missing_extra_is_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "inspect_ai.log", None)
    with pytest.raises(BadInputError, match=r"leanloop\[inspect\]"):
        list(Reading([HERE / "inspect.eval"], Wanted()))


def test_an_answer_of_another_role_is_still_the_models(tmp_path):
    """Found by fuzzing: three bytes of the archive make the model's answer a system message."""
    damaged = bytearray((HERE / "inspect.eval").read_bytes())
    for place, byte in ((1144, 0o232), (4189, 0o61), (4215, 0o223)):
        damaged[place] = byte
    file = tmp_path / "log.eval"
    file.write_bytes(damaged)
    runs = list(READER.read([Source(file)], Wanted()))
    assert runs
    for run in runs:
        check(run)
