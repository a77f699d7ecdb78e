"""The system text and turns of a Messages body, written back after levers changed them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias

import msgspec

from leanloop.core.message import AssistantMessage, Json, Message, SystemMessage
from leanloop.models.message_blocks import content_blocks, text_blocks
from leanloop.models.originals import Originals, patched, same_objects

INSTRUCTIONS: Literal["instructions"] = "instructions"
Place: TypeAlias = str
"""``instructions``, the system text in front of the turns, or the role of a turn."""

EDITABLE = frozenset({"text", "tool_use"})


@dataclass(frozen=True)
class Piece:
    """A message as it was read from a body.

    Args:
        message: What levers see.
        place: Where it stood.
        start: The first turn that it is part of.
        end: The turn behind the last that it is part of.
        blocks: The blocks that it was read from.
    """

    message: Message
    place: Place
    start: int
    end: int
    blocks: list[Json]


@dataclass(frozen=True)
class _Part:
    """A message to be written; ``index`` is the piece that it is, when it is still whole."""

    place: Place
    blocks: list[Json]
    origin: Piece | None = None
    index: int | None = None


class Turns:
    """Writes messages as system text and alternating turns.

    Args:
        body: As it came; never changed.
        pieces: Its messages as they were read, in order.
        ref: The model that it goes to.
    """

    def __init__(self, body: dict[str, Json], pieces: tuple[Piece, ...], ref: str) -> None:
        self._body = body
        self._pieces = pieces
        self._ref = ref
        self._originals = Originals([p.message for p in pieces])

    def written(self, messages: Sequence[Message]) -> dict[str, Json]:
        """The fields ``system`` and ``messages``, where they differ from the body's.

        Neighbours of one role are joined into one turn, results first, unless they
        are the body's own turns as they stood there.
        """
        found = self._originals.find(messages)
        parts = [self._part(m, i) for m, i in zip(messages, found, strict=True)]
        changes: dict[str, Json] = {}
        instructions = [p for p in parts if p.place == INSTRUCTIONS]
        if [p.index for p in instructions] != self._indices_of(INSTRUCTIONS):
            changes["system"] = [b for p in instructions for b in p.blocks] or None
        talk = _behind_user_turns([p for p in parts if p.place != INSTRUCTIONS])
        turns = [t for _, run in groupby(talk, lambda p: p.place) for t in self._joined([*run])]
        if not same_objects(turns, self._body["messages"]):
            changes["messages"] = turns
        return changes

    def _indices_of(self, place: Place) -> list[int | None]:
        return [i for i, p in enumerate(self._pieces) if p.place == place]

    def _part(self, message: Message, index: int | None) -> _Part:
        if index is None:
            return self._made(message)
        piece = self._pieces[index]
        blocks = piece.blocks if message is piece.message else self._changed(message, piece)
        whole = same_objects(blocks, piece.blocks)
        return _Part(piece.place, blocks, piece, index if whole else None)

    def _made(self, message: Message) -> _Part:
        if isinstance(message, SystemMessage):
            return _Part(INSTRUCTIONS, text_blocks(message.text))
        role = "assistant" if isinstance(message, AssistantMessage) else "user"
        return _Part(role, content_blocks(message, self._ref))

    def _changed(self, message: Message, piece: Piece) -> list[Json]:
        was = piece.message
        if isinstance(message, AssistantMessage) and isinstance(was, AssistantMessage):
            signed = any(b["type"] not in EDITABLE for b in piece.blocks)
            if message.verbatim is not None or signed:  # kept whole
                return piece.blocks
            was = msgspec.structs.replace(was, verbatim=None)
        old, new = content_blocks(was, self._ref), content_blocks(message, self._ref)
        if old == new:
            return piece.blocks
        if _types(old) == _types(new) == _types(piece.blocks):
            return [patched(*three) for three in zip(piece.blocks, old, new, strict=True)]
        texts = [b for b in new if b["type"] == "text"]
        return [*texts, *_patched_uses(piece.blocks, old, new)]

    def _joined(self, run: list[_Part]) -> Iterator[Json]:
        """A run of one role as turns: the body's own, or one made of all."""
        stood = self._stood(run)
        if stood is not None:
            yield from self._body["messages"][stood]
            return
        blocks = [b for part in run for b in part.blocks]
        blocks.sort(key=lambda b: b["type"] != "tool_result")
        if blocks:
            origin = next((p.origin for p in run if p.origin), None)
            first = self._body["messages"][origin.start] if origin else {}
            yield {**first, "role": run[0].place, "content": blocks}

    def _stood(self, run: list[_Part]) -> slice | None:
        """The turns that the parts are all of, when they were neighbours in the body."""
        first, last = run[0].index, run[-1].index
        if first is None or last is None:
            return None
        if [p.index for p in run] != list(range(first, last + 1)):
            return None
        if self._same_turn(first - 1, first) or self._same_turn(last, last + 1):
            return None
        return slice(self._pieces[first].start, self._pieces[last].end)

    def _same_turn(self, one: int, other: int) -> bool:
        if one < 0 or other >= len(self._pieces):
            return False
        a, b = self._pieces[one], self._pieces[other]
        return INSTRUCTIONS not in {a.place, b.place} and a.start == b.start


def _behind_user_turns(parts: list[_Part]) -> list[_Part]:
    """System turns moved behind the user text that levers put after them.

    The API takes a system turn only behind a user turn and before an assistant
    turn or the end (Anthropic, Mid-conversation system messages, 2026-11).
    """
    out: list[_Part] = []
    waiting: list[_Part] = []
    for part in parts:
        if not part.blocks and part.index is None:
            continue
        if part.place == "system":
            waiting.append(part)
            continue
        if waiting and (part.place != "user" or _followed(waiting[-1], part)):
            out += waiting
            waiting = []
        out.append(part)
    return out + waiting


def _followed(one: _Part, other: _Part) -> bool:
    """Whether the two were neighbours in the body already."""
    return bool(one.origin and other.origin and one.origin.end == other.origin.start)


def _types(blocks: list[Json]) -> list[str]:
    return [b["type"] for b in blocks]


def _patched_uses(originals: list[Json], old: list[Json], new: list[Json]) -> list[Json]:
    """The tool calls of a turn, which are the same calls before and after."""
    three = [[b for b in blocks if b["type"] == "tool_use"] for blocks in (originals, old, new)]
    return [patched(*calls) for calls in zip(*three, strict=True)]
