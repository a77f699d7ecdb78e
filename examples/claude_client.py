"""A client with thinking blocks, through the gateway, before a server of Anthropic's form.

``python -m examples.claude_client`` starts a server that answers as Anthropic's API does, a
gateway before it that masks old tool results, and a loop with the official SDK that sends its
thinking back as it must. It prints what the model was shown at its last step.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import anthropic
import msgspec
from aiohttp import web

from leanloop.gateway.access import Access
from leanloop.gateway.meter import Meter
from leanloop.gateway.prices import Prices
from leanloop.gateway.server import Gateway
from leanloop.gateway.serving import listening, serving
from leanloop.gateway.settings import settings_of
from leanloop.gateway.upstream import Upstreams
from leanloop.store.sql import SqlStore

LEVERS = {"memory": {"keep_observations": 1, "stable_prefix": "off"}}
TOOL: Any = {
    "name": "read_file",
    "description": "Read a file.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
}


class Server:
    """Thinks, reads three files one after the other, and answers."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """Answer one call."""
        body = msgspec.json.decode(await http.read())
        self.bodies.append(body)
        turn = len(body["messages"]) // 2
        content: list[Any] = [{"type": "thinking", "thinking": "Next.", "signature": f"s{turn}"}]
        if turn < 3:
            use = {"type": "tool_use", "id": f"toolu_{turn}", "name": "read_file"}
            content.append({**use, "input": {"path": f"file-{turn}"}})
        else:
            content.append({"type": "text", "text": "I have read all three."})
        said = {
            "id": f"msg_{turn}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": "tool_use" if turn < 3 else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 100 * (turn + 1), "output_tokens": 20},
        }
        return web.json_response(said)


async def client(url: str) -> str:
    """The loop: nothing in it knows of leanloop but the address."""
    messages: list[Any] = [{"role": "user", "content": "Read the three files."}]
    async with anthropic.AsyncAnthropic(base_url=url, api_key="any") as made:
        while True:
            said = await made.messages.create(
                model="claude-test",
                max_tokens=4000,
                thinking={"type": "enabled", "budget_tokens": 1024},
                tools=[TOOL],
                messages=messages,
            )
            messages.append({"role": "assistant", "content": said.content})
            uses = [b for b in said.content if b.type == "tool_use"]
            if not uses:
                return "".join(b.text for b in said.content if b.type == "text")
            results = [
                {
                    "type": "tool_result",
                    "tool_use_id": use.id,
                    "content": f"what {use.input['path']} holds, which is long",
                }
                for use in uses
            ]
            messages.append({"role": "user", "content": results})


async def main() -> list[Any]:
    """Run it all; returns the last request that reached the server."""
    server = Server()
    with tempfile.TemporaryDirectory() as name:
        store = SqlStore(Path(name) / "store.sqlite")
        settings = settings_of(LEVERS, "here")
        async with listening(web.Server(server.handle)) as upstream:
            meter = Meter(store.call_log("claude"), Path(name), Prices({}))
            access = Access((), "127.0.0.1")
            gateway = Gateway(settings, Upstreams(upstream), meter, access)
            async with serving(gateway) as url:
                answer = await client(url)
        store.close()
    sys.stdout.write(f"{answer}\nThe last request:\n")
    last: list[Any] = server.bodies[-1]["messages"]
    for message in last:
        sys.stdout.write(f"  {message['role']}: {message['content']}\n")
    return last


if __name__ == "__main__":
    asyncio.run(main())
