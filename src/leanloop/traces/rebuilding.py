"""Rebuilds what a stored run sent: its own conversation, passed through the same levers again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    Response,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.run import Run, Step
from leanloop.core.task import Example, Split, Task
from leanloop.core.tokens import Tokens
from leanloop.levers.protocol import GO, Answer, Lever, RunContext, Stage, Verdict, no_model
from leanloop.loop.agent import LAST_STEP
from leanloop.loop.pipeline import Pipeline
from leanloop.models.tool_arguments import read_arguments
from leanloop.traces.replay import drive
from leanloop.traces.trace import ACT

NOT_STORED = {
    "model": "what it asked a model itself is not stored",
    "tools": "which calls it made itself is not stored",
    "memory": "what earlier tasks had left at that time is not at hand",
}
"""What a lever needs to why its work cannot be rebuilt."""
SENDS = frozenset({"request", "edit"})
LONGEST = 4000
"""Characters that are shown of a text."""


class Change(msgspec.Struct, frozen=True):
    """What one lever changed in one request.

    Attributes:
        lever: Its name.
        setting: What it is set to.
        why: What it does, in a sentence.
        what: ``changed``, ``left out``, ``added``, ``put back``, ``tools``, ``model`` or
            ``limits``.
        where: Place of the message in the request before, from 0; None for no message.
        role: Who speaks in it; empty for no message.
        before: What it was; cut when it is long.
        after: What was sent instead; cut when it is long.
        chars_before: Characters before.
        chars_after: Characters after.
    """

    lever: str
    setting: Setting
    why: str
    what: str
    where: int | None
    role: str
    before: str
    after: str
    chars_before: int
    chars_after: int


class Sent(msgspec.Struct, frozen=True):
    """A request as it was sent.

    Attributes:
        messages: How many.
        chars: Characters of them and of the tools' descriptions.
        chars_before: The same before any lever.
        changes: What levers changed, in the order in which they did.
        request: The request itself.
    """

    messages: int
    chars: int
    chars_before: int
    changes: tuple[Change, ...]
    request: Request


class Rebuilt(msgspec.Struct, frozen=True):
    """What a run sent, step by step.

    Attributes:
        steps: For each step of the run; None where it could not be rebuilt.
        left_out: Levers whose work is not in it, each with why.
        notes: What else a reader must know.
    """

    steps: tuple[Sent | None, ...]
    left_out: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Ground:
    """What a run started from, which is not stored with it.

    Args:
        task: The task; None when it is not at hand.
        instructions: The system text; empty when it is not at hand.
        tools: What the model was shown; None when that is not at hand.
        examples: Worked examples of the suite.
        model: The study's name of the model that acts.
        max_steps: The study's limit.
        max_output_tokens: The study's limit.
    """

    task: Task | None = None
    instructions: str = ""
    tools: tuple[ToolSpec, ...] | None = None
    examples: tuple[Example, ...] = ()
    model: str = "agent"
    max_steps: int | None = None
    max_output_tokens: int = 256


def rebuild(
    run: Run, configuration: Configuration, ground: Ground, levers: Mapping[str, Lever]
) -> Rebuilt:
    """What the run sent.

    Args:
        run: As it is stored.
        configuration: What was on.
        ground: What it started from.
        levers: Every lever, in the pipeline's order.
    """
    if run.recorded is not None or not run.steps:
        return Rebuilt((), {}, ("the run has no steps",))
    return _Rebuilding(run, configuration, ground, levers).all()


class _Rebuilding:
    def __init__(
        self, run: Run, configuration: Configuration, ground: Ground, levers: Mapping[str, Lever]
    ) -> None:
        self._run, self._ground, self._levers = run, ground, levers
        self._on = {n: configuration[n] for n in levers if n in configuration}
        self.left_out = dict(_left_out(self._on, levers, ground))
        unknown = [n for n in configuration if n not in levers]
        self.left_out |= dict.fromkeys(unknown, "there is no such lever here")
        self._tools = ground.tools if ground.tools is not None else _used_tools(run)
        self._stages = self._made()
        self._pipeline = Pipeline(self._stages)
        self._history: list[Message] = []
        if ground.instructions:
            self._history.append(SystemMessage(ground.instructions))
        if ground.task is not None:
            self._history.append(UserMessage(ground.task.prompt))

    def all(self) -> Rebuilt:
        """Every step, until a lever cannot follow."""
        found: list[Sent | None] = []
        verdict: Verdict = GO
        broken = ""
        for place, step in enumerate(self._run.steps):
            if broken:
                found.append(None)
                continue
            try:
                found.append(self._sent(last=isinstance(verdict, Answer)))
                verdict = self._after(step, place)
            except Exception as error:  # a lever that stumbles over half a conversation
                broken = f"from step {place + 1} on nothing is rebuilt ({type(error).__name__})"
                found += [None] * (place + 1 - len(found))
        return Rebuilt(tuple(found), self.left_out, tuple(self._notes(broken)))

    def _notes(self, broken: str) -> Iterator[str]:
        if broken:
            yield broken
        if not self._ground.instructions:
            yield "the system text is not at hand, so it is in no request here"
        if self._ground.task is None:
            yield "the task's text is not at hand, so it is in no request here"
        if self._ground.tools is None:
            yield "the tools' descriptions are not at hand: only names of those used are shown"
        cut = [n for n in self._on if "tool result" in self._levers[n].card.acts_on]
        if cut:
            yield f"results are as {', '.join(cut)} left them; what tools gave is not stored"
        edits = [n for n in self.left_out if _sends(self._levers, n)]
        if edits:
            yield f"requests are without what {', '.join(edits)} did to them"

    def _made(self) -> dict[str, Stage]:
        run, ground = self._run, self._ground
        task = ground.task or Task(run.key.task_id, "", Split(run.split), run.family)
        context = RunContext(
            task=task,
            tools=self._tools,
            examples=ground.examples,
            model=ground.model,
            complete=no_model,
            seed=run.key.seed,
            max_steps=ground.max_steps,
        )
        stages = {}
        for name, setting in self._on.items():
            if name in self.left_out:
                continue
            try:
                stages[name] = self._levers[name].stage(setting, context)
            except Exception as error:  # whatever another package's lever raises
                self.left_out[name] = f"it cannot be set up here ({type(error).__name__})"
        return stages

    _sent_request: Request

    def _sent(self, *, last: bool) -> Sent:
        if last:
            self._history.append(UserMessage(LAST_STEP))
        request = before = Request(
            model=self._ground.model,
            messages=tuple(self._history),
            tools=self._tools,
            tools_allowed=not last,
            max_output_tokens=self._ground.max_output_tokens,
            seed=self._run.key.seed,
        )
        changes: list[Change] = []
        for name, stage in self._stages.items():
            after = stage.on_edit(before, drive(stage.on_request(request)))
            if after is not request:
                card = self._levers[name].card
                by = name, self._on[name], card.summary
                changes += _changes(by, (before, request, after))
            request = after
        self._sent_request = request
        return Sent(len(request.messages), _size(request), _size(before), tuple(changes), request)

    def _after(self, step: Step, place: int) -> Verdict:
        """Let the levers see what came back, and take it into the conversation."""
        uses = step.tool_uses
        calls = tuple(
            ToolCall(f"{place}-{i}", use.name, read_arguments(use.arguments_json))
            for i, use in enumerate(uses)
        )
        said = AssistantMessage(step.text, calls)
        acts = [c for c in step.model_calls if c.purpose == ACT]
        tokens = acts[-1].tokens if acts else Tokens()
        back = Response(said, tokens, acts[-1].latency_s if acts else 0.0)
        drive(self._pipeline.on_response(self._sent_request, back))
        self._history.append(said)
        for call, use in zip(calls, uses, strict=True):
            result = ToolMessage(call.call_id, use.name, use.observation, use.is_error)
            made, _ = drive(self._pipeline.on_tool_call(call))
            if isinstance(made, ToolCall):
                self._pipeline.on_tool_result(call, result)
            # Whatever a lever would make of it now: this is what the model was shown.
            self._history.append(result)
        return self._pipeline.after_step(step)


def _left_out(
    on: Mapping[str, Setting], levers: Mapping[str, Lever], ground: Ground
) -> Iterator[tuple[str, str]]:
    for name in on:
        card = levers[name].card
        why = next((NOT_STORED[n] for n in card.needs if n in NOT_STORED), None)
        if why is not None:
            yield name, why
        elif ground.tools is None and card.name.startswith("tools.") and "request" in card.acts_on:
            yield name, "the tools' descriptions are not at hand"


def _sends(levers: Mapping[str, Lever], name: str) -> bool:
    return name not in levers or bool(SENDS & set(levers[name].card.acts_on))


def _used_tools(run: Run) -> tuple[ToolSpec, ...]:
    names = sorted({use.name for step in run.steps for use in step.tool_uses})
    return tuple(ToolSpec(name, "", {}) for name in names)


def _changes(
    by: tuple[str, Setting, str], requests: tuple[Request, Request, Request]
) -> Iterator[Change]:
    """What a lever changed.

    Args:
        by: Its name, its setting, and what it does.
        requests: At first, before it and after it.
    """
    first, before, after = requests
    original = {id(m) for m in first.messages}
    for where, old, new in _paired(before.messages, after.messages):
        what = "changed" if old and new else "left out" if old else "added"
        if new is not None and id(new) in original:
            what = "put back"
        texts = ["" if m is None else _text(m) for m in (old, new)]
        role = _role(old or new)
        sizes = len(texts[0]), len(texts[1])
        yield Change(*by, what, where, role, _cut(texts[0]), _cut(texts[1]), *sizes)
    for what, old_text, new_text in _others(before, after):
        sizes = len(old_text), len(new_text)
        yield Change(*by, what, None, "", _cut(old_text), _cut(new_text), *sizes)


def _paired(
    before: Sequence[Message], after: Sequence[Message]
) -> Iterator[tuple[int, Message | None, Message | None]]:
    """Messages that differ: place, as it was, as it is."""
    if len(before) == len(after):
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            if old is not new and old != new:
                yield place, old, new
        return
    kept = {id(m) for m in after}
    here = {id(m) for m in before}
    results = {m.call_id: m for m in after if isinstance(m, ToolMessage) and id(m) not in here}
    for place, old in enumerate(before):
        if id(old) not in kept:
            answer = results.pop(old.call_id, None) if isinstance(old, ToolMessage) else None
            yield place, old, answer
    left = {id(m) for m in results.values()}
    for place, message in enumerate(after):
        result = isinstance(message, ToolMessage)
        if id(message) not in here and (not result or id(message) in left):
            yield place, None, message


def _others(before: Request, after: Request) -> Iterator[tuple[str, str, str]]:
    """What differs beside the messages, as it was and as it is."""
    if before.tools != after.tools:
        old, new = ({t.name: t for t in r.tools} for r in (before, after))
        gone = [n for n in old if n not in new]
        more = [n for n in new if n not in old]
        other = [n for n in new if n in old and new[n] != old[n]]
        said = [f"without {', '.join(gone)}"] if gone else []
        said += [f"with {', '.join(more)}"] if more else []
        said += [f"described otherwise: {', '.join(other)}"] if other else []
        yield "tools", ", ".join(old), "; ".join(said) or "in another order"
    if before.model != after.model:
        yield "model", before.model, after.model
    for name in ("max_output_tokens", "temperature", "effort", "tools_allowed", "shared_messages"):
        one, two = getattr(before, name), getattr(after, name)
        if one != two:
            yield "limits", f"{name} = {one}", f"{name} = {two}"


def _text(message: Message) -> str:
    calls = message.tool_calls if isinstance(message, AssistantMessage) else ()
    made = [f"{c.name}({json.dumps(c.arguments, ensure_ascii=False)})" for c in calls]
    return "\n".join(filter(None, [message.text, *made]))


def _role(message: Message | None) -> str:
    kinds = {SystemMessage: "system", UserMessage: "user", AssistantMessage: "assistant"}
    return "" if message is None else kinds.get(type(message), "tool")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _size(request: Request) -> int:
    tools = sum(len(t.name) + len(t.description) + len(str(t.parameters)) for t in request.tools)
    return tools + sum(len(_text(m)) for m in request.messages)
