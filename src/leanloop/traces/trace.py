"""A trace: a recorded run of anybody's agent, in the one form that readers make of it."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from hashlib import sha256

import msgspec

from leanloop.core.message import (
    AssistantMessage,
    Json,
    Message,
    SystemMessage,
    ToolMessage,
    ToolSpec,
)
from leanloop.core.run import Evidence
from leanloop.core.tokens import Tokens, add_known

ACT = "act"
"""The purpose of a call in which the agent itself decides what to do next."""
USER = "user"
"""The purpose of a call of a modelled user: spend that is not the agent's."""


class Role(enum.StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class CallMark(msgspec.Struct, frozen=True, gc=False):
    """A tool call as it can be compared with others, without its contents.

    Attributes:
        call_id: Joins the call to its result.
        name: The tool's name.
        digest: Equal for equal name and arguments, whatever the order of the fields.
        chars: Characters of the name and of the arguments as JSON.
    """

    call_id: str
    name: str
    digest: int
    chars: int


class Entry(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A message of a conversation: its sizes, and its contents where they are kept.

    Attributes:
        role: Who speaks.
        chars: Characters that are sent again with it: text, and calls by name and arguments.
        digest: Of the text; equal for equal texts.
        tool: The tool whose result it is.
        call_id: The call that it answers.
        is_error: Whether the tool refused or failed.
        calls: The tool calls that it makes.
        other_parts: Parts that are no text, such as images; their size is unknown.
        message: The message itself; None where contents are dropped.
    """

    role: Role
    chars: int
    digest: int
    tool: str = ""
    call_id: str = ""
    is_error: bool = False
    calls: tuple[CallMark, ...] = ()
    other_parts: int = 0
    message: Message | None = None


class Counts(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Tokens as a trace counts them: in all, and by class where it says so.

    Many traces know how much was sent and not how much of that was cached. Make it with
    ``inclusive`` or ``exclusive``.

    Attributes:
        input_tokens: All input, cached or not; None when unknown.
        output_tokens: All output, reasoning included; None when unknown.
        tokens: By disjoint class; None for a class of which the trace does not say.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    tokens: Tokens = Tokens()


def inclusive(
    input_tokens: int | None,
    output_tokens: int | None,
    *,
    cached: tuple[int | None, int | None, int | None] = (None, None, None),
    reasoning: int | None = None,
) -> Counts:
    """Counts of a provider whose input includes cached input, and output reasoning.

    Args:
        input_tokens: All input.
        output_tokens: All output.
        cached: Of the input, what was read from a cache, written for five minutes, and
            written for an hour; None for what the trace does not say. Uncached input is
            known only when all three are.
        reasoning: Of the output, reasoning; None when the trace does not say.
    """
    known = add_known(*cached)
    read, write_5m, write_1h = cached
    uncached = None if input_tokens is None or known is None else max(input_tokens - known, 0)
    plain = None if output_tokens is None or reasoning is None else output_tokens - reasoning
    tokens = Tokens(uncached, read, write_5m, write_1h, plain, reasoning)
    return Counts(input_tokens, output_tokens, tokens)


def exclusive(tokens: Tokens, output_tokens: int | None = None) -> Counts:
    """Counts of a provider whose classes are disjoint.

    Args:
        tokens: By class.
        output_tokens: All output, where reasoning is in it and cannot be told apart.
    """
    out = tokens.all_output_tokens if output_tokens is None else output_tokens
    return Counts(tokens.input_tokens, out, tokens)


class TraceCall(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One query to a model, as a change to the conversation that the query before left.

    The conversation after a call is its request and its response. The next request of the
    same run keeps the first ``kept`` entries of that and adds ``added``: an agent that never
    edits its history keeps all.

    Attributes:
        kept: Entries of the conversation before that the request starts with.
        added: Entries behind those, in order.
        response: What the model said; None when the call failed or this was not recorded.
        model: As the trace names it; empty when it does not.
        provider: As the trace names it, in lower case; empty when it does not.
        counts: Tokens; None where unknown, which is not zero.
        evidence: Whether the tokens are reported or estimated.
        usd: As recorded; None when unknown. A recorded 0 beside real tokens is unknown.
        latency_s: Wall seconds of the call; None when unknown.
        started_at: Unix seconds; None when unknown.
        tools: What the model was shown; None when the trace does not say.
        purpose: ``act``, ``user`` for a modelled user, or what else the call was for. Only
            ``act`` calls are part of the conversation; the others have ``kept`` 0 and no
            ``added``.
        error: What went wrong, in a few words without contents; empty when nothing did.
    """

    kept: int
    added: tuple[Entry, ...]
    response: Entry | None
    model: str = ""
    provider: str = ""
    counts: Counts = Counts()
    evidence: Evidence = Evidence.REPORTED
    usd: float | None = None
    latency_s: float | None = None
    started_at: float | None = None
    tools: tuple[ToolSpec, ...] | None = None
    purpose: str = ACT
    error: str = ""


class ToolTime(msgspec.Struct, frozen=True, gc=False):
    """When a tool ran.

    Attributes:
        latency_s: Wall seconds.
        started_at: Unix seconds; None when unknown.
    """

    latency_s: float
    started_at: float | None = None


class Totals(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a trace says of a whole run where it does not say it call by call.

    Attributes:
        counts: Tokens.
        usd: Dollars.
        model_calls: Queries to a model.
    """

    counts: Counts = Counts()
    usd: float | None = None
    model_calls: int | None = None


class TraceRun(msgspec.Struct, frozen=True, omit_defaults=True):
    """A recorded run: one conversation of one agent.

    A sub-agent has a conversation, and so a run, of its own; ``parent_id`` joins it to
    the run that started it.

    Attributes:
        run_id: Unique among the runs of its source.
        source: The file that it was read from, as the user gave it.
        format: The reader's name.
        calls: In the order in which they were made.
        parent_id: The run that started this one; empty for a run of its own.
        session_id: Runs with the same one belong together; empty when there is no such thing.
        task_id: What the run was to do; None when the trace does not say.
        success: 0 to 1, as the benchmark itself defines it; None when the trace does not say.
        ended: Why it ended, as recorded.
        started_at: Unix seconds; None when unknown.
        ended_at: Unix seconds; None when unknown.
        tail: What came after the last call, such as results nobody was shown.
        tool_times: Call id to when the tool ran, for those of which it is known.
        totals: What is known of the whole only; None where the calls say it.
    """

    run_id: str
    source: str
    format: str
    calls: tuple[TraceCall, ...]
    parent_id: str = ""
    session_id: str = ""
    task_id: str | None = None
    success: float | None = None
    ended: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    tail: tuple[Entry, ...] = ()
    tool_times: dict[str, ToolTime] = {}
    totals: Totals | None = None

    @property
    def acts(self) -> Iterator[TraceCall]:
        """The calls that are the agent's own conversation."""
        return (call for call in self.calls if call.purpose == ACT)


def conversation(run: TraceRun) -> Iterator[tuple[TraceCall, list[Entry]]]:
    """Each of the agent's own calls with the whole request that it sent.

    The list is the same object each time, changed in place: a copy for each step would
    be quadratic. Take what you need before you ask for the next.
    """
    entries: list[Entry] = []
    for call in run.acts:
        del entries[call.kept :]
        entries.extend(call.added)
        yield call, entries
        if call.response is not None:
            entries.append(call.response)


def digest_of(text: str) -> int:
    """64 bits of a text, the same in every process."""
    raw = text.encode("utf-8", "surrogatepass")
    # Processors have instructions for SHA-256.
    return int.from_bytes(sha256(raw, usedforsecurity=False).digest()[:8], "big")


def mark_of(call_id: str, name: str, arguments: Json) -> CallMark:
    """A tool call without its contents.

    Args:
        call_id: Joins the call to its result.
        name: The tool's name.
        arguments: A JSON object, or the text that the model wrote where it is none.
    """
    text = arguments if isinstance(arguments, str) else _json_text(arguments)
    return CallMark(call_id, name, digest_of(f"{name} {text}"), len(name) + len(text))


def _json_text(value: Json) -> str:
    try:
        return msgspec.json.encode(value, order="deterministic").decode()
    except (UnicodeEncodeError, OverflowError, RecursionError, TypeError):
        # Halves of surrogate pairs and numbers that no format of others' can hold.
        return repr(value)


def entry_of(message: Message, *, keep: bool, other_parts: int = 0) -> Entry:
    """A message as an entry.

    Args:
        message: With its contents.
        keep: Whether the entry holds the message; its sizes and digests it always has.
        other_parts: Parts of it that are no text.
    """
    kept = message if keep else None
    text = message.text
    if isinstance(message, ToolMessage):
        return Entry(
            Role.TOOL,
            len(text),
            digest_of(text),
            tool=message.name,
            call_id=message.call_id,
            is_error=message.is_error,
            other_parts=other_parts,
            message=kept,
        )
    if isinstance(message, AssistantMessage):
        marks = tuple(mark_of(c.call_id, c.name, c.arguments) for c in message.tool_calls)
        chars = len(text) + sum(m.chars for m in marks)
        return Entry(
            Role.ASSISTANT,
            chars,
            digest_of(text),
            calls=marks,
            other_parts=other_parts,
            message=kept,
        )
    role = Role.SYSTEM if isinstance(message, SystemMessage) else Role.USER
    return Entry(role, len(text), digest_of(text), other_parts=other_parts, message=kept)
