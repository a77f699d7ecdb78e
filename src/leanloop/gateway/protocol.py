"""What a wire must do: one API that clients of the gateway speak."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Json, Message, Request, ToolSpec
from leanloop.core.tokens import Tokens

UNKNOWN = Tokens()


@dataclass(frozen=True)
class Peeked:
    """What is seen of a request's body without reading its contents.

    Args:
        model: As the client names it; empty when it does not.
        stream: Whether the client asks for a stream of events.
        items: The conversation, a part for each message, as it came.
        roles: Whose message each part is; empty where the API does not say.
        head: System text that stands apart from the conversation, as it came.
        tools: As they came.
        chained: Whether the conversation is kept at the provider, so that it is not all here.
        marked: Whether it has cache marks, which clients move from call to call.
    """

    model: str
    stream: bool
    items: Sequence[msgspec.Raw]
    roles: Sequence[str]
    head: bytes
    tools: bytes = b""
    chained: bool = False
    marked: bool = False


@dataclass(frozen=True)
class Reply:
    """What an answer's body says.

    Args:
        message: What the model said; None when there is no message in it.
        tokens: By class, as reported; all unknown when nothing was.
        model: Who answered, as the provider names it; empty when it does not say.
        truncated: Whether the model was cut off by the bound on its output.
    """

    message: AssistantMessage | None = None
    tokens: Tokens = UNKNOWN
    model: str = ""
    truncated: bool = False


class _Part(msgspec.Struct):
    role: str = ""


_PART = msgspec.json.Decoder(_Part)
_ROLE = re.compile(rb'\{\s*"role"\s*:\s*"(\w+)"')
_HEAD_BYTES = 64


def role_of(item: msgspec.Raw) -> str:
    """Whose message a part is: looked for at its beginning, where nearly all have it.

    Raises:
        msgspec.DecodeError: It is no JSON object.
    """
    found = _ROLE.match(memoryview(item)[:_HEAD_BYTES])
    return _PART.decode(item).role if found is None else found[1].decode()


class Talk(msgspec.Struct):
    """What a body with messages has, in both of the APIs that have them."""

    messages: list[msgspec.Raw]
    model: str = ""
    stream: bool | None = False
    tools: msgspec.Raw = msgspec.Raw(b"")


T = TypeVar("T", bound=Talk)


def look(decoder: msgspec.json.Decoder[T], raw: bytes) -> tuple[T, list[str]]:
    """A body with messages, and whose each of them is.

    Raises:
        BadInputError: The API would not know what it is.
    """
    try:
        body = decoder.decode(raw)
        return body, [role_of(m) for m in body.messages]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInputError("body", str(error)) from None


class WireRequest(Protocol):
    """A request's body, read for levers."""

    @property
    def request(self) -> Request:
        """What levers see."""

    def write(self, request: Request) -> dict[str, Json]:
        """The body of a request that levers made of this one, or of their own question."""


class Joiner(Protocol):
    """Joins the events of a streamed answer to the body that it would have been unstreamed."""

    @property
    def finished(self) -> bool:
        """Whether the last event has come."""

    @property
    def body(self) -> Json:
        """The body as far as it has come; None before the first event."""

    def feed(self, name: str, data: bytes) -> None:
        """Take an event; what is no event of this API is left out."""


class Wire(Protocol):
    """One API. It reads and writes bodies; it sends nothing."""

    @property
    def name(self) -> str:
        """The API's name."""

    @property
    def path(self) -> str:
        """How the path of its calls ends."""

    def peek(self, raw: bytes) -> Peeked:
        """Look at a request's body.

        Raises:
            BadInputError: The API would not know what it is.
        """

    def messages(self, items: Sequence[msgspec.Raw], head: bytes = b"") -> tuple[Message, ...]:
        """Parts of a conversation as messages, behind the system text of ``head``.

        Raises:
            BadInputError: The API would not know what they are.
        """

    def read(self, body: dict[str, Json]) -> WireRequest:
        """A request's body for levers.

        Raises:
            BadInputError: The API would not know what it is.
        """

    def tools(self, raw: bytes) -> tuple[ToolSpec, ...]:
        """Tools as they came.

        Raises:
            BadInputError: The API would not know what they are.
        """

    def reply(self, body: Json) -> Reply:
        """What an answer's body says; an empty reply where it is no answer."""

    def joiner(self) -> Joiner:
        """For the events of one answer."""

    def without_calls(self, body: Json, call_ids: Collection[str]) -> Json:
        """An answer's body without some of its tool calls."""

    def with_message(self, body: Json, message: AssistantMessage) -> Json:
        """An answer's body that says something else."""

    def events(self, body: Json, *, usage: bool) -> list[bytes]:
        """An answer's body as the stream of events that says the same.

        Args:
            body: Of an answer.
            usage: Whether the client asked for usage in the stream.
        """

    def plain(self, body: dict[str, Json]) -> dict[str, Json]:
        """A request's body that asks for no stream."""

    def error(self, status: int, kind: str, text: str) -> Json:
        """The body of an error as the API's clients understand it.

        Args:
            status: The HTTP status that it goes with.
            kind: ``budget``, ``access``, ``upstream``, ``request`` or ``stopped``.
            text: What is wrong and what can be done, in one line.
        """
