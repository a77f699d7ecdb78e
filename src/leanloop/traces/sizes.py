"""Tokens of what a trace holds, from its characters and from the tokens that it reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from leanloop.core.message import ToolSpec
from leanloop.traces.trace import TraceRun

CHARS_PER_TOKEN = 4.0
"""Where a run reports no tokens. OpenAI, "What are tokens", help.openai.com, 2026-11: about four
characters of English."""


@dataclass(frozen=True)
class Sizes:
    """How characters of one run become tokens.

    Args:
        tokens_per_char: Tokens of a character.
        hidden_tokens: Tokens of every request that are in no entry, such as the schemas of
            tools that were not recorded.
        reported: Whether this was fitted to tokens that the run reports.
    """

    tokens_per_char: float = 1 / CHARS_PER_TOKEN
    hidden_tokens: float = 0.0
    reported: bool = False

    def tokens(self, chars: int) -> int:
        """Tokens of an entry."""
        return round(chars * self.tokens_per_char)


def sizes_of(run: TraceRun) -> Sizes:
    """Fit the run's own reported input to the characters of its requests.

    A straight line by least squares, its slope and intercept 0 or more: what every request
    has in hidden tokens, and what a character takes.
    """
    reported = [
        (chars, call.counts.input_tokens)
        for call, chars in zip(run.acts, request_chars(run), strict=True)
        if call.counts.input_tokens is not None and chars
    ]
    found = fitted(reported)
    if found.reported:
        return found
    whole = run.totals.counts.input_tokens if run.totals else None
    if whole:
        chars = sum(request_chars(run))
        return Sizes(whole / chars if chars else 1 / CHARS_PER_TOKEN)
    tools = next((c.tools for c in run.acts if c.tools), ())
    return Sizes(hidden_tokens=sum(map(schema_chars, tools)) / CHARS_PER_TOKEN)


def request_chars(run: TraceRun) -> Iterator[int]:
    """Characters of each request's entries, in work that is that of what changed."""
    ends = [0]
    for call in run.acts:
        del ends[call.kept + 1 :]
        for entry in call.added:
            ends.append(ends[-1] + entry.chars)
        yield ends[-1]
        if call.response is not None:
            ends.append(ends[-1] + call.response.chars)


def schema_chars(tool: ToolSpec) -> int:
    """Characters of a tool as a request has them."""
    return len(tool.name) + len(tool.description) + len(json.dumps(tool.parameters))


def fitted(points: list[tuple[int, int]]) -> Sizes:
    """The line through requests of so many characters and tokens."""
    n = len(points)
    x, y = sum(p[0] for p in points), sum(p[1] for p in points)
    if not x or not y:
        return Sizes()
    spread = sum((p[0] - x / n) ** 2 for p in points)
    if n >= 3 and spread > 0:
        slope = sum((p[0] - x / n) * (p[1] - y / n) for p in points) / spread
        hidden = (y - slope * x) / n
        if slope > 0 and hidden >= 0:
            return Sizes(slope, hidden, reported=True)
    return Sizes(y / x, 0.0, reported=True)
