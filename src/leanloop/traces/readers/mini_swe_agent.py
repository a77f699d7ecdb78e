"""Trajectories of mini-swe-agent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from leanloop.core.message import AssistantMessage, ToolCall, ToolMessage
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_wire import ChatWire, content_of, counts_of
from leanloop.traces.readers.json_places import places_in
from leanloop.traces.readers.json_types import amount, count, mapping, number, objects, text
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import Entry, Role, ToolTime, Totals, TraceCall, TraceRun

TOOL = "bash"
FENCED = re.compile(r"^```[\w-]*[^\S\n]*\n(.*?)\n```", re.DOTALL | re.MULTILINE)
"""An action in the text of an answer. Begun at a line, it is found in linear time."""


class MiniSweAgent:
    """Reads mini-swe-agent trajectories, a file a run.

    A call whose answer could not be parsed is billed, and its usage stands on the message that
    tells the model so (``FormatError``): it is a call, whose answer the next request does not
    have. A cost of 0 beside tokens is a price that nobody knew. Files of 1.x have the cost of
    the run alone, in its totals.

    A message's time is when it was made: a call's latency is the time since the message
    before, waits for a retry included, and unknown where that one has no time. The time of a
    command is known where it was the only one of its step.

    An action that is written into the text is read as a call of ``bash``, and the message after
    it as its result; sizes are of the text as it was sent. A command that ends with another
    code than 0 counts as failed. Submitted is not solved: success is unknown.
    """

    card = ReaderCard(
        name="mini-swe-agent",
        summary="mini-swe-agent trajectories (.traj.json).",
        looks_for='an object with "trajectory_format", or info with model_stats and messages',
        source="https://mini-swe-agent.com, trajectory files, 2026-11; tested on runs of "
        "mini-swe-agent 2.4.6 and 1.17.5.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it has messages, and information that mini-swe-agent writes in front."""
        found = places_in(head.data)
        return "messages.item.role" in found and not found.isdisjoint(
            {"info.model_stats", "info.mini_version", "trajectory_format"}
        )

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The runs, in the order of the files."""
        for source in sources:
            conversation = _Conversation(wanted)
            for name, value in source.fields("info", "messages.item"):
                if name == "info":
                    conversation.about(mapping(value))
                elif isinstance(value, dict):
                    conversation.take(value)
                else:
                    source.skip("an element is no message")
            if conversation.calls:
                yield conversation.run(source)
            else:
                source.skip("a trajectory has no call")


class _Conversation:
    """One run, message by message."""

    def __init__(self, wanted: Wanted) -> None:
        self._thread = Thread(keep=wanted.contents)
        self._wire = ChatWire()
        self._waiting: list[ToolCall] = []
        self._alone = ""
        self._actions = 0
        self._info: dict[str, Any] = {}
        self._model = self._provider = ""
        self._times: dict[str, ToolTime] = {}
        self._began: float | None = None
        self._last_at: float | None = None
        self.calls: list[TraceCall] = []

    def about(self, info: dict[str, Any]) -> None:
        """What is known of the whole; stands in front of the messages."""
        self._info = info
        name = text(mapping(mapping(info.get("config")).get("model")).get("model_name"))
        provider, slash, rest = name.partition("/")
        self._model, self._provider = (rest, provider.lower()) if slash else (name, "")

    def run(self, source: Source) -> TraceRun:
        """The run, when all was taken."""
        stem = source.file.removesuffix(".traj.json")
        return TraceRun(
            run_id=source.file,
            source=source.name,
            format=MiniSweAgent.card.name,
            calls=tuple(self.calls),
            task_id=stem if stem == source.path.parent.name else None,
            ended=text(self._info.get("exit_status")),
            started_at=self._began,
            ended_at=self._last_at,
            tail=self._thread.tail,
            tool_times=self._times,
            totals=self._totals(),
        )

    def take(self, message: dict[str, Any]) -> None:
        """A message, in order."""
        if message.get("role") == "exit":
            return
        extra = mapping(message.get("extra"))
        at = number(extra.get("timestamp")) or number(message.get("timestamp"))
        self._began = at if self._began is None else self._began
        if message.get("object") == "response":
            self._answered(_flat(message), message, extra, at)
        elif message.get("role") == "assistant":
            self._answered(message, mapping(extra.get("response")), extra, at)
        else:
            if "response" in extra:
                self._not_parsed(extra)
            self._told(message, extra, at)
        self._last_at = at

    def _answered(
        self,
        message: dict[str, Any],
        response: dict[str, Any],
        extra: dict[str, Any],
        at: float | None,
    ) -> None:
        entry = self._said(message, extra)
        self._alone = self._waiting[0].call_id if len(self._waiting) == 1 else ""
        if entry is not None:
            kept, added = self._thread.next(entry)
            self.calls.append(self._call(TraceCall(kept, added, entry), response, extra, at))

    def _not_parsed(self, extra: dict[str, Any]) -> None:
        """A call whose answer is in no later request."""
        response = mapping(extra["response"])
        choice = next(objects(response.get("choices")), {})
        message = _flat(response) if "output" in response else mapping(choice.get("message"))
        read = ChatWire().message({**message, "role": "assistant"}) if message else None
        entry = None if read is None else self._thread.entry(*read)
        kept, added = self._thread.next(None)
        call = TraceCall(kept, added, entry, error="the answer could not be parsed")
        self.calls.append(self._call(call, response, extra, None))

    def _call(
        self,
        call: TraceCall,
        response: dict[str, Any],
        extra: dict[str, Any],
        at: float | None,
    ) -> TraceCall:
        counts, usd = counts_of(response.get("usage")), amount(extra.get("cost"))
        return msgspec.structs.replace(
            call,
            model=text(response.get("model")) or self._model,
            provider=self._provider,
            counts=counts,
            usd=None if usd == 0 and counts.input_tokens != 0 else usd,
            latency_s=self._since(at),
            started_at=self._last_at,
        )

    def _said(self, message: dict[str, Any], extra: dict[str, Any]) -> Entry | None:
        """An answer as an entry: with its calls, or with the action in its text."""
        if message.get("tool_calls"):
            read = self._wire.message(message)
            if read is None or not isinstance(read[0], AssistantMessage):
                return None
            self._waiting = list(read[0].tool_calls)
            return self._thread.entry(*read)
        content, others = content_of(message.get("content"))
        left, commands = _commands(content, extra)
        self._waiting = [self._action(c) for c in commands]
        made = AssistantMessage(left, tuple(self._waiting))
        entry = self._thread.entry(made, others)
        return msgspec.structs.replace(entry, chars=len(content))

    def _action(self, command: str) -> ToolCall:
        self._actions += 1
        return ToolCall(f"action-{self._actions}", TOOL, {"command": command})

    def _told(self, message: dict[str, Any], extra: dict[str, Any], at: float | None) -> None:
        """What the model is told next: a result, or a message of the user."""
        failed = count(extra.get("returncode")) != 0 if "returncode" in extra else False
        if message.get("type") == "function_call_output":
            message = {
                "role": "tool",
                "tool_call_id": message.get("call_id"),
                "content": message.get("output"),
            }
        if message.get("role") == "user" and self._waiting and "interrupt_type" not in extra:
            call, content = self._waiting[0], content_of(message.get("content"))
            entry = self._thread.entry(ToolMessage(call.call_id, TOOL, content[0]), content[1])
        else:
            read = self._wire.message(message)
            if read is None:
                return
            entry = self._thread.entry(*read)
        if entry.role == Role.TOOL:
            entry = _with_error(entry, failed)
            self._timed(entry.call_id, at)
        self._thread.wait(entry)

    def _timed(self, call_id: str, at: float | None) -> None:
        seconds = self._since(at)
        if self._alone == call_id and seconds is not None:
            self._times[call_id] = ToolTime(seconds, self._last_at)
        self._waiting = [c for c in self._waiting if c.call_id != call_id]

    def _since(self, at: float | None) -> float | None:
        """Seconds since the message before."""
        if at is None or self._last_at is None:
            return None
        return max(at - self._last_at, 0.0)

    def _totals(self) -> Totals | None:
        """What the calls do not say themselves."""
        stats = mapping(self._info.get("model_stats"))
        if any(c.usd is not None for c in self.calls):
            return None
        usd = amount(stats.get("instance_cost")) or None
        return None if usd is None else Totals(usd=usd, model_calls=count(stats.get("api_calls")))


def _commands(content: str, extra: dict[str, Any]) -> tuple[str, list[str]]:
    """The text without its action, and the action: as recorded, or the one that is fenced."""
    recorded = [text(a.get("command")) for a in objects(extra.get("actions"))]
    if not recorded and "actions" not in extra:
        fenced = list(FENCED.finditer(content))
        recorded = [fenced[0][1].strip()] if len(fenced) == 1 else []
    left = FENCED.sub(lambda f: "" if f[1].strip() in recorded else f[0], content)
    return left.strip() if recorded else content, recorded


def _with_error(entry: Entry, failed: bool) -> Entry:
    message = entry.message
    if isinstance(message, ToolMessage):
        message = msgspec.structs.replace(message, is_error=failed)
    return msgspec.structs.replace(entry, is_error=failed, message=message)


def _flat(response: dict[str, Any]) -> dict[str, Any]:
    """An answer of the Responses API as a message of Chat Completions."""
    words: list[Any] = []
    calls = []
    for item in objects(response.get("output")):
        if item.get("type") == "function_call":
            function = {"name": item.get("name"), "arguments": item.get("arguments")}
            calls.append({"id": item.get("call_id"), "function": function})
        elif isinstance(item.get("content"), list):
            words.extend(item["content"])
    return {"role": "assistant", "content": words, "tool_calls": calls}


READER = MiniSweAgent()
