"""A model inside this process: llama.cpp through xllamacpp."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import xllamacpp

from leanloop.core.errors import BadInputError, ModelError
from leanloop.core.message import (
    AssistantMessage,
    Json,
    Message,
    Request,
    Response,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
)
from leanloop.core.tokens import Tokens
from leanloop.models.saved_prefix import SavedPrefixes, state_folder

# Two models of one process share its cores: were both to compute at once, the seconds of each
# would be charged for the other's work.
_MACHINE = threading.Lock()

PROTOCOL = (
    'Reply with one JSON object: {"tool": NAME, "args": {...}} to call a tool, '
    'or {"answer": "..."} once you know the answer.'
)


@dataclass(frozen=True)
class EmbeddedOptions:
    """How llama.cpp is set up.

    Args:
        context_tokens: The longest conversation, input and output.
        threads: Threads for prompt and output; the cores this process may use when 0.
    """

    context_tokens: int = 8192
    threads: int = 0


def _cores() -> int:
    """Cores of this process; more threads than that wait for each other at every layer."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class EmbeddedModel:
    """A GGUF file, run by llama.cpp in this process.

    Tool calls are forced into shape by a grammar made from the tools' own
    schemas. Output is greedy unless a temperature is asked for. llama.cpp keeps
    the last conversation, so a prompt that starts as the one before is not
    computed again; how much was reused is reported by llama.cpp, not guessed, and
    is the cache-read class.

    One request is computed at a time: on two cores four parallel slots gave a
    tenth more tokens a second, while every latency then measured the neighbours
    too (docs/decisions/0003).

    Args:
        name: The name in records, ``embedded:NAME``.
        path: The GGUF file.
        options: How llama.cpp is set up.
    """

    def __init__(self, name: str, path: Path, options: EmbeddedOptions = EmbeddedOptions()) -> None:
        if not path.is_file():
            raise BadInputError(str(path), "no such file of weights")
        self._name = name
        self._path = path
        self._options = options
        self._server: xllamacpp.Server | None = None
        self._api_key = secrets.token_hex(16)
        self._states = state_folder(path, options.context_tokens)
        self._prefixes = SavedPrefixes(self._states, self._address)
        self._ids = itertools.count(1)

    @property
    def ref(self) -> str:
        """``embedded:NAME``."""
        return f"embedded:{self._name}"

    @property
    def concurrency(self) -> int:
        """One: see the class."""
        return 1

    async def complete(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ModelError: The conversation is longer than the context.
            BadInputError: The file is not a model that llama.cpp can load.
        """
        return await asyncio.to_thread(self._complete, request)

    async def load(self) -> None:
        """Load the weights now instead of with the first request.

        Raises:
            BadInputError: The file is not a model that llama.cpp can load.
        """
        await asyncio.to_thread(self._load)

    async def close(self) -> None:
        """Free the model."""
        self._server = None

    def endpoint(self) -> tuple[str, str]:
        """Base URL and key of llama.cpp's own HTTP server, on loopback.

        It speaks the OpenAI wire format and lives as long as the model.
        """
        return f"{self._load().listening_address}/v1", self._api_key

    def _address(self) -> tuple[str, str]:
        return self._load().listening_address, self._api_key

    def _load(self) -> xllamacpp.Server:
        if self._server is None:
            try:
                self._server = xllamacpp.Server(self._parameters())
            except (RuntimeError, ValueError) as error:
                raise BadInputError(str(self._path), "llama.cpp cannot load it") from error
        return self._server

    def _parameters(self) -> xllamacpp.CommonParams:
        threads = self._options.threads or _cores()
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(self._path)
        parameters.n_ctx = self._options.context_tokens
        parameters.n_parallel = 1
        parameters.cpuparams.n_threads = threads
        parameters.cpuparams_batch.n_threads = threads
        # A store of older prompts would let a configuration reuse what another one computed for
        # the same task, and look cheaper for having come second.
        parameters.cache_ram_mib = 0
        if self._prefixes.ready():
            parameters.slot_save_path = f"{self._states}/"
            parameters.endpoint_slots = True
        parameters.verbosity = -1
        parameters.api_keys = [self._api_key]
        return parameters

    def _complete(self, request: Request) -> Response:
        with _MACHINE:
            server = self._load()
            start = time.perf_counter()
            if request.tools:
                read = self._warm(server, request)
                reply = server.handle_completions(completion_body(request))
            else:
                read = 0
                self._prefixes.forget()
                reply = server.handle_chat_completions(chat_body(request))
            latency_s = time.perf_counter() - start
        if "error" in reply:
            raise ModelError(f"{self.ref}: {reply['error'].get('message', 'no reason given')}")
        message = self._message(reply, request)
        return _response(reply, message, (latency_s, read), self.ref)

    def _warm(self, server: xllamacpp.Server, request: Request) -> int:
        """Make sure of the prefix that the request marks; tokens that had to be read for it."""
        if not (request.shared_messages and self._prefixes.ready()):
            self._prefixes.forget()
            return 0
        read = 0

        def evaluate(prompt: str) -> None:
            nonlocal read
            body = {"prompt": prompt, "n_predict": 0, "cache_prompt": True}
            read += int(server.handle_completions(body).get("timings", {}).get("prompt_n", 0))

        self._prefixes.warm(transcript(request, request.shared_messages), evaluate)
        return read

    def _message(self, reply: dict[str, Any], request: Request) -> AssistantMessage:
        choice = reply["choices"][0]
        text = (choice["text"] if request.tools else choice["message"].get("content")) or ""
        if not request.tools:
            return AssistantMessage(text=text, verbatim=text)
        return read_reply(text, f"call-{next(self._ids)}")


def completion_body(request: Request) -> dict[str, Any]:
    """The request in the terms of llama.cpp's completion endpoint, calls forced into shape."""
    schema = reply_schema(request.tools if request.tools_allowed else ())
    return {
        "prompt": transcript(request),
        "n_predict": request.max_output_tokens,
        "temperature": request.temperature or 0.0,
        "seed": request.seed,
        "cache_prompt": True,
        "json_schema": schema,
    }


def chat_body(request: Request) -> dict[str, Any]:
    """A request without tools in the terms of llama.cpp's chat endpoint."""
    return {
        "messages": [_chat_message(m) for m in request.messages],
        "max_tokens": request.max_output_tokens,
        "temperature": request.temperature or 0.0,
        "seed": request.seed,
        "cache_prompt": True,
    }


def reply_schema(tools: tuple[ToolSpec, ...]) -> dict[str, Json]:
    """JSON Schema of a reply: a call of one of the tools, or an answer."""
    calls = [_object({"tool": {"const": t.name}, "args": _strict(t.parameters)}) for t in tools]
    # A model that wants to write a number and may not writes blanks until it is cut off.
    answer = {"anyOf": [{"type": "string"}, {"type": "number"}]}
    return {"anyOf": [*calls, _object({"answer": answer})]}


def tool_lines(tools: tuple[ToolSpec, ...]) -> str:
    """The tools as a model of this size reads them best: one signature a line."""
    return "\n".join(f"- {t.name}({_signature(t.parameters)}): {t.description}" for t in tools)


def _object(properties: dict[str, Json]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _strict(parameters: dict[str, Json]) -> dict[str, Json]:
    return {"type": "object", "properties": {}, **parameters, "additionalProperties": False}


def _signature(parameters: dict[str, Json]) -> str:
    return ", ".join(f"{n}: {_type(p)}" for n, p in parameters.get("properties", {}).items())


def _type(schema: dict[str, Json]) -> str:
    if "enum" in schema:
        return "|".join(str(v) for v in schema["enum"])
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    return str(schema.get("type", "any"))


def transcript(request: Request, count: int | None = None) -> str:
    """The conversation as plain text, one message a line.

    Models of this size follow worked examples in a plain transcript far better
    than the same turns in their chat template (docs/decisions/0004).

    Args:
        request: The request.
        count: How many of the first messages; all when None. What that gives is the
            beginning of the whole.
    """
    lines = []
    after_answer = True
    # The tools stand behind the system texts that the conversation begins with, once.
    before = next((i for i, m in enumerate(request.messages) if not _is_system(m)), 0)
    for i, message in enumerate(request.messages[:count]):
        if isinstance(message, SystemMessage):
            lines.append(message.text + "\n")
            if i + 1 == before:
                lines.append(f"Tools:\n{tool_lines(request.tools)}\n\n{PROTOCOL}\n")
        elif isinstance(message, AssistantMessage):
            after_answer = not message.tool_calls
            lines.append(_assistant_text(message) + ("\n" if after_answer else ""))
        elif isinstance(message, ToolMessage):
            lines.append(message.text)
        else:
            lines.append(("Task: " if after_answer else "Note: ") + message.text)
            after_answer = False
    return "\n".join(lines) + "\n"


def _is_system(message: Message) -> bool:
    return isinstance(message, SystemMessage)


def _chat_message(message: Message) -> dict[str, str]:
    if isinstance(message, AssistantMessage):
        return {"role": "assistant", "content": _assistant_text(message)}
    role = "system" if isinstance(message, SystemMessage) else "user"
    return {"role": role, "content": message.text}


def _assistant_text(message: AssistantMessage) -> str:
    if isinstance(message.verbatim, str):
        return message.verbatim
    if message.tool_calls:
        call = message.tool_calls[0]
        return json.dumps({"tool": call.name, "args": call.arguments}, ensure_ascii=False)
    return json.dumps({"answer": message.text}, ensure_ascii=False)


def read_reply(text: str, call_id: str) -> AssistantMessage:
    """A reply as a call or an answer; one that was cut off is an answer as far as it goes."""
    try:
        reply = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return AssistantMessage(text=text, verbatim=text)
    if not isinstance(reply, dict):
        return AssistantMessage(text=text, verbatim=text)
    if "tool" not in reply:
        return AssistantMessage(text=str(reply.get("answer", text)), verbatim=text)
    call = ToolCall(call_id, str(reply["tool"]), reply.get("args") or {})
    return AssistantMessage(tool_calls=(call,), verbatim=text)


def _response(
    reply: dict[str, Any], message: AssistantMessage, took: tuple[float, int], ref: str
) -> Response:
    """The response; ``took`` is the seconds, and the tokens that were read before for a prefix."""
    latency_s, read = took
    timings = reply["timings"]
    tokens = Tokens(
        uncached_input_tokens=int(timings["prompt_n"]) + read,
        cache_read_tokens=int(timings["cache_n"]) - min(read, int(timings["cache_n"])),
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
        output_tokens=int(timings["predicted_n"]),
        reasoning_tokens=0,
    )
    return Response(
        message=message,
        tokens=tokens,
        latency_s=latency_s,
        truncated=reply["choices"][0].get("finish_reason") == "length",
        model_ref=ref,
    )
