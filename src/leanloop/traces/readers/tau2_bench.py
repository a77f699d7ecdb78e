"""Results of tau2-bench: usage, cost and time message by message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from leanloop.core.message import (
    AssistantMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_wire import counts_of
from leanloop.traces.readers.json_places import places_in
from leanloop.traces.readers.json_types import amount, mapping, number, objects, text, unix_s
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import ACT, USER, Counts, Entry, ToolTime, TraceCall, TraceRun

AGENT = "assistant"
"""The role of the agent, and the requestor of its tool calls."""
SOLVED = 1 - 1e-6
"""The benchmark compares rewards with 1 up to rounding."""
NOT_JUDGED = frozenset({"infrastructure_error", "context_window_exceeded"})
"""Why a simulation ended that the benchmark leaves out of its own scores."""


class Tau2Bench:
    """Reads tau2-bench results, as one file or as ``results.json`` with a file a simulation.

    The user is a model too: its calls have the purpose ``user``, and its own tool calls are no
    part of what the agent is sent. The agent's first greeting is a fixed text and no call.

    A message's time is when it was made. A call's latency is what newer files record as
    ``generation_time_seconds``, or else the time since the message before, with whatever the
    program did in between; a tool's is always the latter. Times have no zone and are taken
    as UTC.

    Cached tokens are known where the provider's own answer is kept with its usage (newer
    files). A cost of 0 beside tokens is a price that nobody knew.

    Solved is a reward of 1, which the benchmark makes of several checks and may be less than
    1 for a part; simulations that it leaves out of its scores are neither solved nor failed.
    The policy stands for the whole system prompt, which has a few fixed sentences more.
    """

    card = ReaderCard(
        name="tau2-bench",
        summary="Results of tau2-bench: simulations with messages, usage and rewards.",
        looks_for="an object with simulations, or a simulation with messages and reward_info",
        source="https://github.com/sierra-research/tau2-bench, src/tau2/data_model and "
        "utils/llm_utils.py, read 2026-11; tested on published files of 2025-08, not on a run "
        "of our own. What newer files add is built from that source.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it begins with the information that tau2-bench puts first."""
        found = places_in(head.data)
        return found >= {"info.user_info", "info.agent_info"} or found >= {
            "task_id",
            "termination_reason",
        }

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The simulations, in the file's order."""
        infos: dict[Path, dict[str, Any]] = {}
        for source in sources:
            found = places_in(source.head())
            if "termination_reason" in found:
                about = infos.get(source.path.parent.parent, {})
                values: Iterator[Any] = source.items("")
            else:
                about = infos[source.path.parent] = _about(source)
                values = source.items("simulations.item")
            for place, item in enumerate(values):
                if isinstance(item, dict) and isinstance(item.get("messages"), list):
                    yield _Simulation(item, about, wanted).run(source, place)
                else:
                    source.skip(_why_not(item), f"simulation {place}")


def _why_not(item: Any) -> str:  # noqa: ANN401
    if isinstance(item, dict) and isinstance(item.get("ticks"), list):
        return "a simulation is spoken, in ticks, without messages"
    return "an element is no simulation"


