"""Who speaks to the agent: a script, or a model."""

from __future__ import annotations

import re
from typing import Protocol

from leanloop.core.message import AssistantMessage, Message, Request, SystemMessage, UserMessage
from leanloop.suites.protocol import Ask
from leanloop.suites.tau.lines import Line, Reply

STOP = "###STOP###"
"""What a user who is a model says at the end."""
RULES = f"""You are a customer who writes to a service desk. Stay in that role.
Say one thing at a time, in a sentence or two. Tell what you know when you are asked for it, and
invent nothing that you were not told here. When all that you want is done, or it is refused for
good, answer with {STOP} alone.

What you want, and what you know:
"""
OPENING = "Good day. How can I help you?"
GREETING = "Hello, I need help with something."
"""The first words of a user who has none of their own."""


class User(Protocol):
    """Goes on talking once the agent has answered."""

    async def reply(self, answer: str, ask: Ask) -> str | None:
        """What the user says to the answer; None when nothing more."""


class ScriptedUser:
    """Says what fits the agent's answer first, else the next text of the script.

    Args:
        line: The task.
    """

    def __init__(self, line: Line) -> None:
        self._left = list(line.user)

    async def reply(self, answer: str, ask: Ask) -> str | None:  # noqa: ARG002 - no model is asked
        """The first reply whose words stand in the answer, else the next text; each once."""
        for index, said in enumerate(self._left):
            if isinstance(said, Reply) and re.search(said.when, answer, re.IGNORECASE):
                del self._left[index]
                return said.say
        for index, said in enumerate(self._left):
            if isinstance(said, str):
                del self._left[index]
                return said
        return None


class ModelUser:
    """A model of the study in the role of the user.

    Args:
        line: The task; its instruction is the model's system text.
        first: The user's first words.
        model: The study's name for the model.
        turns: Times that it may speak after its first words.
        max_output_tokens: What it may write at a time.
    """

    def __init__(
        self, line: Line, first: str, model: str, turns: int, max_output_tokens: int
    ) -> None:
        told = line.instruction or line.prompt or ""
        self._talk: list[Message] = [
            SystemMessage(RULES + told),
            UserMessage(OPENING),
            AssistantMessage(first),
        ]
        self._model = model
        self._turns = turns
        self._max_output_tokens = max_output_tokens

    async def reply(self, answer: str, ask: Ask) -> str | None:
        """What the model says; None when it has stopped or has had its turns."""
        if self._turns == 0:
            return None
        self._turns -= 1
        # A message without words is refused by some providers.
        self._talk.append(UserMessage(answer.strip() or "(says nothing)"))
        response = await ask(
            Request(self._model, tuple(self._talk), max_output_tokens=self._max_output_tokens)
        )
        said = response.message.text.strip()
        if not said or STOP in said:
            return None
        self._talk.append(AssistantMessage(said))
        return said
