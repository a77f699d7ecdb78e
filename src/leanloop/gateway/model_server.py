"""Models of this machine behind the APIs that the gateway speaks."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from leanloop.core.errors import BadInputError, ModelError, OutageError
from leanloop.core.message import AssistantMessage, Json, Response
from leanloop.core.tokens import Tokens
from leanloop.gateway.builtin import wire_of
from leanloop.gateway.chat_completions import REF
from leanloop.gateway.exchange import STREAM, refused
from leanloop.gateway.protocol import Wire
from leanloop.gateway.serving import listening
from leanloop.models.builtin import ModelSpec, build_model
from leanloop.models.chat_completions import chat_message
from leanloop.models.message_blocks import content_blocks
from leanloop.models.originals import NO_LIMIT
from leanloop.models.protocol import Model
from leanloop.models.responses_request import response_items
from leanloop.models.weights import Progress

LOCAL = ("embedded", "scripted")
USUAL_OUTPUT = 512
"""Tokens that a model of this machine writes at most where a client sets no bound."""


def spec_of(text: str, where: str) -> ModelSpec:
    """The model that ``embedded:NAME`` names.

    Raises:
        BadInputError: It is neither that nor an address.
    """
    provider, _, name = text.partition(":")
    if provider not in LOCAL or not name:
        raise BadInputError(where, "takes an address, or embedded:MODEL ('leanloop models')")
    return ModelSpec(provider, name, context_tokens=16384)


@asynccontextmanager
async def local_models_served(
    specs: Mapping[str, ModelSpec], progress: Progress | None = None
) -> AsyncIterator[dict[str, ModelSpec]]:
    """Serve those of the models that are of this machine; yields all, by where they answer.

    Args:
        specs: Name to model.
        progress: Is told how far a download of weights is.

    Raises:
        BadInputError: A model cannot be had.
    """
    local = {n: s for n, s in specs.items() if s.provider in LOCAL}
    if not local:
        yield dict(specs)
        return
    async with model_server(local, progress) as base:
        served = {n: ModelSpec("local", n, base_url=base, price=s.price) for n, s in local.items()}
        yield {**specs, **served}


@asynccontextmanager
async def model_server(
    specs: Mapping[str, ModelSpec], progress: Progress | None = None
) -> AsyncIterator[str]:
    """Serve models on a free loopback port while the block runs; yields the address.

    Args:
        specs: Name to model; the first answers calls of any other name.
        progress: Is told how far a download of weights is.

    Raises:
        BadInputError: A model cannot be had.
    """
    models = {name: build_model(name or "upstream", s, progress) for name, s in specs.items()}
    served = serve_models(models)
    async with served as url:
        try:
            yield url
        finally:
            for model in models.values():
                await model.close()


@asynccontextmanager
async def serve_models(models: Mapping[str, Model]) -> AsyncIterator[str]:
    """Serve models that are there; yields the address.

    Args:
        models: Name to model; the first answers calls of any other name.
    """
    server = web.Server(_Answering(models).handle, handler_cancellation=True, access_log=None)
    async with listening(server) as url:
        yield url


class _Answering:
    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = models

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        wire = wire_of(http.method, http.path)
        if wire is None:
            return await self._other(http)
        try:
            raw = await http.read()
            peeked = wire.peek(raw)
            asked = msgspec.json.decode(raw)
            request = wire.read(asked).request
        except (BadInputError, msgspec.DecodeError) as error:
            return refused(wire, 400, "request", str(error))
        model = self._models.get(request.model) or next(iter(self._models.values()))
        if request.max_output_tokens == NO_LIMIT:
            request = msgspec.structs.replace(request, max_output_tokens=USUAL_OUTPUT)
        try:
            response = await model.complete(request)
        except ModelError as error:
            return refused(wire, 400, "request", str(error))
        except OutageError as error:
            return refused(wire, 503, "upstream", str(error))
        body = answer_body(wire, response, model.ref)
        if not peeked.stream:
            return web.Response(body=msgspec.json.encode(body), content_type="application/json")
        options = asked.get("stream_options")
        usage = isinstance(options, dict) and bool(options.get("include_usage"))
        return web.Response(body=b"".join(wire.events(body, usage=usage)), content_type=STREAM)

    async def _other(self, http: web.BaseRequest) -> web.StreamResponse:
        if http.method == "GET" and http.path.endswith("/models"):
            listed = [{"id": n or m.ref, "object": "model"} for n, m in self._models.items()]
            body = msgspec.json.encode({"object": "list", "data": listed})
            return web.Response(body=body, content_type="application/json")
        return refused(None, 404, "request", f"there is no {http.method} {http.path} here")


def answer_body(wire: Wire, response: Response, ref: str) -> Json:
    """A response as the body of an answer."""
    makers = {"chat-completions": _chat, "messages": _messages, "responses": _responses}
    # What the embedded model keeps of its own text is no provider's message.
    message = msgspec.structs.replace(response.message, verbatim=None)
    made: Json = makers[wire.name](message, response)
    return {**made, "model": ref}


def _chat(message: AssistantMessage, response: Response) -> Json:
    finish = "tool_calls" if message.tool_calls else "stop"
    choice = {
        "index": 0,
        "message": chat_message(message, REF),
        "finish_reason": "length" if response.truncated else finish,
    }
    t, (sent, said) = response.tokens, _counts(response.tokens)
    usage: Json = {"prompt_tokens": sent, "completion_tokens": said, "total_tokens": sent + said}
    usage["prompt_tokens_details"] = {"cached_tokens": t.cache_read_tokens or 0}
    about = {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": "chat.completion"}
    return {**about, "created": int(time.time()), "choices": [choice], "usage": usage}


def _messages(message: AssistantMessage, response: Response) -> Json:
    stop = "tool_use" if message.tool_calls else "end_turn"
    tokens = response.tokens
    usage = {
        "input_tokens": tokens.uncached_input_tokens or 0,
        "cache_read_input_tokens": tokens.cache_read_tokens or 0,
        "cache_creation_input_tokens": 0,
        "output_tokens": _counts(tokens)[1],
    }
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "content": content_blocks(message, REF),
        "stop_reason": "max_tokens" if response.truncated else stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _responses(message: AssistantMessage, response: Response) -> Json:
    sent, said = _counts(response.tokens)
    made = secrets.token_hex(12)
    usage = {
        "input_tokens": sent,
        "input_tokens_details": {"cached_tokens": response.tokens.cache_read_tokens or 0},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": sent + said,
    }
    output = [_item(i, f"{made}{n}") for n, i in enumerate(response_items(message))]
    return {
        "id": f"resp_{made}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "incomplete" if response.truncated else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if response.truncated else None,
        "error": None,
        "instructions": None,
        "metadata": {},
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }


def _item(item: dict[str, Json], made: str) -> dict[str, Json]:
    if item.get("type") == "function_call":
        return {**item, "id": f"fc_{made}", "status": "completed"}
    text = {"type": "output_text", "text": item["content"], "annotations": []}
    about = {"id": f"msg_{made}", "type": "message", "role": "assistant", "status": "completed"}
    return {**about, "content": [text]}


def _counts(tokens: Tokens) -> tuple[int, int]:
    return tokens.input_tokens or 0, tokens.all_output_tokens or 0
