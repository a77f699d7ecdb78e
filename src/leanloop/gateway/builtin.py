"""The APIs that the gateway speaks."""

from __future__ import annotations

from leanloop.gateway.chat_completions import WIRE as CHAT_COMPLETIONS
from leanloop.gateway.messages import WIRE as MESSAGES
from leanloop.gateway.protocol import Wire
from leanloop.gateway.responses import WIRE as RESPONSES

BUILT_IN: dict[str, Wire] = {w.name: w for w in (CHAT_COMPLETIONS, RESPONSES, MESSAGES)}
"""API name to what reads and writes it."""


def wire_of(method: str, path: str) -> Wire | None:
    """The API whose call this is; None for any other request.

    Args:
        method: Of the HTTP request.
        path: Without its query.
    """
    if method != "POST":
        return None
    return next((w for w in BUILT_IN.values() if path.endswith(w.path)), None)
