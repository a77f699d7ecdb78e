"""Results of tau2-bench: usage, cost and time message by message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from leanloop.core.message import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_wire import counts_of
from leanloop.traces.readers.json_types import amount, mapping, number, objects, text, unix_s
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import USER, Entry, ToolTime, TraceCall, TraceRun

ASSISTANT_REQUESTOR = "assistant"
Place: TypeAlias = tuple[int, tuple[Entry, ...]]
"""``kept`` and ``added`` of a call."""


class Tau2Bench:
    """Reads tau2-bench results.

    The user is a model too: its calls have the purpose ``user``, and its own tool calls are no
    part of what the agent is sent. A message's time is when it was made, so a call's latency is
    taken as the time since the message before; waiting is in it. The agent's first greeting
    is a fixed text and no call. A cost of 0 beside tokens is a price that nobody knew. Solved is
    a reward of 1, which the benchmark makes of several checks. The tools' schemas are not in
    the file.
    """

    card = ReaderCard(
        name="tau2-bench",
        summary="Results of tau2-bench: one JSON object with info, tasks and simulations.",
        looks_for="an object with simulations, each with messages and reward_info",
        source="https://github.com/sierra-research/tau2-bench, results of 2025-08, read 2026-11; "
        "tested on published files of it, not on a run of our own.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it begins with the information that tau2-bench puts first."""
        if head.starts_with != b"{":
            return False
        named = (b'"num_trials"', b'"user_info"', b'"agent_info"')
        return sum(w in head.data for w in named) >= 2 or (
            b'"simulations"' in head.data and b'"termination_reason"' in head.data
        )

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The simulations, in the file's order."""
        for source in sources:
            info = _info(source)
            for place, item in enumerate(source.items("simulations.item")):
                if isinstance(item, dict) and isinstance(item.get("messages"), list):
                    yield _Simulation(item, info, wanted).run(source, place)
                else:
                    source.skip("an element is no simulation", f"simulation {place}")


class _Simulation:
    """One simulation, message by message."""

    def __init__(self, item: dict[str, Any], info: dict[str, Any], wanted: Wanted) -> None:
        self._item = item
        self._thread = Thread(keep=wanted.contents)
        self._models = {
            "assistant": text(mapping(info.get("agent_info")).get("llm")),
            "user": text(mapping(info.get("user_info")).get("llm")),
        }
        policy = text(mapping(info.get("environment_info")).get("policy"))
        if policy:
            self._thread.wait(self._thread.entry(SystemMessage(policy)))
        self._domain = text(mapping(info.get("environment_info")).get("domain_name"))
        self._calls: list[TraceCall] = []
        self._times: dict[str, ToolTime] = {}
        self._names: dict[str, str] = {}
        self._last_at: float | None = None

    def run(self, source: Source, place: int) -> TraceRun:
        for message in _flat(self._item["messages"]):
            self._take(message)
            self._last_at = unix_s(message.get("timestamp")) or self._last_at
        reward = number(mapping(self._item.get("reward_info")).get("reward"))
        return TraceRun(
            run_id=f"{source.name}#{place}",
            source=source.name,
            format=Tau2Bench.card.name,
            calls=tuple(self._calls),
            task_id=self._task(),
            success=None if reward is None else float(reward >= 1 - 1e-6),
            ended=text(self._item.get("termination_reason")),
            started_at=unix_s(self._item.get("start_time")),
            ended_at=unix_s(self._item.get("end_time")),
            tail=self._thread.tail,
            tool_times=self._times,
        )

    def _task(self) -> str | None:
        """The task's id with its domain, since each domain counts from 0."""
        task = self._item.get("task_id")
        name = str(task) if isinstance(task, int) else text(task)
        return f"{self._domain}/{name}" if name and self._domain else name or None

    def _take(self, message: dict[str, Any]) -> None:
        role = message.get("role")
        if role == "tool":
            self._result(message)
        elif role == "user":
            if text(message.get("content")):
                self._thread.wait(self._thread.entry(UserMessage(text(message.get("content")))))
            if isinstance(message.get("usage"), dict):
                self._calls.append(self._spent(message, USER, (0, ()), None))
        elif role == "assistant":
            made = AssistantMessage(text(message.get("content")), tuple(self._tool_calls(message)))
            entry = self._thread.entry(made)
            if isinstance(message.get("usage"), dict):
                place = self._thread.next(entry)
                self._calls.append(self._spent(message, "act", place, made))
            else:
                self._thread.wait(entry)
        elif role == "system":
            self._thread.wait(self._thread.entry(SystemMessage(text(message.get("content")))))

    def _spent(
        self, message: dict[str, Any], purpose: str, place: Place, said: Message | None
    ) -> TraceCall:
        counts, usd = counts_of(message.get("usage")), amount(message.get("cost"))
        at = unix_s(message.get("timestamp"))
        waited = None if at is None or self._last_at is None else max(at - self._last_at, 0.0)
        role = "user" if purpose == USER else "assistant"
        return TraceCall(
            *place,
            None if said is None else self._thread.entry(said),
            model=self._models[role],
            counts=counts,
            usd=None if not usd and counts.input_tokens else usd,
            latency_s=waited,
            started_at=self._last_at,
            purpose=purpose,
        )

    def _tool_calls(self, message: dict[str, Any]) -> Iterator[ToolCall]:
        for call in objects(message.get("tool_calls")):
            call_id, name = text(call.get("id")), text(call.get("name"))
            self._names[call_id] = name
            yield ToolCall(call_id, name, mapping(call.get("arguments")))

    def _result(self, message: dict[str, Any]) -> None:
        if message.get("requestor", ASSISTANT_REQUESTOR) != ASSISTANT_REQUESTOR:
            return
        call_id, error = text(message.get("id")), message.get("error") is True
        result = ToolMessage(
            call_id, self._names.get(call_id, ""), text(message.get("content")), error
        )
        self._thread.wait(self._thread.entry(result))
        at = unix_s(message.get("timestamp"))
        if call_id and at is not None and self._last_at is not None:
            self._times[call_id] = ToolTime(max(at - self._last_at, 0.0), self._last_at)


def _flat(messages: list[Any]) -> Iterator[dict[str, Any]]:
    """The messages; results of parallel calls come as one message that holds several."""
    for message in objects(messages):
        inner = message.get("tool_messages")
        if isinstance(inner, list):
            yield from objects(inner)
        else:
            yield message


def _info(source: Source) -> dict[str, Any]:
    """What stands in front of the simulations; read apart, since it may stand anywhere."""
    again = Source(source.path, source.name)
    return next((mapping(v) for v in again.items("info")), {})


READER = Tau2Bench()
