"""mini-swe-agent trajectories, all written by the program itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from leanloop.core.tokens import Tokens
from leanloop.traces.readers.mini_swe_agent import READER
from leanloop.traces.trace import Role, conversation
from tests.traces.chat_forms import write
from tests.traces.conformance import ReaderConformance, runs_of

DATA = Path(__file__).parent / "data"
NAMES = ("finished", "format-error", "limit", "text", "responses", "claude", "1.17")


def trajectory(name: str) -> Path:
    return DATA / f"mini-swe-agent-{name}.traj.json"


def read(name: str):
    (run,), lost = runs_of(READER, trajectory(name))
    assert lost == 0
    return run


@pytest.mark.parametrize("name", NAMES)
class TestMiniSweAgent(ReaderConformance):
    SECRET = "sums.py"
    MUTATIONS = 25

    @pytest.fixture
    def reader(self):
        return READER

    @pytest.fixture
    def sample(self, name):
        return trajectory(name)


@pytest.mark.parametrize("name", NAMES)
def test_calls_and_dollars_are_those_of_the_programs_own_sums(name):
    run, stats = read(name), json.loads(trajectory(name).read_text())["info"]["model_stats"]
    assert len(run.calls) == stats["api_calls"]
    usd = [c.usd for c in run.calls]
    if name == "limit":
        assert (usd, run.totals, stats["instance_cost"]) == ([None] * 3, None, 0)
    elif name == "1.17":
        assert (set(usd), run.totals.usd) == ({None}, stats["instance_cost"])
    else:
        assert sum(usd) == pytest.approx(stats["instance_cost"])
        assert run.totals is None
    assert run.success is None


@pytest.mark.parametrize("name", NAMES)
def test_tokens_are_those_that_the_server_sent(name):
    run, sent = read(name), trajectory(name).read_text()
    usages: list[Any] = []

    def find(value):
        if isinstance(value, dict):
            usages.extend([value["usage"]] if "usage" in value else ())
            for inner in value.values():
                find(inner)
        elif isinstance(value, list):
            for inner in value:
                find(inner)

    find(json.loads(sent))
    wanted = [
        (
            u.get("prompt_tokens", u.get("input_tokens")),
            u.get("completion_tokens", u.get("output_tokens")),
        )
        for u in usages
    ]
    assert [(c.counts.input_tokens, c.counts.output_tokens) for c in run.calls] == wanted


def test_a_run_that_finished():
    run = read("finished")
    assert [(c.kept, len(c.added)) for c in run.calls] == [(0, 2), (3, 2), (6, 1), (8, 1)]
    assert [m.name for m in run.calls[0].response.calls] == ["bash", "bash"]
    assert run.calls[0].counts.tokens == Tokens(310, 0, 0, 0, 28, 12)
    assert run.calls[3].counts.tokens == Tokens(48, 512, 0, 0, 15, 0)
    assert {(c.provider, c.model) for c in run.calls} == {("openai", "gpt-test-2026-11-01")}
    assert [e.is_error for c in run.calls for e in c.added if e.role == Role.TOOL] == [
        *(False, False, False),
        True,  # grep that found nothing
    ]
    assert run.ended == "Submitted"


def test_times_are_those_of_the_messages_where_both_have_one():
    run = read("finished")
    assert run.calls[0].latency_s is None
    assert all(0 < c.latency_s < 60 for c in run.calls[1:])
    # Two commands ran in the first step: nobody knows which took how long.
    assert set(run.tool_times) == {"call_2_0", "call_3_0", "call_4_0"}
    assert all(c.latency_s is not None for c in read("1.17").calls)


@pytest.mark.parametrize("name", ["format-error", "responses", "text"])
def test_an_answer_that_was_not_parsed_is_paid_for_and_not_sent_again(name):
    run = read(name)
    first, failed, after = run.calls[:3]
    assert failed.error == "the answer could not be parsed"
    assert failed.usd > 0
    assert failed.counts.input_tokens in {350, 360, 380}
    assert (failed.response.role, failed.response.calls) == (Role.ASSISTANT, ())
    assert failed.latency_s is None
    assert after.latency_s is None
    assert after.kept == failed.kept + len(failed.added)
    requests = [list(r) for _, r in conversation(run)]
    assert failed.response not in requests[2]
    assert first.response in requests[2]
    assert [e.role for e in after.added] == [Role.USER]


def test_1_17_keeps_an_answer_that_was_not_parsed():
    run = read("1.17")
    assert [c.error for c in run.calls] == [""] * 4
    assert [(c.kept, [e.role for e in c.added]) for c in run.calls[1:]] == [
        (3, [Role.TOOL]),
        (5, [Role.USER]),
        (7, [Role.TOOL]),
    ]


@pytest.mark.parametrize("name", ["text", "1.17"])
def test_an_action_in_the_text_is_a_call_and_its_size_is_that_of_the_text(name):
    run = read(name)
    raw = json.loads(trajectory(name).read_text())["messages"]
    answers = [m["content"] for m in raw if m["role"] == "assistant"]
    mine = [c.response for c in run.calls if not c.error]
    assert [e.chars for e in mine] == [len(a) for a in answers]
    (call,) = mine[0].message.tool_calls
    assert (call.name, call.arguments) == ("bash", {"command": "cat sums.py"})
    assert mine[0].message.text == "I run this."
    (told,) = run.calls[1].added
    assert (told.role, told.call_id, told.tool) == (Role.TOOL, call.call_id, "bash")


def test_repeated_commands_have_equal_digests():
    marks = [c.response.calls[0].digest for c in read("limit").calls]
    assert len(set(marks)) == 1


def test_a_run_that_hit_its_limit():
    run = read("limit")
    assert run.ended == "LimitsExceeded"
    assert [e.role for e in run.tail] == [Role.TOOL]


def test_cached_input_that_litellm_counts_within_the_input():
    first, second = read("claude").calls
    assert first.counts.tokens == Tokens(9, 0, 1400, 0, 31, 0)
    assert (first.counts.input_tokens, first.provider) == (1409, "anthropic")
    assert second.counts.tokens == Tokens(7, 1400, 96, 0, 17, 0)


def test_a_file_in_a_folder_of_its_name_is_of_that_task(tmp_path):
    batch = tmp_path / "astropy-1" / "astropy-1.traj.json"
    batch.parent.mkdir()
    batch.write_bytes(trajectory("finished").read_bytes())
    (run,), _ = runs_of(READER, batch)
    assert (run.task_id, run.run_id) == ("astropy-1", "astropy-1.traj.json")
    assert read("finished").task_id is None


def test_a_long_answer_full_of_fences_takes_linear_time(tmp_path):
    value = json.loads(trajectory("1.17").read_text())
    value["messages"][2]["content"] = "x```\n" * 200_000
    file = write(tmp_path / "x.traj.json", value)
    began = time.perf_counter()
    (run,), _ = runs_of(READER, file)
    assert time.perf_counter() - began < 5
    assert run.calls[0].response.calls == ()
