"""The agent loop: query the model, make its tool calls, query again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError, ModelError, OutageError, SpentError
from leanloop.core.message import (
    Message,
    Request,
    Response,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.core.run import ModelCall, Run, RunKey, Status, Step, ToolUse
from leanloop.core.task import Task
from leanloop.levers.protocol import Answer, Doom, Ended, Lever, RunContext, Stop, Verdict, no_price
from leanloop.loop.pipeline import Pipeline, build_pipeline
from leanloop.loop.run_memory import RunMemory
from leanloop.models.protocol import Model
from leanloop.suites.protocol import Environment, Suite
from leanloop.suites.testing import prepared, replied, verified

LAST_STEP = "You cannot call tools any more. Give your answer now."


@dataclass(frozen=True)
class Limits:
    """What no run may pass, whatever its levers say.

    Args:
        max_steps: Steps, inclusive.
        timeout_s: Wall seconds.
        max_output_tokens: What the model may write in a step, inclusive.
    """

    max_steps: int = 16
    timeout_s: float = 300.0
    max_output_tokens: int = 160


@dataclass(frozen=True)
class Agent:
    """leanloop's own agent: a suite's instructions, models by name, and levers.

    Args:
        suite: Where tasks, tools and worked examples come from.
        models: The study's name for a model, to the model.
        default_model: The model that acts when no lever says otherwise.
        levers: Every lever that a configuration may set, in pipeline order.
        limits: What no run may pass.
        price: Dollars of a model call, for levers that go by them; None when unknown.
        doom: Knows runs that fail, for the lever that ends those; None while unknown.
    """

    suite: Suite
    models: Mapping[str, Model]
    default_model: str
    levers: Mapping[str, Lever]
    limits: Limits = field(default_factory=Limits)
    price: Callable[[ModelCall], Decimal | None] = no_price
    doom: Doom | None = None

    @property
    def concurrency(self) -> int:
        """As many runs at once as the least of its models takes requests."""
        return min(m.concurrency for m in self.models.values())

    async def run(
        self,
        configuration: Configuration,
        task: Task,
        seed: int = 0,
        memory: RunMemory | None = None,
    ) -> Run:
        """Run one configuration on one task; errors end up in the run, not here.

        Args:
            configuration: What is on.
            task: What to do.
            seed: Of the run.
            memory: What earlier tasks left; what the run would change in it is in the
                run. None where nothing is carried over.
        """
        started_at, start = time.time(), time.perf_counter()
        record = _Record()
        success: float | None = 0.0
        timeout = asyncio.timeout(self.limits.timeout_s)
        try:
            async with timeout:
                success = await self._attempt(configuration, task, seed, record, memory)
        except (SpentError, BadInputError):
            # Money that is spent, or a part that is not installed, says nothing of an agent.
            raise
        except OutageError as error:
            record.end(Status.OUTAGE, str(error))
            success = None
        except Exception as error:  # whatever an agent or a verifier raises is a result
            if timeout.expired():
                record.end(Status.TIMEOUT, f"over {self.limits.timeout_s:g} s")
            else:
                record.end(Status.ERROR, f"{type(error).__name__}: {error}")
            with contextlib.suppress(Exception):
                # The run ended by the error above, whatever a lever makes of it.
                await record.tell(0.0)
        record.close_step()
        return Run(
            key=RunKey(configuration.id, task.task_id, seed),
            split=task.split,
            status=record.status,
            success=success,
            steps=tuple(record.steps),
            wall_s=record.wall_s(time.perf_counter() - start),
            critical_path_s=record.critical_path_s,
            started_at=started_at,
            answer=record.answer,
            reason=record.reason,
            family=task.family,
            cluster=task.cluster,
            stream=task.stream,
            position=task.position,
            memory=() if memory is None else memory.changes(success),
            test_calls=tuple(record.test_calls),
        )

    async def _attempt(
        self,
        configuration: Configuration,
        task: Task,
        seed: int,
        record: _Record,
        memory: RunMemory | None,
    ) -> float:
        environment = self.suite.open(task)
        try:
            start = time.perf_counter()
            await prepared(environment)
            # Setting the task up is no work of the agent's.
            record.queued_s += time.perf_counter() - start
            meter = _Meter(self.models, record)
            turn = _Turn(Pipeline({}), meter, environment, record)
            context = RunContext(
                task=task,
                tools=environment.tools,
                examples=self.suite.examples,
                model=self.default_model,
                complete=meter.complete,
                seed=seed,
                make_calls=turn.make_calls,
                price=self.price,
                max_steps=self.limits.max_steps,
                doom=self.doom,
                memory=memory,
            )
            record.pipeline = turn.pipeline = build_pipeline(configuration, context, self.levers)
            await self._loop(turn, task, seed)
            success = await verified(environment, record.answer, meter.judge)
            await record.tell(success)
            return success
        finally:
            environment.close()

    async def _loop(self, turn: _Turn, task: Task, seed: int) -> None:
        history: list[Message] = [SystemMessage(self.suite.instructions), UserMessage(task.prompt)]
        verdict: Verdict | None = None
        for _ in range(self.limits.max_steps):
            may_call = not isinstance(verdict, Answer)
            if not may_call:
                history.append(UserMessage(LAST_STEP))
            request = Request(
                model=self.default_model,
                messages=tuple(history),
                tools=turn.environment.tools,
                tools_allowed=may_call,
                max_output_tokens=self.limits.max_output_tokens,
                seed=seed,
            )
            finished = await turn.take(request, history)
            if finished and not (may_call and await turn.go_on(history)):
                return
            verdict = turn.pipeline.after_step(turn.record.close_step())
            if isinstance(verdict, Stop):
                turn.record.end(Status.STOPPED, verdict.reason)
                return
        turn.record.end(Status.STOPPED, f"step limit of {self.limits.max_steps}")


@dataclass
class _Turn:
    """One step of the loop."""

    pipeline: Pipeline
    meter: _Meter
    environment: Environment
    record: _Record

    async def take(self, request: Request, history: list[Message]) -> bool:
        """Query, then make the calls; True when the model answered instead."""
        sent = await self.pipeline.on_request(request)
        response = await self.pipeline.on_query(sent)
        if response is None:
            response = await self.meter.complete(sent, "act")
            response = await self.pipeline.on_response(sent, response)
        message = response.message
        history.append(message)
        self.record.text = message.text
        if not message.tool_calls or not request.tools_allowed:
            self.record.answer = message.text
            reason = "cut off" if response.truncated else ""
            self.record.end(Status.FINISHED, reason)
            return True
        for group in self.pipeline.on_calls(message.tool_calls):
            history.extend(await self.make_calls(group))
        return False

    async def go_on(self, history: list[Message]) -> bool:
        """Let the user speak; True when there was something to say."""
        said = await replied(self.environment, self.record.answer or "", self.meter.user)
        if said is None:
            return False
        history.append(UserMessage(said))
        self.record.answer = None
        return True

    async def make_calls(self, calls: Sequence[ToolCall]) -> list[ToolMessage]:
        """Make calls at once; the longest of them is what the run has to wait for."""
        before, start = self.record.critical_path_s, time.perf_counter()
        if len(calls) == 1:
            made = [await self._call(calls[0])]
        else:
            made = await asyncio.gather(*map(self._call, calls))
        # What a lever did to answer a call, queries included, has been counted by itself.
        waited = time.perf_counter() - start
        self.record.critical_path_s = max(self.record.critical_path_s, before + waited)
        self.record.uses += [use for use, _ in made]
        return [result for _, result in made]

    async def _call(self, call: ToolCall) -> tuple[ToolUse, ToolMessage]:
        start = time.perf_counter()
        outcome, answered_by = await self.pipeline.on_tool_call(call)
        if isinstance(outcome, ToolCall):
            result = await self._make(outcome)
            result = self.pipeline.on_tool_result(call, result)
        else:
            result = outcome
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        latency_s = time.perf_counter() - start
        use = ToolUse(call.name, arguments, latency_s, answered_by, result.is_error, result.text)
        return use, result

    async def _make(self, call: ToolCall) -> ToolMessage:
        try:
            return await self.environment.call(call)
        except Exception as error:  # a broken tool is an observation like any other
            return ToolMessage(call.call_id, call.name, f"{type(error).__name__}: {error}", True)


@dataclass
class _Meter:
    """Sends requests to models and writes down what they used."""

    models: Mapping[str, Model]
    record: _Record

    async def complete(self, request: Request, purpose: str) -> Response:
        start = time.perf_counter()
        response, call = await self._query(request, purpose)
        self.record.queued_s += max(time.perf_counter() - start - response.latency_s, 0.0)
        self.record.model(call)
        return response

    async def user(self, request: Request) -> Response:
        """Query the model that plays the user."""
        return await self._test(request, "user")

    async def judge(self, request: Request) -> Response:
        """Query the model that judges."""
        return await self._test(request, "judge")

    async def _test(self, request: Request, purpose: str) -> Response:
        start = time.perf_counter()
        response, call = await self._query(request, purpose)
        # The agent waits for neither its user nor its judge where it is at work.
        self.record.queued_s += time.perf_counter() - start
        self.record.test_calls.append(call)
        return response

    async def _query(self, request: Request, purpose: str) -> tuple[Response, ModelCall]:
        model = self.models.get(request.model)
        if model is None:
            raise ModelError(f"no model named {request.model!r} in the study")
        started_at = time.time()
        response = await model.complete(request)
        return response, ModelCall(
            model=request.model,
            model_ref=response.model_ref or model.ref,
            purpose=purpose,
            tokens=response.tokens,
            latency_s=response.latency_s,
            started_at=started_at,
        )


@dataclass
class _Record:
    """What has happened in a run so far."""

    steps: list[Step] = field(default_factory=list)
    calls: list[ModelCall] = field(default_factory=list)
    uses: list[ToolUse] = field(default_factory=list)
    test_calls: list[ModelCall] = field(default_factory=list)
    text: str = ""
    status: Status = Status.ERROR
    reason: str = ""
    answer: str | None = None
    critical_path_s: float = 0.0
    queued_s: float = 0.0
    pipeline: Pipeline | None = None

    async def tell(self, success: float) -> None:
        """Tell the levers, once, how the run has ended: one may have changed what they know."""
        pipeline, self.pipeline = self.pipeline, None
        if pipeline is not None:
            steps = (*self.steps, self.open_step())
            await pipeline.on_end(Ended(self.status, success, self.answer, steps))

    def wall_s(self, passed_s: float) -> float:
        """Wall seconds without what was waited in this process for a model's turn."""
        return max(passed_s - self.queued_s, min(passed_s, self.critical_path_s))

    def model(self, call: ModelCall) -> None:
        self.calls.append(call)
        self.critical_path_s += call.latency_s

    def open_step(self) -> Step:
        """The step that is under way, as far as it has come."""
        return Step(tuple(self.calls), tuple(self.uses), self.text)

    def close_step(self) -> Step:
        step = self.open_step()
        if self.calls or self.uses:
            self.steps.append(step)
        self.calls, self.uses, self.text = [], [], ""
        return step

    def end(self, status: Status, reason: str) -> None:
        self.status, self.reason = status, reason
