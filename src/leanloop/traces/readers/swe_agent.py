"""Trajectories of SWE-agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from leanloop.core.message import AssistantMessage, ToolCall, ToolMessage
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.chat_wire import ChatWire, content_of
from leanloop.traces.readers.json_places import places_in
from leanloop.traces.readers.json_types import amount, count, mapping, objects, text
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import Entry, ToolTime, Totals, TraceCall, TraceRun, inclusive

FIELDS = ("trajectory.item", "history.item", "info", "replay_config")
OWN_COMMANDS = frozenset(
    {
        *("create", "edit", "exit_forfeit", "filemap", "find_file", "goto", "insert", "open"),
        *("scroll_down", "scroll_up", "search_dir", "search_file", "str_replace_editor"),
        *("submit", "view_image"),
    }
)
"""Commands of SWE-agent's own, each a tool; everything else that is typed is ``bash``."""


class SweAgent:
    """Reads SWE-agent trajectories, a file a run.

    From 1.1.0 on each step holds the request that it sent (``query``), and 1.0 held what came
    of it (``messages``); so elided history and repeated queries after a malformed answer are
    seen as they were. Older files have the history alone, without such queries. Worked
    examples in the history are no calls.

    Tokens and dollars are recorded for the run, not for a step: they are the run's totals,
    and unknown where they are 0 beside calls. An action that is written into the text is read
    as a call of the command's name, with the action as its argument ``command``, and what
    comes next as its result; sizes are of the text as it was sent. The time of an action is
    known, that of a query is not. Submitted is not solved: success is unknown.

    Of an agent that tries several times each attempt is a run of the same session, and the
    chosen one, which the file holds twice, is read once; what its reviewer spent is left out.
    """

    card = ReaderCard(
        name="swe-agent",
        summary="SWE-agent trajectories (.traj).",
        looks_for="an object with trajectory and history",
        source="https://github.com/SWE-agent/SWE-agent, sweagent/agent/agents.py and types.py, "
        "read 2026-11; tested on its published trajectories, not on a run of our own, since the "
        "program needs containers; the samples of 1.0 and 1.1 are built from that source.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it has steps with actions, or a history of agents."""
        found = places_in(head.data)
        return (
            not found.isdisjoint({"trajectory.item.action", "attempts.item.trajectory"})
            or found >= {"history.item.role", "history.item.agent"}
        )  # fmt: skip

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """The runs, in the order of the files."""
        for source in sources:
            if "attempts" in places_in(source.head()):
                for place, attempt in enumerate(source.items("attempts.item")):
                    yield from _run(source, _parts(attempt), wanted, f"#{place}")
            else:
                yield from _run(source, source.fields(*FIELDS), wanted, "")


def _run(
    source: Source, parts: Iterable[tuple[str, Any]], wanted: Wanted, attempt: str
) -> Iterator[TraceRun]:
    trajectory = _Trajectory(wanted)
    for name, value in parts:
        trajectory.take(name, value)
    calls, tail = trajectory.calls()
    if not calls:
        source.skip("a trajectory has no call", attempt)
        return
    yield TraceRun(
        run_id=f"{source.file}{attempt}",
        source=source.name,
        format=SweAgent.card.name,
        calls=calls,
        session_id=source.file if attempt else "",
        task_id=trajectory.task or source.file.removesuffix(".traj"),
        ended=text(trajectory.info.get("exit_status")),
        tail=tail,
        tool_times=trajectory.times,
        totals=_totals(mapping(trajectory.info.get("model_stats"))),
    )


def _parts(attempt: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """An attempt in the parts that a file is read in."""
    for field in FIELDS:
        name, _, inner = field.partition(".")
        value = mapping(attempt).get(name)
        for part in objects(value) if inner else (value,):
            yield field, part


def _totals(stats: dict[str, Any]) -> Totals | None:
    calls = count(stats.get("api_calls"))
    sent, received = count(stats.get("tokens_sent")), count(stats.get("tokens_received"))
    usd = amount(stats.get("instance_cost"))
    if not (calls or sent or received or usd):
        return None
    return Totals(inclusive(sent or None, received or None), usd or None, calls)


class _Step(NamedTuple):
    """A query that waits for what was answered: the request after it shows that whole."""

    request: list[Entry]
    wire: _Wire
    said: dict[str, Any]
    seconds: float | None


class _Trajectory:
    """One run, part by part."""

    def __init__(self, wanted: Wanted) -> None:
        self._thread = Thread(keep=wanted.contents)
        self._open: _Step | None = None
        self._calls: list[TraceCall] = []
        self._history: list[dict[str, Any]] = []
        self._seconds: list[float | None] = []
        self._model = ""
        self.info: dict[str, Any] = {}
        self.task = ""
        self.times: dict[str, ToolTime] = {}

    def take(self, name: str, value: Any) -> None:  # noqa: ANN401
        """A step, a message of the history, or what is known of the whole."""
        if name == "info":
            self.info = mapping(value)
        elif name == "replay_config":
            self._configured(value)
        elif isinstance(value, dict) and name == "trajectory.item":
            self._step(value)
        elif isinstance(value, dict):
            self._history.append(value)
            if self._asked and len(self._history) > 4:
                del self._history[0]

    def calls(self) -> tuple[tuple[TraceCall, ...], tuple[Entry, ...]]:
        """The calls, and what came after the last."""
        if self._asked:
            self._close(reversed(self._history))
        else:
            self._from_history()
        named = (msgspec.structs.replace(c, model=self._model) for c in self._calls)
        return tuple(named), self._thread.tail

    @property
    def _asked(self) -> bool:
        """Whether steps hold their requests."""
        return self._open is not None or bool(self._calls)

    def _step(self, step: dict[str, Any]) -> None:
        seconds = amount(step.get("execution_time"))
        self._seconds.append(seconds)
        request = _request(step)
        if not request:
            return
        self._close(reversed(request))
        wire = _Wire(self._thread)
        entries = [e for m in request if (e := wire.entry(m)) is not None]
        said = {k: step.get(k) for k in ("thought", "action")}
        said |= {"role": "assistant", "content": step.get("response")}
        self._open = _Step(entries, wire, said, seconds)

    def _close(self, after: Iterable[dict[str, Any]]) -> None:
        """Make the call that waits, as the first of these messages that is its answer has it."""
        step, self._open = self._open, None
        if step is None:
            return
        content = content_of(step.said["content"])[0]
        said = next(
            (m for m in after if _is_assistant(m) and content_of(m.get("content"))[0] == content),
            step.said,
        )
        response = step.wire.entry(said)
        kept, added = self._thread.whole(step.request, response)
        self._add(TraceCall(kept, added, response), step.seconds)

    def _from_history(self) -> None:
        agent = self._history[0].get("agent") if self._history else None
        mine = [m for m in self._history if m.get("agent") == agent]
        calls = sum(_is_call(m) for m in mine)
        seconds = iter(self._seconds if len(self._seconds) == calls else ())
        wire = _Wire(self._thread)
        for message in mine:
            entry = wire.entry(message)
            if entry is None:
                continue
            if _is_call(message):
                kept, added = self._thread.next(entry)
                self._add(TraceCall(kept, added, entry), next(seconds, None))
            else:
                self._thread.wait(entry)

    def _add(self, call: TraceCall, seconds: float | None) -> None:
        self._calls.append(call)
        marks = call.response.calls if call.response else ()
        if len(marks) == 1 and seconds:
            self.times[marks[0].call_id] = ToolTime(seconds)

    def _configured(self, value: Any) -> None:  # noqa: ANN401
        if isinstance(value, str):
            try:
                value = msgspec.json.decode(value)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                return
        config = mapping(value)
        agent = mapping(config.get("agent"))
        several = [agent, *objects(agent.get("agent_configs"))]
        names = (text(mapping(a.get("model")).get("name")) for a in several)
        self._model = next(filter(None, names), "")
        self.task = text(mapping(config.get("problem_statement")).get("id"))


class _Wire:
    """Reads messages of one request in order: results are joined to the actions before them."""

    def __init__(self, thread: Thread) -> None:
        self._thread = thread
        self._wire = ChatWire()
        self._actions = 0
        self._waiting: ToolCall | None = None

    def entry(self, sent: dict[str, Any]) -> Entry | None:
        """The message as an entry; None when it is none."""
        waiting, self._waiting = self._waiting, None
        content, others = content_of(sent.get("content"))
        if _is_assistant(sent) and not sent.get("tool_calls") and text(sent.get("action")):
            return self._acted(sent, content)
        if sent.get("role") == "user" and waiting is not None:
            result = ToolMessage(waiting.call_id, waiting.name, content)
            return self._thread.entry(result, others)
        if sent.get("role") == "tool":
            ids = sent.get("tool_call_ids")
            sent = {"tool_call_id": ids[0] if isinstance(ids, list) and ids else None, **sent}
        read = self._wire.message(sent)
        return None if read is None else self._thread.entry(*read)

    def _acted(self, sent: dict[str, Any], content: str) -> Entry:
        action = text(sent.get("action"))
        first = action.split(maxsplit=1)[:1]
        name = first[0] if first and first[0] in OWN_COMMANDS else "bash"
        self._actions += 1
        call = ToolCall(f"action-{self._actions}", name, {"command": action.strip()})
        self._waiting = call
        entry = self._thread.entry(AssistantMessage(text(sent.get("thought")), (call,)))
        return msgspec.structs.replace(entry, chars=len(content))


def _request(step: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages that a step sent; empty where it says nothing of them."""
    request = [m for m in objects(step.get("query")) if m.get("role")]
    if request:
        return request
    after = [m for m in objects(step.get("messages")) if m.get("role")]
    for place in range(len(after) - 1, -1, -1):
        if _is_assistant(after[place]):
            own = content_of(after[place].get("content"))[0] == text(step.get("response"))
            return after[:place] if own else after
    return after


def _is_assistant(message: dict[str, Any]) -> bool:
    return message.get("role") == "assistant"


def _is_call(message: dict[str, Any]) -> bool:
    return _is_assistant(message) and not message.get("is_demo")


READER = SweAgent()
