"""The same conversations written in several forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.models.wire_server import chat_call, chat_calls, chat_text

SECRET = "zebra-crossing"
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "find",
        "description": "Finds a thing.",
        "parameters": {"type": "object", "properties": {"what": {"type": "string"}}},
    },
}


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def result(call_id: str, content: str, name: str = "find") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "name": name, "content": content}


def find(call_id: str, what: str) -> dict[str, Any]:
    return chat_call(call_id, "find", json.dumps({"what": what}))


CONVERSATION = [
    said("system", "Help."),
    said("user", f"Where is the {SECRET}?"),
    chat_calls(find("c1", SECRET), find("c2", "map")),
    result("c1", f"The {SECRET} is left."),
    result("c2", "Error: no map"),
    chat_text("Left."),
    said("user", "Thanks."),
    chat_text("Bye."),
]
OTHER = [said("user", "Hi."), chat_text("Hello.")]
CONVERSATIONS = [CONVERSATION, OTHER]


def pairs(messages: list[dict[str, Any]], **about: Any) -> list[dict[str, Any]]:
    """Each answer with the request before it, as a log of requests has them."""
    return [
        {"messages": messages[:i], "response": answer(m), **about}
        for i, m in enumerate(messages)
        if m["role"] == "assistant"
    ]


def answer(message: dict[str, Any], usage: Any = None) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "model": "gpt-x", "choices": [choice], "usage": usage}


def tau_run(place: int, messages: list[dict[str, Any]], reward: float = 1.0) -> dict[str, Any]:
    return {
        "task_id": place,
        "reward": reward,
        "info": {"task": {"instruction": "Do."}, "source": "user", "user_cost": 0.01},
        "traj": messages,
        "trial": 0,
    }


def as_tau(path: Path, conversations: list[list[dict[str, Any]]] = CONVERSATIONS) -> Path:
    return write(path, [tau_run(i, c) for i, c in enumerate(conversations)])


def as_list(path: Path, conversations: list[list[dict[str, Any]]] = CONVERSATIONS) -> Path:
    return write(path, conversations)


def as_lines(path: Path, conversations: list[list[dict[str, Any]]] = CONVERSATIONS) -> Path:
    return lines(path, [{"messages": c, "model": "gpt-x", "tools": [TOOL]} for c in conversations])


def as_requests(path: Path, conversations: list[list[dict[str, Any]]] = CONVERSATIONS) -> Path:
    return lines(
        path, [p for i, c in enumerate(conversations) for p in pairs(c, conversation_id=f"c-{i}")]
    )


def write(path: Path, value: Any, indent: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=indent))
    return path


def lines(path: Path, values: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, values)) + "\n")
    return path
