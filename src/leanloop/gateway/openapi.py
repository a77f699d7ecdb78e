"""The gateway's own description, for clients and for tests that are made from it."""

from __future__ import annotations

from leanloop.core.message import Json

LABELS: list[Json] = [
    {
        "name": f"x-leanloop-{name}",
        "in": "header",
        "required": False,
        "description": about,
        "schema": {"type": "string", "maxLength": 200},
    }
    for name, about in (
        ("session", "The session that the call is part of; told by the conversation without it."),
        ("task", "What the session is about, such as a task's name."),
        ("success", "How well the session has gone so far, 0 to 1."),
    )
]
ANY: Json = {"description": "What upstream answers, as it is, or an error of the API's own form."}


def _call(what: str, required: list[str], properties: dict[str, Json]) -> Json:
    schema = {"type": "object", "required": required, "properties": properties}
    return {
        "post": {
            "summary": what,
            "parameters": LABELS,
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": schema}},
            },
            "responses": {"default": ANY},
        }
    }


def _page(what: str) -> Json:
    return {"get": {"summary": what, "responses": {"200": {"description": what}}}}


TEXT: Json = {"type": "string"}
TURNS: Json = {"type": "array", "items": {"type": "object", "properties": {"role": TEXT}}}
OUTCOME: Json = {
    "type": "object",
    "required": ["session", "success"],
    "additionalProperties": False,
    "properties": {"session": TEXT, "success": {"type": "number", "minimum": 0, "maximum": 1}},
}
DOCUMENT: Json = {
    "openapi": "3.1.0",
    "info": {"title": "leanloop gateway", "version": "1"},
    "paths": {
        "/v1/chat/completions": _call(
            "OpenAI, Chat Completions",
            ["model", "messages"],
            {"model": TEXT, "messages": TURNS, "stream": {"type": "boolean"}},
        ),
        "/v1/responses": _call(
            "OpenAI, Responses",
            ["model", "input"],
            {"model": TEXT, "input": {"anyOf": [TEXT, TURNS]}, "stream": {"type": "boolean"}},
        ),
        "/v1/messages": _call(
            "Anthropic, Messages",
            ["model", "messages", "max_tokens"],
            {
                "model": TEXT,
                "messages": TURNS,
                "max_tokens": {"type": "integer"},
                "stream": {"type": "boolean"},
            },
        ),
        "/v1/messages/count_tokens": _call(
            "Anthropic, count tokens: passed on as it is",
            ["model", "messages"],
            {"model": TEXT, "messages": TURNS},
        ),
        "/leanloop/health": _page("Whether it can take calls, and its levers"),
        "/leanloop/canary": _page("What is shown of the canary so far"),
        "/leanloop/metrics": _page("Prometheus metrics (extra)"),
        "/leanloop/outcome": {
            "post": {
                "summary": "Say how a session ended",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": OUTCOME}},
                },
                "responses": {
                    "200": {"description": "Kept."},
                    "400": {"description": "It is no outcome."},
                    "404": {"description": "There is no such session."},
                },
            }
        },
    },
}
