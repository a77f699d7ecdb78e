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


def between_rounds(
    messages: tuple[Message, ...], at: int, notes: tuple[Message, ...]
) -> tuple[Message, ...]:
    """The same with notes at a place where a round began when the place was chosen.

    Where another lever has shortened the history since, results of a round may stand
    there: the notes go behind them, so that the round stays whole.
    """
    while at < len(messages) and isinstance(messages[at], ToolMessage):
        at += 1
    return (*messages[:at], *notes, *messages[at:])
