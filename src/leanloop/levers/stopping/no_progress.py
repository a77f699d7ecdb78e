"""Stop an agent that learns nothing new."""

from __future__ import annotations

import hashlib

from leanloop.core.configuration import Setting
from leanloop.core.domain import IntRange
from leanloop.core.run import Step, ToolUse
from leanloop.levers.protocol import GO, Answer, Card, RunContext, SimpleLever, Stage, Verdict


def digest(*parts: str) -> bytes:
    """A short stand-in for texts that are only asked whether they were seen before."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        found.update(len(data).to_bytes(8, "big") + data)
    return found.digest()


class NoProgress(Stage):
    """Asks for the answer after ``limit`` steps in a row that brought nothing new.

    A step brought nothing new when every observation was an error, or was seen
    before in this run word for word, whichever call gave it. Tools not marked
    read-only may say "done" to all that they do, so that their observation is
    new unless the same call gave it before. A step without tool calls counts
    neither way. Once asked for, the answer stays asked for.

    Args:
        limit: Steps in a row.
        read_only: Names of the tools marked read-only.
    """

    def __init__(self, limit: int, read_only: frozenset[str]) -> None:
        self._limit = limit
        self._read_only = read_only
        self._seen: set[bytes] = set()
        self._idle = 0

    def after_step(self, step: Step) -> Verdict:
        """Look for something new in the step."""
        if step.tool_uses and self._idle < self._limit:
            keys = {self._key(use) for use in step.tool_uses if not use.is_error}
            self._idle = 0 if keys - self._seen else self._idle + 1
            self._seen |= keys
        return Answer("no_progress") if self._idle >= self._limit else GO

    def _key(self, use: ToolUse) -> bytes:
        if use.name in self._read_only:
            return digest(use.observation)
        return digest(use.name, use.arguments_json, use.observation)


def _make(setting: Setting, context: RunContext) -> Stage:
    return NoProgress(int(setting), frozenset(t.name for t in context.tools if t.read_only))


LEVER = SimpleLever(
    Card(
        name="stopping.no_progress",
        summary="Ask for the answer after N steps in a row whose observations were all errors or "
        "seen before.",
        domain=IntRange(1, 1000),
        search=(2, 3),
        acts_on=("step",),
        source="leanloop; in recorded sets failed runs cost 1.6 to 4.3 times as much as solved "
        "ones.",
    ),
    _make,
)
