"""Inspect's messages as a system text and a prompt."""

from __future__ import annotations

from collections.abc import Sequence

from inspect_ai.model import ChatMessage

from leanloop.core.errors import BadInputError

SPEAKERS = {"user": "User", "assistant": "Assistant", "tool": "Tool"}


def system_text(messages: Sequence[ChatMessage]) -> str:
    """The system messages, one after the other."""
    return "\n\n".join(m.text for m in messages if m.role == "system")


def prompt_text(messages: Sequence[ChatMessage]) -> str:
    """What is said before the model: the words alone where only the user speaks.

    Raises:
        BadInputError: A message holds more than text.
    """
    spoken = [m for m in messages if m.role != "system"]
    for message in messages:
        if not isinstance(message.content, str) and any(
            part.type not in ("text", "reasoning") for part in message.content
        ):
            raise BadInputError("suite inspect", "a sample holds pictures or other files")
    if all(m.role == "user" for m in spoken):
        return "\n\n".join(m.text for m in spoken)
    return "\n\n".join(f"{SPEAKERS[m.role]}: {m.text}" for m in spoken)


def new_words(before: Sequence[ChatMessage], now: Sequence[ChatMessage]) -> str:
    """What a solver has added to say to the model."""
    known = {m.id for m in before}
    return "\n\n".join(m.text for m in now if m.role in ("user", "system") and m.id not in known)
