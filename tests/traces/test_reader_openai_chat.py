"""Chat messages in every form in which people keep them."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leanloop.core.message import ToolSpec
from leanloop.core.tokens import Tokens
from leanloop.traces.readers.openai_chat import MOST_OPEN, READER
from leanloop.traces.readers.tau_bench import READER as TAU
from leanloop.traces.reading import head_of
from leanloop.traces.source import Source
from leanloop.traces.trace import Role, conversation
from tests.models.wire_server import chat_calls, chat_text
from tests.traces.chat_forms import (
    CONVERSATION,
    CONVERSATIONS,
    OTHER,
    SECRET,
    TOOL,
    answer,
    as_lines,
    as_list,
    as_requests,
    as_tau,
    find,
    lines,
    pairs,
    result,
    said,
    write,
)
from tests.traces.conformance import ReaderConformance, runs_of

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 10},
}


class OpenAIConformance(ReaderConformance):
    SECRET = SECRET

    @pytest.fixture
    def reader(self):
        return READER


class TestList(OpenAIConformance):
    @pytest.fixture
    def sample(self, tmp_path):
        return as_list(tmp_path / "in" / "chat.json")


class TestLines(OpenAIConformance):
    @pytest.fixture
    def sample(self, tmp_path):
        return as_lines(tmp_path / "in" / "chat.jsonl")


class TestRequests(OpenAIConformance):
    @pytest.fixture
    def sample(self, tmp_path):
        return as_requests(tmp_path / "in" / "chat.jsonl")


def shape(runs):
    """What is sent and said, without which file and model it was."""
    return [[(c.kept, c.added, c.response) for c in r.calls] for r in runs]


@pytest.mark.parametrize("form", [as_list, as_lines])
def test_openai_and_tau_bench_agree_on_the_same_conversations(tmp_path, form):
    chat, lost = runs_of(READER, form(tmp_path / "chat"))
    tau, lost_too = runs_of(TAU, as_tau(tmp_path / "tau.json"))
    assert lost + lost_too == 0
    assert shape(chat) == shape(tau)
    assert [r.tail for r in chat] == [r.tail for r in tau]


TEXTS = st.text("abé \n", max_size=6)
TURN = st.one_of(
    st.builds(lambda t: [said("user", t)], TEXTS),
    st.builds(lambda t: [chat_text(t)], TEXTS),
    st.builds(
        lambda whats, said: [
            chat_calls(*(find(f"id{i}", w) for i, w in enumerate(whats))),
            *(result(f"id{i}", said) for i in range(len(whats))),
        ],
        st.lists(TEXTS, min_size=1, max_size=3),
        TEXTS,
    ),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(turns=st.lists(TURN, min_size=1, max_size=6))
def test_however_it_is_written_it_is_the_same(tmp_path, turns):
    messages = [said("user", "go"), *(m for t in turns for m in t), chat_text("end")]
    forms = (as_list, as_lines, as_requests, as_tau)
    found = [
        runs_of(TAU if f is as_tau else READER, f(tmp_path / f.__name__, [messages])) for f in forms
    ]
    assert [lost for _, lost in found] == [0] * len(forms)
    assert [shape(runs) for runs, _ in found] == [shape(found[0][0])] * len(forms)


def test_every_answer_is_one_call_whose_request_is_all_before_it(tmp_path):
    (run, other), _ = runs_of(READER, as_lines(tmp_path / "x.jsonl"))
    roles = [[e.role for e in request] for _, request in conversation(run)]
    s, u, a, t = Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL
    assert roles == [[s, u], [s, u, a, t, t], [s, u, a, t, t, a, u]]
    assert [c.counts.input_tokens for c in run.calls] == [None] * 3
    assert {c.model for c in run.calls} == {"gpt-x"}
    [tool] = run.calls[0].tools or ()
    assert tool == ToolSpec("find", "Finds a thing.", TOOL["function"]["parameters"])
    assert [e.is_error for e in run.calls[1].added] == [False, True]
    assert len(other.calls) == 1


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("value", [CONVERSATION, {"messages": CONVERSATION}, CONVERSATIONS])
def test_one_document_whether_in_one_line_or_in_many(tmp_path, value, indent):
    file = write(tmp_path / "x.json", value, indent)
    assert READER.claims(head_of(Source(file)))
    runs, lost = runs_of(READER, file)
    assert lost == 0
    assert len(runs[0].calls) == 3


def test_a_list_with_a_conversation_in_each_of_its_lines(tmp_path):
    file = tmp_path / "x.json"
    file.write_text("[\n" + ",\n".join(json.dumps({"messages": c}) for c in CONVERSATIONS) + "\n]")
    runs, lost = runs_of(READER, file)
    assert ([len(r.calls) for r in runs], lost) == ([3, 1], 0)


def test_lines_that_are_lists_and_lines_that_are_messages(tmp_path):
    for values in (CONVERSATIONS, CONVERSATION):
        file = lines(tmp_path / "x.jsonl", values)
        assert READER.claims(head_of(Source(file)))
        runs, lost = runs_of(READER, file)
        assert (len(runs[0].calls), lost) == (3, 0)


def test_a_line_that_is_longer_than_the_head(tmp_path):
    long = [said("user", "x" * 200_000), chat_text("y")]
    file = lines(tmp_path / "x.jsonl", [{"messages": long}, {"messages": OTHER}])
    assert READER.claims(head_of(Source(file)))
    runs, lost = runs_of(READER, file)
    assert ([len(r.calls) for r in runs], lost) == ([1, 1], 0)


def test_a_damaged_first_line_loses_that_line_alone(tmp_path):
    file = as_lines(tmp_path / "x.jsonl")
    file.write_text('{"messages": [{"role": "us\n' + file.read_text())
    runs, lost = runs_of(READER, file)
    assert ([len(r.calls) for r in runs], lost) == ([3, 1], 1)


def test_tokens_and_time_of_an_answer(tmp_path):
    (line,) = pairs(OTHER)
    line["response"] = {**answer(OTHER[-1], USAGE), "created": 1764000000}
    (run,), _ = runs_of(READER, lines(tmp_path / "x.jsonl", [line]))
    (call,) = run.calls
    assert (call.counts.input_tokens, call.counts.output_tokens) == (100, 30)
    assert call.counts.tokens == Tokens(36, 64, 0, 0, 20, 10)
    assert (call.started_at, call.model) == (1764000000, "gpt-x")


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2}, Tokens()),
        (
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4},
            Tokens(5, 4, 0, 0),
        ),
        (
            {
                "prompt_tokens": 90,
                "completion_tokens": 2,
                "cache_read_input_tokens": 40,
                "cache_creation_input_tokens": 30,
                "prompt_tokens_details": {
                    "cached_tokens": 40,
                    "cache_creation_token_details": {"ephemeral_1h_input_tokens": 10},
                },
            },
            Tokens(20, 40, 20, 10),
        ),
        (
            {
                "input_tokens": 7,
                "output_tokens": 2,
                "cache_read_input_tokens": 40,
                "cache_creation_input_tokens": 3,
            },
            Tokens(7, 40, 3, 0),
        ),
    ],
)
def test_cached_tokens_as_providers_write_them(tmp_path, usage, tokens):
    file = lines(tmp_path / "x.jsonl", [{"messages": OTHER, "usage": usage}])
    (run,), _ = runs_of(READER, file)
    counts = run.calls[0].counts
    assert counts.tokens == tokens
    assert counts.input_tokens == usage.get("prompt_tokens", 50)
    assert counts.output_tokens == 2


def test_usage_of_several_calls_is_nobody_knows_which(tmp_path):
    file = lines(tmp_path / "x.jsonl", [{"messages": CONVERSATION, "usage": USAGE}])
    (run,), _ = runs_of(READER, file)
    assert {c.counts.input_tokens for c in run.calls} == {None}


def test_usage_on_the_messages_themselves(tmp_path):
    messages = [OTHER[0], {**OTHER[1], "usage": USAGE, "model": "gpt-y"}]
    (run,), _ = runs_of(READER, write(tmp_path / "x.json", messages))
    assert (run.calls[0].counts.input_tokens, run.calls[0].model) == (100, "gpt-y")


def test_requests_of_several_conversations_between_each_other(tmp_path):
    one, two = pairs(CONVERSATION), pairs([said("user", "Other."), *CONVERSATION[2:]])
    mixed = [line for both in zip(one, two, strict=True) for line in both]
    runs, _ = runs_of(READER, lines(tmp_path / "x.jsonl", mixed))
    assert [[c.kept for c in r.calls] for r in runs] == [[0, 3, 6], [0, 2, 5]]


def test_the_same_first_request_again_is_another_run(tmp_path):
    runs, _ = runs_of(READER, lines(tmp_path / "x.jsonl", pairs(CONVERSATION) * 2))
    assert [len(r.calls) for r in runs] == [3, 3]


def test_a_history_that_was_edited_keeps_what_is_still_there(tmp_path):
    edited = [dict(p) for p in pairs(CONVERSATION, session_id="s")]
    shorter = list(edited[2]["messages"])
    shorter[3] = {**shorter[3], "content": "gone"}
    edited[2]["messages"] = shorter
    (run,), _ = runs_of(READER, lines(tmp_path / "x.jsonl", edited))
    assert [(c.kept, len(c.added)) for c in run.calls] == [(0, 2), (3, 2), (3, 4)]
    assert run.session_id == "s"


def test_a_failed_call_has_no_answer(tmp_path):
    line = {"messages": OTHER[:1], "response": {"error": {"message": SECRET}}}
    (run,), _ = runs_of(READER, lines(tmp_path / "x.jsonl", [line]))
    assert (run.calls[0].response, run.calls[0].error) == (None, "the call failed")


@pytest.mark.parametrize(
    "line",
    [
        {"request": {"messages": OTHER[:1], "model": "m"}, "response": answer(OTHER[1])},
        {"body": {"messages": OTHER[:1]}, "response": {"body": answer(OTHER[1])}},
        {"messages": OTHER[:1], "response": "Hello."},
        {"messages": OTHER[:1], "response": OTHER[1]},
        {"messages": OTHER[:1], "choices": [{"message": OTHER[1]}]},
    ],
)
def test_where_a_request_and_its_answer_may_stand(tmp_path, line):
    file = lines(tmp_path / "x.jsonl", [line])
    assert READER.claims(head_of(Source(file)))
    (run,), lost = runs_of(READER, file)
    whole, _ = runs_of(READER, write(tmp_path / "y.json", OTHER))
    assert (shape([run]), lost) == (shape(whole), 0)


def test_many_conversations_at_once_are_given_out_as_they_are_left(tmp_path):
    many = [p for i in range(MOST_OPEN + 10) for p in pairs(OTHER, conversation_id=f"c{i}")]
    file = lines(tmp_path / "x.jsonl", [*many, *many[-1:]])
    runs, _ = runs_of(READER, file)
    assert Counter(len(r.calls) for r in runs) == {1: MOST_OPEN + 9, 2: 1}


def test_servers_that_give_the_same_call_id_again(tmp_path):
    messages = [
        said("user", "go"),
        chat_calls(find("0", "a")),
        result("0", "A"),
        chat_calls(find("0", "b"), find("0", "c")),
        result("0", "B"),
        result("0", "C"),
        chat_text("end"),
    ]
    (run,), _ = runs_of(READER, write(tmp_path / "x.json", messages))
    called = [m.call_id for c in run.calls for m in c.response.calls]
    answered = [e.call_id for c in run.calls for e in c.added if e.role == Role.TOOL]
    assert called == answered
    assert len(set(called)) == 3


def test_parts_that_are_no_text_are_counted(tmp_path):
    image = {"type": "image_url", "image_url": {"url": "data:,x"}}
    seen = said("user", [{"type": "text", "text": "look"}, image])
    (run,), _ = runs_of(READER, write(tmp_path / "x.json", [seen, chat_text("nice")]))
    (entry,) = run.calls[0].added
    assert (entry.chars, entry.other_parts) == (4, 1)


def test_what_is_no_conversation_is_skipped(tmp_path):
    runs, lost = runs_of(READER, lines(tmp_path / "x.jsonl", [{"messages": OTHER}, {"a": 1}, 3]))
    assert (len(runs), lost) == (1, 2)
