"""One sample in Inspect's own context, up to where its model would be queried and from there on.

Inspect's solvers and scorers are coroutines that expect to run in one piece. Here they run
in an event loop of their own, in a thread of its own, and stand still at the query: in that
time leanloop's loop is the model, and the tools are called in the sample's context.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import copy
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from inspect_ai import Task
from inspect_ai._eval.context import init_task_context
from inspect_ai._util.registry import RegistryInfo, set_registry_info, set_registry_params
from inspect_ai.dataset import Sample
from inspect_ai.log._samples import active_sample
from inspect_ai.log._transcript import Transcript, init_transcript
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelAPI,
    ModelName,
    ModelOutput,
    execute_tools,
)
from inspect_ai.scorer import Score, Scorer, Target
from inspect_ai.solver import TaskState
from inspect_ai.solver._task_state import set_sample_state
from inspect_ai.tool import ToolCall as InspectCall
from inspect_ai.tool import ToolDef
from inspect_ai.tool._tool_def import tool_defs
from inspect_ai.util._store import init_subtask_store

from leanloop.core.errors import BadInputError
from leanloop.core.message import ToolCall, ToolMessage

T = TypeVar("T")
MODEL = "leanloop/agent"
SUBMIT = "submit"
"""The tool by which Inspect's own agents hand in their answer."""

Grade = Callable[[Sequence[ChatMessage]], Awaitable[str]]
"""Queries the model of a scorer."""


@dataclass
class Query:
    """Where a solver stands still.

    Args:
        messages: What the model would be sent.
        tools: What it might call.
        answered: Resolved with the answer.
        context: The sample's, in which its tools are called.
        by_agent: Whether an agent asked, whose place leanloop's loop takes for good.
    """

    messages: list[ChatMessage]
    tools: list[ToolDef]
    answered: asyncio.Future[str]
    context: contextvars.Context
    by_agent: bool


