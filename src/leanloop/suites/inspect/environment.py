"""One run of a sample."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from inspect_ai.model import ChatMessage
from inspect_ai.scorer import Score
from inspect_ai.tool import ToolDef

from leanloop.core.message import (
    AssistantMessage,
    Json,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.suites.inspect.session import Session
from leanloop.suites.inspect.talk import new_words
from leanloop.suites.protocol import Ask

GRADE_TOKENS = 1000
"""What the model of a scorer may write."""


class InspectRun:
    """A sample whose solvers stand still while leanloop's loop is the model.

    Args:
        session: The sample; closed with this.
        read: A score as a number from 0 to 1.
        model: The study's model that a scorer may query; None when it may query none.
    """

    def __init__(
        self, session: Session, read: Callable[[Score | None], float], model: str | None
    ) -> None:
        self._session = session
        self._read = read
        self._model = model
        try:
            query = session.open()
        except BaseException:
            session.close()
            raise
        self.query = query
        self.tools: tuple[ToolSpec, ...] = tuple(as_tool(t) for t in query.tools)

    async def call(self, call: ToolCall) -> ToolMessage:
        """Carry out a call as Inspect does."""
        return await asyncio.wrap_future(self._session.call(call))

    async def reply(self, answer: str, ask: Ask) -> str | None:  # noqa: ARG002 - the protocol's
        """What a solver says next when it queries the model again; None at its end."""
        before = self.query
        query = await asyncio.wrap_future(self._session.answer(answer))
        if query is None:
            return None
        self.query = query
        self.tools = tuple(as_tool(t) for t in query.tools)
        return new_words(before.messages, query.messages)

    async def judge(self, answer: str | None, ask: Ask) -> float:
        """The scorer's score; 0 without an answer."""
        if answer is None:
            return 0.0
        grade = None if self._model is None else grading(self._model, ask)
        return self._read(await asyncio.wrap_future(self._session.score(answer, grade)))

    def verify(self, answer: str | None) -> float:
        """As ``judge``, for scorers that query no model."""
        return 0.0 if answer is None else self._read(self._session.score(answer, None).result())

    def close(self) -> None:
        """End the sample's solvers and its thread."""
        self._session.close()


def grading(model: str, ask: Ask) -> Callable[[Sequence[ChatMessage]], Awaitable[str]]:
    """What a scorer's queries go through: they are paid for, and no part of the agent's cost.

    Args:
        model: The study's name for the model.
        ask: Queries it, in the event loop that is running now.
    """
    loop = asyncio.get_running_loop()

    async def said(request: Request) -> str:
        return (await ask(request)).message.text

    async def grade(messages: Sequence[ChatMessage]) -> str:
        request = Request(
            model, tuple(_message(m) for m in messages), max_output_tokens=GRADE_TOKENS
        )
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(said(request), loop))

    return grade


def as_tool(tool: ToolDef) -> ToolSpec:
    """A tool of Inspect's as it is shown to the model."""
    schema: Json = json.loads(tool.parameters.model_dump_json(exclude_none=True))
    schema.pop("additionalProperties", None)
    return ToolSpec(tool.name, tool.description, schema)


def _message(message: ChatMessage) -> SystemMessage | UserMessage | AssistantMessage:
    if message.role == "system":
        return SystemMessage(message.text)
    return (
        AssistantMessage(message.text) if message.role == "assistant" else UserMessage(message.text)
    )
