"""The reader of Codex rollouts."""

from __future__ import annotations

import json

import pytest

from leanloop.traces.readers.codex import READER
from leanloop.traces.trace import Role, conversation
from tests.traces.conformance import ReaderConformance, runs_of

SECRET = "the-secret-word"


def line(kind, payload, at):
    return {"timestamp": f"2026-10-01T10:00:{at:02}.000Z", "type": kind, "payload": payload}


def message(role, words, at):
    return line(
        "response_item", {"type": "message", "role": role, "content": [{"text": words}]}, at
    )


def counted(sent, read, out, thought, at, last=None):
    def usage(numbers):
        names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
        return dict(zip(names, numbers, strict=True))

    total = (sent, read, out, thought)
    info = {"total_token_usage": usage(total), "last_token_usage": usage(last or total)}
    return line("event_msg", {"type": "token_count", "info": info}, at)


META = line("session_meta", {"id": "t1", "instructions": "Be careful."}, 0)
ROLLOUT = [
    META,
    line("turn_context", {"model": "gpt-5-codex"}, 0),
    message("user", f"Fix {SECRET}.", 1),
    line("event_msg", {"type": "token_count", "info": None}, 1),
    line("response_item", {"type": "reasoning", "summary": [{"text": "hm"}]}, 2),
    line(
        "response_item",
        {"type": "function_call", "name": "shell", "call_id": "c1", "arguments": '{"cmd": "ls"}'},
        3,
    ),
    line("response_item", {"type": "function_call_output", "call_id": "c1", "output": "a b"}, 5),
    counted(1000, 0, 50, 20, 5),
    counted(1000, 0, 50, 20, 5),
    message("assistant", "Done.", 8),
    counted(2100, 900, 90, 30, 8, last=(1100, 900, 40, 10)),
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
        return written(tmp_path / "rollout.jsonl", ROLLOUT)


@pytest.fixture
def read(tmp_path):
    return lambda lines: runs_of(READER, written(tmp_path / "r.jsonl", lines))[0][0]


def test_totals_are_taken_apart_and_what_is_told_twice_counts_once(read):
    run = read(ROLLOUT)
    first, second = (c.counts for c in run.calls)
    assert (first.input_tokens, first.output_tokens) == (1000, 50)
    assert (first.tokens.output_tokens, first.tokens.reasoning_tokens) == (30, 20)
    assert (second.input_tokens, second.output_tokens) == (1100, 40)
    assert (second.tokens.uncached_input_tokens, second.tokens.cache_read_tokens) == (200, 900)
    assert [c.model for c in run.calls] == ["gpt-5-codex"] * 2


def test_the_conversation_holds_calls_before_their_results(read):
    requests = [[e.role for e in entries] for _, entries in conversation(read(ROLLOUT))]
    start = [Role.SYSTEM, Role.USER]
    assert requests == [start, [*start, Role.ASSISTANT, Role.TOOL]]


def test_times_of_tools_are_known(read):
    run = read(ROLLOUT)
    assert run.tool_times["c1"].latency_s == 2.0
    assert run.calls[1].added[0].tool == "shell"


def test_a_forks_history_is_no_spend_of_its_own(read):
    meta = line("session_meta", {"id": "t2", "forked_from_id": "t1"}, 10)
    fork = [meta, *ROLLOUT[2:], line("turn_context", {"model": "gpt-5-codex"}, 20)]
    fork += [message("user", "And?", 21), message("assistant", "Yes.", 22)]
    run = read([*fork, counted(3300, 2000, 100, 30, 22, last=(1200, 1100, 10, 0))])
    assert run.parent_id == "t1"
    assert [c.counts.input_tokens for c in run.calls] == [1200]


def test_a_total_that_starts_again_is_taken_from_the_last_call(read):
    again = [message("user", "More.", 10), message("assistant", "Ok.", 11)]
    run = read([*ROLLOUT, *again, counted(700, 0, 10, 0, 11, last=(700, 0, 10, 0))])
    assert [c.counts.input_tokens for c in run.calls] == [1000, 1100, 700]


def test_a_compaction_starts_the_conversation_anew(read):
    compacted = line("compacted", {"message": "In short."}, 12)
    more = [compacted, message("assistant", "On.", 13), counted(2600, 900, 99, 30, 13)]
    last = read([*ROLLOUT, *more]).calls[-1]
    assert (last.kept, [e.role for e in last.added]) == (0, [Role.USER])
    assert last.counts.input_tokens == 500
