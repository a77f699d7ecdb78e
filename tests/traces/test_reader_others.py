"""The readers of ATIF, Langfuse, LiteLLM and our own store."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from leanloop.core.run import ModelCall, Run, RunKey, Status, Step, ToolUse
from leanloop.core.task import Split
from leanloop.core.tokens import Tokens
from leanloop.store.protocol import StudyRecord
from leanloop.store.sql import SqlStore
from leanloop.traces.profile import Asked, profile_runs
from leanloop.traces.protocol import Wanted
from leanloop.traces.readers import atif, langfuse, leanloop_store, litellm
from leanloop.traces.reading import Reading
from leanloop.traces.trace import conversation
from tests.traces.conformance import ReaderConformance, runs_of

SECRET = "the-secret-word"


def calls_to(name, call_id, **arguments):
    return {"tool_call_id": call_id, "function_name": name, "arguments": arguments}


ATIF = {
    "schema_version": "ATIF-v1.4",
    "session_id": "s1",
    "agent": {"name": "terminus", "version": "2", "model_name": "gpt-4.1"},
    "steps": [
        {"step_id": 1, "source": "system", "message": "Be short."},
        {"step_id": 2, "source": "user", "message": f"Look, {SECRET}."},
        {
            "step_id": 3,
            "timestamp": "2026-10-01T10:00:05Z",
            "source": "agent",
            "message": "",
            "reasoning_content": "hm",
            "tool_calls": [calls_to("bash", "c1", cmd="ls")],
            "observation": {"results": [{"source_call_id": "c1", "content": "a b"}]},
            "metrics": {
                "prompt_tokens": 1000,
                "completion_tokens": 20,
                "cached_tokens": 600,
                "cost_usd": 0.01,
            },
        },
        {
            "step_id": 4,
            "timestamp": "2026-10-01T10:00:09Z",
            "source": "agent",
            "message": "Done.",
            "metrics": {"prompt_tokens": 1100, "completion_tokens": 5, "cost_usd": 0.0},
        },
    ],
    "final_metrics": {"total_prompt_tokens": 2100, "total_completion_tokens": 25},
    "subagent_trajectories": [
        {
            "session_id": "s1",
            "trajectory_id": "sub",
            "steps": [{"source": "agent", "message": "x", "metrics": {"prompt_tokens": 7}}],
        }
    ],
}


class TestAtif(ReaderConformance):
    SECRET = SECRET

    @pytest.fixture
    def reader(self):
        return atif.READER

    @pytest.fixture
    def sample(self, tmp_path):
        path = tmp_path / "trajectory.json"
        path.write_text(json.dumps(ATIF))
        return path

    def test_steps_are_calls_and_the_final_metrics_are_not_added(self, reader, sample):
        (main, sub), _ = runs_of(reader, sample)
        first, second = main.calls
        assert (first.counts.input_tokens, first.counts.tokens.uncached_input_tokens) == (1000, 400)
        assert (second.usd, second.counts.tokens.cache_read_tokens) == (None, None)
        assert main.totals is None
        assert sub.parent_id == main.run_id
        requests = [[(e.role, e.tool) for e in entries] for _, entries in conversation(main)]
        assert requests[1][2:] == [("assistant", ""), ("tool", "bash")]


def observed(own, parent, kind, at, **more):
    return {
        "id": own,
        "traceId": "t1",
        "parentObservationId": parent,
        "type": kind,
        "name": own,
        "startTime": f"2026-10-01T10:00:{at:02}.000Z",
        "endTime": f"2026-10-01T10:00:{at + 1:02}.000Z",
        **more,
    }


QUESTION = [{"role": "user", "content": f"Hi, {SECRET}."}]
ANSWER = {"role": "assistant", "content": "Hello."}
LANGFUSE = [
    observed("agent", None, "AGENT", 0),
    observed(
        "g1", "agent", "GENERATION", 1, model="claude-sonnet-4-5", input=QUESTION, output=ANSWER,
        usageDetails={"input": 10, "cache_read_input_tokens": 90, "output": 5, "total": 105},
        costDetails={"total": 0.25},
    ),
    observed(
        "g2", "agent", "GENERATION", 3, model="gpt-4.1",
        input=json.dumps({"messages": [*QUESTION, ANSWER, *QUESTION]}), output="Again.",
        usageDetails={"input": 100, "input_cached_tokens": 90, "output": 5, "total": 105},
        costDetails={"total": 0},
    ),
]  # fmt: skip


class TestLangfuse(ReaderConformance):
    SECRET = SECRET

    @pytest.fixture
    def reader(self):
        return langfuse.READER

    @pytest.fixture
    def sample(self, tmp_path):
        path = tmp_path / "observations.jsonl"
        path.write_text("\n".join(map(json.dumps, LANGFUSE)))
        return path

    def test_whether_input_holds_what_was_cached_is_told_from_the_total(self, reader, sample):
        (run,), _ = runs_of(reader, sample)
        tokens = [c.counts.tokens for c in run.calls]
        assert [(t.uncached_input_tokens, t.cache_read_tokens) for t in tokens] == [(10, 90)] * 2
        assert [c.counts.input_tokens for c in run.calls] == [100, 100]
        assert [c.usd for c in run.calls] == [0.25, None]
        assert [c.kept for c in run.calls] == [0, 2]

    @pytest.mark.parametrize("form", ["list", "data", "observations"])
    def test_documents_are_read_like_lines(self, reader, sample, tmp_path, form):
        path = tmp_path / "one.json"
        path.write_text(json.dumps(LANGFUSE if form == "list" else {form: LANGFUSE}, indent=1))
        lines, _ = runs_of(reader, sample)
        whole, _ = runs_of(reader, path)
        assert [r.calls for r in whole] == [r.calls for r in lines]


def spent(own, at, sent, spend, **more):
    return {
        "request_id": own,
        "call_type": "acompletion",
        "session_id": "s1",
        "model": "gpt-4.1",
        "custom_llm_provider": "openai",
        "startTime": f"2026-10-01T10:00:{at:02}Z",
        "endTime": f"2026-10-01T10:00:{at + 2:02}Z",
        "spend": spend,
        "prompt_tokens": sent,
        "completion_tokens": 5,
        "messages": QUESTION,
        "response": {"choices": [{"message": ANSWER}]},
        "cache_hit": "False",
        **more,
    }


USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 64},
}
LITELLM = [
    spent("r1", 1, 100, 0.5, metadata=json.dumps({"usage_object": USAGE})),
    spent("r2", 4, 120, 0, messages=[*QUESTION, ANSWER, *QUESTION]),
    spent("r3", 7, 100, 0, cache_hit="True"),
    spent("r4", 9, 70, 0.1, session_id="s2"),
]


class TestLiteLLM(ReaderConformance):
    SECRET = SECRET

    @pytest.fixture
    def reader(self):
        return litellm.READER

    @pytest.fixture
    def sample(self, tmp_path):
        path = tmp_path / "spend.jsonl"
        path.write_text("\n".join(map(json.dumps, LITELLM)))
        return path

    def test_a_session_is_a_run_and_its_own_cache_costs_nothing(self, reader, sample):
        runs, _ = runs_of(reader, sample)
        assert [len(r.calls) for r in runs] == [3, 1]
        first, second, hit = runs[0].calls
        assert (first.usd, first.counts.tokens.cache_read_tokens) == (0.5, 64)
        assert (second.usd, second.counts.input_tokens, second.kept) == (None, 120, 2)
        assert (hit.usd, hit.counts.input_tokens) == (0.0, 0)
        assert first.latency_s == 2.0


def made_store(path: Path) -> None:
    store = SqlStore(path)
    store.open_study(StudyRecord("mine", "{}", "f"))
    act = ModelCall("small", "openai:gpt-4.1", "act", Tokens(100, 50, 0, 0, 9, 1), 1.5, 1.79e9)
    ask = ModelCall(
        "small", "openai:gpt-4.1", "memory.summarise", Tokens(70, 0, 0, 0, 7, 0), 1, 1.0
    )
    use = ToolUse("get_order", '{"id": 1}', 0.5, observation=f"shipped, {SECRET}")
    cached = ToolUse("get_order", '{"id": 1}', 0.0, "tools.result_cache", observation="shipped")
    for task, success in (("a", 1.0), ("b", 0.0)):
        steps = (Step((act,), (use, cached)), Step((ask, act), (), "Done."))
        key = RunKey("c" * 10, task)
        run = Run(key, Split.SEARCH, Status.FINISHED, success, steps, 9.0, 4.0, 1.79e9)
        store.record("mine", run)
    store.close()


class TestStore(ReaderConformance):
    TEXT = False
    SECRET = SECRET
    MUTATIONS = 25

    @pytest.fixture
    def reader(self):
        return leanloop_store.READER

    @pytest.fixture
    def sample(self, tmp_path):
        made_store(tmp_path / "made.sqlite")
        with sqlite3.connect(tmp_path / "made.sqlite") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode=DELETE")
        connection.close()
        return tmp_path / "made.sqlite"

    def test_runs_are_as_they_were_metered(self, reader, sample):
        runs, _ = runs_of(reader, sample)
        assert [(r.task_id, r.success) for r in runs] == [("a", 1.0), ("b", 0.0)]
        run = runs[0]
        assert [c.purpose for c in run.calls] == ["act", "memory.summarise", "act"]
        assert run.calls[0].counts.tokens == Tokens(100, 50, 0, 0, 9, 1)
        results = [e for c in run.acts for e in c.added]
        assert [(e.tool, e.chars) for e in results] == [("get_order", 24), ("get_order", 7)]
        p = profile_runs(runs, Asked(group_by="session"))
        assert (p.model_calls, p.steps, p.success.mean) == (6, 4, 0.5)
        assert p.side["memory.summarise"].tokens.input == 140
        assert p.groups[0].name == "mine/cccccccccc"

    def test_the_store_is_not_changed(self, reader, sample):
        before = sample.read_bytes()
        list(Reading([sample], Wanted()))
        assert sample.read_bytes() == before
