"""Show what tools returned in earlier tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from leanloop.core.configuration import Setting
from leanloop.core.domain import Count
from leanloop.core.memory import Entry, Kind
from leanloop.core.message import (
    Json,
    Request,
    ToolCall,
    ToolMessage,
    UserMessage,
    with_messages,
)
from leanloop.levers import embeddings
from leanloop.levers.placing import behind_task
from leanloop.levers.plan_template import fields_of
from leanloop.levers.protocol import Card, Ended, Memory, RunContext, SimpleLever, Stage
from leanloop.levers.trail import Made, Trail

NAME = "memory.facts"
EMBEDDINGS = "embeddings:"
HEADING = "Known from earlier tasks, not checked again:"
CANDIDATES = 64
"""Facts found by words that embeddings then rank."""
MOST_TOUCHED = 32
"""Facts that a change of state is compared with."""
DOMAIN = Count(64, EMBEDDINGS)


class Facts(Stage):
    """Shows facts near the task behind it, and keeps those that a solved run went by.

    A fact is what one read-only call returned: the fields whose values a later call or
    the answer used. It is looked up by the words of the task, and those that are found
    lead to others once more, since a chain of two look-ups names in the task only the
    first. The same call with another result is an update of the fact; a call that
    changes something forgets what names the same things.

    Args:
        count: Facts to show.
        by_meaning: Whether embeddings rank what words found.
        context: The run.
        memory: What earlier tasks left.
    """

    def __init__(self, count: int, by_meaning: bool, context: RunContext, memory: Memory) -> None:
        self._read_only = {t.name for t in context.tools if t.read_only}
        self._tools = {t.name for t in context.tools}
        self._memory = memory
        self._trail = Trail()
        found = _nearest(memory, context.task.prompt, count, by_meaning)
        lines = [_line(e) for e in found if memory.use(e)]
        self._note = UserMessage("\n".join((HEADING, *lines))) if lines else None

    async def on_request(self, request: Request) -> Request:
        """Put the facts behind the task."""
        if self._note is None:
            return request
        return with_messages(request, behind_task(request.messages, self._note))

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Watch which calls are made."""
        self._trail.asked(call)
        return call

    def on_tool_result(self, call: ToolCall, result: ToolMessage) -> ToolMessage:
        """Watch what they return."""
        del call
        self._trail.returned(result)
        return result

    async def on_end(self, ended: Ended) -> None:
        """Keep what a solved run went by; forget what any run has changed."""
        made = [m for m in self._trail.made if m.tool in self._tools and not m.is_error]
        changed = {
            str(v) for m in made if m.tool not in self._read_only for v in m.arguments.values()
        }
        if self._memory.may_learn(ended):
            for entry in _learned(made, self._read_only, ended.answer):
                if not changed & _things(entry):
                    self._memory.put(_merged(self._memory.get(Kind.FACT, entry.key), entry))
        if changed:
            for entry in self._memory.find(Kind.FACT, " ".join(sorted(changed)), MOST_TOUCHED):
                if changed & _things(entry):
                    self._memory.forget(entry, "a later task changed it")


def _learned(made: Sequence[Made], read_only: set[str], answer: str | None) -> Iterator[Entry]:
    for i, call in enumerate(made):
        if call.tool not in read_only or not call.arguments:
            continue
        used = {str(v).casefold() for m in made[i + 1 :] for v in m.arguments.values()}
        used.add((answer or "").casefold().strip().rstrip("."))
        given = {str(v).casefold() for v in call.arguments.values()}
        fields = {k: v for k, v in fields_of(call.value) if str(v).casefold() in used - given}
        if fields:
            key = call.tool + json.dumps(call.arguments, sort_keys=True, ensure_ascii=False)
            body = {"tool": call.tool, "arguments": call.arguments, "fields": fields}
            yield Entry(Kind.FACT, key, call.tool, _cue(body), body)


def _merged(known: Entry | None, new: Entry) -> Entry:
    """The fields that were known beside those that are new."""
    if known is None:
        return new
    body = {**new.body, "fields": {**known.body["fields"], **new.body["fields"]}}
    return Entry(Kind.FACT, new.key, new.name, _cue(body), body)


def _cue(body: Json) -> str:
    words = [body["tool"].replace("_", " "), *map(str, body["arguments"].values())]
    words += [f"{k.replace('_', ' ')} {v}" for k, v in body["fields"].items()]
    return " ".join(words)


def _line(entry: Entry) -> str:
    arguments = ", ".join(f"{k}={v}" for k, v in entry.body["arguments"].items())
    fields = ", ".join(f"{k} = {v}" for k, v in entry.body["fields"].items())
    return f"- {entry.body['tool']}({arguments}): {fields}"


def _things(entry: Entry) -> set[str]:
    """What a fact is about and what it says, as text."""
    body = entry.body
    return {str(v) for part in (body["arguments"], body["fields"]) for v in part.values()}


def _nearest(memory: Memory, prompt: str, count: int, by_meaning: bool) -> list[Entry]:
    wanted = max(CANDIDATES, count) if by_meaning else count
    first = [e for e in memory.find(Kind.FACT, prompt, wanted) if _names(prompt, e)]
    values = " ".join(str(v) for e in first for v in e.body["fields"].values())
    more = [e for e in memory.find(Kind.FACT, values, wanted) if _names(values, e)]
    found = list({e.entry_id: e for e in (*first, *more)}.values())
    if by_meaning:
        ranked = embeddings.top_k([e.cue for e in found], prompt, count, f"levers.{NAME}")
        return [found[i] for i in ranked]
    return found[:count]


def _names(text: str, entry: Entry) -> bool:
    """Whether a text names what the fact is about: a fact of another thing says nothing."""
    said = text.casefold()
    return all(str(v).casefold() in said for v in entry.body["arguments"].values())


def _make(setting: Setting, context: RunContext) -> Stage:
    wanted = DOMAIN.read(setting)
    if context.memory is None or wanted is None:
        return Stage()
    return Facts(*wanted, context, context.memory)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Show N facts that earlier solved tasks went by, and keep those of this one.",
        domain=DOMAIN,
        search=(4, 12),
        acts_on=("request", "tool call", "tool result", "end"),
        source="Mem0, arXiv 2504.19413: items added, updated and deleted; 26% better and 90% "
        "fewer tokens than full context, by its authors (not reproduced here).",
        needs=("memory",),
    ),
    _make,
)
