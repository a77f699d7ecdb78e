"""The reader of Claude Code sessions."""

from __future__ import annotations

import json
import resource

import pytest
from benchmarks.traces import generate

from leanloop.traces.profile import profile_runs
from leanloop.traces.protocol import Wanted
from leanloop.traces.readers.claude_code import READER
from leanloop.traces.reading import Reading
from leanloop.traces.trace import Role, conversation
from tests.traces.conformance import ReaderConformance, check, runs_of
from tests.traces.made_runs import need

SECRET = "the-secret-word"


def line(kind, uuid, message, at=0, **more):
    return {
        "type": kind,
        "uuid": uuid,
        "sessionId": "s1",
        "isSidechain": False,
        "timestamp": f"2026-10-01T10:{at // 60:02}:{at % 60:02}.000Z",
        "message": message,
        **more,
    }


def said(message_id, blocks, usage, at=0, **more):
    message = {"id": message_id, "role": "assistant", "model": "claude-sonnet-4-5"}
    request = {"requestId": f"req-{message_id}"}
    message |= {"content": blocks, "usage": usage}
    return line("assistant", f"u-{message_id}-{at}", message, at, **request, **more)


def asked(content, at=0, **more):
    return line("user", f"q-{at}", {"role": "user", "content": content}, at, **more)


def usage(sent, out, read=0, written=0, hour=0):
    return {
        "input_tokens": sent,
        "output_tokens": out,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - hour,
            "ephemeral_1h_input_tokens": hour,
        },
    }


def call(call_id, name="Read", **arguments):
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id, content, **more):
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


SESSION = [
    {"type": "summary", "summary": "x", "leafUuid": "q-0"},
    asked(f"Look into {SECRET}.", 0),
    said("m1", [{"type": "thinking", "thinking": "hm"}], usage(10, 1, 0, 2000), 2),
    said("m1", [{"type": "text", "text": "I look."}], usage(10, 5, 0, 2000), 3),
    said("m1", [call("c1", path="a")], usage(10, 60, 0, 2000, 500), 4),
    asked([result("c1", "Error: no", is_error=True)], 6),
    said("m1", [call("c2", path="b")], usage(10, 80, 0, 2000, 500), 7),
    asked([result("c2", [{"type": "text", "text": "fine"}, {"type": "image"}])], 8),
    said("m2", [{"type": "text", "text": "Done."}], usage(4, 20, 2010, 90), 10),
    asked("<synthetic> follows", 12),
    said("m3", [{"type": "text", "text": "API Error"}], usage(0, 0), 13)
    | {"message": {"model": "<synthetic>", "content": [], "id": "m3"}},
]


def written(path, lines):
    path.write_text("\n".join(json.dumps(x) for x in lines) + "\n")
    return path


class TestConformance(ReaderConformance):
    SECRET = SECRET

    @pytest.fixture
    def reader(self):
        return READER

    @pytest.fixture
    def sample(self, tmp_path):
        return written(tmp_path / "session.jsonl", SESSION)


@pytest.fixture
def read(tmp_path):
    def reading(*files, contents=True):
        paths = [written(tmp_path / f"{i}.jsonl", lines) for i, lines in enumerate(files)]
        return runs_of(READER, *paths, contents=contents)[0]

    return reading


def test_a_message_of_many_lines_is_one_call_with_its_last_usage(read):
    (run,) = read(SESSION)
    first, second = run.calls
    tokens = first.counts.tokens
    assert (tokens.uncached_input_tokens, tokens.output_tokens) == (10, 80)
    assert (tokens.cache_write_5m_tokens, tokens.cache_write_1h_tokens) == (1500, 500)
    assert first.counts.input_tokens == 2010
    assert [c.name for c in first.response.calls] == ["Read", "Read"]
    assert first.response.message.text == "hmI look."
    assert (second.counts.input_tokens, second.counts.tokens.cache_read_tokens) == (2104, 2010)


def test_results_follow_the_message_whose_calls_they_answer(read):
    (run,) = read(SESSION)
    requests = [[e.role for e in entries] for _, entries in conversation(run)]
    assert requests == [[Role.USER], [Role.USER, Role.ASSISTANT, Role.TOOL, Role.TOOL]]
    results = run.calls[1].added
    assert [(e.call_id, e.tool, e.is_error, e.other_parts) for e in results] == [
        ("c1", "Read", True, 0),
        ("c2", "Read", False, 1),
    ]
    assert {k: t.latency_s for k, t in run.tool_times.items()} == {"c1": 2.0, "c2": 1.0}
    assert [c.latency_s for c in run.calls] == [7.0, 2.0]


def test_what_the_program_wrote_itself_is_no_call(read):
    (run,) = read(SESSION)
    assert len(run.calls) == 2
    assert [e.role for e in run.tail] == [Role.USER]


def test_a_resumed_session_repeats_no_spend(read):
    more = [*SESSION[:9], asked("And now?", 20), said("m9", [], usage(7, 7), 22)]
    first, second = read(SESSION, more)
    assert [c.counts.output_tokens for c in second.calls] == [7]
    roles = [e.role for e in second.calls[0].added]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert len(first.calls) == 2


def test_sub_agents_are_runs_of_their_own(read, tmp_path):
    side = {"isSidechain": True}
    mixed = [
        *SESSION[:3],
        asked("Sub-task.", 5, **side) | {"uuid": "x1", "parentUuid": None},
        said("n1", [], usage(100, 9), 6, **side) | {"parentUuid": "x1", "uuid": "x2"},
        *SESSION[3:],
    ]
    own_file = [asked("Other.", 5, agentId="a7", **side)]
    own_file += [said("n2", [], usage(50, 5), 6, agentId="a7", **side)]
    main, inner, other = read(mixed, own_file)
    assert len(main.calls) == 2
    assert inner.parent_id == main.run_id
    assert [c.counts.output_tokens for c in inner.calls] == [9]
    assert other.session_id == main.session_id == "s1"
    assert [c.counts.output_tokens for c in other.calls] == [5]


def test_a_compaction_starts_the_conversation_anew(read):
    lines = [*SESSION[:9], asked("All of it in short.", 30, isCompactSummary=True)]
    (run,) = read([*lines, said("m5", [], usage(5, 5), 33)])
    last = run.calls[-1]
    assert (last.kept, [e.role for e in last.added]) == (0, [Role.USER])


def test_usage_that_is_missing_is_unknown(read):
    (run,) = read([asked("Hi."), said("m1", [], None, 1)])
    assert run.calls[0].counts.input_tokens is None


def test_published_lines(tmp_path):
    reading = Reading([need("claude-code")], Wanted(contents=True))
    runs = list(reading)
    assert len(runs) == 4
    assert sum(s.count for s in reading.skipped) == 5  # the edge cases hold five broken lines
    for run in runs:
        check(run)
    p = profile_runs(runs)
    assert (p.model_calls, p.token_totals.input, p.token_totals.output) == (14, 1421, 1123)


def test_a_large_log_is_read_in_little_memory(tmp_path):
    generate(tmp_path, 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reading = Reading([tmp_path], Wanted())
    p = profile_runs(reading, None, reading)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert p.model_calls == p.runs * 60
    assert grown < 60 << 10
