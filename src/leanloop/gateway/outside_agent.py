"""An agent that leanloop did not write, as what makes a study's runs."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial

import msgspec

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError, ModelError, SpentError
from leanloop.core.message import Request, Response, ToolCall, ToolMessage
from leanloop.core.run import ModelCall, Run, RunKey, Status, Step, ToolUse
from leanloop.core.task import Task
from leanloop.gateway.access import Access, digest_of_key
from leanloop.gateway.acting import with_stable_prefix
from leanloop.gateway.meter import Heard, measured, went_on
from leanloop.gateway.model_server import local_models_served
from leanloop.gateway.prices import Prices
from leanloop.gateway.programs import AgentRun, Command, Program, ProgramError
from leanloop.gateway.server import Bounds, Gateway
from leanloop.gateway.serving import serving
from leanloop.gateway.session import Session
from leanloop.gateway.settings import GatewaySettings
from leanloop.gateway.upstream import Upstreams
from leanloop.loop.agent import Limits
from leanloop.models.builtin import ModelSpec, build_model
from leanloop.models.protocol import Model
from leanloop.store.protocol import Outcome
from leanloop.suites.protocol import Conversing, Suite
from leanloop.suites.testing import prepared, verified
from leanloop.traces.call_record import CallRecord
from leanloop.traces.trace import ACT

AWAY = frozenset({429, 500, 502, 503, 504, 529})
"""Statuses that say nothing of a configuration."""


@dataclass
class _Record:
    """What has been heard of a run so far."""

    configuration: Configuration
    max_steps: int
    steps: list[Step] = field(default_factory=list)
    calls: list[ModelCall] = field(default_factory=list)
    uses: list[ToolUse] = field(default_factory=list)
    asked: dict[str, ToolCall] = field(default_factory=dict)
    text: str = ""
    answered_at: float = 0.0
    acted: int = 0
    away: str = ""
    spent: bool = False
    test_calls: list[ModelCall] = field(default_factory=list)
    waited_s: float = 0.0

    def hear(self, heard: Heard, call: ModelCall) -> None:
        """A call has ended."""
        self.away = heard.error if heard.status in AWAY else ""
        if heard.reply.message is None:
            return
        if heard.purpose == ACT:
            self._results(heard)
            self.close_step()
            self.acted += 1
            self.asked |= {c.call_id: c for c in heard.reply.message.tool_calls}
            self.text, self.answered_at = heard.reply.message.text, time.perf_counter()
        self.calls.append(call)

    def _results(self, heard: Heard) -> None:
        """Results that the agent sends for the first time."""
        waited = max(heard.timing.start - self.answered_at, 0.0) if self.answered_at else 0.0
        for entry in heard.change.added:
            message = entry.message
            if not isinstance(message, ToolMessage):
                continue
            call = self.asked.pop(message.call_id, None)
            if call is not None:
                arguments = json.dumps(call.arguments, ensure_ascii=False)
                error = message.is_error
                use = ToolUse(call.name, arguments, waited, "tool", error, message.text)
                self.uses.append(use)

    def close_step(self) -> None:
        """What is known of a step is known once the next one begins, or the run ends."""
        if self.calls:
            self.steps.append(Step(tuple(self.calls), tuple(self.uses), self.text))
        self.calls, self.uses, self.text = [], [], ""


class RunMeter:
    """Writes the calls of each run down in its own record.

    Args:
        agent: Whose: its models and prices, and where its calls are paid from.
    """

    name = "study"
    contents = True
    waiting = 0

    def __init__(self, agent: OutsideAgent) -> None:
        self.prices = Prices(agent.specs)
        self.runs: dict[str, _Record] = {}
        self._specs = agent.specs
        self._check, self._pay, self._usd = agent.check, agent.pay, agent.price

    def refusal(self, session: Session) -> tuple[int, str, str] | None:
        """Why the session may make no call now."""
        record = self.runs.get(session.key)
        if record is None:
            return 401, "access", "this run is over, or never was"
        try:
            self._check()
        except SpentError as error:
            record.spent = True
            return 429, "budget", str(error)
        if record.acted >= record.max_steps:
            return 429, "budget", f"the study allows {record.max_steps} steps"
        return None

    def record(self, heard: Heard) -> ModelCall:
        """Write a call down."""
        call, said = measured(heard)
        went_on(heard, said)
        call = self._named(call)
        if heard.reply.message is not None:
            self._pay(self._usd(call))
        record = self.runs.get(heard.session.key)
        if record is not None:
            record.hear(heard, call)
        return call

    def _named(self, call: ModelCall) -> ModelCall:
        """The call by the study's name of its model, whatever the agent called it."""
        alias = call.model if call.model in self._specs else next(iter(self._specs))
        ref = call.model_ref
        if ":" not in ref:
            ref = f"{self._specs[alias].provider}:{ref}"
        return msgspec.structs.replace(call, model=alias, model_ref=ref)

    def outcome(self, session_id: str, configuration_id: str, success: float) -> None:
        """A study's verifier says how a run went, not its agent."""

    def outcomes(self) -> Sequence[Outcome]:
        """None."""
        return ()

    def earlier(self, sessions: int) -> list[CallRecord]:
        """None."""
        del sessions
        return []

    def metrics(self) -> bytes | None:
        """None."""
        return None

    def close(self) -> None:
        """Nothing is left."""


class _RunGateway(Gateway):
    """Gives each session the levers of the run whose key it has."""

    def choose(self, session_id: str, key: str) -> Configuration:
        """The configuration of the run."""
        del session_id
        assert isinstance(self.meter, RunMeter)
        record = self.meter.runs.get(key)
        return Configuration() if record is None else record.configuration


