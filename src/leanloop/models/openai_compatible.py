"""Models behind the Chat Completions wire format, through the openai SDK."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

import openai

from leanloop.core.message import Json, Request, Response
from leanloop.models.chat_completions import chat_message, chat_tool, read_message, read_usage
from leanloop.models.endpoint import Endpoint
from leanloop.models.wire_errors import gibberish, refusal, silence

OFFICIAL_URL = "https://api.openai.com/v1"
OFFICIAL_HOST = "api.openai.com"


class OpenAICompatible:
    """A model of OpenAI, or of an endpoint that speaks its Chat Completions.

    OpenAI's own endpoint is sent ``max_completion_tokens``, which its reasoning
    models insist on, and no seed, which it deprecates; every other endpoint is
    sent ``max_tokens`` and the seed (openai SDK 3.54, 2026-11).

    An assistant message goes back as the model sent it, with fields that only its
    provider knows, such as ``reasoning_content``; to another model it goes without.

    Args:
        name: The model's name as the endpoint writes it.
        endpoint: Where it answers.
        provider: The first half of ``ref``; a name that prices know.
        temperature: Sent when given; some models refuse any.
    """

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        provider: str = "openai",
        temperature: float | None = None,
    ) -> None:
        self._name = name
        self._endpoint = endpoint
        self._provider = provider
        self._temperature = temperature
        self._client = openai.AsyncOpenAI(
            api_key=endpoint.api_key,
            base_url=endpoint.base_url or OFFICIAL_URL,
            timeout=openai.Timeout(endpoint.timeout_s, connect=endpoint.connect_s),
            max_retries=endpoint.max_retries,
        )

    @property
    def ref(self) -> str:
        """``provider:model``, such as ``openai:gpt-4.1-mini``."""
        return f"{self._provider}:{self._name}"

    @property
    def concurrency(self) -> int:
        """As the endpoint has it."""
        return self._endpoint.concurrency

    def __repr__(self) -> str:
        return f"OpenAICompatible({self.ref!r})"

    async def complete(self, request: Request) -> Response:
        """Answer one request.

        ``latency_s`` is that of the whole call, the waits between retries included.

        Raises:
            ModelError: The endpoint refuses the request.
            OutageError: The endpoint stayed away after every retry.
        """
        body = self._body(request)
        start = time.perf_counter()
        reply = await self._send(body)
        latency_s = time.perf_counter() - start
        try:
            choice = reply["choices"][0]
            message = read_message(choice["message"], self.ref, request.tools_allowed)
        except (LookupError, TypeError, AttributeError):
            raise gibberish(self.ref, reply, self._endpoint.api_key) from None
        return Response(
            message=message,
            tokens=read_usage(reply.get("usage")),
            latency_s=latency_s,
            truncated=choice.get("finish_reason") == "length",
            model_ref=f"{self._provider}:{reply.get('model') or self._name}",
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    # Errors are raised "from None": what the HTTP client raised may quote the header with the key.
    async def _send(self, body: dict[str, Any]) -> Json:
        key = self._endpoint.api_key
        try:
            # The raw answer, since the SDK's types would reorder or drop what must go back as is.
            raw = await self._client.chat.completions.with_raw_response.create(**body)
        except openai.APIStatusError as error:
            raise refusal(self.ref, error.status_code, error.body, key) from None
        except openai.APIConnectionError as error:
            called = self._endpoint.called(self.ref, OFFICIAL_URL)
            raise silence(called, error, self._endpoint.max_retries + 1) from None
        try:
            return json.loads(raw.text)
        except ValueError:
            raise gibberish(self.ref, raw.text, key) from None

    def _body(self, request: Request) -> dict[str, Any]:
        official = is_official(self._endpoint.base_url)
        body: dict[str, Any] = {
            "model": self._name,
            "messages": [chat_message(m, self.ref) for m in request.messages],
            limit_field(official=official): request.max_output_tokens,
        }
        if request.tools:
            body["tools"] = [chat_tool(t) for t in request.tools]
            if not request.tools_allowed:
                body["tool_choice"] = "none"
        if not official:
            body["seed"] = request.seed
        temperature = self._temperature if request.temperature is None else request.temperature
        if temperature is not None:
            body["temperature"] = temperature
        if request.effort:
            body["reasoning_effort"] = request.effort
        return body


def is_official(base_url: str | None) -> bool:
    """Whether the address is OpenAI's own, in whichever region."""
    host = urlsplit(base_url or OFFICIAL_URL).hostname or ""
    return host == OFFICIAL_HOST or host.endswith(f".{OFFICIAL_HOST}")


def limit_field(*, official: bool) -> str:
    """The name of the field that bounds the output."""
    return "max_completion_tokens" if official else "max_tokens"
