"""Passes a recorded run through the levers that a live one would pass, without a model."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from leanloop.core.configuration import Configuration
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    Response,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
)
from leanloop.core.run import Evidence, ModelCall, Step, ToolUse
from leanloop.core.task import Split, Task
from leanloop.core.tokens import Tokens
from leanloop.levers.protocol import GO, Answer, Lever, RunContext, Stop, Verdict
from leanloop.loop.pipeline import Pipeline, build_pipeline
from leanloop.pricing.prompt_cache import Block, PromptCache
from leanloop.traces.prices import Priced
from leanloop.traces.repeated_calls import READS
from leanloop.traces.repricing import BETWEEN_CALLS_S, in_all, tools_key
from leanloop.traces.sizes import Sizes, request_chars, schema_chars, sizes_of
from leanloop.traces.trace import Entry, Role, TraceCall, TraceRun, entry_of

SUMMARY_RATIO = 0.1
"""Characters that a summary has of what it summarises, where nobody says otherwise."""
AGENT = "agent"
T = TypeVar("T")


@dataclass(frozen=True)
class Replaying:
    """How to replay.

    Args:
        levers: Every lever that may be set, in the pipeline's order.
        read_only: Names of tools that change nothing; by their names where empty.
        summary_ratio: Characters of a summary, as a share of what is summarised.
    """

    levers: Mapping[str, Lever]
    read_only: frozenset[str] = frozenset()
    summary_ratio: float = SUMMARY_RATIO


@dataclass
class Replayed:
    """What a run would have used on the same path.

    Args:
        input_tokens: All input.
        output_tokens: All output.
        model_calls: Queries, those of levers included.
        tool_calls: Calls that a tool answered.
        seconds: Model and tool seconds that are left; None where the trace has none.
        list_usd: Dollars with nothing cached; None when unknown.
        cached_usd: Dollars with prompts cached by the provider's rule; None when unknown.
        cut: Whether a lever ended it before its recorded end.
        changed: Whether anything that was sent differs from what was recorded.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    seconds: float | None = 0.0
    list_usd: Decimal | None = Decimal(0)
    cached_usd: Decimal | None = Decimal(0)
    cut: bool = False
    changed: bool = False


@dataclass
class Recorded:
    """A run made ready to be replayed many times.

    Args:
        run: With contents.
        sizes: How its characters become tokens.
        scales: Of each call, what it reports over what the sizes say; 1 where it reports nothing.
        results: Call id to what the tool returned.
        tools: Tools that it was shown, or at least used.
        shown: Whether it is known what it was shown.
    """

    run: TraceRun
    sizes: Sizes
    scales: list[float]
    tools: tuple[ToolSpec, ...]
    shown: bool
    prompt: str
    schema_chars: int

    @property
    def acts(self) -> list[TraceCall]:
        """The agent's own calls."""
        return list(self.run.acts)


def ready(run: TraceRun, read_only: frozenset[str] = frozenset()) -> Recorded:
    """Make a run ready.

    Args:
        run: With contents.
        read_only: Names of tools that change nothing; by their names where empty.
    """
    sizes = sizes_of(run)
    scales = []
    for call, chars in zip(run.acts, request_chars(run), strict=True):
        fitted = sizes.hidden_tokens + chars * sizes.tokens_per_char
        sent = call.counts.input_tokens
        scales.append(sent / fitted if sent is not None and fitted else 1.0)
    shown = next((c.tools for c in run.acts if c.tools), None)
    names = {m.name for c in run.acts if c.response for m in c.response.calls}
    tools = shown or tuple(ToolSpec(n, "", {}) for n in sorted(names))
    marked = tuple(replace(t, read_only=_reads(t, read_only)) for t in tools)
    chars = sum(map(schema_chars, shown)) if shown else 0
    return Recorded(run, sizes, scales, marked, shown is not None, _prompt(run), chars)


def _reads(tool: ToolSpec, named: frozenset[str]) -> bool:
    if tool.read_only is not None:
        return tool.read_only
    return tool.name in named if named else bool(READS.match(tool.name))


def _prompt(run: TraceRun) -> str:
    entries = (e for c in run.acts for e in c.added if e.role == Role.USER)
    first = next(entries, None)
    return first.message.text if first is not None and first.message is not None else ""


def replay(
    recorded: Recorded,
    configuration: Configuration,
    replaying: Replaying,
    priced: Callable[[TraceCall], Priced | None],
) -> Replayed:
    """What the run would have used with that configuration, had the agent done the same.

    Args:
        recorded: The run.
        configuration: The levers that are on; what the agent did itself stays as it is.
        replaying: How to replay.
        priced: The price of a call's model.
    """
    return _Replay(recorded, configuration, replaying, priced).all()