class _Simulation:
    """One simulation, message by message."""

    def __init__(self, item: dict[str, Any], about: dict[str, Any], wanted: Wanted) -> None:
        self._item = item
        self._thread = Thread(keep=wanted.contents)
        domain = mapping(about.get("environment_info"))
        self._models = {
            ACT: text(mapping(about.get("agent_info")).get("llm")),
            USER: text(mapping(about.get("user_info")).get("llm")),
        }
        policy = text(item.get("policy")) or text(domain.get("policy"))
        if policy:
            self._thread.wait(self._thread.entry(SystemMessage(policy)))
        self._domain = text(domain.get("domain_name"))
        self._tools = _tools(domain.get("tool_defs"))
        self._calls: list[TraceCall] = []
        self._times: dict[str, ToolTime] = {}
        self._names: dict[str, str] = {}
        self._last_at: float | None = None
        self._begun = False

    def run(self, source: Source, place: int) -> TraceRun:
        """The whole of it."""
        for message in _flat(self._item["messages"]):
            self._take(message)
            self._begun = True
            self._last_at = unix_s(message.get("timestamp")) or self._last_at
        return TraceRun(
            run_id=f"{source.file}#{place}",
            source=source.name,
            format=Tau2Bench.card.name,
            calls=tuple(self._calls),
            task_id=self._task(),
            success=self._success(),
            ended=text(self._item.get("termination_reason")),
            started_at=unix_s(self._item.get("start_time")),
            ended_at=unix_s(self._item.get("end_time")),
            tail=self._thread.tail,
            tool_times=self._times,
        )

    def _success(self) -> float | None:
        reward = number(mapping(self._item.get("reward_info")).get("reward"))
        if reward is None or text(self._item.get("termination_reason")) in NOT_JUDGED:
            return None
        return float(reward >= SOLVED)

    def _task(self) -> str | None:
        """The task's id with its domain, since each domain counts from 0."""
        task = self._item.get("task_id")
        name = str(task) if isinstance(task, int) else text(task)
        return f"{self._domain}/{name}" if name and self._domain else name or None

    def _take(self, message: dict[str, Any]) -> None:
        role, content = message.get("role"), text(message.get("content"))
        if role == "tool":
            self._result(message, content)
        elif role == "user":
            if content:
                self._thread.wait(self._thread.entry(UserMessage(content)))
            if isinstance(message.get("usage"), dict):
                self._calls.append(self._call(message, USER, None))
        elif role == AGENT:
            made = AssistantMessage(content, tuple(self._tool_calls(message)))
            entry = self._thread.entry(made)
            if self._begun or isinstance(message.get("usage"), dict):
                self._calls.append(self._call(message, ACT, entry))
            else:
                self._thread.wait(entry)
        elif role == "system":
            self._thread.wait(self._thread.entry(SystemMessage(content)))

    def _call(self, message: dict[str, Any], purpose: str, said: Entry | None) -> TraceCall:
        kept, added = (0, ()) if said is None else self._thread.next(said)
        counts, usd = _counts(message), amount(message.get("cost"))
        at, taken = unix_s(message.get("timestamp")), amount(message.get("generation_time_seconds"))
        started = self._last_at if at is None or taken is None else at - taken
        if taken is None and at is not None and self._last_at is not None:
            taken = max(at - self._last_at, 0.0)
        return TraceCall(
            kept,
            added,
            said,
            model=self._models[purpose],
            counts=counts,
            usd=None if usd == 0 and counts.input_tokens != 0 else usd,
            latency_s=taken,
            started_at=started,
            tools=self._tools if purpose == ACT else None,
            purpose=purpose,
        )

    def _tool_calls(self, message: dict[str, Any]) -> Iterator[ToolCall]:
        for call in objects(message.get("tool_calls")):
            call_id, name = text(call.get("id")), text(call.get("name"))
            self._names[call_id] = name
            yield ToolCall(call_id, name, mapping(call.get("arguments")))

    def _result(self, message: dict[str, Any], content: str) -> None:
        if message.get("requestor", AGENT) != AGENT:
            return
        call_id, error = text(message.get("id")), message.get("error") is True
        result = ToolMessage(call_id, self._names.get(call_id, ""), content, error)
        self._thread.wait(self._thread.entry(result))
        at = unix_s(message.get("timestamp"))
        if call_id and at is not None and self._last_at is not None:
            self._times[call_id] = ToolTime(max(at - self._last_at, 0.0), self._last_at)


def _counts(message: dict[str, Any]) -> Counts:
    """Tokens of a message: by class where the provider's own usage is kept and is the same."""
    counts = counts_of(message.get("usage"))
    whole = counts_of(mapping(message.get("raw_data")).get("usage"))
    same = (whole.input_tokens, whole.output_tokens) == (counts.input_tokens, counts.output_tokens)
    return whole if same else counts


def _tools(defined: Any) -> tuple[ToolSpec, ...] | None:  # noqa: ANN401
    """The agent's tools; None where the file has none."""
    if not isinstance(defined, dict) or not defined:
        return None
    return tuple(
        ToolSpec(text(name), text(tool.get("doc")), mapping(tool.get("params")))
        for name, tool in defined.items()
        if isinstance(tool, dict)
    )


def _flat(messages: list[Any]) -> Iterator[dict[str, Any]]:
    """The messages; results of parallel calls come as one message that holds several."""
    for message in objects(messages):
        inner = message.get("tool_messages")
        if isinstance(inner, list):
            yield from objects(inner)
        else:
            yield message


def _about(source: Source) -> dict[str, Any]:
    """What is said of all simulations; read apart, since it may stand behind them."""
    again = Source(source.path, source.name)
    return next((mapping(v) for v in again.items("info")), {})


READER = Tau2Bench()
