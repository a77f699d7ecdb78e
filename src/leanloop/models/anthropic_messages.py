"""Claude models behind the Messages API, through the anthropic SDK."""

from __future__ import annotations

import json
import time
from typing import Any

import anthropic

from leanloop.core.message import Json, Request, Response
from leanloop.models.endpoint import Endpoint
from leanloop.models.message_blocks import (
    BREAKPOINT,
    message_turns,
    read_message,
    read_usage,
    system_blocks,
    tool_schemas,
)
from leanloop.models.wire_errors import gibberish, refusal, silence

OFFICIAL_URL = "https://api.anthropic.com"
CUT_OFF = frozenset({"max_tokens", "model_context_window_exceeded"})

STALE_THINKING = "prefix_mismatch_behavior"
"""The setting that the refusal of a stale thinking block names."""

DROP_STALE_THINKING: dict[str, Any] = {
    "extra_headers": {"anthropic-beta": "thinking-binding-controls-2026-08-01"},
    "extra_body": {
        "thinking": {"type": "adaptive", "block_binding": {STALE_THINKING: "drop_block"}}
    },
}
"""What that refusal asks for (Anthropic, Preserved thinking, 2026-11)."""


class AnthropicMessages:
    """A Claude model, or another behind an endpoint that speaks the Messages API.

    An assistant message goes back as the model sent it, with its thinking blocks
    and their signatures; to another model it goes without them.

    Newer models refuse a thinking block once anything before it has changed, as it
    does when a lever shortens the history. At the first such refusal the request is
    sent again, it and all later ones with the setting that makes the API drop
    those blocks instead (Anthropic, Preserved thinking, 2026-11).

    Args:
        name: The model's name as the endpoint writes it.
        endpoint: Where it answers.
        provider: The first half of ``ref``; a name that prices know.
        cache: Whether to mark the end of the system text, or of the tools when
            there is none, and the end of the conversation (and of its last results)
            as five-minute cache breakpoints: at most three of the four allowed. A
            prefix below the model's minimum is silently not cached, and a breakpoint
            finds an earlier one at most twenty blocks back (Anthropic, Prompt caching,
            2026-11).
    """

    def __init__(
        self, name: str, endpoint: Endpoint, provider: str = "anthropic", *, cache: bool = True
    ) -> None:
        self._name = name
        self._endpoint = endpoint
        self._provider = provider
        self._cache = cache
        self._extra: dict[str, Any] = {}
        self._client = anthropic.AsyncAnthropic(
            api_key=endpoint.api_key,
            base_url=endpoint.base_url or OFFICIAL_URL,
            timeout=anthropic.Timeout(endpoint.timeout_s, connect=endpoint.connect_s),
            max_retries=endpoint.max_retries,
        )

    @property
    def ref(self) -> str:
        """``provider:model``, such as ``anthropic:claude-haiku-5-5``."""
        return f"{self._provider}:{self._name}"

    @property
    def concurrency(self) -> int:
        """As the endpoint has it."""
        return self._endpoint.concurrency

    def __repr__(self) -> str:
        return f"AnthropicMessages({self.ref!r})"

    async def complete(self, request: Request) -> Response:
        """Answer one request; the seed is left out, as the API knows none.

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
            message = read_message(reply["content"], self.ref, request.tools_allowed)
        except (LookupError, TypeError, AttributeError):
            raise gibberish(self.ref, reply, self._endpoint.api_key) from None
        return Response(
            message=message,
            tokens=read_usage(reply.get("usage")),
            latency_s=latency_s,
            truncated=reply.get("stop_reason") in CUT_OFF,
            model_ref=f"{self._provider}:{reply.get('model') or self._name}",
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    # Errors are raised "from None": what the HTTP client raised may quote the header with the key.
    async def _send(self, body: dict[str, Any]) -> Json:
        key = self._endpoint.api_key
        try:
            text = await self._post_dropping_stale(body)
        except anthropic.APIStatusError as error:
            raise refusal(self.ref, error.status_code, error.body, key) from None
        except anthropic.APIConnectionError as error:
            called = self._endpoint.called(self.ref, OFFICIAL_URL)
            raise silence(called, error, self._endpoint.max_retries + 1) from None
        try:
            return json.loads(text)
        except ValueError:
            raise gibberish(self.ref, text, key) from None

    async def _post_dropping_stale(self, body: dict[str, Any]) -> str:
        extra = self._extra
        try:
            return await self._post({**body, **extra})
        except anthropic.BadRequestError as error:
            if extra or STALE_THINKING not in error.message:
                raise
        self._extra = DROP_STALE_THINKING
        return await self._post({**body, **DROP_STALE_THINKING})

    async def _post(self, body: dict[str, Any]) -> str:
        # The raw answer, since the SDK's types would reorder or drop what must go back as is.
        raw = await self._client.messages.with_raw_response.create(**body)
        text: str = await raw.text()
        return text

    def _body(self, request: Request) -> dict[str, Any]:
        system = system_blocks(request.messages)
        tools = tool_schemas(request.tools)
        turns = message_turns(request.messages, self.ref)
        if self._cache:
            _mark_last(system or tools)
            if turns and turns[-1]["role"] == "user":
                _mark_ends(turns[-1]["content"])
        body: dict[str, Any] = {
            "model": self._name,
            "max_tokens": request.max_output_tokens,
            "messages": turns,
        }
        if request.effort:
            body["output_config"] = {"effort": request.effort}
        if system:
            body["system"] = system
        if tools:
            body["tools"] = tools
            if not request.tools_allowed:
                body["tool_choice"] = {"type": "none"}
        return body


def _mark_ends(blocks: list[dict[str, Json]]) -> None:
    """Mark the last block, and the last result before it.

    What a lever shows at the end of a request is other text the next time, and would
    leave nothing cached to find up to there.
    """
    results = [i for i, b in enumerate(blocks) if b["type"] == "tool_result"]
    if results and results[-1] + 1 < len(blocks):
        blocks[results[-1]] = {**blocks[results[-1]], "cache_control": BREAKPOINT}
    _mark_last(blocks)


def _mark_last(blocks: list[dict[str, Json]]) -> None:
    if blocks:
        blocks[-1] = {**blocks[-1], "cache_control": BREAKPOINT}
