"""Show what tools returned in earlier tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import msgspec

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
from leanloop.levers.plan_template import fields_of, whole_word
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


class FactBody(msgspec.Struct, frozen=True):
    """What one call returned: the fields whose values were used."""

    tool: str
    arguments: dict[str, Json]
    fields: dict[str, Json]

    @property
    def key(self) -> str:
        """What an entry that holds it is about: the call."""
        return self.tool + json.dumps(self.arguments, sort_keys=True, ensure_ascii=False)


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
        lines = [_line(fact) for e, fact in found if memory.use(e)]
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
        made = [m for m in self._trail.made if m.tool in self._tools]
        # A call that failed may have changed something before it did.
        changed = {
            _plain(v) for m in made if m.tool not in self._read_only for v in m.arguments.values()
        }
        if self._memory.may_learn(ended):
            for key, fact, record in _learned(made, self._read_only, ended.answer):
                if not changed & _things(fact):
                    self._memory.put(_entry(key, self._merged(key, fact, record)))
        if changed:
            for entry in self._memory.find(Kind.FACT, " ".join(sorted(changed)), MOST_TOUCHED):
                known = read_fact(entry)
                if known is None or changed & _things(known):
                    self._memory.forget(entry, "a later task changed it")

    def _merged(self, key: str, new: FactBody, record: dict[str, Json]) -> FactBody:
        """The fields that were known, as they are now, beside those that are new."""
        entry = self._memory.get(Kind.FACT, key)
        known = None if entry is None else read_fact(entry)
        if known is None:
            return new
        still = {name: record[name] for name in known.fields if name in record}
        return msgspec.structs.replace(new, fields={**still, **new.fields})


def read_fact(entry: Entry) -> FactBody | None:
    """What an entry says; None when it says nothing that can be used."""
    try:
        return msgspec.convert(entry.body, FactBody)
    except (msgspec.ValidationError, RecursionError):
        return None


def _learned(
    made: Sequence[Made], read_only: set[str], answer: str | None
) -> Iterator[tuple[str, FactBody, dict[str, Json]]]:
    """Key, what was used, and all that was returned, for each call that told something."""
    for i, call in enumerate(made):
        if call.is_error or call.tool not in read_only or not call.arguments:
            continue
        later = [m for m in made[i + 1 :] if not m.is_error]
        used = {str(v).casefold() for m in later for v in m.arguments.values()}
        used.add((answer or "").casefold().strip().rstrip("."))
        given = {str(v).casefold() for v in call.arguments.values()}
        record = dict(fields_of(call.value))
        fields = {k: v for k, v in record.items() if str(v).casefold() in used - given}
        if fields:
            fact = FactBody(call.tool, call.arguments, fields)
            yield fact.key, fact, record


def _entry(key: str, fact: FactBody) -> Entry:
    return Entry(Kind.FACT, key, fact.tool, _cue(fact), msgspec.to_builtins(fact))


def _cue(fact: FactBody) -> str:
    words = [fact.tool.replace("_", " "), *map(str, fact.arguments.values())]
    words += [f"{k.replace('_', ' ')} {v}" for k, v in fact.fields.items()]
    return " ".join(words)


def _line(fact: FactBody) -> str:
    arguments = ", ".join(f"{k}={v}" for k, v in fact.arguments.items())
    fields = ", ".join(f"{k} = {v}" for k, v in fact.fields.items())
    # What has line breaks could pass for more facts, or for the end of them.
    return " ".join(f"- {fact.tool}({arguments}): {fields}".split())


def _plain(value: Json) -> str:
    return str(value).casefold()


def _things(fact: FactBody) -> set[str]:
    """What a fact is about and what it says, as text in any case."""
    return {_plain(v) for part in (fact.arguments, fact.fields) for v in part.values()}


def _nearest(
    memory: Memory, prompt: str, count: int, by_meaning: bool
) -> list[tuple[Entry, FactBody]]:
    wanted = max(CANDIDATES, count) if by_meaning else count
    first = _about(memory, prompt, wanted)
    values = " ".join(str(v) for _, fact in first for v in fact.fields.values())
    more = _about(memory, values, wanted)
    found = list({e.entry_id: (e, fact) for e, fact in (*first, *more)}.values())
    if by_meaning:
        ranked = embeddings.top_k([e.cue for e, _ in found], prompt, count, f"levers.{NAME}")
        return [found[i] for i in ranked]
    return found[:count]


def _about(memory: Memory, text: str, count: int) -> list[tuple[Entry, FactBody]]:
    """Facts like a text that are about what it names: those of another thing say nothing."""
    read = [(e, read_fact(e)) for e in memory.find(Kind.FACT, text, count)]
    return [(e, fact) for e, fact in read if fact is not None and _names(text, fact)]


def _names(text: str, fact: FactBody) -> bool:
    """Whether it names them as words of their own: ``T-1`` does not stand in ``T-10``."""
    return all(whole_word(str(v)).search(text) for v in fact.arguments.values())


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
