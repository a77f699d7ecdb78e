"""One run as the page shows it: its steps, what they used, and what levers did to them."""

from __future__ import annotations

import threading

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Message, Request, ToolMessage, ToolSpec
from leanloop.core.run import ModelCall, Run, RunKey, Step, ToolUse
from leanloop.core.task import Split, Task
from leanloop.core.tokens import CLASSES, Tokens
from leanloop.levers.builtin import all_levers
from leanloop.pricing.cost import PriceBook
from leanloop.report.dashboard.board import Document
from leanloop.search.spec import StudySpec
from leanloop.suites.builtin import build_suite
from leanloop.suites.protocol import Suite
from leanloop.traces.rebuilding import Change, Ground, Rebuilt, Sent, rebuild

LONGEST = 20_000
"""Characters of a text that a page gets."""


class Grounds:
    """What the runs of a study started from: its suite's text, tasks and tools.

    Args:
        spec: The study.
        asked: Whether the suite may be built here.
    """

    def __init__(self, spec: StudySpec, *, asked: bool = True) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._suite: Suite | None = None
        self._tasks: dict[str, Task] = {}
        self.problem = ""
        """Why the suite is not at hand; empty when it is."""
        if not asked:
            self.problem = "the suite was not to be loaded (--no-suite)"
        elif spec.suite.recorded is not None:
            self.problem = "runs were recorded elsewhere"
        elif spec.agent.is_outside:
            self.problem = "the agent is not leanloop's own: its requests are its own business"

    def of(self, task_id: str) -> Ground:
        """What a run of a task started from, as far as it is at hand."""
        with self._lock:
            self._load()
            limits, model = self._spec.limits, next(iter(self._spec.models), "agent")
            most = limits.max_steps, limits.max_output_tokens
            task = self._tasks.get(task_id)
            if self._suite is None or task is None:
                return Ground(model=model, max_steps=most[0], max_output_tokens=most[1])
            suite = self._suite
            return Ground(task, suite.instructions, self._tools(task), suite.examples, model, *most)

    def _load(self) -> None:
        if self._suite is not None or self.problem:
            return
        try:
            suite = build_suite(self._spec.suite.name, self._spec.suite.options)
            self._tasks = {t.task_id: t for split in Split for t in suite.tasks(split)}
            self._suite = suite
        except Exception as error:  # a suite is the user's own code, and may need what is not here
            self.problem = f"the suite cannot be had here: {error}"

    def _tools(self, task: Task) -> tuple[ToolSpec, ...] | None:
        assert self._suite is not None
        try:
            environment = self._suite.open(task)
        except Exception:  # the same
            return None
        try:
            return environment.tools
        finally:
            environment.close()


def view_run(
    run: Run, configuration: Configuration | None, prices: PriceBook, grounds: Grounds
) -> Document:
    """A run with its steps.

    Args:
        run: As it is stored.
        configuration: What was on; None while that is not known.
        prices: Prices its calls.
        grounds: What it started from.
    """
    ground = grounds.of(run.key.task_id)
    rebuilt = _rebuilt(run, configuration, ground)
    usage, usd = run.usage, prices.run_usd(run)
    sent = [*rebuilt.steps, *[None] * len(run.steps)]
    return {
        "id": run.key.configuration_id,
        "task": run.key.task_id,
        "seed": run.key.seed,
        "split": str(run.split),
        "status": str(run.status),
        "success": run.success,
        "reason": run.reason,
        "answer": None if run.answer is None else _text(run.answer),
        "settings": None if configuration is None else dict(configuration),
        "prompt": "" if ground.task is None else _text(ground.task.prompt),
        "started_at": run.started_at,
        "wall_s": run.wall_s,
        "critical_path_s": run.critical_path_s,
        "usd": None if usd is None else float(usd),
        "tokens": _tokens(usage.tokens),
        "tool_calls": usage.tool_calls,
        "model_calls": usage.model_calls,
        "recorded": run.recorded is not None,
        "steps": [_step(s, prices, was) for s, was in zip(run.steps, sent, strict=False)],
        "left_out": rebuilt.left_out,
        "notes": [*([grounds.problem] if grounds.problem else []), *rebuilt.notes],
        "learned": len(run.memory),
    }


def view_request(
    run: Run, configuration: Configuration | None, grounds: Grounds, step: int
) -> Document:
    """The whole request of one step, as it was sent.

    Raises:
        BadInputError: It cannot be rebuilt.
    """
    rebuilt = _rebuilt(run, configuration, grounds.of(run.key.task_id))
    sent = rebuilt.steps[step] if 0 <= step < len(rebuilt.steps) else None
    if sent is None:
        raise BadInputError(f"step {step + 1}", "its request cannot be rebuilt")
    return _request(sent.request)


def _rebuilt(run: Run, configuration: Configuration | None, ground: Ground) -> Rebuilt:
    if configuration is None:
        return Rebuilt((), {}, ("what was on is not known yet",))
    return rebuild(run, configuration, ground, all_levers())


def find_run(found: Run | None, key: RunKey) -> Run:
    """The run.

    Raises:
        BadInputError: There is none.
    """
    if found is None:
        raise BadInputError(f"run of {key.configuration_id} on {key.task_id!r}", "is not there")
    return found


def _step(step: Step, prices: PriceBook, sent: Sent | None) -> Document:
    return {
        "text": _text(step.text),
        "calls": [_call(c, prices) for c in step.model_calls],
        "tools": [_use(u) for u in step.tool_uses],
        "sent": None if sent is None else _sent(sent),
    }


def _call(call: ModelCall, prices: PriceBook) -> Document:
    usd = prices.call_usd(call)
    return {
        "model": call.model,
        "model_ref": call.model_ref,
        "purpose": call.purpose,
        "tokens": _tokens(call.tokens),
        "latency_s": call.latency_s,
        "usd": None if usd is None else float(usd),
        "evidence": str(call.evidence),
    }


def _use(use: ToolUse) -> Document:
    return {
        "name": use.name,
        "arguments": _text(use.arguments_json),
        "observation": _text(use.observation),
        "latency_s": use.latency_s,
        "answered_by": use.answered_by,
        "is_error": use.is_error,
    }


def _sent(sent: Sent) -> Document:
    return {
        "messages": sent.messages,
        "chars": sent.chars,
        "chars_before": sent.chars_before,
        "changes": [_change(c) for c in sent.changes],
    }


def _change(change: Change) -> Document:
    return {name: getattr(change, name) for name in change.__struct_fields__}


def _tokens(tokens: Tokens) -> Document:
    """By class; None is unknown."""
    return {name.removesuffix("_tokens"): getattr(tokens, name) for name in CLASSES}


def _request(request: Request) -> Document:
    return {
        "model": request.model,
        "tools": [{"name": t.name, "description": _text(t.description)} for t in request.tools],
        "tools_allowed": request.tools_allowed,
        "max_output_tokens": request.max_output_tokens,
        "messages": [_message(m) for m in request.messages],
    }


def _message(message: Message) -> Document:
    role = type(message).__name__.removesuffix("Message").lower()
    found: Document = {"role": role, "text": _text(message.text)}
    if isinstance(message, AssistantMessage):
        found["calls"] = [{"name": c.name, "arguments": c.arguments} for c in message.tool_calls]
    if isinstance(message, ToolMessage):
        found["name"] = message.name
    return found


def _text(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}… ({len(text) - LONGEST:,} characters more)"
