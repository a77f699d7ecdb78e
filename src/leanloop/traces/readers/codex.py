"""Rollouts of the Codex command line, as JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leanloop.core.message import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.core.tokens import Tokens
from leanloop.models.tool_arguments import read_arguments
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.json_types import count, mapping, objects, text, unix_s
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import Counts, ToolTime, TraceCall, TraceRun

CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
CLASSES = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)


class Codex:
    """Reads rollouts.

    A call is what the model said between two counts of tokens. Counts are totals so far, some
    told twice: a call's tokens are what the total rose by, and a total that did not rise is no
    call. A fork starts with its parent's history and total: what stands before its own first
    turn is conversation and no spend. Cached input is within input, reasoning within output.
    """

    card = ReaderCard(
        name="codex",
        summary="Rollout files of Codex CLI (~/.codex/sessions).",
        looks_for="lines with timestamp, type and payload",
        source="https://github.com/openai/codex, codex-rs/protocol, 2026-11. It is no Python "
        "package: tested on lines made to that source, not on a run of our own.",
    )

    def claims(self, head: Head) -> bool:
        """Whether the first line is a rollout's."""
        known = {"session_meta", "turn_context", "response_item", "event_msg", "compacted"}
        return any(
            x.get("type") in known and isinstance(x.get("payload"), dict) for x in head.lines[:3]
        )

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """A run for each file."""
        for source in sources:
            rollout = _Rollout(source, wanted)
            for number, line in source.objects():
                if not rollout.take(line):
                    source.skip("a line is no part of a rollout", f"line {number}")
            run = rollout.run()
            if run.calls or run.tail:
                yield run


