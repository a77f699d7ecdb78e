"""Where what a lever shows is put into a conversation."""

from __future__ import annotations

from leanloop.core.message import AssistantMessage, Message, ToolMessage, UserMessage


def behind_task(messages: tuple[Message, ...], note: UserMessage) -> tuple[Message, ...]:
    """The same with a note behind the task, which is what stands before the first reply.

    It stays there from step to step, so that what comes behind it can be cached. To be
    used before worked examples are put in front of the task.
    """
    at = next(
        (i for i, m in enumerate(messages) if isinstance(m, AssistantMessage | ToolMessage)),
        len(messages),
    )
    return (*messages[:at], note, *messages[at:])
