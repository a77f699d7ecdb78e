"""Recorded runs made by hand, for tests of what is done with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import strategies as st

from leanloop.core.message import (
    AssistantMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.traces.thread import Thread
from leanloop.traces.trace import TraceCall, TraceRun, inclusive

DATA = Path(__file__).parents[3] / "shared" / "data"
"""Recorded runs of others, which leanloop does not ship."""

Step = tuple[str, str, str]
"""A tool, its argument, and what it returned; the tool is empty for an answer."""


def need(path: str) -> Path:
    """A file of recorded runs, or a skipped test."""
    found = DATA / path
    if not found.exists():
        pytest.skip(f"needs {path} of the recorded runs, which leanloop does not ship")
    return found


def run_of(
    steps: Sequence[Step],
    *,
    run_id: str = "r",
    system: str = "Be short.",
    model: str = "gpt-4.1",
    success: float | None = None,
    task: str | None = None,
    tokens: bool = False,
    keep: bool = True,
) -> TraceRun:
    """A run of one call a step; tokens are a quarter of the characters where they are told."""
    thread, calls, size = Thread(keep=keep), [], 0
    start = [thread.entry(m) for m in (SystemMessage(system), UserMessage("Do it."))]
    thread.wait(*start)
    size = sum([e.chars for e in start])
    for place, (tool, argument, result) in enumerate(steps):
        made = (ToolCall(f"c{place}", tool, {"q": argument}),) if tool else ()
        said = thread.entry(AssistantMessage("" if tool else argument, made))
        counts = inclusive(size // 4, said.chars // 4) if tokens else inclusive(None, None)
        calls.append(
            TraceCall(
                *thread.next(said), said, model=model, counts=counts, started_at=1.76e9 + place
            )
        )
        size += said.chars
        if tool:
            is_error = result.startswith("Error")
            thread.wait(thread.entry(ToolMessage(f"c{place}", tool, result, is_error)))
            size += len(result)
    return TraceRun(
        run_id, "made", "made", tuple(calls), success=success, task_id=task, tail=thread.tail
    )


def texts(max_size: int = 60) -> st.SearchStrategy[str]:
    """Texts of an observation."""
    return st.text(st.characters(codec="utf-8"), max_size=max_size)


def steps() -> st.SearchStrategy[list[Step]]:
    """Steps with repeated calls and repeated results among them."""
    tool = st.sampled_from(["get_order", "update_order", "search"])
    return st.lists(st.tuples(tool, st.sampled_from("abc"), texts()), min_size=1, max_size=12)


def as_json(value: object) -> str:
    """For messages of failed assertions."""
    return json.dumps(value, default=str)
