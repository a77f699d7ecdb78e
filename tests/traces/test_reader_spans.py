"""The readers of spans: OTLP JSON, OpenInference; and one run told in five formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanloop.traces.profile import profile_runs
from leanloop.traces.protocol import Wanted
from leanloop.traces.readers import litellm, openai_chat, openinference, otlp
from leanloop.traces.reading import Reading
from leanloop.traces.trace import conversation
from tests.traces.conformance import ReaderConformance, runs_of

HERE = Path(__file__).parent / "data"
SAME_RUN = (
    "otlp-genai.json",
    "otlp-openinference.json",
    "openinference-spans.jsonl",
    "openai-chat-pairs.jsonl",
    "litellm-payloads.jsonl",
)
SECRET = "the-secret-word"


class TestGenAI(ReaderConformance):
    SECRET = SECRET

    @pytest.fixture
    def reader(self):
        return otlp.READER

    @pytest.fixture
    def sample(self):
        return HERE / "otlp-genai.json"


class TestOtlpOpenInference(TestGenAI):
    @pytest.fixture
    def sample(self):
        return HERE / "otlp-openinference.json"


class TestPhoenix(TestGenAI):
    @pytest.fixture
    def reader(self):
        return openinference.READER

    @pytest.fixture
    def sample(self):
        return HERE / "openinference-spans.jsonl"


class TestLiteLLMPayloads(TestGenAI):
    @pytest.fixture
    def reader(self):
        return litellm.READER

    @pytest.fixture
    def sample(self):
        return HERE / "litellm-payloads.jsonl"


class TestPairs(TestGenAI):
    @pytest.fixture
    def reader(self):
        return openai_chat.READER

    @pytest.fixture
    def sample(self):
        return HERE / "openai-chat-pairs.jsonl"


@pytest.mark.parametrize("name", SAME_RUN)
def test_the_same_run_in_five_formats_agrees_to_the_token(name):
    (run,) = Reading([HERE / name], Wanted(contents=True))
    counted = [(c.counts.input_tokens, c.counts.output_tokens) for c in run.calls]
    assert counted == [(120, 18), (1300, 19), (1400, 12)]
    assert {c.model for c in run.calls} <= {"gpt-4.1-2025-04-14", "gpt-4.1"}
    requests = [[(e.role, e.tool, e.chars) for e in entries] for _, entries in conversation(run)]
    call = len('get_order{"order_id":"W1"}')
    step = [("assistant", "", call), ("tool", "get_order", 160)]
    start = [("system", "", 9), ("user", "", 37)]
    assert requests == [start, start + step, start + 2 * step]


@pytest.mark.parametrize("name", SAME_RUN[1:])
def test_what_was_cached_is_known_where_it_was_told(name):
    (run,) = Reading([HERE / name], Wanted())
    read = [c.counts.tokens.cache_read_tokens for c in run.calls]
    assert read == [0, 1024, 1280]


def test_our_prices_are_those_that_litellm_charged():
    reading = Reading([HERE / "litellm-payloads.jsonl"], Wanted())
    p = profile_runs(reading, None, reading)
    assert p.dollars.recorded == pytest.approx(p.dollars.list, rel=1e-9)


@pytest.mark.parametrize("name", SAME_RUN[:3])
def test_times_of_calls_and_tools_are_those_of_their_spans(name):
    (run,) = Reading([HERE / name], Wanted())
    assert all(c.latency_s > 0 for c in run.calls)
    assert run.tool_times.keys() == {"call_W1", "call_W2"}
    assert run.started_at <= run.calls[0].started_at
    assert run.ended_at >= run.calls[-1].started_at


def span(span_id, parent, start, **attributes):
    pairs = [{"key": k.replace("__", "."), "value": value(v)} for k, v in attributes.items()]
    return {
        "traceId": "t",
        "spanId": span_id,
        "parentSpanId": parent,
        "name": span_id,
        "startTimeUnixNano": str((1_790_000_000 + start) * 10**9),
        "endTimeUnixNano": str((1_790_000_001 + start) * 10**9),
        "attributes": pairs,
    }


def value(given):
    if isinstance(given, int):
        return {"intValue": str(given)}
    return {"stringValue": given}


def chat(span_id, parent, start, sent, out, **more):
    names = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m"}
    usage = {"gen_ai__usage__input_tokens": sent, "gen_ai__usage__output_tokens": out}
    return span(span_id, parent, start, **names, **usage, **more)


def agent(span_id, parent, start):
    names = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": span_id}
    return span(span_id, parent, start, **names)


@pytest.fixture
def read(tmp_path):
    def reading(*spans, exports=1):
        lines = [
            {"resourceSpans": [{"scopeSpans": [{"spans": list(spans[i::exports])}]}]}
            for i in range(exports)
        ]
        path = tmp_path / "spans.json"
        path.write_text("\n".join(map(json.dumps, lines)))
        return runs_of(otlp.READER, path)[0]

    return reading


def test_an_agent_within_an_agent_is_a_run_of_its_own(read):
    inner, outer = read(
        chat("a1", "sub", 2, 10, 1), agent("sub", "root", 1), chat("a2", "root", 5, 20, 2),
        agent("root", "", 0), exports=2,
    )  # fmt: skip
    assert inner.parent_id == outer.run_id
    assert [c.counts.input_tokens for c in inner.calls] == [10]
    assert [c.counts.input_tokens for c in outer.calls] == [20]


def test_a_call_that_two_instrumentations_recorded_counts_once(read):
    (run,) = read(chat("client", "framework", 1, 10, 1), chat("framework", "", 0, 10, 1))
    assert [c.counts.input_tokens for c in run.calls] == [10]


def test_older_names_are_read_too(read):
    old = {"gen_ai__operation__name": "chat", "gen_ai__usage__prompt_tokens": 50}
    old |= {"gen_ai__usage__completion_tokens": 5, "gen_ai__system": "anthropic"}
    old |= {"gen_ai__usage__cache_creation_input_tokens": 20}
    (run,) = read(span("x", "", 0, **old))
    call = run.calls[0]
    assert (call.counts.input_tokens, call.counts.output_tokens) == (50, 5)
    assert (call.provider, call.counts.tokens.uncached_input_tokens) == ("anthropic", 30)


def test_spans_in_a_circle_do_not_hang(read):
    runs = read(chat("a", "b", 0, 1, 1), agent("b", "c", 0), agent("c", "b", 0))
    assert sum(len(r.calls) for r in runs) == 1


def test_many_traces_are_not_all_held(tmp_path):
    lines = []
    for i in range(300):
        one = chat(f"s{i}", "", i, 1, 1) | {"traceId": f"t{i}"}
        lines.append(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one]}]}]}))
    path = tmp_path / "many.json"
    path.write_text("\n".join(lines))
    reading = iter(Reading([path], Wanted()))
    next(reading)
    assert len(list(reading)) == 299