@dataclass
class _Sized:
    """A message as it counts; the message is held so that its id stays its own."""

    message: Message
    chars: int
    key: int


@dataclass
class _Replay:
    recorded: Recorded
    configuration: Configuration
    replaying: Replaying
    priced: Callable[[TraceCall], Priced | None]
    found: Replayed = field(default_factory=Replayed)

    def __post_init__(self) -> None:
        self._history: list[Message] = []
        self._known: dict[int, _Sized] = {}
        self._calls: dict[str, ToolCall] = {}
        self._uses: list[ToolUse] = []
        self._extra: list[ModelCall] = []
        self._caches: dict[int, PromptCache] = {}
        self._clock_s = 0.0
        self._tools_key = tools_key(self.recorded.tools)
        self._at: TraceCall | None = None
        self.pipeline = self._pipeline()

    def _pipeline(self) -> Pipeline:
        task = Task(self.recorded.run.task_id or "", self.recorded.prompt, Split.SEARCH)
        context = RunContext(
            task=task,
            tools=self.recorded.tools,
            examples=(),
            model=AGENT,
            complete=self._complete,
            price=self._lever_price,
        )
        return build_pipeline(self.configuration, context, self.replaying.levers)

    def all(self) -> Replayed:
        """Every call until a lever ends the run."""
        acts = self.recorded.acts
        verdict: Verdict = GO
        step: Step | None = None
        for place, call in enumerate(acts):
            self._at = call
            last = isinstance(verdict, Answer)
            del self._history[call.kept :]
            for entry in call.added:
                self._history.append(self._added(entry))
            if step is not None and not last:
                verdict = self._after(step)
                if isinstance(verdict, Stop):
                    self.found.cut = True
                    break
                last = isinstance(verdict, Answer)
            step = self._call(call, self.recorded.scales[place], last=last)
            if last:
                self.found.cut = place + 1 < len(acts)
                break
        return self.found

    def _after(self, step: Step) -> Verdict:
        whole = Step(step.model_calls, tuple(self._uses), step.text)
        self._uses = []
        return self.pipeline.after_step(whole)

    def _added(self, entry: Entry) -> Message:
        message = entry.message
        if message is None:
            raise ValueError("replaying needs contents")
        self._size(message, entry)
        if not isinstance(message, ToolMessage):
            return message
        call = self._calls.get(message.call_id)
        if call is None:
            return message
        return self._result(call, message)

    def _result(self, call: ToolCall, recorded: ToolMessage) -> ToolMessage:
        outcome, by = drive(self.pipeline.on_tool_call(call))
        made = isinstance(outcome, ToolCall)
        result = self.pipeline.on_tool_result(call, recorded) if made else outcome
        assert isinstance(result, ToolMessage)
        time = self.recorded.run.tool_times.get(call.call_id)
        seconds = time.latency_s if time is not None and made else 0.0
        self.found.tool_calls += made
        self._add_seconds(None if made and time is None else seconds)
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        use = ToolUse(call.name, arguments, seconds, by, result.is_error, result.text)
        self._uses.append(use)
        return result

    def _call(self, call: TraceCall, scale: float, *, last: bool) -> Step:
        request = Request(AGENT, tuple(self._history), self.recorded.tools, tools_allowed=not last)
        sent = drive(self.pipeline.on_request(request))
        self.found.changed |= sent is not request
        said = call.response
        message = said.message if said is not None else None
        response = message if isinstance(message, AssistantMessage) else AssistantMessage()
        tokens = self._count(call, sent, scale)
        back = Response(response, tokens, call.latency_s or 0.0)
        response = drive(self.pipeline.on_response(sent, back)).message
        if said is not None:
            self._size(response, said if response is message else None)
            self._history.append(response)
        self._calls = {c.call_id: c for c in response.tool_calls}
        self._add_seconds(call.latency_s)
        own = ModelCall(AGENT, AGENT, "act", tokens, call.latency_s or 0.0, call.started_at or 0.0)
        calls, self._extra = (*self._extra, own), []
        return Step(calls, (), response.text)

    def _count(self, call: TraceCall, sent: Request, scale: float) -> Tokens:
        blocks, size = self._blocks(sent)
        out = call.counts.output_tokens
        if out is None:
            out = self.recorded.sizes.tokens(call.response.chars) if call.response else 0
        total = round(size * scale)
        plain = Tokens(total, 0, 0, 0, out, 0)
        self.found.input_tokens += total
        self.found.output_tokens += out
        self.found.model_calls += 1
        self._price(call, blocks, plain)
        return plain

    def _blocks(self, sent: Request) -> tuple[list[Block], float]:
        """The request as a cache sees it, and its tokens by the run's own sizes."""
        sizes = self.recorded.sizes
        hidden = self._hidden(sent)
        mine = sent.tools is self.recorded.tools
        head = self._tools_key if mine else tools_key(sent.tools)
        blocks = [Block(head, round(hidden), mark=True)] if hidden else []
        chars = 0
        for message in sent.messages:
            known = self._known.get(id(message)) or self._size(message)
            chars += known.chars
            system = isinstance(message, SystemMessage)
            blocks.append(Block(known.key, sizes.tokens(known.chars), system))
        return blocks, hidden + chars * sizes.tokens_per_char

    def _hidden(self, sent: Request) -> float:
        """Tokens that are in no message: schemas, in proportion where they are known."""
        recorded, sizes = self.recorded, self.recorded.sizes
        if sent.tools is recorded.tools:
            return sizes.hidden_tokens
        now = sum(map(schema_chars, sent.tools))
        if recorded.shown and recorded.schema_chars:
            return sizes.hidden_tokens * now / recorded.schema_chars
        before = sum(map(schema_chars, recorded.tools))
        return max(sizes.hidden_tokens + (now - before) * sizes.tokens_per_char, 0.0)

    def _size(self, message: Message, entry: Entry | None = None) -> _Sized:
        known = self._known.get(id(message))
        if known is not None:
            return known
        made = entry or entry_of(message, keep=False)
        key = hash((made.digest, *(c.digest for c in made.calls)))
        known = self._known[id(message)] = _Sized(message, made.chars, key)
        return known

    def _price(self, call: TraceCall, blocks: Sequence[Block], plain: Tokens) -> None:
        found, priced = self.found, self.priced(call)
        usd = None if priced is None else priced.usd(plain, call.started_at)
        found.list_usd = _sum(found.list_usd, usd)
        if priced is None or usd is None or priced.rule is None:
            found.cached_usd = _sum(found.cached_usd, usd)
            return
        cache = self._caches.setdefault(id(priced), PromptCache(priced.rule))
        self._clock_s += BETWEEN_CALLS_S
        at = self._clock_s if call.started_at is None else call.started_at
        cached = cache.call(blocks, at)
        tokens = in_all(cached, plain.uncached_input_tokens or 0, plain)
        found.cached_usd = _sum(found.cached_usd, priced.usd(tokens, call.started_at))

    async def _complete(self, request: Request, purpose: str) -> Response:
        """A stand-in for a model: the first words of what it was asked, in a stated ratio."""
        sizes, asked = self.recorded.sizes, "".join(m.text for m in request.messages)
        most = request.max_output_tokens / sizes.tokens_per_char
        text = asked[: int(min(len(asked) * self.replaying.summary_ratio, most))]
        tokens = Tokens(sizes.tokens(len(asked)), 0, 0, 0, sizes.tokens(len(text)), 0)
        self.found.model_calls += 1
        self.found.input_tokens += tokens.input_tokens or 0
        self.found.output_tokens += tokens.output_tokens or 0
        call = self._at
        usd = None
        if call is not None and (priced := self.priced(call)) is not None:
            usd = priced.usd(tokens, call.started_at)
        self.found.list_usd = _sum(self.found.list_usd, usd)
        self.found.cached_usd = _sum(self.found.cached_usd, usd)
        made = ModelCall(request.model, AGENT, purpose, tokens, 0.0, 0.0, Evidence.ESTIMATED)
        self._extra.append(made)
        return Response(AssistantMessage(text), tokens, 0.0)

    def _lever_price(self, made: ModelCall) -> Decimal | None:
        priced = None if self._at is None else self.priced(self._at)
        return None if priced is None else priced.usd(made.tokens, made.started_at or None)

    def _add_seconds(self, seconds: float | None) -> None:
        have = self.found.seconds
        self.found.seconds = None if have is None or seconds is None else have + seconds


def _sum(a: Decimal | None, b: Decimal | None) -> Decimal | None:
    return None if a is None or b is None else a + b


def drive(waiting: Awaitable[T]) -> T:
    """The result of a coroutine that waits for nothing, without an event loop.

    Raises:
        RuntimeError: It waits for something.
    """
    steps = waiting.__await__()
    try:
        next(steps)
    except StopIteration as done:
        result: T = done.value
        return result
    raise RuntimeError("a lever waits for something that a replay has not")
