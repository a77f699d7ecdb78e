"""A model that says what it was told to say: for tests and dry runs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from leanloop.core.errors import ModelError
from leanloop.core.message import AssistantMessage, Message, Request, Response, ToolSpec
from leanloop.core.tokens import Tokens

Script: TypeAlias = Callable[[Request], AssistantMessage] | Sequence[AssistantMessage]
"""A function of the request, or answers that are given in order."""

CHARACTERS_PER_TOKEN = 4


class ScriptedModel:
    """Answers by a script, with token counts that depend on the requests alone.

    Tokens are modelled, about four characters each, rounded up. The input is
    the tools and then the messages; as many whole tools and messages as start
    this request and the one before alike are the cache-read class. Nothing is
    ever a cache write or reasoning. An answer longer than the request allows is
    given whole, counted up to the bound and marked truncated.

    Args:
        script: What it answers. A function may raise what a model may raise.
        name: The name in records, ``scripted:NAME``.
        latency_s: The latency that is reported; the time that really passed when None.
        delay_s: Seconds to sleep before each answer.
        concurrency: Requests under way at once; with more than one, which request came
            before, and so what is cached, is chance.
    """

    def __init__(
        self,
        script: Script,
        *,
        name: str = "model",
        latency_s: float | None = None,
        delay_s: float = 0.0,
        concurrency: int = 1,
    ) -> None:
        self._answer = script if callable(script) else _in_order(script)
        self._name = name
        self._latency_s = latency_s
        self._delay_s = delay_s
        self._concurrency = concurrency
        self._previous: tuple[ToolSpec | Message, ...] = ()
        self.requests: list[Request] = []
        """What it was sent, oldest first."""

    @property
    def ref(self) -> str:
        """``scripted:NAME``."""
        return f"scripted:{self._name}"

    @property
    def concurrency(self) -> int:
        """As it was set up."""
        return self._concurrency

    async def complete(self, request: Request) -> Response:
        """Give the next answer.

        Raises:
            ModelError: The script has no answer left.
        """
        start = time.perf_counter()
        self.requests.append(request)
        uncached, cached = self._count(request)
        message = self._answer(request)
        if self._delay_s:
            await asyncio.sleep(self._delay_s)
        wrote = _tokens(_characters(message))
        passed = time.perf_counter() - start
        return Response(
            message=message,
            tokens=Tokens(uncached, cached, 0, 0, min(wrote, request.max_output_tokens), 0),
            latency_s=passed if self._latency_s is None else self._latency_s,
            truncated=wrote > request.max_output_tokens,
            model_ref=self.ref,
        )

    async def close(self) -> None:
        """Nothing is held."""

    def _count(self, request: Request) -> tuple[int, int]:
        parts = (*request.tools, *request.messages)
        same = 0
        while same < min(len(parts), len(self._previous)) and parts[same] == self._previous[same]:
            same += 1
        self._previous = parts
        cached = _tokens(sum(_characters(p) for p in parts[:same]))
        return _tokens(sum(_characters(p) for p in parts)) - cached, cached


def _in_order(answers: Sequence[AssistantMessage]) -> Callable[[Request], AssistantMessage]:
    left = iter(answers)

    def answer(_: Request) -> AssistantMessage:
        message = next(left, None)
        if message is None:
            raise ModelError(f"the script has no answer after the first {len(answers)}")
        return message

    return answer


def _characters(part: ToolSpec | Message) -> int:
    if isinstance(part, ToolSpec):
        return len(part.name) + len(part.description) + len(json.dumps(part.parameters))
    calls = part.tool_calls if isinstance(part, AssistantMessage) else ()
    return len(part.text) + sum(len(c.name) + len(json.dumps(c.arguments)) for c in calls)


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)