class _Place:
    """Where an agent's gateway listens, once it does."""

    def __init__(self) -> None:
        self.url = ""
        self._stack = AsyncExitStack()
        self._opening: asyncio.Lock | None = None
        self.meter: RunMeter

    async def opened(self, agent: OutsideAgent) -> _Place:
        """Start the gateway unless it is there."""
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if not self.url:
                await self._open(agent)
        return self

    async def _open(self, agent: OutsideAgent) -> None:
        specs = await self._stack.enter_async_context(local_models_served(agent.specs))
        first = next(iter(specs.values()))
        settings = GatewaySettings(models={**specs, "": first})
        upstreams = Upstreams(None, None, specs, first)
        self.meter = RunMeter(agent)
        gateway = _RunGateway(settings, upstreams, self.meter, Access((), "127.0.0.1"), Bounds())
        self.url = await self._stack.enter_async_context(serving(gateway, drain_s=1))

    async def close(self) -> None:
        """Stop it."""
        await self._stack.aclose()
        self.url = ""


@dataclass(frozen=True)
class OutsideAgent:
    """Runs a program, or a function, on a study's tasks, its calls through a gateway.

    Each run has a key of its own, by which its calls are told from those of others that
    are under way. Calls of a model that is no model of the study go to the first one.

    Args:
        suite: Where tasks come from.
        specs: The study's models.
        program: What is run.
        limits: What no run may pass.
        price: Dollars of a call, as the study prices it.
        check: Raises SpentError once nothing may be spent any more.
        pay: Takes what a call cost.
    """

    suite: Suite
    specs: Mapping[str, ModelSpec]
    program: Program
    limits: Limits
    price: Callable[[ModelCall], Decimal | None]
    check: Callable[[], None] = lambda: None
    pay: Callable[[Decimal | None], None] = lambda _: None
    _place: _Place = field(default_factory=_Place)
    _testers: dict[str, Model] = field(default_factory=dict)

    @property
    def concurrency(self) -> int:
        """As many runs at once as the least of its models takes requests."""
        return min(s.requests_at_once for s in self.specs.values())

    def paying(
        self, check: Callable[[], None], pay: Callable[[Decimal | None], None]
    ) -> OutsideAgent:
        """The same agent, its calls paid from somewhere."""
        return replace(self, check=check, pay=pay)

    async def run(self, configuration: Configuration, task: Task) -> Run:
        """Run one configuration on one task; errors end up in the run, not here.

        Raises:
            SpentError: The money is spent; the run is given up.
        """
        place = await self._place.opened(self)
        key = f"run-{secrets.token_urlsafe(18)}"
        record = _Record(with_stable_prefix(configuration, said=False), self.limits.max_steps)
        place.meter.runs[digest_of_key([key])] = record
        started_at, start = time.time(), time.perf_counter()
        try:
            status, success, answer, reason = await self._attempt(task, key, place.url, record)
        finally:
            del place.meter.runs[digest_of_key([key])]
        if record.spent:
            raise SpentError("a cap of the study is reached")
        wall_s = time.perf_counter() - start - record.waited_s
        record.close_step()
        return Run(
            key=RunKey(configuration.id, task.task_id),
            split=task.split,
            status=status,
            success=success,
            steps=tuple(record.steps),
            wall_s=wall_s,
            critical_path_s=wall_s,
            started_at=started_at,
            answer=answer,
            reason=reason,
            family=task.family,
            cluster=task.cluster,
            test_calls=tuple(record.test_calls),
        )

    async def close(self) -> None:
        """Stop the gateway, and close what the test queried."""
        await self._place.close()
        for model in self._testers.values():
            await model.close()

    async def _attempt(
        self, task: Task, key: str, url: str, record: _Record
    ) -> tuple[Status, float | None, str | None, str]:
        environment = self.suite.open(task)
        if isinstance(environment, Conversing) and isinstance(self.program, Command):
            environment.close()
            said = "users here go on talking; take agent.python, and its reply"
            raise BadInputError("agent.command", said)
        user, judge = partial(self._ask, record, "user"), partial(self._ask, record, "judge")
        asked = AgentRun(task, environment, url, key, next(iter(self.specs)), user)
        try:
            start = time.perf_counter()
            await prepared(environment)
            record.waited_s += time.perf_counter() - start
            async with asyncio.timeout(self.limits.timeout_s):
                answer = await self.program.run(asked)
                success = await verified(environment, answer, judge)
            return Status.FINISHED, success, answer, ""
        except TimeoutError:
            return Status.TIMEOUT, 0.0, None, f"over {self.limits.timeout_s:g} s"
        except ProgramError as error:
            if record.away:
                return Status.OUTAGE, None, None, record.away
            return Status.ERROR, 0.0, error.answer, str(error)
        except (SpentError, BadInputError):
            raise
        except Exception as error:  # whatever a verifier raises is a result
            return Status.ERROR, 0.0, None, f"{type(error).__name__}: {error}"
        finally:
            environment.close()

    async def _ask(self, record: _Record, purpose: str, request: Request) -> Response:
        """Query a model for the test, not through the gateway."""
        spec = self.specs.get(request.model)
        if spec is None:
            raise ModelError(f"no model named {request.model!r} in the study")
        if request.model not in self._testers:
            self._testers[request.model] = build_model(request.model, spec)
        model = self._testers[request.model]
        self.check()
        started_at, start = time.time(), time.perf_counter()
        response = await model.complete(request)
        record.waited_s += time.perf_counter() - start
        ref = response.model_ref or model.ref
        call = ModelCall(
            request.model, ref, purpose, response.tokens, response.latency_s, started_at
        )
        record.test_calls.append(call)
        self.pay(self.price(call))
        return response