class _Rollout:
    def __init__(self, source: Source, wanted: Wanted) -> None:
        self._source = source
        self._thread = Thread(keep=wanted.contents)
        self._session = self._model = self._parent = ""
        self._text: list[str] = []
        self._calls: list[ToolCall] = []
        self._said = False
        self._names: dict[str, tuple[str, float | None]] = {}
        self._times: dict[str, ToolTime] = {}
        self._total: dict[str, int] | None = None
        self._made: list[TraceCall] = []
        self._results: list[Message] = []
        self._first: float | None = None
        self._last: float | None = None
        self._asked: float | None = None
        self._forked = False

    def take(self, line: dict[str, Any]) -> bool:
        """One line; False when it is none of a rollout."""
        kind, payload = line.get("type"), line.get("payload")
        if not isinstance(payload, dict) or not isinstance(kind, str):
            return False
        at = unix_s(line.get("timestamp"))
        if kind == "session_meta":
            self._meta(payload)
        elif kind == "turn_context":
            self._model = text(payload.get("model")) or self._model
            self._forked = False
        elif kind == "response_item":
            self._item(payload, at)
        elif kind == "event_msg" and payload.get("type") == "token_count":
            self._count(mapping(payload.get("info")), at)
        elif kind == "compacted":
            self._compacted(payload)
        if at is not None:
            self._first = at if self._first is None else self._first
            self._last = at
        return True

    def run(self) -> TraceRun:
        self._close(Counts(), self._last, spent=self._said)
        self._flush_results()
        return TraceRun(
            run_id=f"{self._source.name}:{self._session}",
            source=self._source.name,
            format=Codex.card.name,
            calls=tuple(self._made),
            parent_id=self._parent,
            session_id=self._session,
            started_at=self._first,
            ended_at=self._last,
            tail=self._thread.tail,
            tool_times=self._times,
        )

    def _meta(self, payload: dict[str, Any]) -> None:
        if self._session:
            return  # a fork repeats its parent's
        self._session = text(payload.get("id"))
        self._parent = text(payload.get("forked_from_id"))
        self._forked = bool(self._parent)
        base = mapping(payload.get("base_instructions")).get("text") or payload.get("instructions")
        if text(base):
            self._wait(SystemMessage(text(base)))

    def _item(self, item: dict[str, Any], at: float | None) -> None:
        kind = text(item.get("type"))
        if kind == "message":
            self._message(item)
        elif kind == "reasoning":
            parts = (*objects(item.get("summary")), *objects(item.get("content")))
            self._text += [text(p.get("text")) for p in parts]
            self._said = True
        elif kind in CALLS:
            call_id, name = text(item.get("call_id")), text(item.get("name")) or "shell"
            written = item.get("arguments", item.get("input", item.get("action")))
            self._calls.append(ToolCall(call_id, name, read_arguments(written)))
            self._names[call_id] = (name, at)
            self._said = True
        elif kind in RESULTS:
            self._result(item, at)

    def _message(self, item: dict[str, Any]) -> None:
        words = "".join(text(p.get("text")) for p in objects(item.get("content")))
        role = item.get("role")
        if role == "assistant":
            self._text.append(words)
            self._said = True
            return
        self._close(Counts(), None, spent=self._said and not self._forked)
        system = role in {"system", "developer"}
        self._wait(SystemMessage(words) if system else UserMessage(words))

    def _result(self, item: dict[str, Any], at: float | None) -> None:
        call_id, output = text(item.get("call_id")), item.get("output")
        name, made_at = self._names.get(call_id, ("", None))
        if isinstance(output, dict):
            output = output.get("content", output.get("output"))
        if at is not None and made_at is not None and at >= made_at:
            self._times[call_id] = ToolTime(at - made_at, made_at)
        self._results.append(ToolMessage(call_id, name, text(output)))

    def _count(self, info: dict[str, Any], at: float | None) -> None:
        """A total so far; what it rose by is what was said since the last one."""
        total = {c: count(mapping(info.get("total_token_usage")).get(c)) for c in CLASSES}
        if total["input_tokens"] is None or total["output_tokens"] is None:
            return
        now = {c: n or 0 for c, n in total.items()}
        before = self._total
        if now == before:
            return  # told twice
        self._total = now
        if self._forked:
            self._close(Counts(), at, spent=False)
            return
        rose = {c: n - (before[c] if before else 0) for c, n in now.items()}
        if before is None or min(rose.values()) < 0:
            rose = _last(info) or now
        self._close(_counts(rose), at, spent=True)

    def _compacted(self, payload: dict[str, Any]) -> None:
        self._close(Counts(), None, spent=self._said)
        self._results.clear()
        self._thread.forget()
        self._wait(UserMessage(text(payload.get("message"))))

    def _wait(self, message: Message) -> None:
        self._flush_results()
        self._thread.wait(self._thread.entry(message))
        self._asked = None

    def _flush_results(self) -> None:
        """Results go behind the message whose calls they answer."""
        for result in self._results:
            self._thread.wait(self._thread.entry(result))
        self._results.clear()

    def _close(self, counts: Counts, at: float | None, *, spent: bool) -> None:
        """End the message that was being said."""
        if not self._said and not spent:
            return
        entry = self._thread.entry(AssistantMessage("".join(self._text), tuple(self._calls)))
        self._text, self._calls, self._said = [], [], False
        if spent:
            asked = self._asked if self._asked is not None else self._first
            took = at - asked if at is not None and asked is not None and at >= asked else None
            self._made.append(
                TraceCall(
                    *self._thread.next(entry),
                    entry,
                    model=self._model,
                    provider="openai",
                    counts=counts,
                    latency_s=took,
                    started_at=asked,
                )
            )
        else:
            self._thread.wait(entry)
        self._asked = at
        self._flush_results()


def _last(info: dict[str, Any]) -> dict[str, int] | None:
    last = mapping(info.get("last_token_usage"))
    if count(last.get("input_tokens")) is None:
        return None
    return {c: count(last.get(c)) or 0 for c in CLASSES}


def _counts(rose: dict[str, int]) -> Counts:
    sent, read, written, out, thought = (max(rose[c], 0) for c in CLASSES)
    uncached = max(sent - read - written, 0)
    tokens = Tokens(uncached, read, written, 0, max(out - thought, 0), thought)
    return Counts(sent, out, tokens)


READER = Codex()
