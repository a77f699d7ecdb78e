"""Logs of Inspect, by its own reader."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from tempfile import NamedTemporaryFile
from typing import Any, Literal

from leanloop.core.errors import BadInputError
from leanloop.core.message import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.tokens import NO_TOKENS, Tokens
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.readers.json_types import text
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import ACT, Counts, Entry, ToolTime, TraceCall, TraceRun, exclusive

ZIP = b"PK\x03\x04"
SCORES = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Inspect's letters: correct, incorrect, partially correct, no answer."""


class InspectEval:
    """Reads ``.eval`` and ``.json`` logs of Inspect, sample by sample, with Inspect itself.

    A call is a model event; what a sample or the run says it used in all is the same spend
    and is not added. Input is without cached input. An answer out of Inspect's own cache cost
    nothing. Success is the first scorer's, where it is a letter or a number from 0 to 1.
    """

    card = ReaderCard(
        name="inspect",
        summary="Logs of Inspect (.eval, or .json); needs the extra 'inspect'.",
        looks_for="a zip archive named .eval, or an object with eval and samples",
        source="https://inspect.aisi.org.uk/eval-logs.html, inspect-ai 0.3.285, 2026-11.",
    )

    def claims(self, head: Head) -> bool:
        """Whether it is an archive of Inspect, or its JSON."""
        if head.data.startswith(ZIP):
            return head.path.suffix == ".eval" or b"_journal/start.json" in head.data
        start = head.data[:4096]
        return head.starts_with == b"{" and b'"eval"' in start and b'"eval_id"' in start

    def read(self, sources: Sequence[Source], wanted: Wanted) -> Iterator[TraceRun]:
        """A run for each sample and epoch.

        Raises:
            BadInputError: The extra is not installed.
        """
        for source in sources:
            samples = _samples(source)
            try:
                for sample in samples:
                    yield _Sample(sample, wanted).run(source)
            except BadInputError:
                raise
            except Exception:  # whatever Inspect's reader raises for a damaged file
                source.skip("Inspect cannot read the rest of the file")


def _samples(source: Source) -> Iterator[Any]:
    try:
        from inspect_ai.log import read_eval_log_samples  # noqa: PLC0415 - an extra, and slow
    except ImportError:
        raise BadInputError(
            source.name, "is a log of Inspect; reading it needs: pip install 'leanloop[inspect]'"
        ) from None
    kind: Literal["eval", "json"] = "eval" if source.head().startswith(ZIP) else "json"
    with _unpacked(source) as path:
        yield from read_eval_log_samples(
            path, all_samples_required=False, resolve_attachments=True, format=kind
        )


@contextmanager
def _unpacked(source: Source) -> Iterator[str]:
    """A path that Inspect can read: it knows no gzip."""
    if source.path.suffix != ".gz":
        yield str(source.path)
        return
    with NamedTemporaryFile(suffix=".json") as plain:
        with source.open() as packed:
            shutil.copyfileobj(packed, plain)
        plain.flush()
        yield plain.name


class _Sample:
    def __init__(self, sample: Any, wanted: Wanted) -> None:  # noqa: ANN401 - Inspect's own
        self._sample = sample
        self._thread = Thread(keep=wanted.contents)
        self._times: dict[str, ToolTime] = {}
        self._calls: list[TraceCall] = []

    def run(self, source: Source) -> TraceRun:
        sample = self._sample
        for event in sample.events or ():
            if event.event == "model":
                self._model(event)
            elif event.event == "tool":
                self._tool(event)
        return TraceRun(
            run_id=f"{source.name}:{sample.id}/{sample.epoch}",
            source=source.name,
            format=InspectEval.card.name,
            calls=tuple(self._calls),
            task_id=text(str(sample.id)),
            success=_success(sample.scores),
            ended=text(str(sample.limit.type)) if sample.limit else "",
            started_at=_seconds(sample.started_at),
            ended_at=_seconds(sample.completed_at),
            tool_times=self._times,
        )

    def _model(self, event: Any) -> None:  # noqa: ANN401
        request = [self._entry(m) for m in event.input]
        message = event.output.message if event.output.choices else None
        response = None if message is None else self._answer(message)
        cached = event.cache == "read"
        counts = exclusive(NO_TOKENS) if cached else _counts(event)
        role = text(event.role)
        place = (0, ()) if role else self._thread.whole(request, response)
        self._calls.append(
            TraceCall(
                *place,
                response,
                model=text(event.output.model) or text(event.model),
                counts=counts,
                usd=0.0 if cached else None,
                latency_s=event.working_time,
                started_at=_seconds(event.timestamp),
                tools=tuple(map(_tool, event.tools)) or None,
                purpose=role or ACT,
                error="the call failed" if event.error else "",
            )
        )

    def _answer(self, message: Any) -> Entry:  # noqa: ANN401
        """What a model said, whatever role a damaged log gives it."""
        made, others = _message(message)
        if not isinstance(made, AssistantMessage):
            made = AssistantMessage(made.text)
        return self._thread.entry(made, others)

    def _tool(self, event: Any) -> None:  # noqa: ANN401
        took, start = event.working_time, _seconds(event.timestamp)
        if took is not None:
            self._times[text(event.id)] = ToolTime(max(took, 0.0), start)

    def _entry(self, message: Any) -> Entry:  # noqa: ANN401
        made, others = _message(message)
        return self._thread.entry(made, others)


def _message(message: Any) -> tuple[Message, int]:  # noqa: ANN401
    content = message.content
    parts = [] if isinstance(content, str) else content
    words = [p.text if p.type == "text" else getattr(p, "reasoning", "") for p in parts]
    said = text(content) if isinstance(content, str) else "".join(map(text, words))
    others = sum(p.type not in {"text", "reasoning"} for p in parts)
    if message.role == "system":
        return SystemMessage(said), others
    if message.role == "user":
        return UserMessage(said), others
    if message.role == "tool":
        call_id, name = text(message.tool_call_id), text(message.function)
        wrong = message.error is not None
        said = said or (text(message.error.message) if wrong else "")
        return ToolMessage(call_id, name, said, wrong), others
    calls = tuple(
        ToolCall(text(c.id), text(c.function), c.arguments) for c in message.tool_calls or ()
    )
    return AssistantMessage(said, calls), others


def _counts(event: Any) -> Counts:  # noqa: ANN401
    usage = event.output.usage
    if usage is None:
        return Counts()
    thought = usage.reasoning_tokens or 0
    tokens = Tokens(
        usage.input_tokens,
        usage.input_tokens_cache_read or 0,
        usage.input_tokens_cache_write or 0,
        0,
        max(usage.output_tokens - thought, 0),
        thought,
    )
    return exclusive(tokens)


def _tool(tool: Any) -> ToolSpec:  # noqa: ANN401
    schema = tool.parameters.model_dump(exclude_none=True)
    return ToolSpec(text(tool.name), text(tool.description), schema)


def _success(scores: Any) -> float | None:  # noqa: ANN401
    for score in (scores or {}).values():
        value = SCORES.get(score.value) if isinstance(score.value, str) else score.value
        if isinstance(value, bool | int | float) and 0 <= value <= 1:
            return float(value)
    return None


def _seconds(when: Any) -> float | None:  # noqa: ANN401
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            return None
    return when.timestamp() if isinstance(when, datetime) else None


READER = InspectEval()
