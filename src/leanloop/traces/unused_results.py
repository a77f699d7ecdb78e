"""Results of which nothing came back in what the agent said or did later: a heuristic."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from leanloop.core.message import AssistantMessage, Message
from leanloop.traces.trace import Entry, Role, TraceRun

WORD = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_@.\-]{2,}[A-Za-z0-9_@]")
MOST_WORDS = 400
"""Words of a result that are looked for later; more would make long results slow, not better."""


@dataclass
class RunUnused:
    """Results of one run that were not used.

    Args:
        calls: How many.
        judged: How many could be judged.
        chars_sent: Characters of them, in all requests.
    """

    calls: int = 0
    judged: int = 0
    chars_sent: int = 0


@dataclass
class _Open:
    """A result that nothing has come back of yet."""

    words: frozenset[str]
    chars: int
    since: int


def unused_of(run: TraceRun) -> RunUnused:
    """Look at each result for words that are new with it, and whether the agent says one later.

    A result without such words, or without a turn of the agent after it, is not judged. The
    agent may use a result without repeating a word of it, so this is an upper bound.
    """
    found, said, open_results = RunUnused(), set[str](), list[_Open]()
    step = 0
    for step, call in enumerate(run.acts):
        for entry in call.added:
            words = _words(entry)
            if entry.role == Role.TOOL and words - said:
                own = frozenset(sorted(words - said)[:MOST_WORDS])
                open_results.append(_Open(own, entry.chars, step))
                found.judged += 1
            said |= words
        if call.response is not None:
            words = _words(call.response)
            open_results = [r for r in open_results if not r.words & words]
            said |= words
    for result in open_results:
        found.calls += 1
        found.chars_sent += result.chars * (step - result.since + 1)
    return found


def _words(entry: Entry) -> set[str]:
    message = entry.message
    return set() if message is None else set(WORD.findall(_text(message)))


def _text(message: Message) -> str:
    if not isinstance(message, AssistantMessage) or not message.tool_calls:
        return message.text
    arguments = (json.dumps(c.arguments, default=str) for c in message.tool_calls)
    return " ".join([message.text, *arguments])
