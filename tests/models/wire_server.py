"""A local HTTP server that speaks both wire formats, and misbehaves on request."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest

NUMBER = re.compile(r"[A-Z]-\d+")


@dataclass(frozen=True)
class Reply:
    """A scripted answer.

    Args:
        body: JSON, or text that is sent as it is.
        status: HTTP status.
        headers: Besides type and length.
        delay_s: Seconds to wait before answering.
        drop: Close the connection: before any byte, or after half of the body.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drop: str = ""


@dataclass(frozen=True)
class Sent:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]
    raw: str

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


def soon(status: int, message: str = "try later") -> Reply:
    """An error that asks to be retried in a millisecond."""
    return Reply({"error": {"message": message}}, status, {"retry-after-ms": "1"})


def clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the developer's own shell tells HTTP clients and SDKs."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for provider in ("OPENAI", "ANTHROPIC"):
        monkeypatch.delenv(f"{provider}_CUSTOM_HEADERS", raising=False)
        # An address or a key that a shell has set must not win over the study's.
        monkeypatch.setenv(f"{provider}_BASE_URL", "http://127.0.0.1:1")
        monkeypatch.setenv(f"{provider}_API_KEY", "key-of-the-shell")


DROPPED = Reply(drop="before")
CUT = Reply({"choices": []}, drop="half")


class WireServer:
    """Answers by the script while it lasts, then as a simple-minded model would."""

    def __init__(self) -> None:
        self.requests: list[Sent] = []
        self.script: deque[Reply] = deque()
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        self._server = _Http(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def say(self, *replies: Reply) -> None:
        self.script.extend(replies)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()

    def reply_to(self, sent: Sent) -> Reply:
        self.requests.append(sent)
        if self.script:
            return self.script.popleft()
        if sent.path.endswith("/chat/completions"):
            return Reply(_chat_answer(sent.body))
        if sent.path.endswith("/v1/messages"):
            return Reply(_messages_answer(sent.body))
        return Reply({"error": {"message": f"no such path: {sent.path}"}}, 404)


class _Http(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, wire: WireServer) -> None:
        self.wire = wire
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def wire(self) -> WireServer:
        assert isinstance(self.server, _Http)
        return self.server.wire

    def setup(self) -> None:
        super().setup()
        self.wire.connections.add(self.connection)

    def finish(self) -> None:
        self.wire.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        # A client that gave up has closed its end.
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's name
        pass

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"])).decode()
        sent = Sent(self.path, {k.lower(): v for k, v in self.headers.items()}, raw)
        self._answer(self.wire.reply_to(sent))

    def _answer(self, reply: Reply) -> None:
        if reply.delay_s:
            self.wire.stopping.wait(reply.delay_s)
        if reply.drop == "before":
            self.close_connection = True
            return
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        data = text.encode()
        self.send_response(reply.status)
        usual = {"content-type": "application/json", "content-length": str(len(data))}
        for name, value in {**usual, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.drop == "half":
            data = data[: len(data) // 2]
            self.close_connection = True
        self.wfile.write(data)


def chat_reply(message: dict[str, Any], usage: Any = None, finish: str = "stop") -> Reply:
    """A chat completion that carries the message."""
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-test-2026-11-01",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    return Reply(body if usage is None else {**body, "usage": usage})


def chat_text(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def chat_call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def chat_calls(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def messages_reply(
    blocks: list[dict[str, Any]], usage: Any = None, stop: str = "end_turn"
) -> Reply:
    """A message of the Messages API with these content blocks."""
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test-20261101",
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
    }
    return Reply(body if usage is None else {**body, "usage": usage})


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def use_block(call_id: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def _chat_answer(body: dict[str, Any]) -> Any:
    last = body["messages"][-1]
    tools = [t["function"] for t in body.get("tools", ())]
    usage = {"prompt_tokens": _words(body), "completion_tokens": 5}
    if last["role"] == "user" and tools and body.get("tool_choice") != "none":
        arguments = json.dumps(_arguments(tools[0]["parameters"], last["content"]))
        call = chat_call(f"call_{len(body['messages'])}", tools[0]["name"], arguments)
        return chat_reply(chat_calls(call), usage, "tool_calls").body
    return chat_reply(chat_text(f"I heard: {last['content']}"), usage).body


def _messages_answer(body: dict[str, Any]) -> Any:
    last = body["messages"][-1]["content"][-1]
    tools = body.get("tools", ())
    usage = {"input_tokens": _words(body), "output_tokens": 5}
    if last["type"] == "text" and tools and "tool_choice" not in body:
        arguments = _arguments(tools[0]["input_schema"], last["text"])
        call = use_block(f"toolu_{len(body['messages'])}", tools[0]["name"], arguments)
        return messages_reply([call], usage, "tool_use").body
    heard = last.get("text") or last["content"]
    return messages_reply([text_block(f"I heard: {heard}")], usage).body


def _arguments(schema: dict[str, Any], prompt: str) -> dict[str, str]:
    return dict.fromkeys(schema["properties"], "".join(NUMBER.findall(prompt)))


def _words(body: dict[str, Any]) -> int:
    return len(json.dumps(body.get("tools", [])).split()) + len(str(body["messages"]).split())
