"""Replace the older part of a long history by a summary that a model writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from leanloop.core.configuration import Setting
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    Response,
    SystemMessage,
    ToolMessage,
    UserMessage,
    with_messages,
)
from leanloop.levers.protocol import Card, Complete, RunContext, SimpleLever, Stage

NAME = "memory.summarise"
ASK = (
    "Below are the task and the steps that an agent has taken so far. Write down every value "
    "found that the task still needs, with its name. Be short.\n\n"
)
HEADING = "Summary of the earlier steps:\n"
PATTERN = re.compile(r"(\d+)(?::(\d+))?(?::([\w.-]+))?")


@dataclass(frozen=True)
class Policy:
    """When to summarise, and by which model.

    Args:
        threshold_tokens: Summarise once a request had more input tokens than this.
        keep: Newest observations that stay as they are.
        model: The study's name for the summarising model; the acting one when None.
    """

    threshold_tokens: int
    keep: int = 2
    model: str | None = None


class PolicyDomain:
    """``TOKENS``, ``TOKENS:KEEP`` or ``TOKENS:KEEP:MODEL``."""

    def accepts(self, value: object) -> bool:
        """Whether the value can be read as a policy."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            return False
        match = PATTERN.fullmatch(str(value))
        return match is not None and int(match[1]) > 0 and int(match[2] or 2) > 0

    def __str__(self) -> str:
        return "TOKENS[:KEEP[:MODEL]], such as 800 or '800:2:small'"


def read_policy(setting: Setting) -> Policy:
    """The policy that a setting stands for."""
    match = PATTERN.fullmatch(str(setting))
    if match is None:
        raise ValueError(f"not a summary policy: {setting!r}")
    return Policy(int(match[1]), int(match[2] or 2), match[3])


class Summarise(Stage):
    """Summarises all but the newest observations once the input is long.

    The length is the provider's own count for the request before, so nothing
    is counted twice. System and user text stays as it is, wherever it stands.

    Args:
        policy: When and how.
        complete: Queries the summarising model.
    """

    def __init__(self, policy: Policy, complete: Complete) -> None:
        self._policy = policy
        self._complete = complete
        self._due = False
        self._covered: tuple[int, int] | None = None
        self._kept: tuple[Message, ...] = ()
        self._summary = ""

    async def on_request(self, request: Request) -> Request:
        """Put the summary in the place of the messages that it covers."""
        if self._due:
            self._due = False
            await self._extend(request)
        if self._covered is None:
            return request
        start, end = self._covered
        summary = UserMessage(HEADING + self._summary)
        head = (*request.messages[:start], *self._kept, summary)
        return with_messages(request, (*head, *request.messages[end:]))

    async def on_response(self, request: Request, response: Response) -> Response:
        """Note whether the request had grown past the threshold."""
        del request
        used = response.tokens.input_tokens
        self._due = used is not None and used > self._policy.threshold_tokens
        return response

    async def _extend(self, request: Request) -> None:
        start = _first_turn(request.messages)
        end = _boundary(request.messages, self._policy.keep)
        done = self._covered[1] if self._covered else start
        if end <= done:
            return
        said = (*request.messages[:start], *self._kept)
        lines = [_flat(m) for m in said if isinstance(m, UserMessage)]
        if self._covered:
            lines.append(HEADING + self._summary)
        lines += [_flat(m) for m in request.messages[done:end]]
        ask = Request(
            model=self._policy.model or request.model,
            messages=(UserMessage(ASK + "\n".join(lines)),),
            max_output_tokens=160,
            seed=request.seed,
        )
        response = await self._complete(ask, NAME)
        if not response.message.text:
            return
        self._summary = response.message.text
        covered = request.messages[done:end]
        self._kept += tuple(m for m in covered if isinstance(m, SystemMessage | UserMessage))
        self._covered = (start, end)


def _first_turn(messages: Sequence[Message]) -> int:
    for i, message in enumerate(messages):
        if not isinstance(message, SystemMessage | UserMessage):
            return i
    return len(messages)


def _boundary(messages: Sequence[Message], keep: int) -> int:
    """Index of the round that begins the last ``keep`` observations; a round stays whole."""
    left = keep
    for i in range(len(messages) - 1, -1, -1):
        message = messages[i]
        if isinstance(message, ToolMessage):
            left -= 1
        elif isinstance(message, AssistantMessage) and left <= 0:
            return i
    return 0


def _flat(message: Message) -> str:
    if isinstance(message, AssistantMessage):
        calls = [f"call {c.name}({c.arguments})" for c in message.tool_calls]
        return "\n".join([*([message.text] if message.text else []), *calls])
    if isinstance(message, ToolMessage):
        return f"{message.name} returned: {message.text}"
    return message.text


def _make(setting: Setting, context: RunContext) -> Stage:
    return Summarise(read_policy(setting), context.complete)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Past a number of input tokens, replace older steps by a summary; its cost counts.",
        domain=PolicyDomain(),
        search=(600, 1000),
        acts_on=("request", "response"),
        source="ACON, arXiv 2510.00615: peak tokens -26 to -54%; OPPO, simple memory 56.4% at "
        "194k tokens against summarised 51.5% at 367k (not reproduced here).",
        needs=("model",),
    ),
    _make,
)