class _NoApi(ModelAPI):
    async def generate(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - Inspect's
        raise RuntimeError("a model without an address")


class _Stand(Model):
    """The model of a sample: leanloop's loop, or a scorer's where one is given."""

    def __init__(self, session: Session) -> None:
        api = _NoApi(MODEL)
        # What records a query looks its model up by what registering it would have left there.
        set_registry_info(api, RegistryInfo(type="modelapi", name="leanloop"))
        set_registry_params(api, {})
        super().__init__(api, GenerateConfig())
        self._session = session

    async def generate(
        self,
        input: str | list[ChatMessage],  # noqa: A002 - Inspect's name for it
        tools: Any = (),  # noqa: ANN401 - many kinds of Inspect's
        *_: object,
        **__: object,
    ) -> ModelOutput:
        session = self._session
        if not session.scoring:
            await session.stand_still(_messages(input), tools, by_agent=True)
            raise asyncio.CancelledError  # the agent's own loop has no part in what follows
        if session.grade is None:
            raise BadInputError(
                "suite.options", "the scorer queries a model; name one of the study's: model"
            )
        return ModelOutput.from_content(MODEL, await session.grade(_messages(input)))


@dataclass
class Session:
    """A sample under way. Close it.

    Args:
        task: Inspect's task.
        sample: One of its samples.
        scorer: What scores it.
    """

    task: Task
    sample: Sample
    scorer: Scorer
    scoring: bool = False
    grade: Grade | None = None
    _made: list[ChatMessage] = field(default_factory=list)
    _submitted: str | None = None

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._queries: asyncio.Queue[Query | None] = asyncio.Queue()
        self._query: Query | None = None
        self._solving: asyncio.Task[TaskState] | None = None
        self._context = contextvars.copy_context()
        sample = self.sample
        said = sample.input
        self._state = TaskState(
            model=ModelName(MODEL),
            sample_id=0 if sample.id is None else sample.id,
            epoch=1,
            input=copy.deepcopy(said),
            messages=_messages(said),
            target=Target(sample.target),
            choices=copy.deepcopy(sample.choices),
            metadata=copy.deepcopy(sample.metadata or {}),
        )

    def open(self) -> Query:
        """Run the solvers up to the first query.

        Raises:
            BadInputError: They fail, or never query the model.
        """
        try:
            query = self._run(self._next(self._solve())).result()
        except BadInputError:
            raise
        except Exception as error:  # whatever a solver raises
            problem = " ".join(f"{type(error).__name__}: {error}".split())
            raise BadInputError("suite inspect", f"a solver failed: {problem}") from error
        if query is None:
            raise BadInputError("suite inspect", "its solvers never query the model")
        return query

    def call(self, call: ToolCall) -> concurrent.futures.Future[ToolMessage]:
        """Call a tool in the sample's context."""
        return self._run(self._call(call))

    def answer(self, text: str) -> concurrent.futures.Future[Query | None]:
        """Let the solvers go on with an answer; where they query again, or None at their end."""
        return self._run(self._go_on(text))

    def score(self, text: str, grade: Grade | None) -> concurrent.futures.Future[Score | None]:
        """Score the sample after an answer.

        Args:
            text: The last answer.
            grade: Queries the model of the scorer; None where there is none.
        """
        return self._run(self._score(text, grade))

    def close(self) -> None:
        """Give up what is under way, and end the thread."""
        self._run(self._end()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def stand_still(self, messages: list[ChatMessage], tools: Any, by_agent: bool) -> str:  # noqa: ANN401 - many kinds of Inspect's
        """Wait for an answer to what the model would be sent."""
        query = Query(
            list(messages),
            await tool_defs(tools),
            self._loop.create_future(),
            contextvars.copy_context(),
            by_agent,
        )
        await self._queries.put(query)
        return await query.answered

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _next(self, solve: Coroutine[Any, Any, TaskState] | None = None) -> Query | None:
        """Where the solvers stand still next; None when they have ended."""
        if solve is not None:
            self._solving = asyncio.create_task(solve, context=self._context)
            self._solving.add_done_callback(lambda _: self._queries.put_nowait(None))
        self._query = await self._queries.get()
        if self._query is None and self._solving is not None:
            self._state = self._solving.result()
        return self._query

    async def _solve(self) -> TaskState:
        state, transcript = self._state, Transcript()
        init_task_context(_Stand(self))
        init_transcript(transcript)
        set_sample_state(state)
        init_subtask_store(state.store)
        setup = self.task.setup
        steps = [] if setup is None else list(setup) if isinstance(setup, list | tuple) else [setup]
        async with active_sample(
            task=self.task.name,
            log_location="",
            model=MODEL,
            sample=self.sample.model_copy(update={"id": state.sample_id}),
            epoch=1,
            message_limit=None,
            token_limit=None,
            cost_limit=None,
            time_limit=None,
            working_limit=None,
            fails_on_error=True,
            transcript=transcript,
            eval_id=state.uuid,
            sample_uuid=state.uuid,
        ):
            for step in [*steps, self.task.solver]:
                state = await step(state, self._generate)  # type: ignore[operator]
        return state

    async def _generate(self, state: TaskState, *_: object, **__: object) -> TaskState:
        text = await self.stand_still(state.messages, state.tools, by_agent=False)
        self._tell(state, text)
        return state

    def _tell(self, state: TaskState, text: str) -> None:
        """What leanloop's loop did, as if the model had done it."""
        state.output = ModelOutput.from_content(MODEL, self._submitted or text)
        state.messages.extend([*self._made, state.output.message])
        self._made = []

    async def _call(self, call: ToolCall) -> ToolMessage:
        tools = [] if self._query is None else self._query.tools
        if call.name not in {t.name for t in tools} or self._query is None:
            return ToolMessage(call.call_id, call.name, f"no tool {call.name!r}", True)
        asked = ChatMessageAssistant(
            content="",
            tool_calls=[InspectCall(call.call_id, call.name, copy.deepcopy(call.arguments))],
        )
        done = await asyncio.create_task(
            execute_tools([asked], tools), context=self._query.context.copy()
        )
        self._made += [asked, *done.messages]
        said = next(m for m in done.messages if isinstance(m, ChatMessageTool))
        if self._query.by_agent and call.name == SUBMIT and said.error is None:
            self._submitted = said.text
        text = said.text if said.error is None else said.error.message
        return ToolMessage(call.call_id, call.name, text, said.error is not None)

    async def _go_on(self, text: str) -> Query | None:
        query, self._query = self._query, None
        if query is None:
            return None
        if query.by_agent:
            # What the agent would do next is what leanloop's loop has done.
            self._state.messages = query.messages
            self._tell(self._state, text)
            return None
        query.answered.set_result(text)
        following = await self._next()
        if following is not None and following.by_agent:
            raise BadInputError("suite inspect", "its solvers query a model of their own")
        return following

    async def _score(self, text: str, grade: Grade | None) -> Score | None:
        await self._go_on(text)
        self.scoring, self.grade = True, grade
        context = self._context
        return await asyncio.create_task(self._scored(), context=context)

    async def _scored(self) -> Score | None:
        set_sample_state(self._state)
        return await self.scorer(self._state, self._state.target)

    async def _end(self) -> None:
        if self._solving is not None:
            self._solving.cancel()
            await asyncio.gather(self._solving, return_exceptions=True)
        if self.task.cleanup is not None:
            await asyncio.create_task(self._cleaned(self.task.cleanup), context=self._context)

    async def _cleaned(self, cleanup: Callable[[TaskState], Awaitable[None]]) -> None:
        await cleanup(self._state)


def _messages(said: str | list[ChatMessage]) -> list[ChatMessage]:
    return [ChatMessageUser(content=said)] if isinstance(said, str) else copy.deepcopy(said)
